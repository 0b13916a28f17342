"""Composition root of the plant: settings to books, devices, station, link and pages, in one task group.

Owns the signals and the service manager's notifications. Ends within 2 s on SIGTERM or Ctrl-C, open event streams
included.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Generator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
import uvicorn

from drivers.camera.plates.installed import Models, trouble_with
from drivers.registry import build_camera, build_gate, build_loops, build_printer, build_scale
from edge.domain.refusal import Words
from edge.domain.scale_monitor import ScaleRules
from edge.settings import HeadOfficeSection, LaneSection, PlantSettings
from edge.signing import OfficeKey, PassKey
from edge.station.crops import CropStore
from edge.station.desk import Desk
from edge.station.eyes import Eyes
from edge.station.gate_runner import GateRunner, GateSetup
from edge.station.lane_runner import LaneRunner
from edge.station.lane_scale import LaneSetup
from edge.station.live import LiveHub
from edge.station.pictures import PictureStore
from edge.station.plant import Plant
from edge.station.printing import PrinterSetup, PrintRunner
from edge.station.station import Station
from edge.station.yard import ENTRANCE
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from edge.store.witness import Witness
from edge.web.app import create_app
from sync.certificates import TlsFiles, check_enrolled
from sync.engine import PlantEngine
from sync.keys import Instance, load_private, load_public
from sync.mqtt import MqttSettings, MqttTransport

SOFTWARE = f"weighgate {version('weighgate')}"
_log = structlog.get_logger(__name__)


class WrongBooks(Exception):
    """The books in the data folder belong to another plant, epoch or key."""


def run_plant(settings: PlantSettings, announce: Callable[[str], None] = lambda url: None) -> None:
    """Run the plant until SIGTERM or Ctrl-C. `announce` gets the pages' address once they are served."""
    asyncio.run(_run(settings, announce))


async def _run(settings: PlantSettings, announce: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    private_key = load_private(settings.keys.directory / "plant.key")
    instance = Instance.of(settings.plant.code, settings.plant.epoch, private_key)
    check_enrolled(settings.keys.directory / "tls.crt", instance)
    clock = Clock()
    database = Database(settings.books_file, clock)
    witness: Witness | None = None
    try:
        database.transact_now(lambda books: _claim(books, instance))
        witness = Witness(settings.witness_file, instance.wire_id)
        if fenced := witness.begin(database):
            _log.error("these books are fenced: gate and reprints only", why=fenced)
        desk = Desk(make_plant(settings, PassKey(private_key)), database, LiveHub())
        station = build_station(settings, desk)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(station.run())]
            if settings.head_office is not None:
                engine = _engine(settings, settings.head_office, instance, station, desk)
                tasks.append(group.create_task(engine.run()))
            server, address = _server(settings, station)
            tasks.append(group.create_task(server.serve(sockets=[address])))
            tasks.append(group.create_task(_watchdog()))
            _notify("READY=1")
            host, port = address.getsockname()[:2]
            _log.info("plant is running", plant=instance.wire_id, pages=f"http://{host}:{port}/")
            announce(f"http://{host}:{port}/")
            await stop.wait()
            _notify("STOPPING=1")
            desk.live.close()
            server.should_exit = True
            await asyncio.wait([tasks[-2]], timeout=1.0)
            for task in tasks:
                task.cancel()
    finally:
        database.close()
        if witness is not None:
            witness.close()


def make_plant(settings: PlantSettings, pass_key: PassKey) -> Plant:
    """Identity and house rules from the configuration; head office's key, where one was set up."""
    section = settings.plant
    starts = section.day_starts
    office_key = settings.keys.directory / "office.pub"
    return Plant(
        code=section.code,
        number=section.number,
        epoch=section.epoch,
        name=section.name,
        timezone=ZoneInfo(section.timezone),
        day_starts=timedelta(hours=starts.hour, minutes=starts.minute),
        minimum_net_kg=section.minimum_net_kg,
        empty_tolerance_kg=section.empty_tolerance_kg,
        pass_minutes=settings.exit_pass.minutes,
        finance_seals_by_rule=settings.seals.finance == "rule",
        pass_key=pass_key,
        software=SOFTWARE,
        office_key=OfficeKey(load_public(office_key)) if office_key.exists() else None,
        names={each.id: each.name for each in settings.person} | {each.id: each.name for each in settings.lane},
    )


def build_station(settings: PlantSettings, desk: Desk) -> Station:
    """Lanes, printers and gates with their devices; nothing is opened before `Station.run`."""
    station = Station(desk)
    pictures = PictureStore(settings.plant.data / "pictures", settings.pictures.budget_mib)
    crops = CropStore(settings.crops_folder, settings.plates.crops_mib) if settings.plates.keep_crops else None
    station.pictures = pictures
    reader = _reader(settings, desk)
    if settings.yard.camera:
        name = f"camera {ENTRANCE}"
        station.yard.eyes = Eyes(name, build_camera(name, settings.yard.camera, reader), desk, pictures)
    for lane in settings.lane:
        camera = build_camera(f"camera {lane.id}", lane.camera, reader) if lane.camera else None
        scale = build_scale(f"scale {lane.id}", lane.indicator)
        loops = build_loops(f"loops {lane.id}", lane.loops) if lane.loops else None
        station.lanes[lane.id] = LaneRunner(lane_setup(lane), scale, camera, desk, pictures, station.link, loops, crops)
        printer = build_printer(f"printer {lane.id}", lane.printer)
        station.printers.append(
            PrintRunner(PrinterSetup(f"printer {lane.id}", (lane.id,), desk.plant.names), printer, desk)
        )
    for gate in settings.gate:
        camera = build_camera(f"camera {gate.id}", gate.camera, reader) if gate.camera else None
        barrier = build_gate(f"barrier {gate.id}", gate.barrier)
        setup = GateSetup(gate.id, Words(gate.name, gate.name_en))
        station.gates[gate.id] = GateRunner(setup, barrier, camera, desk, pictures, station.link, crops)
    return station


def _reader(settings: PlantSettings, desk: Desk) -> Path:
    """The net that reads plates. One taught here that must not be used is an alarm, and the shipped one reads."""
    chosen = Models(settings.plate_models_folder).choose()
    if chosen.trouble:
        words = Words(
            "本站训练的车牌模型已损坏,改用出厂模型;请运行 weighgate plate rollback",
            f"The plate reader taught here must not be used, the shipped one reads: {chosen.trouble}",
        )
        desk.raise_alarm("plate reader", words)
    if _reads_plates(settings) and (trouble := trouble_with(chosen.model)):
        words = Words(
            "车牌识别文件损坏,车牌由人核对;请重新安装 weighgate",
            f"Plates cannot be read, people compare them; install weighgate anew: {trouble}",
        )
        desk.raise_alarm("plate reader", words)
    return chosen.model


def _reads_plates(settings: PlantSettings) -> bool:
    cameras = (settings.yard.camera, *(lane.camera for lane in settings.lane), *(gate.camera for gate in settings.gate))
    return any(camera is not None and camera.type == "opencv" for camera in cameras)


def lane_setup(lane: LaneSection) -> LaneSetup:
    """A lane's fixed facts from its section."""
    scale = lane.scale
    rules = ScaleRules(
        scale.division_kg,
        scale.maximum_kg,
        scale.truck_kg,
        scale.frames_in_a_row,
        scale.still_ms,
        zero_range_permille=scale.zero_range_permille,
    )
    indicator = getattr(lane.indicator, "indicator", lane.indicator.type)
    name = Words(lane.name, lane.name_en)
    return LaneSetup(lane.id, name, indicator, rules, scale.verified_until, lane.watch.rules())


def _claim(books: Books, instance: Instance) -> None:
    """One set of books is one plant epoch with one key, for ever; and the clock is behind no record."""
    owner = books.text("instance")
    if not owner:
        books.keep("instance", instance.wire_id)
    elif owner != instance.wire_id:
        raise WrongBooks(
            f"these books belong to {owner}, not to {instance.wire_id}: use that plant's configuration and key"
        )
    written_at = books.ledger.witnessed_at()
    if written_at is not None:
        books.clock.witness(written_at)


def _engine(
    settings: PlantSettings, section: HeadOfficeSection, instance: Instance, station: Station, desk: Desk
) -> PlantEngine:
    keys = settings.keys.directory
    code = settings.plant.code
    transport = MqttTransport(
        MqttSettings(
            host=section.host,
            port=section.port,
            client_id=f"{code}-{instance.fingerprint}",
            subscriptions=(f"down/{code}/#",),
            presence_topic=f"up/{code}/link",
            tls=TlsFiles(authority=keys / "ca.crt", certificate=keys / "tls.crt", key=keys / "tls.key"),
            reconnect_max_s=section.reconnect_max_s,
        )
    )
    engine = PlantEngine(
        instance, load_private(keys / "plant.key"), load_public(keys / "office.pub"), station.head_office, transport
    )
    desk.after_commit(engine.wake)
    station.link_up = lambda: (engine.status.connected, desk.plant.local(engine.status.since))
    return engine


class _QuietServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the program has one owner of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave SIGINT and SIGTERM to the program."""
        yield


def _server(settings: PlantSettings, station: Station) -> tuple[uvicorn.Server, socket.socket]:
    app = create_app(station, settings.person)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="off")
    address = socket.create_server((settings.web.host, settings.web.port), backlog=128)
    return _QuietServer(config), address


async def _watchdog() -> None:
    """Tell the service manager that this very loop still turns."""
    while True:
        _notify("WATCHDOG=1")
        await asyncio.sleep(5)


def _notify(message: str) -> None:
    """One datagram to the service manager (sd_notify(3)); nothing happens outside systemd."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(message.encode(), f"\0{path[1:]}" if path.startswith("@") else path)
