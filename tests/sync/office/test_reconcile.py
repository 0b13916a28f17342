"""Books older than what the plants know: they grant nothing until every plant has told, on both databases."""

from collections.abc import Callable
from typing import Any

import pytest

from sync.messages import AccountState, State, Term
from sync.office import corrections, epochs, recovery, requests
from sync.office.persons import TwoPersons
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.database import Store
from sync.office.store.plants import enrol, hear_state, read_committed
from sync.office.store.reconcile import Mode, begin_reconcile, finish_reconcile, mode_of, standing
from sync.office.store.terms import current_term
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_corrections import grant, refund, undo
from tests.sync.office.test_epochs import HEADER
from tests.sync.office.test_money import ACCOUNT, account, granted, issue, pay

PERSONS = TwoPersons("财务 F01", "核算 A01")


def begin(store: Store) -> Term:
    with store.write() as tx:
        return begin_reconcile(tx, "restored from a backup")


def term(store: Store) -> Term:
    with store.read() as tx:
        return current_term(tx)


def mode(store: Store) -> Mode:
    with store.read() as tx:
        return mode_of(tx)


def missing(store: Store) -> tuple[str, ...]:
    with store.read() as tx:
        return standing(tx).missing


def has(granted_fen: int = 0, returned_fen: int = 0, want_fen: int = 0) -> AccountState:
    return AccountState(
        granted_fen=granted_fen, returned_fen=returned_fen, spent_fen=0, voided_fen=0, held_fen=0,
        want_granted_fen=want_fen,
    )  # fmt: skip


def tell(store: Store, plant: FakePlant, followed: Term | None, state: State | None = None, **changes: object) -> None:
    told = (state or plant.state()).model_copy(update={"term": followed, **changes})
    with store.write() as tx:
        hear_state(tx, plant.instance.wire_id, told)


def finish(store: Store, **more: Any) -> None:
    recovery.finish_reconcile(store, PERSONS, **more)


def test_nothing_that_gives_money_away_is_done_while_plants_have_not_told(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    first = term(store)
    second = begin(store)
    assert (first.number, second.number) == (1, 2) and first.id != second.id
    more = requests.read_body(requests.AmendIn, {"limit_kg": 20_000})
    waits: tuple[Callable[[], object], ...] = (
        lambda: issue(store, notice="N2", plate="浙B22222"), lambda: grant(store, plant, 1),
        lambda: requests.change_notice(store, "N1", more, 8), lambda: requests.withdraw_notice(store, "N1", "x"),
        lambda: requests.receive_stock(store, "HX01", "焦炭", 1), lambda: epochs.close_plant(store, "HX01", ""),
        lambda: refund(store, 1), lambda: undo(store),
        lambda: corrections.recall(store, corrections.RecallIn(account=ACCOUNT)),
    )  # fmt: skip
    for asked in waits:
        with pytest.raises(NotAllowed) as caught:
            asked()
        assert caught.value.field in ("office", "plant") and caught.value.zh
    assert pay(store, 500, "B2"), "payments after the backup are posted again at once"
    with store.read() as tx:
        told = read_committed(tx, plant.instance.wire_id, 0, 10)
    assert told.granted_fen == {} and told.ack.term == second, "the plant hears the new term, and no grant"


def test_only_the_plants_own_word_in_the_new_term_counts(store: Store, plant: FakePlant) -> None:
    old = term(store)
    new = begin(store)
    for followed in (None, old):
        tell(store, plant, followed)
        assert missing(store) == (plant.instance.wire_id,), followed
    with pytest.raises(NotAllowed, match=f"not told: {plant.instance.wire_id}"):
        finish(store)
    tell(store, plant, new)
    assert missing(store) == ()
    finish(store)
    assert mode(store) is Mode.NORMAL
    with pytest.raises(NotAllowed, match="are not being reconciled"):
        finish(store)


def test_a_copy_has_no_last_word_and_the_original_that_comes_back_has(store: Store, plant: FakePlant) -> None:
    new = begin(store)
    tell(store, plant, new, mode="fenced")
    assert missing(store) == (plant.instance.wire_id,)
    tell(store, plant, new)
    assert missing(store) == (), "a copy sells nothing and sends no rows: what the original tells is all there is"


def test_accounts_told_in_slices_count_when_they_leave_no_gap(store: Store, plant: FakePlant) -> None:
    new = begin(store)
    for first, last, done in (("C5", "C9", False), ("", "C3", False), ("C4", "", False), ("C3", "C5", False),
                              ("C5", "", True)):  # fmt: skip
        tell(store, plant, new, None, first_account=first, last_account=last)
        assert (missing(store) == ()) is done, (first, last)
    again = begin(store)
    tell(store, plant, again, None, first_account="C5")
    assert missing(store) == (plant.instance.wire_id,), "what was told in another term does not count"


def test_what_the_plants_tell_is_granted_again_and_a_refund_waits_for_it(store: Store, plant: FakePlant) -> None:
    other = FakePlant(code="HX02")
    with store.write() as tx:
        enrol(tx, "HX02", "二厂", other.key.public_key())
    pay(store, 10_000)
    new = begin(store)
    tell(store, plant, new, plant.state({ACCOUNT: has(9_000, 2_000)}, documents=3))
    with pytest.raises(NotAllowed, match="not told: HX02"):
        refund(store, 4_000)
    tell(store, other, new, other.state({ACCOUNT: has(0, 0, want_fen=1_000)}))
    with pytest.raises(NotAllowed, match=r"¥30.00 is free"):
        refund(store, 4_000, again=True)
    with pytest.raises(NotAllowed, match="refunds since the backup are not in the books yet"):
        refund(store, 1_500, "R2")
    assert refund(store, 1_500, again=True), "one that was booked after the backup is booked again"
    assert granted(store) == {"HX01": 9_000, "HX02": 0}
    finish(store)
    assert granted(store) == {"HX01": 9_000, "HX02": 1_000}, "who waits is served again"
    requests.receive_stock(store, "HX01", "焦炭", 1)
    with store.read() as tx:
        assert [row["number"] for row in views.documents_of(tx, plant.instance.wire_id)] == [4]
    assert account(store)["free_fen"] == 500


def test_a_plant_that_holds_money_of_a_forgotten_customer_has_not_told_yet(store: Store, plant: FakePlant) -> None:
    new = begin(store)
    tell(store, plant, new, plant.state({"C7/prepaid": has(5_000)}))
    assert missing(store) == (plant.instance.wire_id,)
    pay(store, 8_000, "B7", customer_id="C7", customer_name="客户七")
    tell(store, plant, new, plant.state({"C7/prepaid": has(5_000)}))
    finish(store)
    assert account(store, "C7/prepaid")["free_fen"] == 3_000


def test_forgotten_payments_stop_the_finish_unless_two_persons_accept_it(store: Store, plant: FakePlant) -> None:
    pay(store, 1_000)
    new = begin(store)
    tell(store, plant, new, plant.state({ACCOUNT: has(5_000)}))
    with pytest.raises(NotAllowed, match=r"C001/prepaid ¥40.00"):
        finish(store)
    assert recovery.reconcile_status(store)["short"] == [{"account": ACCOUNT, "fen": 4_000}]
    finish(store, accept_shortage=True)
    with pytest.raises(NotAllowed):
        grant(store, plant, 1)
    assert pay(store, 4_000, "B2")
    assert account(store)["free_fen"] == 0


def test_exposure_is_not_covered_by_money_that_may_be_out(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000)
    grant(store, plant, 10_000)
    undo(store)
    tell(store, plant, None, plant.state({ACCOUNT: has(10_000, 2_000)}))
    assert account(store)["exposure_fen"] == 8_000
    new = begin(store)
    tell(store, plant, new, plant.state({ACCOUNT: has(10_000, 5_000)}))
    assert account(store)["exposure_fen"] == 8_000
    finish(store)
    assert account(store)["exposure_fen"] == 5_000


def test_a_lost_box_is_settled_while_the_others_tell(store: Store, plant: FakePlant) -> None:
    following = FakePlant(epoch=2)
    with store.write() as tx:
        enrol(tx, "HX01", "一厂", following.key.public_key())
    new = begin(store)
    tell(store, following, new)
    assert missing(store) == (plant.instance.wire_id,)
    epochs.settle_by_paper(store, plant.instance.wire_id, HEADER, PERSONS)
    finish(store)


def test_a_box_enrolled_after_a_restore_tells_before_it_gets_money(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    new = begin(store)
    tell(store, plant, new)
    finish(store)
    following = FakePlant(epoch=2)
    with store.write() as tx:
        enrol(tx, "HX01", "一厂", following.key.public_key())
    for asked in (lambda: issue(store), lambda: grant(store, following, 1)):
        with pytest.raises(NotAllowed, match="has not told since head office was restored"):
            asked()
    tell(store, following, new, following.state({ACCOUNT: has(0, 0, want_fen=500)}))
    assert issue(store, limit_kg=1_000).hold_fen == 200_000


def test_a_plant_that_has_more_than_the_books_ever_granted_starts_it(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000)
    tell(store, plant, term(store), plant.state({ACCOUNT: has(9_000)}))
    assert mode(store) is Mode.RECONCILING and term(store).number == 2
    assert account(store)["free_fen"] == 1_000


def test_books_that_are_not_followed_any_more_halt_and_leave_the_choice_to_a_person(
    store: Store, plant: FakePlant
) -> None:
    """This may be the old machine, left running: a term of its own would stop the one that replaced it."""
    pay(store, 10_000)
    tell(store, plant, Term(number=4, id="f" * 32))
    assert mode(store) is Mode.HALTED and term(store).number == 1
    with pytest.raises(NotAllowed, match="another head office's term"):
        grant(store, plant, 1)
    tell(store, plant, Term(number=6, id="e" * 32))
    tell(store, plant, Term(number=4, id="f" * 32))
    assert term(store).number == 1, "heard again and again it begins nothing"
    with pytest.raises(NotAllowed):
        finish(store)
    new = begin(store)
    assert new.number == 7, "above every number heard of"
    tell(store, plant, new)
    finish(store)
    grant(store, plant, 1)


def test_two_restores_of_one_backup_are_told_apart(store: Store, plant: FakePlant) -> None:
    new = begin(store)
    tell(store, plant, Term(number=new.number, id="f" * 32))
    assert term(store).number == new.number + 1 and mode(store) is Mode.RECONCILING
    tell(store, plant, new)
    assert missing(store) == (plant.instance.wire_id,)


def test_a_control_that_finishes_without_the_plants_grants_the_same_money_twice(store: Store, plant: FakePlant) -> None:
    """What the rule is for: without it the forgotten grant and a new one are both out."""
    pay(store, 10_000)
    begin(store)
    with store.write() as tx, pytest.raises(NotAllowed):
        finish_reconcile(tx, "nobody")
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE meta SET number = 0 WHERE name = 'reconciling'")
        tx.exec_driver_sql("UPDATE instances SET told_term = 2")
    grant(store, plant, 10_000)
    tell(store, plant, term(store), plant.state({ACCOUNT: has(19_000)}))
    with store.read() as tx:
        assert views.list_incidents(tx)[0]["kind"] == "restored"
    assert recovery.reconcile_status(store)["short"] == [{"account": ACCOUNT, "fen": 9_000}]
