"""The other side dies, is pulled out, comes back under another number: no old weight, no zero, back within 5 s."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from drivers.ports import Scale
from drivers.readings import DeviceStatus, Health, WeightReading
from drivers.scale.encoders import encoder
from drivers.scale.encoders.shown import Shown
from drivers.scale.links import SerialLink
from drivers.scale.profile import SerialDefaults
from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.simulated_links import Rfc2217FarEnd
from drivers.worker import ReaderWorker
from edge.domain.scale_monitor import ScaleMonitor, ScaleRules, ScaleState
from tests.drivers.scale.lines import opened, readings, scale_at, shows

pytestmark = pytest.mark.anyio
RULES = ScaleRules(20, 100_000, frames_in_a_row=3, still_ms=100)
BEFORE_KG, AFTER_KG = 31_000, 42_000


class Lane:
    """What the plant makes of a scale: its worker, its monitor, and everything it was told."""

    def __init__(self, scale: Scale) -> None:
        self.monitor = ScaleMonitor(RULES)
        self.heard: list[WeightReading] = []
        self.statuses: list[DeviceStatus] = []
        self.worker = ReaderWorker(
            "lane 1 scale", scale, on_reading=self._reading, on_status=self._status, on_crash=self._crash
        )

    def _reading(self, reading: WeightReading) -> None:
        self.heard.append(reading)
        self.monitor.feed(reading)

    def _status(self, status: DeviceStatus) -> None:
        self.statuses.append(status)
        if status.health is not Health.UP:
            self.monitor.lose()

    def _crash(self, bug: BaseException) -> None:
        raise AssertionError from bug

    def state(self) -> ScaleState:
        return self.monitor.state(time.monotonic_ns() // 1_000_000)

    async def until(self, condition: Callable[[], bool], within_s: float = 5.0) -> float:
        """Wait; returns the seconds it took."""
        begin = time.monotonic()
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.01)
        return time.monotonic() - begin


@asynccontextmanager
async def lane_at(port: str, indicator: str, **more: object) -> AsyncIterator[Lane]:
    async with lane_of(scale_at(port, indicator, **more)) as lane:
        yield lane


@asynccontextmanager
async def lane_of(scale: Scale) -> AsyncIterator[Lane]:
    lane = Lane(scale)
    lane.worker.start()
    try:
        yield lane
    finally:
        await lane.worker.stop(timeout_s=5)


@contextmanager
def far_side(kind: str, where: str, indicator: str, kg: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The other side as a process, and the port it serves."""
    command = [sys.executable, "-m", "tests.drivers.scale.far_side", kind, where, indicator, str(kg)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


async def killed_and_back(
    kind: str, where: str, indicator: str, scale: Callable[[str], Scale], within_s: float = 5.0
) -> None:
    """Kill the far side at `where`, and let another come in its place with another weight; `scale` reads its port."""
    with far_side(kind, where, indicator, BEFORE_KG) as (process, port):
        async with lane_of(scale(port)) as lane:
            await lane.until(lambda: lane.state() is ScaleState.STABLE)
            process.kill()
            process.wait()
            assert await lane.until(lambda: lane.state() is ScaleState.LOST) < 2.5
            lost = len(lane.heard)
            await lane.until(lambda: lane.statuses[-1].health is Health.DOWN)
            assert lane.statuses[-1].what and lane.statuses[-1].try_this
            assert not lane.monitor.zero_seen
            number = port.rpartition(":")[2] if where == "0" else where
            with far_side(kind, number, indicator, AFTER_KG) as (_, again):
                assert again == port
                assert await lane.until(lambda: lane.state() is ScaleState.STABLE, within_s + 1.5) < within_s
            assert {reading.gross_kg for reading in lane.heard[:lost]} == {BEFORE_KG}
            assert {reading.gross_kg for reading in lane.heard[lost:]} == {AFTER_KG}, "nothing of before, no zero"
            assert [each.health for each in lane.statuses if each.health in (Health.UP, Health.DOWN)][:1] == [Health.UP]


@pytest.mark.parametrize(
    ("kind", "indicator", "mode"),
    [
        ("pty", "toledo", "stream"),
        pytest.param(*("pty", "yaohua_command", "poll"), marks=pytest.mark.faults),
        pytest.param(*("tcp", "toledo", "stream"), marks=pytest.mark.faults),
        pytest.param(*("tcp", "mt_sics", "poll"), marks=pytest.mark.faults),
        ("rfc2217", "toledo", "stream"),
    ],
)
async def test_the_other_side_is_killed_and_comes_back(kind: str, indicator: str, mode: str, tmp_path: Path) -> None:
    where = str(tmp_path / "port") if kind == "pty" else "0"
    await killed_and_back(
        kind, where, indicator, lambda port: scale_at(port, indicator, mode=mode, idle_timeout_ms=1_000)
    )


@pytest.mark.faults
async def test_the_other_side_hangs(tmp_path: Path) -> None:
    """Stopped, not dead: the connection stands and says nothing."""
    with far_side("rfc2217", "0", "toledo", BEFORE_KG) as (process, port):
        async with lane_at(port, "toledo", idle_timeout_ms=1_000) as lane:
            await lane.until(lambda: lane.state() is ScaleState.STABLE)
            process.send_signal(signal.SIGSTOP)
            assert await lane.until(lambda: lane.state() is ScaleState.LOST) < 1.5
            lost = len(lane.heard)
            await lane.until(lambda: lane.statuses[-1].health is Health.DOWN)
            assert "nothing came from rfc2217://" in lane.statuses[-1].what or "lost" in lane.statuses[-1].what
            process.send_signal(signal.SIGCONT)
            await lane.until(lambda: lane.state() is ScaleState.STABLE, 9.0)
            assert {reading.gross_kg for reading in lane.heard[lost:]} == {BEFORE_KG}


class Adapter:
    """A USB adapter: a pty whose number the kernel chose, behind a by-path link that udev makes."""

    def __init__(self, link: Path, kg: int) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.name = os.ttyname(slave)
        os.close(slave)
        self._frame = encoder("toledo")(Shown(kg))
        link.unlink(missing_ok=True)
        link.symlink_to(self.name)

    def send(self) -> None:
        os.write(self.master, self._frame)

    def pull(self) -> None:
        os.close(self.master)


async def test_a_port_that_comes_back_under_another_number_is_followed_by_its_link(tmp_path: Path) -> None:
    link = tmp_path / "pci-0000:00:14.0-usb-0:2:1.0-port0"
    adapter = Adapter(link, BEFORE_KG)
    async with lane_at(str(link), "toledo") as lane:

        async def sent(until: Callable[[], bool]) -> None:
            async with asyncio.timeout(5):
                while not until():
                    adapter.send()
                    await asyncio.sleep(0.02)

        await sent(lambda: lane.state() is ScaleState.STABLE)
        first, lost = adapter.name, len(lane.heard)
        taken = pty.openpty()  # somebody else gets a number meanwhile
        adapter.pull()
        await lane.until(lambda: lane.state() is ScaleState.LOST)
        other = pty.openpty()  # and perhaps the very number that the scale had
        adapter = Adapter(link, AFTER_KG)
        assert adapter.name != first
        os.write(other[0], encoder("toledo")(Shown(BEFORE_KG)))
        await sent(lambda: lane.state() is ScaleState.STABLE)
        assert {reading.gross_kg for reading in lane.heard[lost:]} == {AFTER_KG}
        for each in (*taken, *other, adapter.master):
            os.close(each)


@pytest.mark.faults
def test_a_plant_that_was_killed_reads_the_same_pseudo_terminal_again(tmp_path: Path) -> None:
    """The demo's lane 2: 7E1 on a pty, whose kernel refuses that at the second open."""
    with SimulatedIndicator("toledo", tmp_path / "port", rate_hz=20, weight_kg=BEFORE_KG) as far:
        program = str(Path(sys.executable).with_name("weighgate"))
        command = [program, "scale", "watch", far.port, "--indicator", "toledo", "--json"]
        for _ in range(2):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                assert f'"kg": {BEFORE_KG}' in process.stdout.readline()
                process.kill()


def test_rfc_2217_carries_the_line_settings() -> None:
    """At the profile's own settings the bytes come right; at others they are garbled until the reader sets them."""
    line = SerialDefaults(baud=4800, bytesize=7, parity="E", stopbits=2)
    with SimulatedIndicator("toledo", Rfc2217FarEnd(), rate_hz=50, weight_kg=777, line=line) as far:
        with opened(far.port, "toledo", baud=9600) as scale:
            assert readings(scale, 0.4) == []
        with opened(far.port, "toledo", baud=4800, stopbits=2) as scale:
            shows(scale, 777)


def test_rfc_2217_asks_and_tells_and_carries_every_byte() -> None:
    with SimulatedIndicator("sma", Rfc2217FarEnd(), weight_kg=60) as far, opened(far.port, "sma") as scale:
        shows(scale, 60)
    with (
        SimulatedIndicator("cas22", Rfc2217FarEnd(), rate_hz=50, weight_kg=40) as far,
        opened(far.port, "cas22") as one,
    ):
        shows(one, 40)


def test_a_link_over_rfc_2217_lets_go_of_its_connection() -> None:
    far = SimulatedIndicator("toledo", Rfc2217FarEnd())
    with far:
        link = SerialLink(far.port, SerialDefaults(baud=9600))
        far.unplug()
        with pytest.raises(OSError):
            for _ in range(30):
                link.read()
        link.close()
