"""Refunds, bounced cheques, recalls, new prices, on both databases: what is gone is never granted, and sums agree."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from sync import records as wire
from sync.documents import Recall
from sync.messages import AccountState, State
from sync.office import corrections, requests
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.money import grant_by_hand
from sync.office.store.orders import amend_notice
from sync.office.store.plants import enrol, hear_state
from sync.office.store.reconcile import begin_reconcile
from sync.office.store.schema import accounts, undone
from sync.office.store.verification import verify_books
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_money import ACCOUNT, account, granted, issue, pay


def refund(store: Store, fen: int, reference: str = "R1", **more: Any) -> bool:
    fields = {"reference": reference, "customer_id": "C001", "amount_fen": fen, "reason": "合同终止", **more}
    body = requests.read_body(corrections.RefundIn, fields)
    return bool(corrections.book_refund(store, body, "F01")["new"])


def undo(store: Store, reference: str = "B1") -> dict[str, Any]:
    return corrections.undo_payment(store, corrections.UndoIn(reference=reference, reason="支票退回"), "F01")


def tell(store: Store, plant: FakePlant, returned_fen: int, documents: int = 0, **more: int) -> None:
    fields = {"granted_fen": granted(store)[plant.code], "spent_fen": 0, "voided_fen": 0, "held_fen": 0, **more}
    state: State = plant.state({ACCOUNT: AccountState(returned_fen=returned_fen, **fields)}, documents)
    with store.write() as tx:
        hear_state(tx, plant.instance.wire_id, state)


def recalls(store: Store, plant: FakePlant) -> list[tuple[int, str]]:
    with store.read() as tx:
        rows = views.documents_of(tx, plant.instance.wire_id)
        return [(row["number"], row["subject"]) for row in rows if row["kind"] == Recall.KIND]


def grant(store: Store, plant: FakePlant, fen: int) -> None:
    with store.write() as tx:
        grant_by_hand(tx, ACCOUNT, plant.instance.wire_id, fen)


def test_a_refund_is_paid_once_and_only_out_of_what_is_free(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000)
    grant(store, plant, 4_000)
    with pytest.raises(NotAllowed, match=r"¥60.00 is free; ¥40.00 lies unused at plants: recall it first"):
        refund(store, 6_001)
    assert refund(store, 6_000)
    assert not refund(store, 6_000)
    with pytest.raises(NotAllowed, match="already booked as C001/prepaid ¥60.00"):
        refund(store, 5_000)
    row = account(store)
    assert (row["fund_fen"], row["free_fen"], row["refunds_fen"]) == (4_000, 0, 6_000)


def test_a_bad_refund_names_its_field(store: Store) -> None:
    pay(store, 10_000)
    bad: tuple[tuple[dict[str, Any], str], ...] = (
        ({"fen": 0}, "amount_fen"), ({"reference": "a b"}, "reference"), ({"reason": " "}, "reason"),
        ({"customer_id": "C9"}, "customer_id"), ({"customer_id": "C/9"}, "customer_id"),
    )  # fmt: skip
    for changes, field in bad:
        with pytest.raises(NotAllowed) as caught:
            refund(store, **{"fen": 1, **changes})
        assert caught.value.field == field, changes


def test_a_bounced_cheque_takes_what_is_free_and_the_rest_is_exposed_and_recalled(
    store: Store, plant: FakePlant
) -> None:
    pay(store, 10_000)
    grant(store, plant, 7_000)
    done = undo(store)
    assert (done["covered_fen"], done["exposure_fen"], done["recalled"]) == (3_000, 7_000, [plant.instance.wire_id])
    assert recalls(store, plant) == [(1, ACCOUNT)]
    again = undo(store)
    assert not again["new"] and again["covered_fen"] == 3_000 and recalls(store, plant) == [(1, ACCOUNT)]
    row = account(store)
    assert (row["fund_fen"], row["free_fen"], row["exposure_fen"]) == (7_000, 0, 7_000)
    with pytest.raises(NotAllowed, match=r"¥70.00 of it is not covered"):
        issue(store)
    with pytest.raises(NotAllowed, match="no such payment"):
        undo(store, "B9")


def test_a_cheque_presented_again_is_another_payment(store: Store) -> None:
    pay(store, 10_000)
    undo(store)
    with pytest.raises(NotAllowed, match="was undone on"):
        pay(store, 10_000)
    assert pay(store, 10_000, "B2") and account(store)["free_fen"] == 10_000


def test_a_notice_on_overdue_credit_is_not_changed(store: Store, plant: FakePlant) -> None:
    due = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    fields = {
        "application": "A1", "customer_id": "C002", "customer_name": "乙", "product": "焦炭", "quantity_kg": 50_000,
        "price_fen_per_t": 200_000, "due": due, "responsible": "李四",
    }  # fmt: skip
    requests.book_credit(store, requests.read_body(requests.CreditIn, fields), "A01", 8)
    issue(store, limit_kg=10_000, mode="credit", customer_id="C002", credit_application="A1")
    midnight = datetime.fromisoformat(f"{due}T23:59:59+08:00")
    for now, allowed in ((midnight, True), (midnight + timedelta(seconds=1), False)):
        changes = {"limit_kg": 20_000, "expires_at": now + timedelta(hours=1)}
        with store.write() as tx:
            if allowed:
                assert amend_notice(tx, "N1", changes, now).hold_fen == 4_000_000
                continue
            with pytest.raises(NotAllowed, match="was due on") as caught:
                amend_notice(tx, "N1", changes, now)
            assert caught.value.field == "credit_application"


def test_what_comes_back_covers_the_exposure_before_anybody_gets_it(store: Store, plant: FakePlant) -> None:
    """A return by STATE, a return by record, a payment: each time while another plant waits for the money."""
    other = FakePlant(code="HX02")
    with store.write() as tx:
        enrol(tx, "HX02", "二厂", other.key.public_key())
    pay(store, 10_000)
    grant(store, plant, 10_000)
    undo(store)
    asking = AccountState(granted_fen=0, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=0, want_granted_fen=5_000)
    with store.write() as tx:
        hear_state(tx, other.instance.wire_id, other.state({ACCOUNT: asking}))
    tell(store, plant, 4_000)
    assert account(store)["exposure_fen"] == 6_000 and granted(store).get("HX02", 0) == 0
    plant.write(wire.Returned(account=ACCOUNT, returned_fen=7_000))
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    assert account(store)["exposure_fen"] == 3_000 and granted(store).get("HX02", 0) == 0
    pay(store, 4_000, "B2")
    row = account(store)
    assert (row["exposure_fen"], row["fund_fen"]) == (0, 4_000)
    assert granted(store)["HX02"] == 1_000, "what was left over after the exposure"


def test_two_undone_payments_are_covered_in_their_order(store: Store, plant: FakePlant) -> None:
    pay(store, 5_000)
    pay(store, 5_000, "B2")
    grant(store, plant, 10_000)
    undo(store, "B2")
    undo(store, "B1")
    tell(store, plant, 6_000)
    with store.read() as tx:
        covered = {row.reference: row.covered_fen for row in tx.execute(undone.select())}
    assert covered == {"B2": 5_000, "B1": 1_000}


def test_money_that_falls_free_later_at_a_plant_is_recalled_again(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=20_000)
    visit = plant.taken("N1", ACCOUNT, 4_000_000)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    done = undo(store)
    assert done["exposure_fen"] == 4_000_000 and done["recalled"] == [], "all of it is held for a truck"
    plant.ticket(visit, "N1", ACCOUNT, 10_000, 200_000, 4_000_000)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    assert recalls(store, plant) == [(2, ACCOUNT)]
    plant.exit(visit, "HX01-01-0000001")
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    assert recalls(store, plant) == [(2, ACCOUNT)], "one is under way"
    tell(store, plant, 0, documents=2, spent_fen=2_000_000)
    plant.write(wire.Returned(account=ACCOUNT, returned_fen=1_500_000))
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    assert recalls(store, plant) == [(2, ACCOUNT), (3, ACCOUNT)], "it was applied, and ¥5,000.00 lies there again"
    assert account(store)["exposure_fen"] == 2_500_000


def test_a_notice_keeps_its_own_money_while_a_payment_is_exposed(store: Store, plant: FakePlant) -> None:
    pay(store, 6_000_000)
    issue(store, limit_kg=20_000)
    undo(store)
    body = requests.read_body(requests.AmendIn, {"limit_kg": 30_000})
    assert requests.change_notice(store, "N1", body, 8).hold_fen == 4_000_000
    body = requests.read_body(requests.AmendIn, {"limit_kg": 10_000})
    assert requests.change_notice(store, "N1", body, 8).hold_fen == 2_000_000
    assert account(store)["exposure_fen"] == 4_000_000


def test_a_notice_that_came_short_is_repriced_without_a_new_promise(store: Store, plant: FakePlant) -> None:
    """The truck before it took some of its money at the plant; then the cheque for all of it bounced."""
    pay(store, 10_000_000)
    grant(store, plant, 7_350_000)
    visit = plant.taken("N0", ACCOUNT, 0)
    issue(store, limit_kg=36_750)
    plant.write(wire.HoldChanged(visit=visit, notice="N0", account=ACCOUNT, hold_fen=4_000_000))
    plant.ticket(visit, "N0", ACCOUNT, 20_000, 200_000, 4_000_000)
    plant.taken("N1", ACCOUNT, 3_350_000)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    undo(store)
    before = granted(store)
    for price, hold_fen in ((100_000, 3_350_000), (50_000, 1_837_500)):
        (line,) = corrections.reprice(store, corrections.RepriceIn(product="焦炭", price_fen_per_t=price))
        assert line["ok"] and line["hold_fen"] == hold_fen, "what lies there for it, and nothing is granted"
    (line,) = corrections.reprice(store, corrections.RepriceIn(product="焦炭", price_fen_per_t=9_000_000))
    assert not line["ok"] and "is not covered yet" in line["why"]
    assert granted(store) == before and account(store)["agrees"]


def test_nothing_is_refunded_before_the_exposure_while_books_are_reconciled(store: Store, plant: FakePlant) -> None:
    """Nothing is covered then, so what was paid since seems free; all plants have told."""
    pay(store, 10_000_000)
    grant(store, plant, 4_000_000)
    undo(store)
    with store.write() as tx:
        began = begin_reconcile(tx, "restored from a backup")
    pay(store, 4_500_000, "B2")
    with store.write() as tx:
        hear_state(tx, plant.instance.wire_id, plant.state().model_copy(update={"term": began}))
    row = account(store)
    assert (row["free_fen"], row["exposure_fen"]) == (4_500_000, 4_000_000)
    with pytest.raises(NotAllowed, match=r"¥5,000.00 is free; ¥40,000.00 of a payment undone .* comes first") as caught:
        refund(store, 500_001, again=True)
    assert "recall" not in str(caught.value)
    assert refund(store, 500_000, again=True)


def test_a_recall_by_hand_asks_only_those_who_have_more(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000)
    grant(store, plant, 4_000)
    for keep_fen, asked in ((4_000, []), (3_999, [plant.instance.wire_id])):
        body = corrections.RecallIn(account=ACCOUNT, keep_fen=keep_fen)
        assert corrections.recall(store, body)["recalled"] == asked
    assert corrections.recall(store, corrections.RecallIn(account=ACCOUNT, plant="HX02"))["recalled"] == []
    with pytest.raises(NotAllowed, match="no such account"):
        corrections.recall(store, corrections.RecallIn(account="C9/prepaid"))
    assert account(store)["free_fen"] == 6_000, "a recall is a wish: nothing is free before the plant's answer"


def test_a_new_price_goes_to_every_open_notice_of_the_product(store: Store, plant: FakePlant) -> None:
    pay(store, 5_000_000)
    issue(store, limit_kg=10_000)
    issue(store, notice="N2", plate="浙B22222", limit_kg=10_000)
    issue(store, notice="N3", plate="浙C33333", product="焦粉", limit_kg=1_000)
    issue(store, notice="N4", plate="浙D44444", limit_kg=2_000)
    requests.withdraw_notice(store, "N4", "不来了")
    lines = corrections.reprice(store, corrections.RepriceIn(product="焦炭", price_fen_per_t=220_000))
    assert [(line["notice"], line["ok"], line["hold_fen"], line["version"]) for line in lines] == [
        ("N1", True, 2_200_000, 2), ("N2", True, 2_200_000, 2),
    ]  # fmt: skip
    assert account(store)["agrees"]
    lines = corrections.reprice(store, corrections.RepriceIn(product="焦炭", price_fen_per_t=6_000_000))
    assert [line["ok"] for line in lines] == [False, False] and "¥60,000.00" in lines[0]["why"]
    assert corrections.reprice(store, corrections.RepriceIn(product="焦炭", price_fen_per_t=1, plant="HX02")) == []


def test_verify_tells_when_the_corrections_do_not_add_up(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000)
    grant(store, plant, 7_000)
    undo(store)
    spoilt: tuple[Any, ...] = (
        update(accounts).values(exposure_fen=1), update(undone).values(covered_fen=0),
        update(undone).values(amount_fen=20_000),
    )  # fmt: skip
    with store.write() as tx:
        for broken in spoilt:
            assert verify_books(tx).ok
            with tx.begin_nested() as before:
                tx.execute(broken)
                assert not verify_books(tx).checks["funds"], broken
                before.rollback()
