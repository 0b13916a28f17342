"""What plants and people do at the same time, and what must not grow with the books: on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from sync import records as wire
from sync.messages import AccountState, State
from sync.office import requests
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.money import grant_by_hand, read_accounts
from sync.office.store.orders import amend_notice
from sync.office.store.plants import enrol, hear_state
from sync.office.store.reconcile import finish_reconcile
from sync.office.store.schema import instances, notices
from sync.office.store.terms import current_term
from sync.office.store.verification import verify_books
from tests.sync.office.plant import START, FakePlant
from tests.sync.office.test_money import ACCOUNT, granted, issue, pay

NOW = START + timedelta(minutes=1)


def state_of(store: Store, notice: str) -> str:
    with store.read() as tx:
        return str(tx.execute(select(notices.c.state).where(notices.c.notice == notice)).scalar_one())


def take(store: Store, plant: FakePlant, after: int = 0) -> None:
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows[after:])


def amend(store: Store, number: str, **changes: Any) -> None:
    with store.write() as tx:
        amend_notice(tx, number, changes, NOW)


def test_an_amendment_grants_nothing_to_a_frozen_plant(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    with store.write() as tx:
        tx.execute(update(instances).values(frozen="row 3 came twice"))
    with pytest.raises(NotAllowed, match="frozen: row 3 came twice"):
        amend(store, "N1", limit_kg=20_000)
    assert granted(store) == {"HX01": 2_000_000}


def test_a_plant_that_fenced_itself_gets_nothing_more(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    asking = AccountState(
        granted_fen=0, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=0, want_granted_fen=5_000_000
    )
    with store.write() as tx:
        state = plant.state({ACCOUNT: asking}).model_copy(update={"mode": "fenced"})
        hear_state(tx, plant.instance.wire_id, state)
    assert granted(store).get("HX01", 0) == 0
    with pytest.raises(NotAllowed, match="runs on a copy of its books"):
        issue(store)


def test_a_notice_of_a_closed_epoch_cannot_grow_but_can_be_cancelled(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    with store.write() as tx:
        enrol(tx, "HX01", "一厂", FakePlant(epoch=2).key.public_key())
    with pytest.raises(NotAllowed, match="closing"):
        amend(store, "N1", limit_kg=20_000)
    requests.withdraw_notice(store, "N1", "旧机")
    assert state_of(store, "N1") == "cancelling"


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_a_late_amendment_does_not_hide_a_truck_that_is_loading(store: Store, plant: FakePlant, together: bool) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    visit = plant.taken("N1", ACCOUNT, 2_000_000)
    plant.weigh(visit, "tare", 14_520)
    if not together:
        take(store, plant)
    plant.write(wire.NoticeRefused(notice="N1", version=2, reason="amended too late"))
    take(store, plant)
    assert state_of(store, "N1") == "loading"


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_a_refused_notice_that_is_taken_in_a_later_version_is_taken(
    store: Store, plant: FakePlant, together: bool
) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    plant.write(wire.NoticeRefused(notice="N1", version=1, reason="expired"))
    if not together:
        take(store, plant)
        assert state_of(store, "N1") == "refused"
    plant.taken("N1", ACCOUNT, 2_000_000)
    take(store, plant)
    assert state_of(store, "N1") == "taken"


def test_a_cancelled_notice_that_the_plant_had_refused_ends_as_refused(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    requests.withdraw_notice(store, "N1", "不用了")
    assert state_of(store, "N1") == "cancelling"
    plant.write(wire.NoticeRefused(notice="N1", version=1, reason="expired"))
    take(store, plant)
    assert state_of(store, "N1") == "refused"
    issue(store, notice="N2", limit_kg=10_000)


def test_a_number_of_somebodys_own_does_not_stop_the_days_count(store: Store, plant: FakePlant) -> None:
    pay(store, 100_000_000)
    first = issue(store, notice="").notice
    issue(store, notice=f"{first[:-4]}zzzz", plate="浙B22222")
    assert issue(store, notice="", plate="浙C33333").notice == f"{first[:-4]}0002"


def test_every_account_over_its_allotment_is_told(store: Store, plant: FakePlant) -> None:
    for number in (1, 2):
        pay(store, 100, f"B{number}", customer_id=f"C00{number}", customer_name=f"客户{number}")
        plant.ticket(f"v{number}", f"N{number}", f"C00{number}/prepaid", 1_000, 200_000, 0)
    take(store, plant)
    with store.read() as tx:
        told = [row["what"] for row in views.list_incidents(tx) if row["kind"] == "over_allotment"]
    assert [name in " ".join(told) for name in ("C001/prepaid", "C002/prepaid")] == [True, True], told


def test_a_row_with_a_time_out_of_range_does_not_stop_those_behind_it(store: Store, plant: FakePlant) -> None:
    far = {"source": "clock", "what": "x", "at": "0001-01-01T00:00:00+14:00"}
    plant.write(wire.Alarm.model_validate(far))
    take(store, plant)
    with store.read() as tx:
        assert [row["kind"] for row in views.list_incidents(tx)] == ["unreadable"]


def test_a_state_costs_the_same_with_many_accounts(store: Store, plant: FakePlant) -> None:
    def statements(accounts: int) -> int:
        told = {
            f"C{n:03}/prepaid": AccountState(granted_fen=0, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=0)
            for n in range(accounts)
        }
        ran: list[str] = []
        with store.write() as tx:
            event.listen(tx, "before_cursor_execute", lambda *call: ran.append(call[2]))
            hear_state(tx, plant.instance.wire_id, plant.state(told))
        return len(ran)

    for number in range(40):
        pay(store, 100, f"B{number}", customer_id=f"C{number:03}", customer_name=f"客户{number}")
    assert statements(40) == statements(1)


def test_books_restored_from_a_copy_do_not_grant_the_same_money_twice(store: Store, plant: FakePlant) -> None:
    """Everything after the payment is forgotten: a grant of all of it to HX01, and two documents."""
    pay(store, 10_000_000)
    other = FakePlant(code="HX02")
    seen = AccountState(granted_fen=9_000_000, returned_fen=0, spent_fen=9_000_000, voided_fen=0, held_fen=0)
    with store.write() as tx:
        enrol(tx, "HX02", "二厂", other.key.public_key())
        hear_state(tx, plant.instance.wire_id, plant.state({ACCOUNT: seen, "C9/prepaid": seen}, documents=2))
    with pytest.raises(NotAllowed, match="being reconciled"), store.write() as tx:
        grant_by_hand(tx, ACCOUNT, other.instance.wire_id, 500_000)
    with pytest.raises(NotAllowed, match="being reconciled"):
        issue(store, limit_kg=1_000)
    pay(store, 9_000_000, "B9", customer_id="C9", customer_name="客户九")
    reconcile(store, (plant, plant.state({ACCOUNT: seen, "C9/prepaid": seen}, documents=2)), (other, other.state()))
    with store.write() as tx, pytest.raises(NotAllowed, match="at most the ¥10,000.00 that is free"):
        grant_by_hand(tx, ACCOUNT, other.instance.wire_id, 2_000_000)
    issue(store, limit_kg=1_000)
    with store.read() as tx:
        assert [row["number"] for row in views.documents_of(tx, plant.instance.wire_id)] == [3]
        told = [row["what"] for row in views.list_incidents(tx) if row["plant"] == "HX01"]
        assert read_accounts(tx, "C9/prepaid")[0].free_fen == 0
        assert verify_books(tx).checks["documents"]
    assert len(told) == 1 and "C001/prepaid, C9/prepaid, documents 1 to 2" in told[0]


def reconcile(store: Store, *states: tuple[FakePlant, State]) -> None:
    """Every plant tells in the new term, and finance finishes."""
    with store.write() as tx:
        term = current_term(tx)
        for each, state in states:
            hear_state(tx, each.instance.wire_id, state.model_copy(update={"term": term}))
        finish_reconcile(tx, "F01, A01")


def test_a_payment_is_booked_although_more_is_out_than_was_paid(store: Store, plant: FakePlant) -> None:
    pay(store, 1_000)
    seen = AccountState(granted_fen=9_000, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=0)
    asking = seen.model_copy(update={"want_granted_fen": 9_500})
    with store.write() as tx:
        hear_state(tx, plant.instance.wire_id, plant.state({ACCOUNT: asking}))
    reconcile(store, (plant, plant.state({ACCOUNT: asking})))
    assert pay(store, 2_000, "B2")
    assert granted(store) == {"HX01": 9_000}, "what is out is more than the fund: nothing is free"
    assert pay(store, 6_200, "B3")
    assert granted(store) == {"HX01": 9_200}


def test_no_daily_work_reads_all_notices(tmp_path: Any) -> None:
    store = Store(f"sqlite:///{tmp_path / 'office.sqlite3'}")
    plant = FakePlant()
    asked: list[tuple[str, Any]] = []
    with store.write() as tx:
        enrol(tx, plant.code, "一厂", plant.key.public_key())
        event.listen(tx.engine, "before_cursor_execute", lambda _c, _k, text, values, *_r: asked.append((text, values)))
    pay(store, 10_000_000)
    requests.withdraw_notice(store, issue(store, notice="").notice, "x")
    with store.read() as tx:
        views.list_shipments(tx)
        views.list_notices(tx)
        views.yard_counts(tx)
    selects = [(text, values) for text, values in asked if text.startswith("SELECT")]
    with store.read() as tx:
        plans = [
            (text, row[3])
            for text, values in selects
            for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        ]
    store.close()
    scans = [(plan, text) for text, plan in plans if plan in ("SCAN notices", "SCAN shipments", "SCAN inbox")]
    assert plans and scans == []
