"""A drain through kills: mosquitto, head office and PostgreSQL die while a plant's rows go up over a bad line.

In the end head office holds just those rows, each once, and what they mean; of a plant that trusts PUBACK, not all.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import func, select

from sync.certificates import TlsFiles, client_context
from sync.envelope import Kind, seal
from sync.messages import Rec
from sync.office.store.database import Store
from sync.office.store.schema import inbox, instances, shipments
from sync.office.store.verification import verify_books
from sync.session import Tuning
from tests.reliability import Run
from tests.sync.backlog import Backlog
from tests.sync.faults.books import BacklogBooks
from tests.sync.faults.proxy import BadLine, Line
from tests.sync.headquarters import Box, Headquarters, NotStarted
from tests.sync.postgresql import PostgreSql, server_binaries

pytestmark = pytest.mark.anyio
SHORT_TRUCKS, LONG_TRUCKS = 340, 10_000
KILL_EVERY_S = 5.0
SLOW = Tuning(batch_records=20, window_batches=4, retry_min_ms=500)
"""So small that a short drain is still under way when the kills come."""


@dataclass
class World:
    """Head office with its servers, one plant, and how often each was killed."""

    server: PostgreSql | None
    headquarters: Headquarters
    box: Box
    kills: Counter[str] = field(default_factory=Counter)

    async def kill(self, what: str) -> None:
        """Kill it the hard way, and start it again."""
        self.kills[what] += 1
        if what == "broker":
            self.headquarters.broker.kill()
            await asyncio.to_thread(self.headquarters.broker.start)
        elif what == "office":
            self.headquarters.kill()
            await self._start_office()
        elif self.server is not None:
            await asyncio.to_thread(self.server.kill if what == "database" else self.server.stop)
            await asyncio.to_thread(self.server.start)

    async def _start_office(self) -> None:
        """As a service manager would: again, while its database is still on its way up."""
        while True:
            try:
                await asyncio.to_thread(self.headquarters.start)
                return
            except NotStarted as error:
                assert "cannot be opened" in str(error), error
                self.kills["office start without a database"] += 1
                await asyncio.sleep(0.5)

    def stop_all(self) -> None:
        self.headquarters.kill()
        self.headquarters.broker.kill()
        if self.server is not None:
            self.server.remove()

    def server_tls(self) -> TlsFiles:
        folder = self.headquarters.config.parent
        return TlsFiles(authority=folder / "ca.crt", certificate=folder / "server.crt", key=folder / "server.key")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server on this machine (Debian: apt-get install postgresql)")
    server = PostgreSql(binaries, durable=True)
    try:
        server.start()
        headquarters = Headquarters.make(tmp_path, server.make_database())
    except BaseException:
        server.remove()
        raise
    yield from _running(server, headquarters)


@pytest.fixture
def small_world(tmp_path: Path) -> Iterator[World]:
    """With SQLite, for what does not hang on the database."""
    yield from _running(None, Headquarters.make(tmp_path, "sqlite:///office.sqlite3"))


def _running(server: PostgreSql | None, headquarters: Headquarters) -> Iterator[World]:
    made = World(server, headquarters, headquarters.enrol("HX01"))
    headquarters.broker.start()
    headquarters.start()
    yield made
    made.stop_all()


async def drain(
    world: World,
    books: BacklogBooks,
    tuning: Tuning,
    seed: int,
    faults: Callable[[], Coroutine[Any, Any, None]],
    within_s: float,
) -> Counter[str]:
    """Send all rows over a bad line while `faults` happen; what the line did to them."""
    broker = world.headquarters.broker
    async with BadLine((broker.host, broker.port), world.server_tls(), world.box.tls, Line(), seed) as line:
        engine = world.box.engine(books, "127.0.0.1", line.port, tuning)
        done, pumping = asyncio.create_task(books.until_acked(len(books.rows))), asyncio.create_task(engine.run())
        disturbing = asyncio.create_task(faults())
        tasks = (done, pumping, disturbing)
        await _until_one_ends_or_fails((done, pumping), disturbing, within_s)
        missing = len(books.rows) - books.acked_rows
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [end for end in ends if isinstance(end, Exception)] == []
    assert missing == 0, f"after {within_s:g} s: {engine.status}"
    return line.counts


async def _until_one_ends_or_fails(
    tasks: tuple[asyncio.Task[None], ...], disturbing: asyncio.Task[None], within_s: float
) -> None:
    """The faults may run out before the drain does, but not fail."""
    failed = asyncio.create_task(_failure(disturbing))
    await asyncio.wait((*tasks, failed), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    failed.cancel()


async def _failure(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    if task.cancelled() or task.exception() is None:
        await asyncio.Event().wait()


def check(world: World, backlog: Backlog, books: BacklogBooks) -> None:
    """Head office's rows are the plant's, and its books are what they mean."""
    with world.headquarters.books() as store, store.read() as tx:
        columns = (inbox.c.seq, inbox.c.kind, inbox.c.body, inbox.c.at, inbox.c.hash)
        held = [tuple(row) for row in tx.execute(select(*columns).order_by(inbox.c.seq))]
        head = tx.execute(select(instances)).mappings().one()
        tickets = tx.execute(select(shipments.c.account, shipments.c.amount_fen, shipments.c.state)).all()
        findings = verify_books(tx)
    assert held == [(row.seq, row.kind, row.body, row.at, row.hash) for row in backlog.rows]
    assert (head["last_seq"], head["last_hash"], head["frozen"]) == (len(backlog.rows), backlog.rows[-1].hash, "")
    spent_fen: Counter[str] = Counter()
    for account, amount_fen, state in tickets:
        assert state == "released"
        spent_fen[account] += amount_fen
    assert spent_fen == backlog.spent_fen
    assert findings.problems == []
    assert books.forks == []


@pytest.mark.timeout(150)
async def test_2000_rows_through_a_kill_of_each(world: World) -> None:
    backlog = Backlog("HX01", SHORT_TRUCKS)
    world.headquarters.order(world.box.instance, backlog)
    books = BacklogBooks(backlog)

    async def faults() -> None:
        for acked, what in ((200, "broker"), (600, "office"), (1_000, "database"), (1_400, "database at once")):
            await books.until_acked(acked)
            assert books.acked_rows < len(books.rows)
            await world.kill(what)

    counts = await drain(world, books, SLOW, 1, faults, 120)
    check(world, backlog, books)
    assert world.kills.total() == 4
    assert counts["double"] > 20


@pytest.mark.faults
@pytest.mark.timeout(1800)
async def test_60000_rows_while_broker_and_office_die_every_5_seconds(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run("broker, head office and PostgreSQL killed during a drain over a bad line")
    chance = Random(run.seed)
    backlog = Backlog("HX01", LONG_TRUCKS)
    world.headquarters.order(world.box.instance, backlog)
    books = BacklogBooks(backlog)

    async def every_5_seconds(what: str) -> None:
        await asyncio.sleep(chance.uniform(0.5, KILL_EVERY_S))
        while True:
            await world.kill(what)
            await asyncio.sleep(KILL_EVERY_S)  # of life: a slow machine takes long to come back

    async def database() -> None:
        for part, what in ((0.3, "database"), (0.7, "database at once")):
            await books.until_acked(int(part * len(books.rows)))
            await world.kill(what)

    async def faults() -> None:
        await asyncio.gather(every_5_seconds("broker"), every_5_seconds("office"), database())

    counts = await drain(world, books, Tuning(batch_records=40, retry_min_ms=1_000), run.seed, faults, 1_700)
    check(world, backlog, books)
    assert world.kills["database"] == world.kills["database at once"] == 1
    doubled = counts["double"] / counts["published"]
    killed = ", ".join(f"{what} {times}" for what, times in sorted(world.kills.items()))
    run.tell(
        capfd, len(backlog.rows),
        f"0 lost, 0 twice, last hash and money equal; killed: {killed}; {doubled:.0%} doubled, "
        f"{counts['tear']} torn connections",
    )  # fmt: skip


class TrustsPuback:
    """A plant that finishes a row when the broker has it: what many products do."""

    def __init__(self, box: Box, host: str, port: int) -> None:
        self._box = box
        self._connected = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="trusting", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.tls_set_context(client_context(box.tls))
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(host, port)
        self._client.loop_start()

    def drain(self, backlog: Backlog, batch: int, pause_s: float) -> int:
        """Send all; how many rows this plant believes to be safe."""
        finished = 0
        for start in range(0, len(backlog.rows), batch):
            rows = tuple(backlog.rows[start : start + batch])
            payload = seal(Kind.REC, self._box.instance, Rec(records=rows), self._box.key)
            self._client.publish(f"up/{self._box.instance.plant}/rec", payload, qos=1).wait_for_publish(20)
            finished += len(rows)
            time.sleep(pause_s)
        self._client.disconnect()
        self._client.loop_stop()
        return finished


async def test_control_a_plant_that_trusts_puback_loses_rows(small_world: World) -> None:
    world = small_world
    backlog = Backlog("HX01", SHORT_TRUCKS // 4)
    world.headquarters.order(world.box.instance, backlog)
    world.headquarters.wait_until_linked()
    broker = world.headquarters.broker
    plant = TrustsPuback(world.box, broker.host, broker.port)
    draining = asyncio.create_task(asyncio.to_thread(plant.drain, backlog, 10, 0.02))
    with world.headquarters.books() as store:
        async with asyncio.timeout(20):
            while _held(store) == 0:
                await asyncio.sleep(0.02)
    await world.kill("office")
    assert await draining == len(backlog.rows), "every row was confirmed by the broker"
    world.headquarters.wait_until_linked(2)
    await asyncio.sleep(1)
    with world.headquarters.books() as store:
        assert 0 < _held(store) < len(backlog.rows)
    with pytest.raises(AssertionError):
        check(world, backlog, BacklogBooks(backlog))


def _held(store: Store) -> int:
    with store.read() as tx:
        return int(tx.execute(select(func.count()).select_from(inbox)).scalar_one())
