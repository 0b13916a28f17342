"""Two processes do the same at once, on both databases: one does it, the other gets a clear no; never an error."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from sync import records as wire
from sync.office import requests
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.database import Store, next_change
from sync.office.store.inbox import ingest_all
from sync.office.store.money import grant_by_hand, load_account, note_state
from sync.office.store.orders import open_instance
from sync.office.store.plants import enrol
from sync.office.store.reconcile import Mode, begin_reconcile
from sync.office.store.verification import verify_books
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_corrections import refund, undo
from tests.sync.office.test_money import ACCOUNT, account, granted, issue, pay
from tests.sync.office.test_reconcile import begin, mode

ROUNDS = 6
Work = Callable[[Store], Any]


@pytest.fixture
def pair(store: Store) -> Iterator[tuple[Store, Store]]:
    """Two processes' stores on one database, with two plants and money."""
    other = Store(store.url)
    with store.write() as tx:
        for code in ("HX01", "HX02"):
            enrol(tx, code, code, FakePlant(code=code).key.public_key())
    pay(store, 900_000_000, "M1")
    yield store, other
    other.close()


def at_once(pair: tuple[Store, Store], first: Work, second: Work) -> tuple[list[Any], list[NotAllowed]]:
    """Both start together: what was done, and what was refused. Any other exception is a bug, and is raised."""
    gate = threading.Barrier(2)

    def run(store: Store, work: Work) -> Any:
        gate.wait()
        try:
            return work(store)
        except NotAllowed as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(run, pair, (first, second)))
    return [each for each in told if not isinstance(each, NotAllowed)], [e for e in told if isinstance(e, NotAllowed)]


def check(store: Store) -> None:
    with store.read() as tx:
        assert verify_books(tx).ok, verify_books(tx).problems


def test_one_bank_reference_for_two_customers(pair: tuple[Store, Store]) -> None:
    def paid(reference: str, customer: str) -> Work:
        return lambda store: pay(store, 100, reference, customer_id=customer, customer_name=customer)

    for n in range(ROUNDS):
        done, refused = at_once(pair, paid(f"B{n}", "C002"), paid(f"B{n}", "C003"))
        assert (len(done), len(refused)) == (1, 1) and refused[0].field == "reference"
    check(pair[0])


def test_the_same_payment_the_same_refund_and_the_same_undoing_are_booked_once(pair: tuple[Store, Store]) -> None:
    def kinds(number: int) -> tuple[Work, ...]:
        return (
            lambda store: pay(store, 100, f"B{number}"),
            lambda store: refund(store, 10, f"R{number}"),
            lambda store: undo(store, f"B{number}")["new"],
        )

    for n in range(ROUNDS):
        for work in kinds(n):
            done, refused = at_once(pair, work, work)
            assert sorted(done) == [False, True] and refused == []
    assert account(pair[0])["fund_fen"] == 900_000_000 - 10 * ROUNDS


def test_two_refunds_never_share_what_is_free(pair: tuple[Store, Store]) -> None:
    done, refused = at_once(
        pair, lambda store: refund(store, 500_000_000, "R1"), lambda store: refund(store, 500_000_000, "R2")
    )
    assert (len(done), len(refused)) == (1, 1) and account(pair[0])["free_fen"] == 400_000_000


def test_one_credit_application_for_two_customers(pair: tuple[Store, Store]) -> None:
    due = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()

    def book(customer: str, number: int) -> Work:
        fields = {
            "application": f"A{number}", "customer_id": customer, "customer_name": customer, "product": "焦炭",
            "quantity_kg": 1_000, "price_fen_per_t": 200_000, "due": due, "responsible": "李四",
        }  # fmt: skip
        body = requests.read_body(requests.CreditIn, fields)
        return lambda store: requests.book_credit(store, body, "A01", 8)

    for n in range(ROUNDS):
        done, refused = at_once(pair, book("C002", n), book("C003", n))
        assert (len(done), len(refused)) == (1, 1) and refused[0].field == "application"
    check(pair[0])


def test_one_notice_number_one_plate_and_the_next_number(pair: tuple[Store, Store]) -> None:
    def notice(plant: str, number: str, plate: str) -> Work:
        return lambda store: issue(store, plant=plant, notice=number, plate=plate, limit_kg=1_000)

    for n in range(ROUNDS):
        done, refused = at_once(pair, notice("HX01", f"S{n}", f"浙A100{n}0"), notice("HX02", f"S{n}", f"浙A200{n}0"))
        assert (len(done), len(refused)) == (1, 1) and refused[0].field == "notice"
        done, refused = at_once(pair, notice("HX01", f"P{n}", f"浙A300{n}0"), notice("HX02", f"Q{n}", f"浙A300{n}0"))
        assert (len(done), len(refused)) == (1, 1) and refused[0].field == "plate"
        done, refused = at_once(pair, notice("HX01", "", f"浙A400{n}0"), notice("HX02", "", f"浙A500{n}0"))
        assert len({notice.notice for notice in done}) == 2 and refused == []
    check(pair[0])


def test_two_boxes_enrolled_at_once_are_two_epochs(pair: tuple[Store, Store]) -> None:
    def box(store: Store) -> int:
        with store.write() as tx:
            return enrol(tx, "HX03", "三厂", FakePlant(code="HX03").key.public_key()).epoch

    done, refused = at_once(pair, box, box)
    assert sorted(done) == [1, 2] and refused == []
    with pair[0].read() as tx:
        assert [row["state"] for row in views.list_plants(tx) if row["plant"] == "HX03"] == ["open", "closing"]


def test_a_cheque_bounces_while_a_notice_is_issued(pair: tuple[Store, Store]) -> None:
    """The one locks the plant before the account; so must the other, or they wait for each other."""

    def notice(number: int) -> Work:
        return lambda store: issue(store, notice=f"U{number}", plate=f"浙B100{number}0", limit_kg=1_000)

    for n in range(ROUNDS):
        pay(pair[0], 1_000_000, f"U{n}")
        done, refused = at_once(pair, partial(undo, reference=f"U{n}"), notice(n))
        assert len(done) == 2 and refused == []
    check(pair[0])


def test_rows_of_two_plants_and_a_notice_for_one_do_not_wait_for_each_other(pair: tuple[Store, Store]) -> None:
    """Rows of many plants are booked in one transaction: all its plants are locked before any account.

    A page has locked HX05 and goes on to the account, while rows of HX04 and HX05 for that account are taken in.
    """
    boxes = [FakePlant(code=code) for code in ("HX04", "HX05")]
    with pair[0].write() as tx:
        for box in boxes:
            enrol(tx, box.code, box.code, box.key.public_key())
            box.truck(f"T{box.code}", ACCOUNT, 0, 1_000, 0)
            box.write(wire.Returned(account=ACCOUNT, returned_fen=1))
    rows = {box.instance.wire_id: box.rows for box in boxes}

    def take_in() -> int:
        with pair[1].write() as tx:
            return sum(done.applied for done in ingest_all(tx, rows).values())

    with ThreadPoolExecutor(1) as pool:
        with pair[0].write() as tx:
            open_instance(tx, "HX05")
            taking = pool.submit(take_in)
            time.sleep(0.3)
            assert load_account(tx, ACCOUNT) is not None
            next_change(tx)
        assert taking.result(10) == sum(len(each) for each in rows.values())
    check(pair[0])


def test_new_books_are_opened_by_two_processes_at_once(store_url: str) -> None:
    url = store_url.replace("postgresql://", "postgresql+psycopg://")
    gate = threading.Barrier(2)

    def opened(_: int) -> Store:
        gate.wait()
        return Store(url)

    with ThreadPoolExecutor(2) as pool:
        stores = list(pool.map(opened, range(2)))
    for store in stores:
        check(store)
        store.close()


def _asks(store: Store) -> bool:
    """A plant asks for money by its STATE; whether it got any."""
    code = "HX01"
    with store.write() as tx:
        instance = open_instance(tx, code)
        note_state(tx, instance, {ACCOUNT: (0, 700)}, proven=False, newer=True)
    granted_fen = granted(store)[code]
    if not granted_fen:
        raise NotAllowed("office", "reconcile", "", "nothing was granted")
    return True


GIVES: dict[str, Work] = {
    "by hand": lambda store: requests.grant(store, ACCOUNT, "HX01", 500),
    "by a notice": lambda store: issue(store, limit_kg=1_000),
    "by a wish": _asks,
}


@pytest.mark.parametrize("how", GIVES)
def test_no_grant_slips_past_the_beginning_of_reconcile(pair: tuple[Store, Store], how: str) -> None:
    """One process begins it, the other gives money at the same moment: before it, or not at all."""
    with ThreadPoolExecutor(1) as pool:
        with pair[0].write() as tx:
            begin_reconcile(tx, "restored from a backup")
            giving = pool.submit(GIVES[how], pair[1])
            _waits(giving)
        with pytest.raises(NotAllowed):
            giving.result(30)
    assert sum(granted(pair[0]).values()) == 0


def test_a_payment_booked_meanwhile_is_booked_and_gives_nothing_to_who_waits(pair: tuple[Store, Store]) -> None:
    """It holds no plant epoch's lock, only the account's: here the mode's own lock is what stops it."""
    customer = {"customer_id": "C002", "customer_name": "示例客户乙"}
    pay(pair[0], 1, "B1", **customer)
    with pair[0].write() as tx:
        note_state(tx, open_instance(tx, "HX01"), {"C002/prepaid": (0, 1_000)}, proven=False, newer=True)
    assert granted(pair[0], "C002/prepaid")["HX01"] == 1
    with ThreadPoolExecutor(1) as pool:
        with pair[0].write() as tx:
            begin_reconcile(tx, "restored from a backup")
            paying = pool.submit(pay, pair[1], 900, "B2", **customer)
            _waits(paying)
        assert paying.result(30)
    assert account(pair[0], "C002/prepaid")["fund_fen"] == 901
    assert granted(pair[0], "C002/prepaid")["HX01"] == 1


def test_the_beginning_of_reconcile_waits_for_a_grant_on_its_way(pair: tuple[Store, Store]) -> None:
    with ThreadPoolExecutor(1) as pool:
        with pair[0].write() as tx:
            grant_by_hand(tx, ACCOUNT, open_instance(tx, "HX01"), 500)
            beginning = pool.submit(begin, pair[1])
            _waits(beginning)
        assert beginning.result(30).number == 2
    assert granted(pair[0])["HX01"] == 500 and mode(pair[0]) is Mode.RECONCILING
    check(pair[0])


def _waits(work: Future[Any]) -> None:
    """It has begun, and waits for a lock."""
    with pytest.raises(TimeoutError):
        work.result(0.4)
