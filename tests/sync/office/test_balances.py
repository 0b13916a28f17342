"""The balances' parts are the money paid, in every row and under the table, whatever happened before; and one day."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.messages import AccountState
from sync.office import corrections, requests
from sync.office.refusal import NotAllowed
from sync.office.store import epochs, views
from sync.office.store.balances import DAY_SUMS, PARTS, balance_totals, balances, day_of
from sync.office.store.database import Store
from sync.office.store.decisions import list_suspense, resolve_late
from sync.office.store.inbox import ingest
from sync.office.store.money import grant_by_hand, read_accounts
from sync.office.store.plants import enrol, hear_state
from sync.records import Returned
from tests.sync.office.plant import FakePlant

PRICE = 200_000
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = Store(f"sqlite:///{tmp_path_factory.mktemp('balances') / 'office.sqlite3'}")
    yield opened
    opened.close()


class History:
    """One customer at two plants; every step is something that people and plants do."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.customer = f"C{next(_numbers):05}"
        self.account = f"{self.customer}/prepaid"
        self.plants = [self._plant(), self._plant()]
        self.payments: list[str] = []

    def _plant(self, code: str = "", epoch: int = 1) -> FakePlant:
        plant = FakePlant(code=code or f"P{next(_numbers):05}", epoch=epoch)
        with self.store.write() as tx:
            enrol(tx, plant.code, "厂", plant.key.public_key(), epoch)
        return plant

    def pay(self, fen: int, _plant: int) -> None:
        self.payments.append(f"B{next(_numbers)}")
        body = requests.PaymentIn(
            reference=self.payments[-1], customer_id=self.customer, customer_name="甲", amount_fen=fen
        )
        requests.book_payment(self.store, body, "F01")

    def grant(self, fen: int, plant: int) -> None:
        with self.store.write() as tx:
            grant_by_hand(tx, self.account, self.plants[plant].instance.wire_id, fen)

    def notice(self, fen: int, plant: int) -> None:
        number = next(_numbers)
        body = requests.NoticeIn(
            plant=self.plants[plant].code, customer_id=self.customer, plate=f"浙A{number % 100_000:05}", product="焦炭",
            price_fen_per_t=PRICE, notice=f"N{number}", limit_kg=1000 + fen % 30_000,
        )  # fmt: skip
        issued = requests.book_notice(self.store, body, "B01", 8)
        if fen % 2:
            self.plants[plant].taken(issued.notice, self.account, issued.hold_fen)
            self._send(plant)

    def truck(self, fen: int, plant: int) -> None:
        """A ticket as an honest plant writes it: within what it was granted and has not used."""
        here = self.plants[plant]
        left_kg = self._left(plant) * 1000 // PRICE
        if left_kg < 20:
            return
        name = f"N{next(_numbers)}"
        visit = here.taken(name, self.account, 0)
        ticket = here.ticket(visit, name, self.account, max(20, fen % left_kg), PRICE, 0)
        if fen % 5 == 0:
            amount = (max(20, fen % left_kg) * PRICE + 500) // 1000
            here.void(visit, ticket, self.account, amount)
        self._send(plant)

    def give_back(self, fen: int, plant: int) -> None:
        with self.store.read() as tx:
            allotment = read_accounts(tx, self.account)[0].allotments.get(self.plants[plant].instance.wire_id)
        if allotment is None or self._left(plant) < 1:
            return
        returned = allotment.counters.returned_seen_fen + 1 + fen % self._left(plant)
        self.plants[plant].write(Returned(account=self.account, returned_fen=returned))
        self._send(plant)
        state = AccountState(
            granted_fen=allotment.counters.granted_fen, returned_fen=returned, spent_fen=0, voided_fen=0, held_fen=0
        )
        with self.store.write() as tx:
            hear_state(tx, self.plants[plant].instance.wire_id, self.plants[plant].state({self.account: state}))

    def refund(self, fen: int, _plant: int) -> None:
        body = corrections.RefundIn(
            reference=f"R{next(_numbers)}", customer_id=self.customer, amount_fen=fen, reason="多付"
        )
        corrections.book_refund(self.store, body, "F01")

    def undo(self, fen: int, _plant: int) -> None:
        if self.payments:
            reference = self.payments[fen % len(self.payments)]
            corrections.undo_payment(self.store, corrections.UndoIn(reference=reference, reason="退票"), "F01")

    def lose(self, fen: int, plant: int) -> None:
        """The box burns; the next one is enrolled, the old one settled from paper, and then a row of it arrives."""
        old = self.plants[plant]
        self.plants[plant] = self._plant(old.code, old.epoch + 1)
        with self.store.write() as tx:
            epochs.settle_by_paper(tx, old.instance.wire_id, [], ("F01", "A01"))
        visit = old.taken(f"N{next(_numbers)}", self.account, 0)
        old.ticket(visit, f"N{next(_numbers)}", self.account, 20 + fen % 1000, PRICE, 0)
        with self.store.write() as tx:
            ingest(tx, old.instance.wire_id, old.rows)
        for late in [row for row in self.late() if fen % 2]:
            with self.store.write() as tx:
                resolve_late(tx, late["instance"], late["seq"], True, "确实出厂", "F01")

    def late(self) -> list[Any]:
        with self.store.read() as tx:
            return [row for row in list_suspense(tx) if row["account"] == self.account]

    def _left(self, plant: int) -> int:
        with self.store.read() as tx:
            listed = read_accounts(tx, self.account)
        allotment = listed[0].allotments.get(self.plants[plant].instance.wire_id) if listed else None
        return max(0, allotment.unpromised_fen) if allotment else 0

    def _send(self, plant: int) -> None:
        with self.store.write() as tx:
            ingest(tx, self.plants[plant].instance.wire_id, self.plants[plant].rows)

    def check(self) -> None:
        """What the page shows, for this account and in the line under the table."""
        with self.store.read() as tx:
            rows = balances(tx)
        for row in rows:
            assert sum(row[name] for name in PARTS) == row["sum_fen"] == row["fund_fen"], row
            assert row["agrees"], row
        total = balance_totals(rows)
        assert total["agrees"] and sum(total[name] for name in PARTS) == total["fund_fen"]
        assert sum(total["by_plant"].values()) == total["allotted_fen"]
        paid = sum(row["payments_fen"] + row["credits_fen"] - row["refunds_fen"] - row["covered_fen"] for row in rows)
        assert total["fund_fen"] == paid


STEPS = ("pay", "pay", "grant", "grant", "notice", "truck", "truck", "give_back", "refund", "undo", "lose")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 30_000_000), st.integers(0, 1)), max_size=14))
def test_the_parts_are_what_was_paid_after_any_history(one_store: Store, steps: list[tuple[str, int, int]]) -> None:
    history = History(one_store)
    history.pay(60_000_000, 0)
    for name, fen, plant in steps:
        try:
            getattr(history, name)(fen, plant)
        except NotAllowed:
            continue  # a no changes nothing, and that is checked too
        finally:
            history.check()


def test_every_step_of_a_history_does_something(one_store: Store) -> None:
    """The control: a history whose steps are all refused would agree with anything."""
    history = History(one_store)
    history.pay(60_000_000, 0)
    history.grant(20_000_000, 0)
    history.truck(10_003, 0)
    history.truck(10_005, 0)
    history.notice(7_001, 1)
    history.give_back(1_000_000, 0)
    history.refund(500_000, 0)
    history.undo(0, 0)
    history.lose(501, 0)
    history.check()
    with one_store.read() as tx:
        (row,) = [row for row in balances(tx) if row["account"] == history.account]
    assert min(row[name] for name in ("dispatched_fen", "held_fen", "refunds_fen", "undone_fen", "covered_fen")) > 0
    assert row["exposure_fen"] > 0 and not history.late()


def test_a_wrong_sum_is_told(store: Store, plant: FakePlant) -> None:
    requests.book_payment(store, requests.PaymentIn(reference="B1", customer_id="C1", customer_name="甲",
                                                    amount_fen=1000), "F")  # fmt: skip
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE accounts SET fund_fen = fund_fen + 1")
    with store.read() as tx:
        rows = balances(tx)
    assert not rows[0]["agrees"] and not balance_totals(rows)["agrees"]


def test_a_plant_that_sold_more_than_it_had_is_told(store: Store, plant: FakePlant) -> None:
    """Its allotment is what is left of the grant, so the sum comes right all the same: by a part below zero."""
    requests.book_payment(store, requests.PaymentIn(reference="B1", customer_id="C001", customer_name="甲",
                                                    amount_fen=10_000_000), "F")  # fmt: skip
    requests.grant(store, "C001/prepaid", "HX01", 1_000_000)
    for number, fen, good in (("N1", 1_000_000, True), ("N2", 2_000_000, False)):
        plant.truck(number, "C001/prepaid", 1_000_000, 5_000, 200_000)
        with store.write() as tx:
            ingest(tx, plant.instance.wire_id, plant.rows)
        with store.read() as tx:
            (row,) = balances(tx)
        assert row["dispatched_fen"] == fen and row["sum_fen"] == row["fund_fen"]
        assert (row["agrees"], balance_totals([row])["agrees"]) == (good, good)


def test_a_day_agrees_with_the_totals_and_the_list(store: Store, plant: FakePlant) -> None:
    requests.book_payment(store, requests.PaymentIn(reference="B1", customer_id="C001", customer_name="甲",
                                                    amount_fen=90_000_000), "F")  # fmt: skip
    with store.write() as tx:
        grant_by_hand(tx, "C001/prepaid", plant.instance.wire_id, 60_000_000)
    plant.truck("N1", "C001/prepaid", 6_000_000, 29_980, PRICE)
    plant.truck("N2", "C001/prepaid", 6_000_000, 20_020, PRICE)
    visit = plant.taken("N3", "C001/prepaid", 6_000_000)
    ticket = plant.ticket(visit, "N3", "C001/prepaid", 10_000, PRICE, 6_000_000)
    plant.void(visit, ticket, "C001/prepaid", 2_000_000)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    with store.read() as tx:
        day = day_of(tx, "2026-11-23")
        listed = views.list_shipments(tx, business_date="2026-11-23", limit=1000)
        told = views.totals(tx, "2026-11-23")
        other = day_of(tx, datetime(2020, 1, 1, tzinfo=UTC).date().isoformat())
    assert day["agrees"] and other["agrees"] and other["customers"] == []
    assert day["total"] == {
        "tickets": 2, "net_kg": 50_000, "amount_fen": 10_000_000, "voided": 1, "voided_fen": 2_000_000,
    }  # fmt: skip
    assert [day["plants"][0][name] for name in DAY_SUMS] == list(day["total"].values())
    standing = [row for row in listed if row["state"] in ("ticketed", "released", "returned")]
    assert day["total"]["tickets"] == len(standing) == told["shipments"] - told["voided"]
    assert day["total"]["net_kg"] == sum(row["net_kg"] for row in standing) == told["net_kg"]
    assert day["total"]["amount_fen"] == sum(row["amount_fen"] for row in standing) == told["amount_fen"]
