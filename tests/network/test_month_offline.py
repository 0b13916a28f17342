"""F6: many days without a link, sold by the real plant, then drained through a real broker into a real head office.

`make faults` runs 30 days of 400 trucks into PostgreSQL (`WEIGHGATE_DAYS`, `WEIGHGATE_TRUCKS_A_DAY`); by default it is
3 days of 40, into both databases. The books must be equal to the fen, for each customer and day. The controls: a plant
that takes the broker's receipt for head office's, and a single fen changed.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update

from edge.station.desk import Desk
from edge.station.head_office import HeadOffice
from edge.station.live import LiveHub
from edge.store.books import Books
from edge.store.database import Database
from sync.engine import PlantEngine
from sync.envelope import Kind, open_, seal
from sync.keys import load_private
from sync.messages import Ack, Rec, Term
from sync.office.setup import SIGNING_KEY
from sync.office.store.schema import shipments
from sync.office.store.terms import current_term
from sync.office.store.views import totals
from sync.transport import Listener, Transport
from tests.network.compare import differences
from tests.network.month import HandClock, Month, open_books, plant_of
from tests.reliability import Run
from tests.sync.headquarters import Box, Headquarters

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("needs_mosquitto")]
SHORT, LONG = (3, 40), (30, 400)
MakeOffline = Callable[[str, Month], "Offline"]


class TrustsTheBroker:
    """Control: what the broker has taken counts as received, as if head office had signed for it."""

    def __init__(self, pipe: Transport, box: Box, office_key: Ed25519PrivateKey, term: Term) -> None:
        self._pipe, self._box, self._key, self._term = pipe, box, office_key, term
        self._listener: Listener | None = None

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        await self._pipe.run(listener)

    async def send(self, topic: str, payload: bytes) -> None:
        await self._pipe.send(topic, payload)
        body = open_(payload, lambda kind, instance: self._box.key.public_key()).body
        if isinstance(body, Rec):
            last = body.records[-1]
            receipt = Ack(last_seq=last.seq, last_hash=last.hash, term=self._term)
            assert self._listener is not None
            self._listener.message("down/HX01/ack", seal(Kind.ACK, self._box.instance, receipt, self._key))


@dataclass
class Offline:
    """A head office, its box, and the box's books."""

    office: Headquarters
    box: Box
    path: Path
    clock: HandClock
    database: Database
    month: Month

    @classmethod
    def make(cls, folder: Path, database: str, month: Month) -> "Offline":
        """Enrolled, and every notice issued; the plant has heard of nothing yet."""
        office = Headquarters.make(folder, database)
        box = office.enrol("HX01")
        with office.books() as store:
            month.order(store, box.instance)
        clock = HandClock(datetime.now(UTC))
        path = folder / "plant" / "plant.db"
        return cls(office, box, path, clock, open_books(path, box, clock), month)

    @contextlib.asynccontextmanager
    async def linked(self, wrap: Callable[[Transport], Transport] = lambda pipe: pipe) -> AsyncIterator[PlantEngine]:
        """The plant's pump runs inside the block."""
        desk = Desk(plant_of(self.box), self.database, LiveHub())
        pipe = wrap(self.box.transport(self.office.broker.host, self.office.broker.port))
        engine = PlantEngine(self.box.instance, self.box.key, self.box.office_key, HeadOffice(desk), pipe)
        desk.after_commit(engine.wake)
        task = asyncio.create_task(engine.run())
        try:
            yield engine
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def get_notices(self) -> None:
        """All notices, and the money for them, reach the plant; then the link is cut."""
        self.office.broker.start()
        self.office.start()
        async with self.linked():
            await self.until(lambda books: books.number("documents_applied") == self.month.trucks)
        self.office.broker.kill()

    async def until(self, there: Callable[[Books], bool]) -> None:
        """Wait for something in the plant's books."""
        async with asyncio.timeout(1800):
            while not await self.database.read(there):
                await asyncio.sleep(0.05)

    async def drain(self, wrap: Callable[[Transport], Transport] = lambda pipe: pipe) -> tuple[int, float]:
        """The link is back: rows, and seconds until the last one is acknowledged."""
        head, before = await self.database.read(lambda books: (books.ledger.head().seq, books.number("acked_seq")))
        self.office.broker.start()
        since = time.monotonic()
        async with self.linked(wrap):
            await self.until(lambda books: books.number("acked_seq") == books.ledger.head().seq)
            taken_s = time.monotonic() - since
            await asyncio.sleep(0.5)  # the last STATE
        return head - before, taken_s

    def differences(self) -> list[str]:
        """What head office has otherwise than the plant."""
        with self.office.books() as store:
            return differences(self.path, store, self.box.instance.wire_id)

    def close(self) -> None:
        """End every process."""
        self.office.stop()
        self.office.broker.kill()
        self.database.close()


@pytest.fixture
def make_offline(fast_folder: Path) -> Iterator[Callable[[str, Month], Offline]]:
    """A function that makes one, and ends it."""
    made: list[Offline] = []

    def make(database: str, month: Month) -> Offline:
        made.append(Offline.make(fast_folder, database, month))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def run_month(offline: Offline, run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    month = offline.month
    began = time.monotonic()
    await offline.get_notices()
    got_s, began = time.monotonic() - began, time.monotonic()
    await asyncio.to_thread(month.sell, offline.database, offline.clock, plant_of(offline.box))
    sold_s = time.monotonic() - began
    assert offline.differences(), "nothing of it can be known at head office yet"
    rows, drained_s = await offline.drain()
    assert offline.differences() == []
    with offline.office.books() as store, store.read() as tx:
        sums = totals(tx)
    run.tell(
        capfd, month.trucks,
        f"{rows} records drained in {drained_s:.1f} s ({rows / drained_s:.0f}/s); {sums['shipments']} tickets, "
        f"{sums['net_kg']} kg, {sums['amount_fen']} fen equal for each customer and day; "
        f"notices came in {got_s:.0f} s, sold in {sold_s:.0f} s; {month.outcomes}",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_days_without_a_link(
    kind: str, make_offline: MakeOffline, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(f"{SHORT[0]} days without a link, {kind}")
    database = request.getfixturevalue("new_postgresql")() if kind == "postgresql" else "sqlite:///office.sqlite3"
    offline = make_offline(database, Month(*SHORT, run.seed))
    await run_month(offline, run, capfd)
    with offline.office.books() as store, store.write() as tx:
        one = tx.execute(select(shipments.c.visit).where(shipments.c.state == "released")).scalars().first()
        tx.execute(update(shipments).where(shipments.c.visit == one).values(amount_fen=shipments.c.amount_fen + 1))
    assert any(" here, " in each for each in offline.differences()), "control: a single fen would be seen"


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_a_month_without_a_link(
    make_offline: MakeOffline, new_postgresql: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    days = int(os.environ.get("WEIGHGATE_DAYS") or LONG[0])
    trucks = int(os.environ.get("WEIGHGATE_TRUCKS_A_DAY") or LONG[1])
    run = Run(f"{days} days without a link, {trucks} trucks a day, postgresql")
    await run_month(make_offline(new_postgresql(), Month(days, trucks, run.seed)), run, capfd)


async def test_control_a_plant_that_trusts_the_broker_loses_what_head_office_did_not_hear(
    make_offline: MakeOffline,
) -> None:
    offline = make_offline("sqlite:///office.sqlite3", Month(1, 12, 1))
    await offline.get_notices()
    await asyncio.to_thread(offline.month.sell, offline.database, offline.clock, plant_of(offline.box))
    offline.office.stop()
    key = load_private(offline.office.config.parent / SIGNING_KEY)
    with offline.office.books() as store, store.read() as tx:
        term = current_term(tx)
    # Head office stays away: a plant of ours sends again what it hears that head office lacks, and mends even this.
    await offline.drain(lambda pipe: TrustsTheBroker(pipe, offline.box, key, term))
    assert any("tickets are missing" in each for each in offline.differences())
