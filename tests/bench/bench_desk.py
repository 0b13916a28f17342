"""A commit of the desk with its fresh picture, while thousands of notices are open: what every press waits for."""

import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path

from edge.station.desk import Desk
from edge.station.live import LiveHub
from edge.station.notices import take_grant
from edge.station.yard import arrive
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from tests.bench.rows import Row, percentile
from tests.edge.station.rig import make_plant, notice
from tests.edge.store.books import ACCOUNT, document

FEW, MANY = 100, 10_000
SAMPLES = 60
_HOLD_FEN = 5_000_000


def run() -> list[Row]:
    """Milliseconds."""
    with tempfile.TemporaryDirectory() as root:
        few_s, many_s = (asyncio.run(_arrivals(Path(root) / f"{count}.db", count)) for count in (FEW, MANY))
    value, floor = (percentile(samples, 50) * 1000 for samples in (many_s, few_s))
    return [
        Row(f"arrival booked and shown, {MANY:,} open notices, p50", value, "ms", floor, f"{FEW} open", max_value=50)
    ]


async def _arrivals(path: Path, notices: int) -> list[float]:
    """Seconds of each truck's arrival, from the press to the picture that all pages are drawn from."""
    database = Database(path, Clock())
    try:
        database.transact_now(partial(_order, notices=notices))
        desk = Desk(make_plant(), database, LiveHub())
        await desk.refresh()
        taken_s = []
        for number in range(SAMPLES):
            begin = time.perf_counter()
            await desk.commit(partial(arrive, local=desk.plant.local, plate=_plate(number), by="调度"))
            taken_s.append(time.perf_counter() - begin)
        return taken_s
    finally:
        database.close()


def _order(books: Books, notices: int) -> None:
    take_grant(books, ACCOUNT, _HOLD_FEN * notices)
    for number in range(notices):
        document(books, "notice", notice(f"N{number}", plate=_plate(number)).model_dump(mode="json"))


def _plate(number: int) -> str:
    return f"浙A{number:05}"
