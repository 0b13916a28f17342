"""The plant as a process with real wires: frame to screen, pass to barrier, and the memory it holds.

Uses the demo's stage. Each figure stands beside the least that could do it, measured in the same run: a socket echo
between two processes, a bare Modbus pulse, a Python process that only serves a page.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from drivers.gate.modbus_barrier import ModbusBarrier, ModbusRelayConfig
from drivers.gate.simulated import VirtualBarrier
from drivers.scale.encoders import Shown, encoder
from edge.demo.devices import GATE, LANES
from edge.demo.stage import Pace, Stage
from edge.domain.scale_monitor import Capture
from edge.domain.visit import VisitEvent
from edge.main import lane_setup, make_plant
from edge.settings import load_settings
from edge.signing import PassKey
from edge.station import moves, weighing
from edge.station.eyes import NOT_SEEN
from edge.station.notices import take_grant, take_notice
from edge.station.printing import set_job_state
from edge.station.yard import arrive
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from sync.documents import Notice
from sync.fields import Mode
from sync.keys import load_private
from tests.bench.rows import Row, percentile

FRAMES, SCANS = 300, 150
_BETWEEN_FRAMES_S = 0.05
_LANE = "1"
_ECHO = """
import asyncio
async def echo(reader, writer):
    while data := await reader.readline():
        writer.write(data)
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
_SMALL_SITE = """
import asyncio, sys, uvicorn
from starlette.applications import Starlette
async def main():
    server = uvicorn.Server(uvicorn.Config(Starlette(), port=0, log_config=None))
    asyncio.get_running_loop().call_later(0.5, lambda: print("up", flush=True))
    await server.serve()
asyncio.run(main())
"""


def run() -> list[Row]:
    """Milliseconds (p99) and megabytes."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="weighgate-bench-") as place:
        pace = Pace(speed=100, rate_hz=20, noise_kg=0, seed=1, known_ports=False)
        async with Stage(Path(place), pace) as stage:
            await asyncio.to_thread(stage.broker.kill)  # the books below are of no head office
            await stage.plant.stop(within_s=5)
            passes = await asyncio.to_thread(_sell, stage, SCANS)
            url = (await stage.plant.start())["pages"]
            await asyncio.to_thread(stage.devices.printers[_LANE].wait_for, 1, 20)
            frames = await _frames(stage, url)
            scans = await _scans(stage, url, passes)
            memory = _resident_mb(stage.plant.pid)
    return [
        _row("frame: last byte to the event on the socket, p99", frames, "socket echo p99", await _echoes(), 50),
        _row("gate: pass scanned to the barrier's coil, p99", scans, "bare Modbus pulse p99", await _pulses(), 100),
        Row("plant: resident memory", memory, "MB", await _small_site_mb(), "bare page server", max_value=120),
    ]


def _row(name: str, samples: list[float], floor_name: str, floor: list[float], most_ms: float) -> Row:
    return Row(name, percentile(samples, 99), "ms", percentile(floor, 99), floor_name, max_value=most_ms)


async def _frames(stage: Stage, url: str) -> list[float]:
    """Put single frames on the line and wait for each weight on an open event stream."""
    scale, encode = stage.devices.scales[_LANE], encoder(LANES[_LANE])
    scale.set_silent(True)
    await asyncio.sleep(0.2)
    samples = []
    async with _stream(stage, url) as lines:
        for number in range(FRAMES):
            wanted = 2_000 + 20 * number
            begin = time.perf_counter()
            scale.send_raw(encode(Shown(wanted)))
            await _until(lines, f'"gross_kg":{wanted},'.encode())
            samples.append((time.perf_counter() - begin) * 1000)
            await asyncio.sleep(_BETWEEN_FRAMES_S)
    scale.set_silent(False)
    return samples


@contextlib.asynccontextmanager
async def _stream(stage: Stage, url: str) -> AsyncIterator[asyncio.StreamReader]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, headers={"Accept": "application/json"}) as client:
        await client.post("/login", data={"person": "D01", "pin": stage.pins["D01"]})
        cookie = client.cookies["weighgate"]
    host, port = httpx.URL(url).host, httpx.URL(url).port
    reader, writer = await asyncio.open_connection(host, port, limit=2**20)
    ask = f"GET /events/lane/{_LANE} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: weighgate={cookie}\r\n\r\n"
    writer.write(ask.encode())
    try:
        await _until(reader, b"data: ")
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


async def _until(lines: asyncio.StreamReader, part: bytes) -> None:
    async with asyncio.timeout(5):
        while part not in await lines.readline():
            pass


async def _scans(stage: Stage, url: str, passes: dict[str, str]) -> list[float]:
    """Scan each pass once, with its truck before the camera, and wait for the barrier's coil."""
    barrier, camera = stage.devices.barrier, stage.devices.cameras[GATE]
    samples = []
    async with httpx.AsyncClient(base_url=url, trust_env=False, headers={"Accept": "application/json"}) as client:
        await client.post("/login", data={"person": "G01", "pin": stage.pins["G01"]})
        for plate, code in passes.items():
            camera.set_scene(plate)
            camera.frame()  # drawn before the clock runs: a real camera has its picture
            before, begin = barrier.pulses, time.perf_counter()
            scanning = asyncio.create_task(client.post(f"/gate/{GATE}/scan", data={"code": code}))
            samples.append(await _pulse_ms(barrier, before, begin))
            assert (await scanning).json()["ok"]
    return samples


async def _pulse_ms(barrier: VirtualBarrier, before: int, begin: float) -> float:
    async with asyncio.timeout(5):
        while barrier.pulses == before:  # noqa: ASYNC110 - it is counted in another thread
            await asyncio.sleep(0.001)
    return (time.perf_counter() - begin) * 1000


async def _echoes() -> list[float]:
    """A line to another process and back."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _ECHO, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", int(await process.stdout.readline()))
    samples = []
    for _ in range(FRAMES):
        begin = time.perf_counter()
        writer.write(b"x" * 20 + b"\n")
        await reader.readline()
        samples.append((time.perf_counter() - begin) * 1000)
        await asyncio.sleep(0.01)
    writer.close()
    process.kill()
    await process.wait()
    return samples


async def _pulses() -> list[float]:
    """The barrier driver alone, to the coil."""
    samples = []
    with VirtualBarrier() as barrier:
        config = ModbusRelayConfig(
            type="modbus_relay", target=barrier.target, open_coil=0, loop_input=0, boom_input=1, pulse_ms=50
        )
        driver = ModbusBarrier("floor", config)
        for _ in range(SCANS):
            before, begin = barrier.pulses, time.perf_counter()
            pressing = asyncio.create_task(asyncio.to_thread(driver.open_once))
            samples.append(await _pulse_ms(barrier, before, begin))
            await pressing
        driver.close()
    return samples


async def _small_site_mb() -> float:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SMALL_SITE, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    memory = _resident_mb(process.pid)
    process.kill()
    await process.wait()
    return memory


def _resident_mb(pid: int) -> float:
    """VmRSS of proc(5), in MB of 10⁶ bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6


def _sell(stage: Stage, trucks: int) -> dict[str, str]:
    """Sell to so many trucks through the station's own transactions; plate → pass code."""
    settings = load_settings(stage.plant_config)
    plant = make_plant(settings, PassKey(load_private(settings.keys.directory / "plant.key")))
    rules = lane_setup(settings.lane[0]).rules

    def sale(books: Books, number: int) -> tuple[str, str]:
        notice = _notice(number)
        take_notice(books, notice)
        arrive(books, str, notice.plate, "D01")
        moves.call_to_lane(books, _LANE, notice.notice, "D01")
        for weigh, gross_kg in ((weighing.weigh_tare, 15_000), (weighing.load_complete, 45_000)):
            press = weighing.Press(_LANE, LANES[_LANE], rules, Capture(gross_kg, (), ()), NOT_SEEN, "D01")
            weigh(books, plant, moves.fresh(books, notice.notice), press)
            if gross_kg == 15_000:
                moves.step(books, _LANE, notice.notice, VisitEvent.START_LOADING, "D01")
        visit = moves.fresh(books, notice.notice)
        stored, job = books.tickets.get(visit.ticket), books.print_jobs.latest(visit.ticket)
        assert stored is not None and job is not None
        if number < trucks - 1:  # the last one is printed: what printing loads belongs to the memory
            set_job_state(books, job, "sent")
        return notice.plate, stored.pass_code

    database = Database(settings.books_file, Clock())
    try:
        database.transact_now(lambda books: take_grant(books, "C001/prepaid", 10**12))
        return dict(database.transact_now(lambda books: [sale(books, number) for number in range(trucks)]))
    finally:
        database.close()


def _notice(number: int) -> Notice:
    now = datetime.now(UTC)
    return Notice(
        notice=f"FH-{number:04}", version=1, mode=Mode.PREPAID, account="C001/prepaid", customer_id="C001",
        customer_name="孝丰建材有限公司", product="冶金焦 25-60 mm", product_code=1, plate=f"浙A{number:05}", axles=6,
        articulated=True, price_fen_per_t=198_000, hold_fen=10**7, issued_at=now, expires_at=now + timedelta(hours=8),
        issued_by="bench",
    )  # fmt: skip
