"""A whole plant in the test's own process: real books on disk, real rules, simulated devices, no browser and no link.

Scales show what `lane.deck` says, at 200 frames a second; cameras see `seen`; papers are collected as documents.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.camera.simulated import match_by_equality
from drivers.gate.modbus_loops import SimulatedLoops, SimulatedLoopsConfig
from drivers.gate.simulated import SimulatedGate, SimulatedGateConfig
from drivers.ports import DriverError
from drivers.printer.document import Document, Text
from drivers.readings import Picture, PlateColor, PlateReading
from drivers.scale.simulated import SimulatedScale, SimulatedScaleConfig
from edge.domain.refusal import Reason, Refusal, Words
from edge.domain.scale_monitor import ScaleRules, ScaleState
from edge.domain.scale_watch import WatchRules
from edge.domain.visit import Visit
from edge.signing import OfficeKey, PassKey
from edge.station.crops import CropStore
from edge.station.desk import Desk
from edge.station.eyes import Eyes
from edge.station.gate_runner import GateRunner, GateSetup
from edge.station.head_office import apply_documents
from edge.station.lane_runner import LaneRunner
from edge.station.lane_scale import LaneSetup
from edge.station.live import LiveHub
from edge.station.notices import take_grant
from edge.station.pictures import PictureStore
from edge.station.plant import Plant
from edge.station.printing import PrinterSetup, PrintRunner
from edge.station.station import Station
from edge.station.views import Done
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from sync.documents import Notice
from sync.messages import WireDocument
from sync.record import Record

Told = TypeVar("Told", bound=Record)
PRICE = 200_000
"""Fen per tonne: 2000 yuan, so that 1 kg costs 200 fen."""
DIVISION_KG = 20
RULES = ScaleRules(DIVISION_KG, 100_000, frames_in_a_row=3, still_ms=0)
PLATE = "浙A12345"
TARE_KG = 14_520
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OFFICE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))


def make_plant(**changed: object) -> Plant:
    """A plant with the house rules of the example configuration."""
    plant = Plant(
        code="HX01",
        number=1,
        epoch=3,
        name="华新焦化",
        timezone=ZoneInfo("Asia/Shanghai"),
        day_starts=timedelta(0),
        minimum_net_kg=500,
        empty_tolerance_kg=100,
        pass_minutes=720,
        finance_seals_by_rule=True,
        pass_key=PassKey(KEY),
        software="weighgate test",
        office_key=OfficeKey(OFFICE_KEY.public_key()),
    )
    return replace(plant, **changed)  # type: ignore[arg-type]


def notice(name: str = "N1", **changed: object) -> Notice:
    """A prepaid notice for a six-axle truck; its hold pays 20 t."""
    now = datetime.now(UTC)
    fields: dict[str, object] = {
        "notice": name,
        "mode": "prepaid",
        "account": "C1/coke",
        "customer_id": "C1",
        "customer_name": "晋能贸易",
        "product": "焦炭",
        "product_code": 1,
        "plate": PLATE,
        "axles": 6,
        "price_fen_per_t": PRICE,
        "hold_fen": 4_000_000,
        "issued_at": now,
        "expires_at": now + timedelta(hours=12),
        **changed,
    }
    return Notice.model_validate(fields)


class SeenCamera:
    """A camera whose picture is set by the test; `seen` None reads no plate, `error` fails, `unsure` asks a person.
    `dead` is found without a truck too. `expected` is whom it was asked for last. No two pictures are the same.
    """

    def __init__(self, seen: str | None = PLATE) -> None:
        self.seen = seen
        self.unsure = False
        self.error: DriverError | None = None
        self.dead: DriverError | None = None
        self.expected: tuple[str, ...] = ()
        self.pictures = 0
        self.checks = 0

    def capture(self, expected: Sequence[str] = ()) -> Picture:
        if self.error is not None:
            raise self.error
        self.expected = tuple(expected)
        self.pictures += 1
        plate = PlateReading(self.seen, PlateColor.YELLOW, 970) if self.seen is not None else None
        jpeg = b"\xff\xd8jpeg %d\xff\xd9" % self.pictures
        match = match_by_equality(plate, expected, unsure=self.unsure)
        return Picture(jpeg, time.monotonic_ns() // 1_000_000, plate, match, b"crop of " + jpeg if plate else b"")

    def check(self) -> None:
        self.checks += 1
        if self.dead is not None:
            raise self.dead

    def close(self) -> None:
        """It holds nothing."""


class PaperPrinter:
    """A printer that keeps its papers; `fault` is raised by `check`, `fault_in_print` once while it prints."""

    def __init__(self) -> None:
        self.papers: list[Document] = []
        self.fault: DriverError | None = None
        self.fault_in_print: DriverError | None = None

    def check(self) -> None:
        if self.fault is not None:
            raise self.fault

    def print(self, document: Document) -> None:
        self.check()
        if self.fault_in_print is not None:
            error, self.fault_in_print = self.fault_in_print, None
            raise error
        self.papers.append(document)

    def texts(self, paper: int) -> list[str]:
        """All plain lines of one paper."""
        return [element.text for element in self.papers[paper] if isinstance(element, Text)]


class PullableScale(SimulatedScale):
    """A simulated scale whose cable can be pulled."""

    pulled = False

    def read(self):  # type: ignore[no-untyped-def]
        if self.pulled:
            time.sleep(0.02)
            return []
        return super().read()


class Lane:
    """One lane with the devices that the test moves."""

    def __init__(
        self,
        name: str,
        desk: Desk,
        station: Station,
        pictures: PictureStore,
        watch: WatchRules | None = None,
        crops: CropStore | None = None,
    ) -> None:
        self.deck = PullableScale(f"scale {name}", SimulatedScaleConfig(type="simulated", rate_hz=200))
        self.camera = SeenCamera()
        self.printer = PaperPrinter()
        self.loops = SimulatedLoops(SimulatedLoopsConfig(type="simulated"))
        setup = LaneSetup(name, Words(f"{name} 号磅", f"lane {name}"), "toledo", RULES, None, watch)
        loops = self.loops if watch is not None else None
        self.runner = LaneRunner(setup, self.deck, self.camera, desk, pictures, station.link, loops, crops)
        station.lanes[name] = self.runner
        station.printers.append(PrintRunner(PrinterSetup(f"printer {name}", (name,)), self.printer, desk))

    async def stand(self, weight_kg: int) -> None:
        """Put a weight on the deck and wait until it is stable (or zero is seen)."""
        self.deck.set_weight_kg(weight_kg)
        wanted = ScaleState.EMPTY if weight_kg < RULES.truck_kg else ScaleState.STABLE
        now_ms = self.runner.scale.monitor.shown_kg

        def there() -> bool:
            at_ms = time.monotonic_ns() // 1_000_000
            return now_ms(at_ms) == weight_kg and self.runner.scale.monitor.state(at_ms) is wanted

        await until(there)

    async def drive_off(self) -> None:
        """The deck is empty and zero was seen."""
        await self.stand(0)
        await until(lambda: self.runner.scale.monitor.zero_seen)


class PlantRig:
    """The running plant."""

    def __init__(
        self,
        folder: Path,
        plant: Plant,
        clock: Clock,
        lanes: tuple[str, ...],
        watch: WatchRules | None = None,
        crops: CropStore | None = None,
    ) -> None:
        self.path = folder / "plant.db"
        self.database = Database(self.path, clock)
        self.desk = Desk(plant, self.database, LiveHub())
        self.station = Station(self.desk)
        self.pictures = pictures = PictureStore(folder / "pictures")
        self.station.pictures = pictures
        self.entrance = SeenCamera()
        self.lanes = {name: Lane(name, self.desk, self.station, pictures, watch, crops) for name in lanes}
        self.barrier = SimulatedGate("barrier", SimulatedGateConfig(type="simulated", rise_ms=0, pass_ms=0))
        self.gate_camera = SeenCamera()
        setup = GateSetup("south", Words("南门", "south gate"))
        self.gate = GateRunner(setup, self.barrier, self.gate_camera, self.desk, pictures, self.station.link, crops)
        self.station.gates["south"] = self.gate
        self._documents = 0

    @property
    def lane(self) -> Lane:
        """Lane 1."""
        return self.lanes["1"]

    async def grant(self, granted_fen: int, account: str = "C1/coke") -> None:
        """Head office's cumulative grant arrives."""
        await self.desk.commit(lambda books: take_grant(books, account, granted_fen))

    async def send(self, *orders: Notice) -> None:
        """Head office's documents arrive."""
        for order in orders:
            await self.send_document(order.KIND, order.model_dump(mode="json"))

    async def send_document(self, kind: str, body: dict[str, object]) -> None:
        """One document of any kind arrives, with the next number."""
        number = await self.read(lambda books: books.number("documents_applied")) + 1
        wire = WireDocument(number=number, kind=kind, body=body)
        await self.desk.commit(lambda books: apply_documents(books, [wire]))

    async def read(self, work: Callable[[Books], int]) -> int:
        """A number from the books."""
        return await self.database.read(work)

    async def visit(self, name: str = "N1") -> Visit:
        """A visit as it stands."""
        found = await self.database.read(lambda books: books.visits.get(name))
        assert found is not None
        return found

    async def loading(self, name: str = "N1", *, plate: str = PLATE, lane: str = "1", tare_kg: int = TARE_KG) -> Lane:
        """Bring a noticed truck to LOADING on a lane, still standing on the deck."""
        there = self.lanes[lane]
        there.camera.seen = plate
        await there.drive_off()
        done(await self.station.yard.arrive(plate, "调度"))
        done(await there.runner.call(name, "调度"))
        await there.stand(tare_kg)
        done(await there.runner.tare("调度"))
        done(await there.runner.start_loading("调度"))
        return there

    async def ticketed(self, name: str = "N1", net_kg: int = 18_000, **where: str) -> str:
        """Bring a noticed truck to its ticket; returns the ticket's number."""
        there = await self.loading(name, **where)  # type: ignore[arg-type]
        await there.stand(TARE_KG + net_kg)
        ticket = done(await there.runner.load_complete("调度", name)).ticket
        assert ticket is not None
        return ticket

    async def pass_code(self, ticket: str) -> str:
        """What is in the exit pass's QR code."""
        stored = await self.database.read(lambda books: books.tickets.get(ticket))
        assert stored is not None
        return stored.pass_code

    async def told(self, kind: type[Told]) -> list[Told]:
        """All ledger records of one kind, oldest first."""
        rows = await self.database.read(lambda books: books.ledger.bodies(kind.KIND, 100))
        return [kind.model_validate_json(body) for _, body in reversed(rows)]

    async def kinds(self) -> list[str]:
        """The kinds of all ledger records."""
        rows = await self.database.read(lambda books: books.ledger.rows_after(0, 10_000))
        return [row.kind for row in rows]


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    *,
    plant: Plant | None = None,
    clock: Clock | None = None,
    lanes: tuple[str, ...] = ("1",),
    watch: WatchRules | None = None,
    entrance: bool = False,
    crops: CropStore | None = None,
) -> AsyncIterator[PlantRig]:
    """The plant from start to clean stop; leave it with an exception to stop without ceremony. No scale is watched
    unless there are rules: here trucks come from nowhere.
    """
    rig = PlantRig(folder, plant or make_plant(), clock or Clock(), lanes, watch, crops)
    if entrance:
        rig.station.yard.eyes = Eyes("camera entrance", rig.entrance, rig.desk, rig.pictures)
    started = asyncio.Event()
    task = asyncio.create_task(rig.station.run(started.set))
    try:
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        waiting.cancel()
        if task.done():
            await task
        yield rig
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        rig.database.close()


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait for a condition; the test fails when it does not come."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def until_async(condition: Callable[[], Awaitable[bool]], timeout_s: float = 5.0) -> None:
    """Wait for a condition that has to be asked for."""
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.01)


def done(outcome: Done | Refusal) -> Done:
    """The command must have been carried out."""
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(outcome: object, reason: Reason) -> Refusal:
    """The command must have been refused for this reason; its words can be said in both languages."""
    assert isinstance(outcome, Refusal), outcome
    assert outcome.reason is reason, outcome
    assert outcome.words.zh and outcome.words.en
    return outcome
