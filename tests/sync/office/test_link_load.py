"""Head office's link with many plants, a flood, a bad message among good ones, and a database that is slow or away."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.engine import PlantEngine
from sync.envelope import Kind, open_, seal
from sync.keys import Instance
from sync.messages import Ack, Rec
from sync.office.arrivals import PLANT_MESSAGES
from sync.office.link import OfficeLink
from sync.office.store import views
from sync.office.store.database import Store, StoreUnavailable
from sync.office.store.plants import enrol
from sync.session import Tuning
from sync.simulated import FAIR, HostileNet
from sync.transport import Listener
from tests.sync.backlog import Backlog
from tests.sync.faults.books import BacklogBooks
from tests.sync.support import until

pytestmark = pytest.mark.anyio
Result = TypeVar("Result")
OFFICE_KEY = Ed25519PrivateKey.generate()
TUNING = Tuning(batch_records=10, window_batches=5, retry_min_ms=1_000, state_every_ms=5_000)
PLANTS, TRUCKS = 20, 10


class Box:
    """A plant with a backlog."""

    def __init__(self, number: int, trucks: int = TRUCKS) -> None:
        self.code = f"HX{number:02}"
        self.key = Ed25519PrivateKey.generate()
        self.instance = Instance.of(self.code, 1, self.key)
        self.backlog = Backlog(self.code, trucks, customers=5)
        self.books = BacklogBooks(self.backlog)

    def engine(self, net: HostileNet) -> PlantEngine:
        end = net.end(f"down/{self.code}/")
        return PlantEngine(self.instance, self.key, OFFICE_KEY.public_key(), self.books, end, tuning=TUNING)

    def rec(self, first: int, last: int) -> bytes:
        """Rows `first` to `last` as a payload."""
        return seal(Kind.REC, self.instance, Rec(records=tuple(self.backlog.rows[first - 1 : last])), self.key)


class SlowStore(Store):
    """Its database takes `slow_s` longer for everything, and is away while `away`."""

    slow_s = 0.0
    away = False

    async def run(self, work: Callable[[Store], Result]) -> Result:
        def slowly(store: Store) -> Result:
            time.sleep(self.slow_s)
            if self.away:
                raise StoreUnavailable("stopped")
            return work(store)

        return await super().run(slowly)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SlowStore]:
    opened = SlowStore(f"sqlite:///{tmp_path / 'office.sqlite3'}")
    yield opened
    opened.close()


def let_in(store: Store, boxes: list[Box]) -> None:
    with store.write() as tx:
        for box in boxes:
            enrol(tx, box.code, box.code, box.key.public_key())


@asynccontextmanager
async def running(*services: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(service) for service in services]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [end for end in ends if isinstance(end, Exception)] == []


class Pipe:
    """Takes answers; each ACK is held against what another connection reads at that moment."""

    def __init__(self, store: Store, boxes: list[Box]) -> None:
        self._store = store
        self._boxes = {box.code: box for box in boxes}
        self.acked: dict[str, int] = {}

    async def run(self, listener: Listener) -> None:
        listener.connected()
        await asyncio.Event().wait()

    async def send(self, topic: str, payload: bytes) -> None:
        _, code, _ = topic.split("/")
        envelope = open_(payload, lambda *_: OFFICE_KEY.public_key(), self._boxes[code].instance)
        if isinstance(envelope.body, Ack):
            with self._store.read() as tx:
                (plant,) = [row for row in views.list_plants(tx) if row["plant"] == code]
            assert plant["last_seq"] >= envelope.body.last_seq, "answered before the commit"
            self.acked[code] = envelope.body.last_seq


async def test_twenty_plants_drain_side_by_side(store: SlowStore) -> None:
    net, boxes = HostileNet(FAIR, 0), [Box(number) for number in range(PLANTS)]
    let_in(store, boxes)
    link = OfficeLink(store, net.end("up/"), OFFICE_KEY, lambda: None)
    rows = len(boxes[0].backlog.rows)
    async with running(link.run(), *(box.engine(net).run() for box in boxes)):
        await until(lambda: any(box.books.acked_rows == rows for box in boxes), 50)
        slowest = min(box.books.acked_rows for box in boxes)
        assert slowest >= rows / 3, "one plant was done while another had hardly begun"
        await until(lambda: all(box.books.acked_rows == rows for box in boxes), 50)
    with store.read() as tx:
        assert views.totals(tx)["shipments"] == PLANTS * TRUCKS


async def test_a_plant_that_floods_fills_its_own_share_and_delays_nobody(store: SlowStore) -> None:
    noisy, quiet = boxes = [Box(1), Box(2)]
    let_in(store, boxes)
    pipe = Pipe(store, boxes)
    link = OfficeLink(store, pipe, OFFICE_KEY, lambda: None)
    payload = noisy.rec(1, 10)
    for _ in range(2_000):
        link.message("up/HX01/rec", payload)
    link.message("up/HX02/rec", quiet.rec(1, 10))
    store.slow_s = 0.05
    async with running(link.run()):
        await until(lambda: pipe.acked == {"HX01": 10, "HX02": 10}, 5)

        def counted() -> int:
            with store.read() as tx:
                return sum(row["count"] for row in views.list_dropped(tx) if row["reason"] == "too many at once")

        await until(lambda: counted() == 2_000 - PLANT_MESSAGES)


async def test_one_bad_message_among_good_ones_holds_up_only_itself(store: SlowStore) -> None:
    bad, good = boxes = [Box(1), Box(2)]
    let_in(store, boxes)
    pipe = Pipe(store, boxes)
    link = OfficeLink(store, pipe, OFFICE_KEY, lambda: None)
    unstorable = bad.backlog.rows[10].model_copy(update={"seq": 10**30})
    link.message("up/HX01/rec", bad.rec(1, 10))
    link.message("up/HX02/rec", good.rec(1, 10))
    link.message("up/HX01/rec", seal(Kind.REC, bad.instance, Rec(records=(unstorable,)), bad.key))
    link.message("up/HX02/rec", good.rec(11, 20))
    async with running(link.run()):
        await until(lambda: pipe.acked == {"HX01": 10, "HX02": 20}, 5)

        def reasons() -> list[str]:
            with store.read() as tx:
                return [row["reason"] for row in views.list_dropped(tx)]

        await until(lambda: reasons() == ["not booked: Unstorable"])
        link.message("up/HX01/rec", bad.rec(11, 20))
        await until(lambda: pipe.acked["HX01"] == 20)


async def test_a_database_that_is_slow_and_then_away_loses_nothing(
    store: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.office.link._RETRY_S", 0.1)
    net, boxes = HostileNet(FAIR, 0), [Box(number) for number in range(3)]
    let_in(store, boxes)
    store.slow_s = 0.08
    link = OfficeLink(store, net.end("up/"), OFFICE_KEY, lambda: None)
    rows = len(boxes[0].backlog.rows)
    async with running(link.run(), *(box.engine(net).run() for box in boxes)):
        await until(lambda: all(box.books.acked_rows > 0 for box in boxes), 20)
        store.away = True
        await asyncio.sleep(0.3)
        stood = [box.books.acked_rows for box in boxes]
        await asyncio.sleep(0.3)
        assert [box.books.acked_rows for box in boxes] == stood, "answered without a database"
        store.away, store.slow_s = False, 0.0
        await until(lambda: all(box.books.acked_rows == rows for box in boxes), 50)
    with store.read() as tx:
        assert views.totals(tx)["shipments"] == 3 * TRUCKS
