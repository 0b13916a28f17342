"""A month of a plant that nobody heard: ledger → mosquitto over TLS → head office's own process → PostgreSQL → ACK.

Beside it the bare pipe (`bare_pipe`), over the same broker and into the same PostgreSQL, in the same run. Then, with
the link up: how long after a notice is booked the plant can load for it. `WEIGHGATE_BENCH_TRUCKS` sets the backlog (12
000 trucks, six rows each).
"""

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from edge.station.desk import Desk
from edge.station.head_office import HeadOffice
from edge.station.live import LiveHub
from edge.store.clock import Clock
from edge.store.database import Database
from sync.certificates import TlsFiles
from sync.messages import WireDocument
from tests.bench import bare_pipe
from tests.bench.plant_books import write_backlog
from tests.bench.rows import Row, percentile
from tests.edge.station.rig import make_plant
from tests.sync.backlog import PRICE_FEN_PER_T, Backlog
from tests.sync.headquarters import Box, Headquarters
from tests.sync.postgresql import PostgreSql, server_binaries

TRUCKS = int(os.environ.get("WEIGHGATE_BENCH_TRUCKS") or 12_000)
NOTICES = 60
_CODE = "HX01"
_PATIENCE_S = 300


def run() -> list[Row]:
    """Records a second, seconds, and megabytes."""
    with tempfile.TemporaryDirectory(prefix="weighgate-bench-") as place, _servers(Path(place)) as (headquarters, box):
        plant_db = Path(place) / "plant" / "plant.db"
        rows = _prepare(headquarters, box, plant_db)
        bare_s = [_bare(headquarters, box, plant_db)]
        headquarters.start()
        headquarters.wait_until_linked()
        try:
            at_rest_mb = _memory_mb(headquarters, "VmRSS")
            drain_s, waits_s = asyncio.run(_drain_and_order(headquarters, box, plant_db, rows))
            peak_mb = _memory_mb(headquarters, "VmHWM")
        finally:
            headquarters.stop()
        bare_s.append(_bare(headquarters, box, plant_db))
    bare_a_second = rows / (sum(bare_s) / len(bare_s))
    return [
        Row(
            f"drain of {rows:,} records to ACK", rows / drain_s, "records/s", bare_a_second, "bare paho + COPY",
            min_value=5000, min_ratio=0.5,
        ),
        Row("notice booked → money and order at the plant, p95", percentile(waits_s, 95), "s", max_value=0.5),
        Row("head office: peak memory, drain included", peak_mb, "MB", at_rest_mb, "at rest"),
    ]  # fmt: skip


@contextlib.contextmanager
def _servers(place: Path) -> Iterator[tuple[Headquarters, Box]]:
    """PostgreSQL as durable as in production, mosquitto, and a head office with one plant, not yet running."""
    binaries = server_binaries()
    assert binaries is not None, "no PostgreSQL server on this machine (Debian: apt-get install postgresql)"
    server = PostgreSql(binaries, durable=True)
    try:
        server.start()
        headquarters = Headquarters.make(place, server.make_database())
        headquarters.broker.start()
        try:
            yield headquarters, headquarters.enrol(_CODE)
        finally:
            headquarters.kill()
            headquarters.broker.kill()
    finally:
        server.remove()


def _prepare(headquarters: Headquarters, box: Box, plant_db: Path) -> int:
    """The orders at head office, the rows at the plant; how many rows."""
    backlog = Backlog(_CODE, TRUCKS)
    headquarters.order(box.instance, backlog)
    plant_db.parent.mkdir()
    write_backlog(plant_db, backlog)
    return len(backlog.rows)


def _bare(headquarters: Headquarters, box: Box, plant_db: Path) -> float:
    folder = headquarters.config.parent
    office = TlsFiles(authority=folder / "ca.crt", certificate=folder / "office.crt", key=folder / "office.key")
    address = (headquarters.broker.host, headquarters.broker.port)
    return bare_pipe.drain(plant_db, address, box.tls, office, headquarters.database)


async def _drain_and_order(
    headquarters: Headquarters, box: Box, plant_db: Path, rows: int
) -> tuple[float, Sequence[float]]:
    """Seconds of the whole drain, from the plant's start on; then seconds of each notice."""
    database = Database(plant_db, Clock())
    try:
        desk = Desk(make_plant(), database, LiveHub())
        books = Books(desk, rows)
        engine = box.engine(books, headquarters.broker.host, headquarters.broker.port)
        desk.after_commit(engine.wake)
        begin = time.perf_counter()
        async with _running(engine.run()):
            async with asyncio.timeout(_PATIENCE_S):
                await books.drained.wait()
            drain_s = time.perf_counter() - begin
            return drain_s, await _order(headquarters, books)
    finally:
        database.close()


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


class Books(HeadOffice):
    """The plant's own, telling when rows are finished and when an order stands with its money."""

    def __init__(self, desk: Desk, rows: int) -> None:
        super().__init__(desk)
        self._database = desk.database
        self._rows = rows
        self.drained = asyncio.Event()
        self.covered: dict[str, float] = {}
        self.news = asyncio.Event()

    async def acked(self, last_seq: int, last_hash: str) -> None:
        await super().acked(last_seq, last_hash)
        if last_seq >= self._rows:
            self.drained.set()

    async def granted(self, account: str, granted_fen: int) -> None:
        await super().granted(account, granted_fen)
        await self._look()

    async def documents(self, documents: Sequence[WireDocument]) -> None:
        await super().documents(documents)
        await self._look()

    async def _look(self) -> None:
        visits = await self._database.read(lambda books: books.visits.open())
        for visit in visits:
            if visit.hold_fen >= visit.wanted_fen:
                self.covered.setdefault(visit.visit, time.perf_counter())
        self.news.set()


async def _order(headquarters: Headquarters, books: Books) -> list[float]:
    """Book notices one after the other over the API; seconds from each answer's request to the covered order."""
    customer = {"customer_id": "C900", "customer_name": "示例客户九百"}
    waits_s = []
    headers = {"Authorization": f"Bearer {headquarters.token}"}
    async with httpx.AsyncClient(base_url=headquarters.address, trust_env=False, headers=headers) as client:
        paid = {**customer, "reference": "B-900", "amount_fen": 10**11}
        (await client.post("/api/payments", json=paid)).raise_for_status()
        for number in range(NOTICES):
            asked = {
                "plant": _CODE, "customer_id": "C900", "plate": f"浙B{number:05}", "product": "冶金焦 25-60 mm",
                "price_fen_per_t": PRICE_FEN_PER_T, "notice": f"LAT-{number:04}", "limit_kg": 20_000,
            }  # fmt: skip
            begin = time.perf_counter()
            (await client.post("/api/notices", json=asked)).raise_for_status()
            async with asyncio.timeout(30):
                while asked["notice"] not in books.covered:
                    books.news.clear()
                    await books.news.wait()
            waits_s.append(books.covered[str(asked["notice"])] - begin)
            await asyncio.sleep(number % 7 * 0.03)  # not in step with anything
    return waits_s


def _memory_mb(headquarters: Headquarters, field: str) -> float:
    """A line of proc(5)'s status of head office's process, in MB of 10⁶ bytes."""
    assert headquarters.process is not None
    lines = Path(f"/proc/{headquarters.process.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) * 1024 / 1e6
