"""A plant that sells for many days without its link, by its own transactions and a clock that only this module moves.

Head office's side beforehand is real too: payments, a credit application, and every notice with its money reserved.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from edge.domain.refusal import Refusal
from edge.domain.visit import VisitEvent
from edge.signing import PassKey
from edge.station import moves, passage, ticket_desk, weighing
from edge.station.passage import Scan
from edge.station.plant import Plant
from edge.station.yard import arrive
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from sync.documents import Notice
from sync.keys import Instance
from sync.office import requests
from sync.office.store.database import Store
from sync.office.store.money import grant_by_hand
from sync.office.store.schema import documents, instances, notices
from sync.units import amount_fen
from tests.edge.looks import seen
from tests.edge.station.rig import make_plant
from tests.edge.store.books import done, press, print_all
from tests.sync.headquarters import Box, document_row, notice_row

CUSTOMERS = tuple(f"C{number:03}" for number in range(1, 9))
PRODUCTS = (("冶金焦", 1, 198_050), ("焦粉", 2, 86_033), ("冶金焦 60-80 mm", 3, 205_517))
TARE_KG, LARGEST_KG = 14_520, 30_000
_CREDIT = "SX-1"
_PLATE = "浙A{:05}"
_BY_HAND = 500
_LOADING, _LEAVING = timedelta(seconds=60), timedelta(seconds=20)


class HandClock(Clock):
    """Stands still until it is told to go on; its steady count goes with it."""

    def __init__(self, at: datetime) -> None:
        self.at, self._passed = at, timedelta(0)
        super().__init__()

    def wall(self) -> datetime:
        return self.at

    def monotonic_ms(self) -> int:
        return int(self._passed.total_seconds() * 1000)

    def goes_on(self, span: timedelta) -> None:
        self.at += span
        self._passed += span


@dataclass
class Month:
    """So many days of so many trucks, from one seed."""

    days: int
    trucks_a_day: int
    seed: int
    orders: list[Notice] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def trucks(self) -> int:
        return self.days * self.trucks_a_day

    def order(self, store: Store, instance: Instance) -> None:
        """Payments and one application, then all notices, as the billers book them; thousands are booked at once."""
        dice = random.Random(self.seed)
        for customer in CUSTOMERS:
            requests.book_payment(
                store,
                requests.PaymentIn(
                    reference=f"TT-{customer}", customer_id=customer, customer_name=f"示例客户{customer}",
                    amount_fen=self.trucks * LARGEST_KG * 210 // 4,
                ),
                "test",
            )  # fmt: skip
        due = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
        requests.book_credit(
            store,
            requests.CreditIn(
                application=_CREDIT, customer_id=CUSTOMERS[0], product=PRODUCTS[0][0],
                quantity_kg=self.trucks * LARGEST_KG, price_fen_per_t=PRODUCTS[0][2], due=due, responsible="王业务",
            ),
            "test", 8,
        )  # fmt: skip
        expires = (datetime.now(UTC) + timedelta(days=30, hours=23)).isoformat()
        wanted = [self._notice(instance.plant, number, expires, dice) for number in range(self.trucks)]
        if self.trucks <= _BY_HAND:
            self.orders = [requests.book_notice(store, each, "test", 8) for each in wanted]
        else:
            self._order_at_once(store, instance.wire_id, wanted)

    def _notice(self, plant: str, number: int, expires: str, dice: random.Random) -> requests.NoticeIn:
        product, code, price = dice.choice(PRODUCTS)
        sale: dict[str, Any] = {}
        if dice.random() < 0.1:
            sale = {"mode": "credit", "credit_application": _CREDIT}
            product, code, price = PRODUCTS[0]
        elif dice.random() < 0.1:
            sale = {"mode": "consigned", "carrier": "顺达运输队", "pickup_person": "王业务"}
        return requests.NoticeIn(
            plant=plant, customer_id=CUSTOMERS[0] if "credit_application" in sale else dice.choice(CUSTOMERS),
            plate=_PLATE.format(number), product=product, product_code=code, price_fen_per_t=price, axles=6,
            notice=f"FH-{number:05}", limit_kg=dice.randrange(9_000, LARGEST_KG, 20), expires_at=expires, **sale,
        )  # fmt: skip

    def _order_at_once(self, store: Store, instance: str, wanted: list[requests.NoticeIn]) -> None:
        """What `book_notice` leaves behind for each, in one transaction: an hour's work of it in a minute."""
        now, held_fen = datetime.now(UTC), Counter[str]()
        for each in wanted:
            account = f"{each.customer_id}/{f'credit-{_CREDIT}' if each.credit_application else 'prepaid'}"
            hold_fen = amount_fen(each.limit_kg or LARGEST_KG, each.price_fen_per_t)
            told = each.model_dump(exclude={"plant", "expires_at", "credit_application"})
            self.orders.append(
                Notice(
                    **told, account=account, customer_name=f"示例客户{each.customer_id}", hold_fen=hold_fen,
                    issued_at=now, issued_by="test", expires_at=datetime.fromisoformat(each.expires_at),
                )
            )  # fmt: skip
            held_fen[account] += hold_fen
        with store.write() as tx:
            for account, fen in sorted(held_fen.items()):
                grant_by_hand(tx, account, instance, fen)
            tx.execute(insert(notices), [notice_row(instance, each) for each in self.orders])
            numbered = [document_row(instance, number, each) for number, each in enumerate(self.orders, 1)]
            tx.execute(insert(documents), numbered)
            tx.execute(update(instances).where(instances.c.instance == instance).values(documents=len(numbered)))

    def sell(self, database: Database, clock: HandClock, plant: Plant) -> None:
        """Day after day; nobody hears of it."""
        dice = random.Random(self.seed + 1)
        pause = timedelta(days=1) / self.trucks_a_day - _LOADING - _LEAVING
        for order in self.orders:
            outcome = self._truck(database, clock, plant, order, dice)
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
            clock.goes_on(pause)

    def _truck(self, database: Database, clock: HandClock, plant: Plant, order: Notice, dice: random.Random) -> str:
        """One visit in three commits, with time between them; how it ended."""
        name, fate, by = order.notice, dice.random(), "D01"
        net_kg = dice.randrange(8_000, LARGEST_KG, 20)

        def enter(books: Books) -> None:
            done(arrive(books, plant.local, order.plate, by))
            done(moves.call_to_lane(books, "1", name, by))
            if fate >= 0.02:
                done(weighing.weigh_tare(books, plant, moves.fresh(books, name), press(TARE_KG)))

        def load(books: Books) -> str:
            if fate < 0.02:
                done(moves.cancel(books, name, by, "客户取消"))
                return "cancelled"
            visit = moves.fresh(books, name)
            if fate < 0.04:
                done(weighing.leave_empty(books, plant, visit, press(TARE_KG)))
                return "empty"
            done(moves.step(books, "1", name, VisitEvent.START_LOADING, by))
            held = weighing.load_complete(books, plant, moves.fresh(books, name), press(TARE_KG + net_kg))
            if isinstance(held, Refusal):
                done(weighing.unload(books, moves.fresh(books, name), by))
                less = press(TARE_KG + min(order.limit_kg or net_kg, net_kg) // 20 * 20)
                done(weighing.load_complete(books, plant, moves.fresh(books, name), less))
                return "held, unloaded"
            return "loaded"

        def go(books: Books) -> str:
            print_all(books)
            visit = moves.fresh(books, name)
            if fate > 0.99:
                done(ticket_desk.void(books, visit.ticket, "S01", "D01", "客户改单"))
                return "void"
            stored = books.paper(visit.ticket or name)
            assert stored is not None
            read = passage.read_code(plant, stored.pass_code)
            scan = Scan("south", read, seen(order.plate, order.plate), "G01")
            assert passage.pass_gate(books, plant, scan).decision.why is None
            return ""

        database.transact_now(enter)
        clock.goes_on(_LOADING)
        outcome = database.transact_now(load)
        clock.goes_on(_LEAVING)
        return outcome if outcome == "cancelled" else database.transact_now(go) or outcome


def plant_of(box: Box) -> Plant:
    """The rig's house rules for an enrolled box."""
    return make_plant(code=box.instance.plant, epoch=box.instance.epoch, pass_key=PassKey(box.key))


def open_books(path: Path, box: Box, clock: Clock) -> Database:
    """New books of this box."""
    database = Database(path, clock)
    database.transact_now(lambda books: books.keep("instance", box.instance.wire_id))
    return database
