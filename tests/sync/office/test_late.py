"""What no settlement counted, on both databases: voids without their ticket, rows parked or forked, spoilt sums."""

from pathlib import Path

import pytest
from sqlalchemy import delete, update

from sync import records as wire
from sync.allotment import InstanceState, OfficeCounters, Shortage
from sync.office import epochs
from sync.office.export import shipments_csv
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.balances import balances, day_of
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.late import FIRST_FORK
from sync.office.store.money import grant_by_hand
from sync.office.store.schema import allotments, suspense
from sync.office.store.verification import verify_books
from sync.records import EpochClosed, FinalCounters
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_corrections import grant
from tests.sync.office.test_epochs import PERSONS, PRICE, disk, lost, paper, take
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
        epochs.decide_late(store, instance, void, True, "作废", "F01")
    epochs.decide_late(store, instance, ticket, False, "未出厂", "F01")
    with pytest.raises(NotAllowed, match="decide on its ticket first"):
        epochs.decide_late(store, instance, void, True, "作废", "F01")
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
    epochs.decide_late(store, plant.instance.wire_id, first, True, "作废", PERSONS)
    with store.read() as tx:
        assert balances(tx)[0]["free_fen"] == 10_000_000
    with pytest.raises(NotAllowed, match="counts with ¥0.00 only"):
        epochs.decide_late(store, plant.instance.wire_id, second, True, "作废", PERSONS)


def stubbed(store: Store, plant: FakePlant, yuan: int, account: str = ACCOUNT) -> int:
    """A box settled by a stub of its one ticket, ¥40,000 in truth; the row then comes and waits in suspense."""
    funded(store, plant)
    pay(store, 10_000_000, "B2", customer_id="C002", customer_name="示例客户乙")
    take(store, plant)
    settled(store, plant, f"HX01-01-0000001,{account},浙A12345,20000,{yuan}")
    plant.truck("N1", ACCOUNT, 4_000_000, 20_000, PRICE)
    take(store, plant)
    (row,) = epochs.suspense(store)
    return int(row["seq"])


def dispatched(store: Store, name: str = ACCOUNT) -> int:
    return int(account(store, name)["dispatched_fen"])


def test_a_ticket_takes_the_place_of_its_stub_of_another_amount(store: Store, plant: FakePlant) -> None:
    """Counted beside its stub, the customer would pay ¥79,000 for one truck of ¥40,000."""
    seq = stubbed(store, plant, 39_000)
    told = epochs.decide_late(store, plant.instance.wire_id, seq, True, "存根写错", "F01")
    assert told["changes_fen"] == {ACCOUNT: 100_000}
    assert dispatched(store) == 4_000_000 and problems(store) == []
    take(store, plant)
    assert epochs.suspense(store) == [] and problems(store) == []


def test_a_late_shipment_stands_in_the_list_and_in_no_sum_until_it_is_charged(store: Store, plant: FakePlant) -> None:
    """Else a stolen box that is settled would still write the day's sums."""
    pay(store, 10_000_000)
    take(store, plant)
    settled(store, plant)
    for number in (1, 2):
        plant.truck(f"N{number}", ACCOUNT, 4_000_000, 20_000, PRICE)
    take(store, plant)
    first, second = (row["seq"] for row in epochs.suspense(store))
    epochs.decide_late(store, plant.instance.wire_id, second, False, "未出厂", "F01")

    def day() -> tuple[int, int, int]:
        with store.read() as tx:
            told = day_of(tx, "2026-11-23")
            assert told["agrees"] and told["total"]["net_kg"] == sum(views.daily_kg(tx, "2026-11-23").values())
            listed = views.list_shipments(tx, business_date="2026-11-23")
            assert len(listed) == 2 and sum(row["late"] for row in listed) == told["late"]["tickets"]
            cells = [line.strip().rpartition(",")[2] for line in shipments_csv(views.each_shipment(tx), 8)]
            assert cells.count("late") == told["late"]["tickets"]
        return told["total"]["tickets"], told["total"]["amount_fen"], told["late"]["amount_fen"]

    assert day() == (0, 0, 8_000_000)
    epochs.decide_late(store, plant.instance.wire_id, first, True, "已提货", "F01")
    assert day() == (1, 4_000_000, 4_000_000)
    assert problems(store) == []


def test_a_ticket_dismissed_leaves_its_stub_standing(store: Store, plant: FakePlant) -> None:
    seq = stubbed(store, plant, 39_000)
    epochs.decide_late(store, plant.instance.wire_id, seq, False, "以存根为准", "F01")
    assert dispatched(store) == 3_900_000 and problems(store) == []


@pytest.mark.parametrize(("yuan", "of"), [(41_000, ACCOUNT), (40_000, "C002/prepaid")], ids=["less", "another account"])
def test_a_stub_that_charged_too_much_is_given_back_by_two(store: Store, plant: FakePlant, yuan: int, of: str) -> None:
    seq = stubbed_elsewhere(store, plant, yuan, of)
    assert epochs.suspense(store)[0]["two"]
    with pytest.raises(NotAllowed, match="takes two persons"):
        epochs.decide_late(store, plant.instance.wire_id, seq, True, "存根写错", "F01")
    epochs.decide_late(store, plant.instance.wire_id, seq, True, "存根写错", PERSONS)
    assert dispatched(store) == 4_000_000 and problems(store) == []
    assert of == ACCOUNT or dispatched(store, of) == 0


def stubbed_elsewhere(store: Store, plant: FakePlant, yuan: int, of: str) -> int:
    """As `stubbed`; the other customer has money at the plant too."""
    pay(store, 10_000_000, "B3", customer_id="C002", customer_name="示例客户乙")
    with store.write() as tx:
        grant_by_hand(tx, "C002/prepaid", plant.instance.wire_id, 5_000_000)
    return stubbed(store, plant, yuan, of)


def unreadable(plant: FakePlant) -> None:
    """A ticket of ¥40,000 in a mode that only a newer program knows."""
    plant.truck("N9", ACCOUNT, 4_000_000, 20_000, PRICE)
    rows, plant.rows = plant.rows, plant.rows[:-2]
    plant.write_raw("ticket", rows[-2].body.replace('"mode":"prepaid"', '"mode":"barter"'))
    plant.write_raw(rows[-1].kind, rows[-1].body)


def test_a_ticket_that_cannot_be_read_stands_as_it_is_and_waits(store: Store, plant: FakePlant) -> None:
    """Counted nowhere, its ¥40,000 would be freed by the settlement without a word."""
    funded(store, plant)
    unreadable(plant)
    take(store, plant)
    with store.read() as tx:
        (told,) = [row for row in views.list_incidents(tx) if row["kind"] == "unreadable"]
    assert told["what"].startswith("ticket: mode") and '"barter"' in told["details"]
    assert any("counts nowhere: ticket: mode" in line for line in problems(store))
    assert settled(store, plant) == 1
    (row,) = epochs.suspense(store)
    assert (row["ticket"], row["account"], row["amount_fen"]) == ("HX01-01-0000001", ACCOUNT, 4_000_000)
    assert "读不出 unreadable: mode" in row["note"] and problems(store) == []
    assert account(store)["suspense_fen"] == 4_000_000
    epochs.decide_late(store, plant.instance.wire_id, row["seq"], True, "已提货", "F01")
    assert dispatched(store) == 4_000_000 and problems(store) == []


def test_one_whose_amount_cannot_be_told_is_not_charged(store: Store, plant: FakePlant) -> None:
    funded(store, plant)
    plant.write_raw("ticket", '{"ticket":7,"account":"\\u0000","amount_fen":-1}')
    plant.write_raw("void", "[]")
    take(store, plant)
    settled(store, plant)
    rows = epochs.suspense(store)
    assert [(row["kind"], row["ticket"], row["account"], row["amount_fen"]) for row in rows] == [
        ("ticket", "", "", 0), ("void", "", "", 0),
    ]  # fmt: skip
    for row in rows:
        with pytest.raises(NotAllowed, match="its amount cannot be told"):
            epochs.decide_late(store, plant.instance.wire_id, row["seq"], True, "x", PERSONS)
        epochs.decide_late(store, plant.instance.wire_id, row["seq"], False, "x", "F01")
    assert problems(store) == []


def test_a_disk_with_a_ticket_that_cannot_be_read_settles_only_when_that_was_said(
    store: Store, plant: FakePlant, tmp_path: Path
) -> None:
    funded(store, plant)
    take(store, plant)
    unreadable(plant)
    plant.write(EpochClosed(accounts={ACCOUNT: FinalCounters(
        granted_fen=10_000_000, returned_fen=0, spent_fen=0, voided_fen=0)}, at=plant.now()))  # fmt: skip
    lost(store, plant)
    file = disk(tmp_path / "plant.db", plant)
    with pytest.raises(NotAllowed, match="cannot be read: ticket 5 .*--suspend-unreadable"):
        epochs.settle_by_disk(store, plant.instance.wire_id, file, PERSONS)
    for persons in (None, PERSONS):
        told = epochs.settle_by_disk(store, plant.instance.wire_id, file, persons, None, suspend_unread=True)
        assert (told["how"], told["suspense"]) == ("disk", 1)
        assert (account(store)["suspense_fen"] == 4_000_000) is (persons is not None), "without persons: a rehearsal"
    assert problems(store) == []


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
    epochs.decide_late(store, plant.instance.wire_id, row["seq"], True, "已提货", "F01")
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
