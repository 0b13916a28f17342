"""One box at one plant: its files, its key, its program when it runs. Boxes are copied, replaced and forgotten."""

import asyncio
import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.domain.refusal import Reason, Refusal
from edge.domain.visit import Visit, VisitEvent, VisitState
from edge.signing import OfficeKey, PassKey
from edge.station import moves, passage, ticket_desk, weighing
from edge.station.desk import Desk
from edge.station.eyes import NOT_SEEN
from edge.station.live import LiveHub
from edge.station.passage import Scan
from edge.station.printing import set_job_state, settle_after_crash
from edge.station.station import Station
from edge.station.topup import read_code, take_code
from edge.station.views import Done
from edge.station.yard import arrive
from edge.store.backup import back_up
from edge.store.books import Books
from edge.store.witness import Witness
from sync.keys import Instance
from sync.messages import WireRecord
from sync.records import RECORDS, Exited, Ticketed, Voided
from tests.edge.station.rig import DIVISION_KG, PRICE, TARE_KG, make_plant
from tests.edge.store.books import press
from tests.world.seams import Crash, Crasher, Deliver, Pipe, StepClock, SteppedDatabase, SteppedEngine
from tests.world.truth import Truth

T = TypeVar("T")
_MOST_NET_KG = 49_000 - TARE_KG
_GHOSTLY = (Ticketed.KIND, Voided.KIND, Exited.KIND)


@lru_cache(64)
def make_key(name: str) -> Ed25519PrivateKey:
    """The same key for the same name, so that a run can be repeated."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def net_for(spendable_fen: int) -> int:
    """The largest load on the scale's grid that this much money pays, within the road's limit."""
    return min(spendable_fen * 1000 // PRICE, _MOST_NET_KG) // DIVISION_KG * DIVISION_KG


def claim(books: Books, instance: Instance) -> None:
    """One set of books is one plant epoch; and the clock is behind no record."""
    assert books.text("instance") in ("", instance.wire_id)
    books.keep("instance", instance.wire_id)
    written_at = books.ledger.witnessed_at()
    if written_at is not None:
        books.clock.witness(written_at)


class Box:
    """A plant epoch's files, key and program. A copy of a box speaks with the same key."""

    def __init__(
        self,
        folder: Path,
        code: str,
        epoch: int,
        loop: asyncio.AbstractEventLoop,
        office_key: Ed25519PublicKey,
        truth: Truth,
        deliver: Deliver,
    ) -> None:
        self.folder = folder
        self.key = make_key(f"{code}/{epoch}")
        self.instance = Instance.of(code, epoch, self.key)
        self.plant = make_plant(
            code=code, number=int(code[2:]), epoch=epoch, pass_key=PassKey(self.key), office_key=OfficeKey(office_key)
        )
        self.crasher = Crasher()
        self.clock = StepClock()
        self.pipe = Pipe(deliver)
        self.rolled_back = False
        """Its files are older than what it once was."""
        self.crashes = 0
        self._loop = loop
        self._office_key = office_key
        self._truth = truth
        self._seen_seq = 0
        self._checked_seq = -1
        self.start()

    @property
    def path(self) -> Path:
        """The books."""
        return self.folder / "plant.db"

    @property
    def witness_path(self) -> Path:
        """Outside the data folder, and outside every copy of it."""
        return self.folder.with_name(f"{self.folder.name}.witness") / "plant.json"

    def start(self) -> None:
        """The program starts on whatever files there are."""
        error = self.clock.error
        self.clock = StepClock()
        self.clock.error = error
        self.database = SteppedDatabase(self.path, self.clock, self.crasher, self._look)
        self._raw = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        self._loop.run_until_complete(self._begin())

    async def _begin(self) -> None:
        """As `edge.main` does it, without devices and pages."""
        self.database.transact_now(lambda books: claim(books, self.instance))
        self.witness = Witness(self.witness_path, self.instance.wire_id)
        self.witness.begin(self.database)
        self.database.crash_before_witness()
        self.desk = Desk(self.plant, self.database, LiveHub())
        self.station = Station(self.desk)
        self.engine = SteppedEngine(self.instance, self.key, self._office_key, self.station.head_office, self.pipe)
        self.desk.after_commit(self.engine.wake)
        await self.desk.commit(settle_after_crash)
        await self.engine.begin()
        if self.pipe.up:
            self.engine.connected()

    def _look(self, books: Books) -> None:
        for row in books.ledger.rows_after(self._seen_seq, 1_000):
            self._seen_seq = row.seq
            if row.kind in _GHOSTLY:
                self._truth.saw(self.instance.wire_id, RECORDS[row.kind].model_validate_json(row.body))

    def close(self) -> None:
        """The program is gone, as by SIGKILL: what was committed stands."""
        if self.desk.failed.done():
            self.desk.failed.exception()  # whoever asserts has it already
        self._raw.close()
        self.database.close()
        self.witness.close()

    def do(self, work: Callable[[], T]) -> T | None:
        """Run something that commits; None when the box crashed on the way (it is up again)."""
        try:
            return work()
        except Crash:
            self.crashes += 1
            self.close()
            self.start()
            return None

    def turn(self) -> None:
        """One turn of the pump."""
        self.do(lambda: self._loop.run_until_complete(self.engine.turn()))

    def cut(self, up: bool) -> None:
        """The cable."""
        if up != self.pipe.up:
            self.pipe.up = up
            if up:
                self.engine.connected()
            else:
                self.engine.disconnected("cut")

    def copy_to(self, folder: Path) -> int:
        """Copy the data folder as it lies there, program running; how far the ledger went."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in self.folder.glob("plant.db*"):
            shutil.copyfile(file, folder / file.name)
        return self._seen_seq

    def back_up_to(self, folder: Path) -> int:
        """`weighgate backup`, beside the running program."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        back_up(self.path, folder / "plant.db")
        return self._seen_seq

    def replace_by(self, folder: Path, seen_seq: int) -> None:
        """The old copy takes the place of the data folder; the witness is not in it. The program starts on that."""
        self.close()
        shutil.rmtree(self.folder)
        shutil.copytree(folder, self.folder)
        older = seen_seq < self._seen_seq
        self._seen_seq = seen_seq
        self.rolled_back = self.rolled_back or older
        self.crasher.disarm()
        self.start()
        assert self.fenced or not older, "an old copy came up as if it were the original"

    # What people do here. Each press is a transaction of its own.

    def read(self, work: Callable[[Books], T]) -> T:
        """Look into the books."""
        return self._loop.run_until_complete(self.database.read(work))

    def press(self, work: Callable[[Books], T]) -> T | None:
        """One button."""
        return self.do(lambda: self._committed(work))

    def _committed(self, work: Callable[[Books], T]) -> T:
        result = self._loop.run_until_complete(self.desk.commit(work))
        assert not isinstance(result, Refusal) or result.reason is not Reason.STORE_FULL
        return result  # type: ignore[return-value]

    def drive(self, name: str) -> VisitState | None:
        """Bring a truck to its scale, loading, as far as it may go; where its visit stands then."""

        def work(books: Books) -> VisitState | None:
            for _ in range(5):
                visit = books.visits.get(name)
                if visit is None or isinstance(self._step(books, visit), Refusal | None):
                    return visit.state if visit else None
            return None

        return self.press(work)

    def _step(self, books: Books, visit: Visit) -> Done | Refusal | None:
        """The next press on the way to LOADING; None when it stands there, or never will."""
        name = visit.visit
        match visit.state:
            case VisitState.NOTICED:
                return arrive(books, self.plant.local, visit.plate, "调度")
            case VisitState.QUEUED:
                return moves.call_to_lane(books, name, name, "调度")
            case VisitState.ADMITTED:
                return weighing.weigh_tare(books, self.plant, visit, press(TARE_KG))
            case VisitState.TARED:
                return moves.step(books, name, name, VisitEvent.START_LOADING, "调度")
        return None

    def complete(self, name: str, more_kg: int = 0, *, share: int = 1) -> object:
        """装车完成 with all (or one `share`) that the box thinks it may spend on this truck, and `more_kg` above it."""

        def work(books: Books) -> object:
            visit = moves.fresh(books, name)
            spendable_fen = visit.hold_fen + books.accounts.get(visit.notice.account).available_fen
            net_kg = net_for(spendable_fen // share) + more_kg
            return weighing.load_complete(books, self.plant, visit, press(TARE_KG + net_kg))

        return self.press(work)

    def waiting(self) -> list[str]:
        """Visits that may still load, oldest first."""
        open_visits = self.read(lambda books: books.visits.open())
        return [visit.visit for visit in sorted(open_visits, key=lambda each: each.visit) if not visit.ticket]

    def tickets(self) -> list[str]:
        """The last few tickets."""
        return [stored.ticket.ticket for stored in self.read(lambda books: books.tickets.recent(6))]

    def void(self, ticket: str) -> object:
        """作废, by two persons."""
        return self.press(lambda books: ticket_desk.void(books, ticket, "甲", "乙", "装错货"))

    def scan(self, code: str) -> object:
        """充值码, from whoever holds it."""
        grant = read_code(self.plant, code)
        if isinstance(grant, Refusal):
            return grant
        return self.press(lambda books: take_code(books, grant, "调度", ""))

    def expire(self) -> None:
        """Notices run out, as the station looks for every 20 s."""
        self.do(lambda: self._loop.run_until_complete(self.station.yard.expire()))

    def rows_after(self, seq: int) -> list[WireRecord]:
        """The ledger, as its disk tells."""
        return self.read(lambda books: books.ledger.rows_after(seq, 1_000_000))

    def cancel(self, name: str) -> object:
        """The truck does not come."""
        return self.press(lambda books: moves.cancel(books, name, "调度", "不来"))

    def leave(self, ticket: str) -> object:
        """Print it, and go through the gate."""

        def print_all(books: Books) -> None:
            for job in books.print_jobs.in_state("queued"):
                set_job_state(books, job, "sending")
                set_job_state(books, job, "sent")

        def gate(books: Books) -> object:
            stored = books.tickets.get(ticket)
            if stored is None:
                return None
            read = self.plant.pass_key.read(stored.pass_code)
            scan = Scan("south", read, NOT_SEEN, "门卫", "王五", "核对", (Reason.PLATE_NOT_READ,))
            return passage.pass_gate(books, self.plant, scan).decision.why

        self.press(print_all)
        return self.press(gate)

    def check(self) -> None:
        """I2 and the sums behind it, read past all of the program's own code; when anything has changed."""
        if self._checked_seq == self._seen_seq:
            return
        self._checked_seq = self._seen_seq
        for row in self._raw.execute(_SUMS):
            account, granted, returned, spent, voided, held, holds, tickets, voids = row
            where = f"{self.instance.wire_id} {account}"
            assert min(granted, returned, spent, voided, held) >= 0, where
            assert spent - voided + held <= granted - returned, f"I2: {where} spends what it was not granted: {row}"
            assert held == holds, f"{where}: {held} fen are held, its visits hold {holds}"
            assert (spent, voided) == (tickets, voids), f"{where}: {spent}, {voided} fen, its tickets say otherwise"

    def told(self) -> tuple[str, int, str]:
        """Its mode, the term it follows, and the accounts it holds money of."""
        return self.read(lambda books: (books.mode, books.number("term_number"), " ".join(books.accounts.all())))

    @property
    def fenced(self) -> bool:
        """These books sell nothing more."""
        return bool(self.read(lambda books: books.fenced))


_SUMS = """
SELECT account, granted_fen, returned_fen, spent_fen, voided_fen, held_fen,
    (SELECT COALESCE(SUM(hold_fen), 0) FROM visits v WHERE v.account = a.account),
    (SELECT COALESCE(SUM(amount_fen), 0) FROM tickets t WHERE json_extract(t.body, '$.account') = a.account),
    (SELECT COALESCE(SUM(amount_fen), 0) FROM tickets t WHERE json_extract(t.body, '$.account') = a.account
        AND t.void_seq IS NOT NULL)
FROM accounts a
"""
