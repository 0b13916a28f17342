"""What a STATE may not do that comes from a copy, from a settled box, late, or from a thief; on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from sync import records as wire
from sync.envelope import Fault
from sync.messages import LAST_TERM, State, Term
from sync.office import epochs, recovery
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.database import Store
from sync.office.store.money import read_accounts
from sync.office.store.plants import Heard, count_dropped, enrol, hear_state, read_committed
from sync.office.store.reconcile import Mode
from sync.office.store.schema import instances, meta, shipments
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_corrections import grant
from tests.sync.office.test_crossings import take
from tests.sync.office.test_epochs import HEADER
from tests.sync.office.test_money import ACCOUNT, account, granted, issue, pay
from tests.sync.office.test_reconcile import PERSONS, begin, finish, has, missing, mode, tell, term

PRICE = 200_000


def hear(store: Store, plant: FakePlant, state: State) -> Heard:
    with store.write() as tx:
        return hear_state(tx, plant.instance.wire_id, state)


def kinds(store: Store) -> list[str]:
    with store.read() as tx:
        return [row["kind"] for row in views.list_incidents(tx)]


def sent(store: Store, plant: FakePlant) -> tuple[dict[str, int], list[int]]:
    """Grants and documents that go down."""
    with store.read() as tx:
        found = read_committed(tx, plant.instance.wire_id, 0, 10)
    return dict(found.granted_fen), [each.number for each in found.documents]


def free(store: Store) -> int:
    with store.read() as tx:
        return read_accounts(tx, ACCOUNT)[0].free_fen


def copy_of(plant: FakePlant, rows: int) -> FakePlant:
    return replace(plant, rows=plant.rows[:rows])


def sold_out(store: Store, plant: FakePlant) -> None:
    """All that was paid is granted, dispatched and booked."""
    pay(store, 10_000_000)
    grant(store, plant, 10_000_000)
    plant.truck("N1", ACCOUNT, 10_000_000, 50_000, PRICE)
    take(store, plant)


@pytest.mark.parametrize("written", [0, 2, 5], ids=["behind", "forked", "ahead"])
def test_a_return_that_a_copy_tells_frees_nothing(store: Store, plant: FakePlant, written: int) -> None:
    sold_out(store, plant)
    image = copy_of(plant, 3)
    for _ in range(written):
        image.write(wire.Returned(account=ACCOUNT, returned_fen=10_000_000, reason="收回"))
    hear(store, plant, image.state({ACCOUNT: has(10_000_000, 10_000_000)}))
    assert free(store) == 0


def test_a_return_that_a_fenced_copy_tells_frees_nothing(store: Store, plant: FakePlant) -> None:
    sold_out(store, plant)
    state = plant.state({ACCOUNT: has(10_000_000, 10_000_000, want_fen=12_000_000)})
    hear(store, plant, state.model_copy(update={"mode": "fenced"}))
    assert free(store) == 0
    assert sent(store, plant) == ({}, [])


def test_a_fenced_copy_freezes_nothing_and_gets_nothing(store: Store, plant: FakePlant) -> None:
    """An old copy is tried, writes rows of its own at the gate, and the true folder is put back."""
    pay(store, 10_000_000)
    grant(store, plant, 4_000_000)
    plant.truck("N1", ACCOUNT, 2_000_000, 10_000, PRICE)
    take(store, plant)
    hear(store, plant, plant.state({ACCOUNT: has(4_000_000)}))
    copy = copy_of(plant, 2)
    for _ in range(5):
        copy.write(wire.Alarm(source="gate", what="x", at=plant.now()))
    fenced = copy.state({ACCOUNT: has(0, want_fen=9_000_000)}).model_copy(update={"mode": "fenced"})
    for _ in range(3):
        hear(store, plant, fenced)
    assert kinds(store).count("copy") == 1 and "fork" not in kinds(store)
    assert granted(store) == {"HX01": 4_000_000} and sent(store, plant) == ({}, [])
    for refused in (lambda: issue(store, notice="N8"), lambda: grant(store, plant, 1)):
        with pytest.raises(NotAllowed, match="runs on a copy of its books"):
            refused()
    pay(store, 5_000_000, "B2")
    assert granted(store) == {"HX01": 4_000_000}, "nor what waits for money"
    plant.truck("N2", ACCOUNT, 2_000_000, 10_000, PRICE)
    assert not hear(store, plant, plant.state({ACCOUNT: has(4_000_000)})).short
    take(store, plant)
    assert account(store)["dispatched_fen"] == 4_000_000 and sent(store, plant)[0] == {ACCOUNT: 4_000_000}
    assert issue(store, notice="N8", limit_kg=10_000).hold_fen == 2_000_000


def test_only_an_open_epoch_stops_the_others(store: Store, plant: FakePlant) -> None:
    """Of a box that is replaced and not settled, what it has from us counts, and nothing else that it says."""
    pay(store, 10_000_000)
    pay(store, 9_000_000, "B2", customer_id="C2", customer_name="二")
    thief, following = plant, FakePlant(epoch=2)
    with store.write() as tx:
        enrol(tx, "HX01", "一厂", following.key.public_key())
    tell(store, thief, Term(number=5, id="0" * 32), thief.state({ACCOUNT: has(want_fen=5)}))
    assert mode(store) is Mode.NORMAL and kinds(store) == ["restored"]
    assert begin(store).number == 2, "nor does it make us count from its number"
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE meta SET number = 0 WHERE name = 'reconciling'")
        tx.exec_driver_sql("UPDATE instances SET told_term = 2")
    tell(store, thief, term(store), thief.state({ACCOUNT: has(12_000_000)}, documents=10**6))
    assert mode(store) is Mode.NORMAL and free(store) == -2_000_000, "it may have them: they stay reserved"
    with pytest.raises(NotAllowed):
        issue(store, limit_kg=10_000)
    assert issue(store, customer_id="C2", limit_kg=10_000).hold_fen == 2_000_000


def test_the_very_ledger_that_is_applied_tells_its_return(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000)
    grant(store, plant, 10_000)
    ahead = copy_of(plant, 0)
    ahead.write(wire.Returned(account=ACCOUNT, returned_fen=4_000))
    told = {ACCOUNT: has(10_000, 4_000)}
    hear(store, plant, ahead.state(told))
    assert account(store)["free_fen"] == 0, "its row is on the way"
    plant.rows += ahead.rows
    new = begin(store)
    tell(store, plant, new, plant.state(told))
    take(store, plant)
    tell(store, plant, new, plant.state(told))
    assert account(store)["free_fen"] == 4_000
    finish(store)


def test_a_box_that_tells_fewer_rows_hears_the_ack_alone(store: Store, plant: FakePlant) -> None:
    sold_out(store, plant)
    whole = plant.state({ACCOUNT: has(10_000_000)})
    assert hear(store, plant, whole) == Heard()
    empty = copy_of(plant, 0).state({ACCOUNT: has(0, want_fen=500)})
    assert hear(store, plant, empty) == Heard(short=True)
    assert hear(store, plant, whole) == Heard()
    new = begin(store)
    tell(store, plant, new, empty)
    assert missing(store) == (plant.instance.wire_id,), "nor is it a last word"


def test_a_state_that_comes_again_asks_for_nothing(store: Store, plant: FakePlant) -> None:
    pay(store, 1_000_000)
    grant(store, plant, 1_000_000)
    plant.held("v", "N1", ACCOUNT, 1, 1)
    asks = plant.state({ACCOUNT: has(1_000_000, want_fen=9_000_000)})
    hear(store, plant, asks)
    plant.held("v", "N1", ACCOUNT, 1, 1)
    later = plant.state({ACCOUNT: has(1_000_000)})
    hear(store, plant, later)
    pay(store, 9_000_000, "B2")
    assert hear(store, plant, asks).short
    again = asks.model_copy(update={"last_seq": later.last_seq, "last_hash": later.last_hash})
    hear(store, plant, again.model_copy(update={"at": later.at - timedelta(seconds=1)}))
    assert granted(store) == {"HX01": 1_000_000}
    with store.read() as tx:
        assert views.list_plants(tx)[0]["plant_seq"] == 2


def test_a_settled_box_stops_nobody(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    thief, following = plant, FakePlant(epoch=2)
    issue(store, notice="N0", plate="浙C33333", limit_kg=10_000)
    with store.write() as tx:
        enrol(tx, "HX01", "一厂", following.key.public_key())
    epochs.settle_by_paper(store, thief.instance.wire_id, HEADER, PERSONS)
    for number in (5, LAST_TERM):
        tell(store, thief, Term(number=number, id="0" * 32), thief.state({ACCOUNT: has(9_000_000)}, documents=7))
    assert mode(store) is Mode.NORMAL and free(store) == 10_000_000
    assert sent(store, thief) == ({}, [])
    assert issue(store, limit_kg=10_000).hold_fen == 2_000_000


def test_a_term_that_no_head_office_reached_is_told_and_not_believed(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    for _ in range(2):
        tell(store, plant, Term(number=LAST_TERM, id="0" * 32), plant.state({ACCOUNT: has(want_fen=5)}))
    assert mode(store) is Mode.NORMAL and granted(store) == {} and kinds(store) == ["restored"]
    with store.write() as tx:  # books that were halted by it before this was refused
        tx.execute(insert(meta), [{"name": "foreign_term", "number": LAST_TERM}])
    assert begin(store).number == 2
    with store.write() as tx:
        tx.exec_driver_sql(f"UPDATE terms SET number = {LAST_TERM} WHERE number = 2")
    with pytest.raises(NotAllowed, match="no term follows"):
        recovery.begin_reconcile(store, "x")
    assert term(store).number == LAST_TERM


def test_a_number_that_only_the_plants_rows_remember_is_not_given_again(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    first = issue(store, notice="", limit_kg=10_000)
    prefix = first.notice[:-4]
    plant.taken(f"{prefix}0007", ACCOUNT, 1, plate="浙C33333")
    plant.taken("OWN-1", ACCOUNT, 1, plate="浙C33333")
    take(store, plant)
    assert issue(store, notice="", plate="浙B22222", limit_kg=1_000).notice == f"{prefix}0008"
    with pytest.raises(NotAllowed, match="this number is used"):
        issue(store, notice="OWN-1", plate="浙D44444", limit_kg=1_000)
    with store.read() as tx:
        assert tx.execute(select(func.count()).select_from(shipments)).scalar_one() == 2


def test_boxes_with_an_unknown_key_are_enrolled_or_named_before_the_finish(store: Store, plant: FakePlant) -> None:
    with store.write() as tx:
        count_dropped(tx, "up/HX09/state", Fault.UNKNOWN_KEY, 1)
        tx.exec_driver_sql("UPDATE dropped SET last_at = '2026-01-01T00:00:00+00:00'")
    new = begin(store)
    tell(store, plant, new)
    assert recovery.reconcile_status(store)["unknown"] == (), "heard before the term"
    with store.write() as tx:
        for code in ("HX02", "HX03"):
            count_dropped(tx, f"up/{code}/state", Fault.UNKNOWN_KEY, 40)
        count_dropped(tx, "up/HX04/state", Fault.BAD_SIGNATURE, 40)
    assert recovery.reconcile_status(store)["unknown"] == ("HX02", "HX03")
    with pytest.raises(NotAllowed, match="HX02, HX03"):
        recovery.finish_reconcile(store, PERSONS)
    other = FakePlant(code="HX02")
    with store.write() as tx:
        enrol(tx, "HX02", "二厂", other.key.public_key())
        tx.execute(instances.update().where(instances.c.plant == "HX02").values(enrolled_at="2999-01-01"))
    tell(store, other, new)
    with pytest.raises(NotAllowed, match="HX03"):
        recovery.finish_reconcile(store, PERSONS)
    recovery.finish_reconcile(store, PERSONS, not_ours=("HX03",))
    assert mode(store) is Mode.NORMAL
