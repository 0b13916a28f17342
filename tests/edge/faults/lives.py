"""A seeded life of a plant by the real transactions, and computers whose clocks are wrong."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.domain.refusal import Refusal
from edge.domain.visit import VisitEvent, VisitState
from edge.station import moves, passage, ticket_desk, weighing
from edge.station.head_office import apply_documents
from edge.station.notices import take_grant
from edge.station.passage import Scan
from edge.station.plant import Plant
from edge.station.yard import arrive
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database, connect
from sync.messages import WireDocument
from tests.edge.looks import seen
from tests.edge.station.rig import TARE_KG, notice
from tests.edge.store.books import press, print_all

ACCOUNTS = ("C1/coke", "C2/coke", "C3/coke")
PLATES = ("浙A00001", "浙A00002", "浙A00003", "浙A00004", "浙A00005")
LEAST_TICKETS = 3
"""Three lives of a hundred sell less in 25 visits: whether a run shows anything is not left to the dice."""
TIMES = frozenset({"at", "tare_at", "gross_at", "business_date", "pass_id"})
"""Fields that are a time, made from one, or random."""
DAY = timedelta(days=1)
YEARS = 3653 * DAY
STARTS = {
    "an ordinary day": datetime(2026, 11, 23, 4, tzinfo=UTC),
    "leap day": datetime(2028, 2, 28, 15, tzinfo=UTC),
    "winter time begins": datetime(2026, 10, 24, 22, tzinfo=UTC),
    "the second 2^31": datetime(2038, 1, 18, 20, tzinfo=UTC),
}


@dataclass
class Time:
    """True time, and by how much the computer is wrong."""

    true: datetime
    error: timedelta = timedelta(0)
    passed_ms: int = 0

    def goes_on(self, span: timedelta) -> None:
        """For the computer's steady count too."""
        self.true += span
        self.passed_ms += int(span.total_seconds() * 1000)


class WrongClock(Clock):
    """A computer's clock in such a world; made anew at each start."""

    def __init__(self, time: Time) -> None:
        self.time = time
        super().__init__()

    def wall(self) -> datetime:
        return self.time.true + self.time.error

    def monotonic_ms(self) -> int:
        return self.time.passed_ms


Jump = Callable[[Time, random.Random], None]


def steady(time: Time, dice: random.Random) -> None:
    """A clock as it should be."""


def jumps(time: Time, dice: random.Random) -> None:
    """Anything that was ever seen, and now and then the right time."""
    empty_battery, overflow = datetime(1970, 1, 1, tzinfo=UTC) - time.true, datetime(2107, 1, 1, tzinfo=UTC) - time.true
    hour, right = timedelta(hours=1), timedelta(0)
    time.error = dice.choice(
        (YEARS, -YEARS, empty_battery, overflow, hour, -hour, timedelta(seconds=-1), timedelta(minutes=4), right, right)
    )


@dataclass
class Life:
    """One life of a plant on a folder. `told` is everything it decided, in order, without times."""

    path: Path
    plant: Plant
    time: Time
    dice: random.Random
    jump: Jump
    jump_dice: random.Random
    told: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    wrong_rows: set[int] = field(default_factory=set)
    """Ledger rows written while the clock was wrong by a year or more."""

    def live(self, visits: int) -> None:
        """So many notices and more until there are `LEAST_TICKETS`, and everything that people do with them."""
        self.start()
        for number in range(1, 5 * visits):
            if number > visits and self.rows("SELECT COUNT(*) FROM tickets")[0][0] >= LEAST_TICKETS:
                break
            self.order(number)
            for _ in range(self.dice.randint(3, 15)):
                self.time.goes_on(timedelta(seconds=self.dice.randint(20, 200)))
                self.jump(self.time, self.jump_dice)
                self.dice.choice((self.drive, self.drive, self.drive, self.leave, self.pay, self.expire))()
            if self.dice.random() < 0.2:
                self.database.close()
                self.start()
        self.database.close()

    def start(self) -> None:
        """As `edge.main` opens the books."""
        self.database = Database(self.path, WrongClock(self.time))

        def claim(books: Books) -> None:
            if (written_at := books.ledger.witnessed_at()) is not None:
                books.clock.witness(written_at)

        self.do("start", claim)

    def do(self, what: str, work: Callable[[Books], object]) -> Any:
        """One transaction, and what it said."""
        before = self.database.transact_now(lambda books: books.ledger.head().seq)
        outcome = self.database.transact_now(work)
        if abs(self.time.error) > 365 * DAY:
            last = self.database.transact_now(lambda books: books.ledger.head().seq)
            self.wrong_rows |= set(range(before + 1, last + 1))
        said = outcome.reason if isinstance(outcome, Refusal) else type(outcome).__name__
        self.told.append(f"{what}: {said}")
        return outcome

    def order(self, number: int) -> None:
        """A notice and some of its money; head office has a true clock."""
        name, account = f"N{number:03}", self.dice.choice(ACCOUNTS)
        issued_at = self.time.true - timedelta(seconds=30)
        order = notice(
            name, plate=self.dice.choice(PLATES), account=account, hold_fen=self.dice.choice((3_000_000, 4_000_000)),
            issued_at=issued_at, expires_at=issued_at + 20 * DAY,
        )  # fmt: skip
        wire = WireDocument(number=number, kind="notice", body=order.model_dump(mode="json"))
        self.do(f"notice {name}", lambda books: apply_documents(books, [wire]))
        self.open.append(name)
        self.pay()

    def pay(self) -> None:
        account, amount_fen = self.dice.choice(ACCOUNTS), self.dice.randint(1, 4) * 1_000_000
        self.do(
            f"grant {account}",
            lambda books: take_grant(books, account, books.accounts.get(account).granted_fen + amount_fen),
        )

    def expire(self) -> None:
        """What `Yard.expire` does: nothing runs out here, whatever the clock says."""

        def late(books: Books) -> list[str]:
            if not books.clock.trusted():
                return []
            return [v.visit for v in books.visits.open() if v.notice.expires_at <= books.clock.now()]

        assert self.do("expire", late) == [], f"a notice has run out by a clock that is wrong by {self.time.error}"

    def drive(self) -> None:
        """The next step of one open visit."""
        if not self.open:
            return
        name = self.open[0] if self.dice.random() < 0.6 else self.dice.choice(self.open)
        dice = self.dice.random()
        net_kg = self.dice.choice((9_000, 14_000, 19_000))
        state = self.do(f"drive {name}", lambda books: self.step(books, name, dice, net_kg))
        if state in (VisitState.SEALED, VisitState.EMPTY_EXIT, VisitState.CANCELLED):
            self.open.remove(name)
            self.gone += [name] if state is not VisitState.CANCELLED else []

    def step(self, books: Books, name: str, dice: float, net_kg: int) -> VisitState:
        visit, plant, by = moves.fresh(books, name), self.plant, "调度"
        outcome: object = None
        match visit.state:
            case VisitState.NOTICED:
                outcome = arrive(books, plant.local, visit.plate, by)
            case VisitState.QUEUED | VisitState.TARED if dice < 0.1:
                outcome = moves.cancel(books, name, by, "客户取消")
            case VisitState.TARED if dice < 0.3:
                outcome = weighing.leave_empty(books, plant, visit, press(TARE_KG))
            case VisitState.QUEUED:
                outcome = moves.call_to_lane(books, "1", name, by)
            case VisitState.ADMITTED:
                outcome = weighing.weigh_tare(books, plant, visit, press(TARE_KG))
            case VisitState.TARED:
                outcome = moves.step(books, "1", name, VisitEvent.START_LOADING, by)
            case VisitState.HELD if dice < 0.3:
                outcome = weighing.unload(books, visit, by)
            case VisitState.LOADING | VisitState.HELD:
                outcome = weighing.load_complete(books, plant, visit, press(TARE_KG + net_kg))
                books.vacate(name)
        print_all(books)
        self.told.append(f"{outcome.reason} {outcome.numbers}" if isinstance(outcome, Refusal) else str(outcome)[:12])
        return moves.fresh(books, name).state

    def leave(self) -> None:
        """A pass of any truck that ever got one is shown at the gate, used or not; some tickets are made void."""
        if not self.gone:
            return
        name, dice = self.dice.choice(self.gone), self.dice.random()

        def gate(books: Books) -> object:
            visit = moves.fresh(books, name)
            stored = books.paper(visit.ticket or name)
            assert stored is not None
            if visit.ticket and dice < 0.1:
                return ticket_desk.void(books, visit.ticket, "甲", "乙", "装错货")
            scan = Scan("south", passage.read_code(self.plant, stored.pass_code), seen(visit.plate, visit.plate), "门")
            return passage.pass_gate(books, self.plant, scan).decision.why or "open"

        self.do(f"gate {name}", gate)

    def records(self) -> list[tuple[str, dict[str, Any]]]:
        """The ledger without times."""
        rows = self.rows("SELECT kind, body FROM ledger ORDER BY seq")
        return [(kind, {k: v for k, v in json.loads(body).items() if k not in TIMES}) for kind, body in rows]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """From the books, as they are."""
        connection = connect(self.path, writable=False)
        rows = [tuple(row) for row in connection.execute(query)]
        connection.close()
        return rows
