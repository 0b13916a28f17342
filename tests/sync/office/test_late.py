"""What no settlement counted, on both databases: voids without their ticket, rows parked or forked, spoilt sums."""

import pytest
from sqlalchemy import delete, update

from sync import records as wire
from sync.allotment import InstanceState, OfficeCounters, Shortage
from sync.office import epochs
from sync.office.refusal import NotAllowed
from sync.office.store.balances import balances
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.late import FIRST_FORK
from sync.office.store.schema import allotments, suspense
from sync.office.store.verification import verify_books
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_corrections import grant
from tests.sync.office.test_epochs import PERSONS, PRICE, lost, paper, take
from tests.sync.office.test_money import ACCOUNT, account, pay
from tests.sync.office.test_reconcile import begin


def settled(store: Store, plant: FakePlant, *stubs: str) -> int:
    """Settled by paper; how many tickets wait in suspense by it."""
    lost(store, plant)
    return int(epochs.settle_by_paper(store, plant.instance.wire_id, paper(*stubs), PERSONS)["suspense"])


def funded(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    grant(store, plant, 10_000_000)
    plant.write(wire.Granted(account=ACCOUNT, granted_fen=10_000_000))


def problems(store: Store) -> list[str]:
    with store.read() as tx:
        return verify_books(tx).problems


def test_a_late_void_frees_nothing_before_its_ticket_counts(store: Store, plant: FakePlant) -> None:
    funded(store, plant)
    take(store, plant)
    settled(store, plant)
    visit = plant.taken("N1", ACCOUNT, 4_000_000)
    plant.void(visit, plant.ticket(visit, "N1", ACCOUNT, 20_000, PRICE, 4_000_000), ACCOUNT, 4_000_000)
    take(store, plant)
    ticket, void = (row["seq"] for row in epochs.suspense(store))
    instance = plant.instance.wire_id
    with pytest.raises(NotAllowed, match="decide on its ticket first"):
        epochs.charge_late(store, instance, void, "作废", "F01")
    epochs.dismiss_late(store, instance, ticket, "未出厂", "F01")
    with pytest.raises(NotAllowed, match="decide on its ticket first"):
        epochs.charge_late(store, instance, void, "作废", "F01")
    assert account(store)["free_fen"] == 10_000_000 and problems(store) == []
    with store.write() as tx:
        tx.execute(update(suspense).where(suspense.c.seq == void).values(state="charged"))
        tx.execute(update(allotments).values(settled_spend_fen=-4_000_000))
    assert any("a void gave back 4000000 fen more" in line for line in problems(store))
    assert any("settled with -4000000 fen" in line for line in problems(store))


def test_a_void_of_a_stub_gives_back_what_the_stub_counts_and_once(store: Store, plant: FakePlant) -> None:
    funded(store, plant)
    take(store, plant)
    settled(store, plant, "HX01-01-0000001,C001/prepaid,浙A12345,20000,40000")
    visit = plant.taken("N1", ACCOUNT, 4_000_000)
    ticket = plant.ticket(visit, "N1", ACCOUNT, 20_000, PRICE, 4_000_000)
    plant.void(visit, ticket, ACCOUNT, 4_000_000)
    plant.void(visit, ticket, ACCOUNT, 4_000_000)
    take(store, plant)
    first, second = (row["seq"] for row in epochs.suspense(store))
    epochs.charge_late(store, plant.instance.wire_id, first, "作废", "F01")
    with store.read() as tx:
        assert balances(tx)[0]["free_fen"] == 10_000_000
    with pytest.raises(NotAllowed, match="counts with ¥0.00 only"):
        epochs.charge_late(store, plant.instance.wire_id, second, "作废", "F01")


def test_counters_give_back_no_more_than_counts() -> None:
    with pytest.raises(Shortage, match="cannot be given back"):
        OfficeCounters(state=InstanceState.SETTLED, settled_spend_fen=5).charge(-6)
    assert OfficeCounters(state=InstanceState.SETTLED, settled_spend_fen=5).charge(-5).settled_spend_fen == 0


def test_a_ticket_voided_twice_settles_and_takes_nothing_from_others(store: Store, plant: FakePlant) -> None:
    funded(store, plant)
    visit = plant.taken("N1", ACCOUNT, 6_000_000)
    ticket = plant.ticket(visit, "N1", ACCOUNT, 30_000, PRICE, 6_000_000)
    plant.void(visit, ticket, ACCOUNT, 6_000_000)
    plant.void(visit, ticket, ACCOUNT, 6_000_000)
    plant.truck("N2", ACCOUNT, 2_000_000, 10_000, PRICE)
    take(store, plant)
    settled(store, plant)
    with store.read() as tx:
        (row,) = balances(tx)
    assert (row["dispatched_fen"], row["free_fen"]) == (2_000_000, 8_000_000), "the second truck has left"
    assert not [line for line in problems(store) if line.startswith("epochs")], "but the counters are told"


def forked(store: Store, plant: FakePlant, tickets: int = 0) -> FakePlant:
    """Two boxes with one key: the ticket of the second, ¥60,000, only came as a fork."""
    funded(store, plant)
    twin = FakePlant(key=plant.key, rows=list(plant.rows), tickets=tickets)
    plant.truck("N1", ACCOUNT, 4_000_000, 20_000, PRICE)
    twin.truck("N2", ACCOUNT, 6_000_000, 30_000, PRICE)
    take(store, plant)
    take(store, twin)
    return twin


def test_a_ticket_of_a_fork_is_settled_into_suspense(store: Store, plant: FakePlant) -> None:
    twin = forked(store, plant)
    assert settled(store, plant) == 1
    assert (account(store)["suspense_fen"], account(store)["free_fen"]) == (6_000_000, 6_000_000)
    take(store, twin)
    (row,) = epochs.suspense(store)
    assert row["seq"] > FIRST_FORK and row["note"].startswith("分叉 fork: row 5 ")
    assert problems(store) == []
    epochs.charge_late(store, plant.instance.wire_id, row["seq"], "已提货", "F01")
    assert account(store)["free_fen"] == 0 and problems(store) == []
    with store.write() as tx:
        tx.execute(delete(suspense))
    assert any("suspense holds None" in line for line in problems(store))


def test_a_ticket_of_a_fork_that_has_its_stub_counts_once(store: Store, plant: FakePlant) -> None:
    twin = forked(store, plant, tickets=1)
    assert settled(store, plant, "HX01-01-0000002,C001/prepaid,浙A12345,30000,60000") == 0
    take(store, twin)
    assert epochs.suspense(store) == [] and account(store)["free_fen"] == 0 and problems(store) == []


def test_a_parked_ticket_is_settled_into_suspense_or_by_its_stub(store: Store, plant: FakePlant) -> None:
    funded(store, plant)
    plant.truck("N1", ACCOUNT, 4_000_000, 20_000, PRICE)
    plant.truck("N2", ACCOUNT, 2_000_000, 10_000, PRICE)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows[1:])
    assert settled(store, plant, "HX01-01-0000001,C001/prepaid,浙A12345,20000,40000") == 1
    row = account(store)
    assert (row["dispatched_fen"], row["suspense_fen"], row["free_fen"]) == (4_000_000, 2_000_000, 6_000_000)
    assert problems(store) == []
    take(store, plant)
    assert len(epochs.suspense(store)) == 1 and problems(store) == [], "the rows before them change nothing"


def test_a_ticket_parked_after_the_settlement_waits_too(store: Store, plant: FakePlant) -> None:
    funded(store, plant)
    assert settled(store, plant) == 0
    plant.truck("N1", ACCOUNT, 4_000_000, 20_000, PRICE)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows[1:])
    assert account(store)["suspense_fen"] == 4_000_000 and problems(store) == []


def test_honest_paper_settles_although_the_restored_books_forgot_its_grants(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    grant(store, plant, 1_000_000)
    begin(store)
    assert settled(store, plant, "HX01-01-0000001,C001/prepaid,浙A12345,25000,50000") == 0
    with store.read() as tx:
        assert balances(tx)[0]["dispatched_fen"] == 5_000_000
