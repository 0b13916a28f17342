"""The Modbus driver against a real server that hangs, dawdles, refuses, dies, lies and freezes: never an old weight."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymodbus.constants import ExcCodes

from drivers.modbus import modbus_client, parse_modbus_target, registers_folder
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable, DriverError, ScaleCommand
from drivers.readings import DeviceStatus, Health, WeightReading
from drivers.registry import build_scale
from drivers.scale import modbus_indicator
from drivers.scale.modbus_indicator import ModbusIndicator
from drivers.scale.registers import load_register_map
from drivers.scale.simulated_links import Rfc2217FarEnd
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters
from drivers.worker import DeviceThread, ReaderWorker, monotonic_ms
from tests.drivers.scale.modbus_rig import Rig, config, fails, impatient, on_wire, rig, shows, until

__all__ = ["impatient"]


@pytest.fixture(params=("tcp", "serial"))
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with rig(request.param, tmp_path) as made:
        made.device.set_weight_kg(14_560)
        shows(made.scale, 14_560)
        yield made


def test_a_hung_device_is_noticed_with_words_and_found_again(made: Rig) -> None:
    made.device.hung = True
    begin_s = time.monotonic()
    fails(made.scale, DeviceTimeout, r"(takes the connection|is open), but device_id 1 has not answered for \d+ ms")
    assert time.monotonic() - begin_s < 1.2
    made.scale.close()
    made.device.set_weight_kg(70_000)
    made.device.hung = False
    made.scale.open()
    assert until(made.scale, lambda _: True).gross_kg == 70_000


def test_one_lost_answer_is_asked_for_again(made: Rig) -> None:
    made.device.hung = True
    assert not any(made.scale.read() for _ in range(3))
    made.device.hung = False
    shows(made.scale, 14_560)


@pytest.mark.usefixtures("impatient")
def test_a_slow_answer_counts_from_the_question(tmp_path: Path) -> None:
    with rig("tcp", tmp_path) as made:
        made.device.slow_s = 0.06
        reading = until(made.scale, lambda _: True)
        assert monotonic_ms() - reading.received_ms >= 60
        made.device.slow_s = 0.3
        fails(made.scale, DeviceTimeout, "has not answered")


@pytest.mark.parametrize("wire", ["rtu+tcp", "serial"])
def test_a_late_answer_is_not_taken_for_the_next(wire: str, tmp_path: Path) -> None:
    """RTU answers carry no number. The late one comes while nothing is asked, and is thrown away."""
    with rig(wire, tmp_path, timeout_ms=100) as made:
        made.device.slow_s = 0.15
        made.device.set_weight_kg(1_000)
        assert not until_asked(made)
        made.device.slow_s = 0.0
        asked, ends_s = made.server.requests, time.monotonic() + 0.08
        while time.monotonic() < ends_s:
            assert not made.scale.read()
        assert made.server.requests == asked, "it listens for the late one and asks nothing"
        made.device.set_weight_kg(2_000)
        assert until(made.scale, lambda _: True).gross_kg == 2_000


def until_asked(made: Rig) -> list[WeightReading]:
    before, got = made.server.requests, list[WeightReading]()
    while made.server.requests == before:
        got += made.scale.read()
    return got


@pytest.mark.parametrize(
    ("code", "says", "advice"),
    [
        (ExcCodes.ILLEGAL_FUNCTION, "Modbus exception 1 illegal function", "registers"),
        (ExcCodes.ILLEGAL_ADDRESS, "Modbus exception 2 illegal address", "registers"),
        (ExcCodes.DEVICE_FAILURE, "Modbus exception 4 device failure", "device_id"),
        (ExcCodes.GATEWAY_NO_RESPONSE, "Modbus exception 11", "gateway does not reach device_id 1"),
    ],
)
def test_an_exception_is_told_at_once(code: ExcCodes, says: str, advice: str, tmp_path: Path) -> None:
    with rig("tcp", tmp_path) as made:
        shows(made.scale, 0)
        made.device.refuses = code
        assert advice in fails(made.scale, DeviceRefused, says).try_this


@pytest.mark.usefixtures("impatient")
def test_busy_for_a_moment_is_no_failure_busy_for_long_is(tmp_path: Path) -> None:
    with rig("tcp", tmp_path) as made:
        shows(made.scale, 0)
        made.device.refuses = ExcCodes.DEVICE_BUSY
        assert not any(made.scale.read() for _ in range(4))
        made.device.refuses = None
        shows(made.scale, 0)
        made.device.refuses = ExcCodes.DEVICE_BUSY
        fails(made.scale, DeviceTimeout, r"says it is busy for \d+ ms")


@pytest.mark.parametrize(("wire", "kind"), [("tcp", DeviceRefused), ("serial", DeviceTimeout)])
@pytest.mark.usefixtures("impatient")
def test_a_wrong_device_id(wire: str, kind: type[DriverError], tmp_path: Path) -> None:
    device = SimulatedRegisters(load_register_map("hbm_wtx").for_site(), 14_560)
    with on_wire(wire, tmp_path, device) as server:
        scale = ModbusIndicator("lane 1 scale", config(server.target, device_id=9))
        scale.open()
        error = fails(scale, kind, "exception 4" if wire == "tcp" else "device_id 9 has not answered")
        assert "device_id" in error.try_this
        scale.close()


def test_nothing_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    for target in (f"tcp://127.0.0.1:{free}", f"serial://{tmp_path / 'nothing'}"):
        with pytest.raises(DeviceUnavailable, match="cannot be reached"):
            ModbusIndicator("lane 1 scale", config(target)).open()


def test_a_heartbeat_that_stands_still_is_no_weight(tmp_path: Path) -> None:
    quick = (
        (registers_folder() / "flintec_ft112.toml").read_text("utf-8").replace("within_ms = 1000", "within_ms = 300")
    )
    (tmp_path / "flintec_ft112.toml").write_text(quick, "utf-8")
    with rig("tcp", tmp_path, "flintec_ft112", tmp_path, word_order="big") as made:
        made.device.set_weight_kg(5_000)
        shows(made.scale, 5_000)
        made.device.frozen = True
        made.device.set_weight_kg(9_000)
        deadline_s = time.monotonic() + 3
        with pytest.raises(DeviceTimeout, match=r"heartbeat \(register 10\) stands still"):
            while time.monotonic() < deadline_s:
                made.scale.read()
        made.scale.close()
        made.scale.open()
        fails(made.scale, DeviceTimeout, "heartbeat", within_s=3)
        made.device.frozen = False
        made.scale.close()
        made.scale.open()
        assert until(made.scale, lambda _: True).gross_kg == 9_000


def test_a_weight_read_in_two_requests_would_be_torn(tmp_path: Path) -> None:
    """Why one request: between its two halves 65535 becomes 65536, and half of each is 0 or 131071."""
    found = load_register_map("generic_transmitter").for_site(decimals=0)
    device = SimulatedRegisters(found, 65_535)
    with SimulatedModbus(device) as server:
        client = modbus_client(parse_modbus_target(server.target), 1.0)
        assert client.connect()
        low = client.read_holding_registers(0, count=1, device_id=1).registers[0]
        device.set_weight_kg(65_536)
        high = client.read_holding_registers(1, count=1, device_id=1).registers[0]
        client.close()  # type: ignore[no-untyped-call]
        assert high << 16 | low == 131_071, "the control: two requests tear it"
        scale = ModbusIndicator("lane 1 scale", config(server.target, "generic_transmitter", decimals=0))
        scale.open()
        seen = set()
        for turn in range(20):
            device.set_weight_kg(65_535 + turn % 2)
            seen |= {reading.gross_kg for reading in scale.read()}
        scale.close()
    assert seen <= {65_535, 65_536} and seen


def test_a_wrong_word_order_reads_right_at_zero_and_wrong_when_heavy(tmp_path: Path) -> None:
    """The control of the word order: what the site's setting changes, at the wire."""
    found = load_register_map("generic_transmitter").for_site(decimals=0)
    device = SimulatedRegisters(found)
    with SimulatedModbus(device) as server:
        wrong = ModbusIndicator("x", config(server.target, "generic_transmitter", decimals=0, word_order="big"))
        wrong.open()
        shows(wrong, 0)
        device.set_weight_kg(70_000)
        assert until(wrong, lambda reading: reading.gross_kg != 0).gross_kg == 4_464 << 16 | 1
        wrong.close()


@pytest.mark.parametrize("wire", ["rtu+tcp", "serial"])
def test_three_devices_on_one_line_and_one_of_them_dead(wire: str, tmp_path: Path) -> None:
    found = load_register_map("hbm_wtx").for_site()
    devices = [
        SimulatedRegisters(found.model_copy(update={"device_id": number}), number * 10_000) for number in (1, 2, 3)
    ]
    devices[1].hung = True
    with on_wire(wire, tmp_path, *devices) as server:
        scales = [ModbusIndicator(f"lane {n}", config(server.target, device_id=n, timeout_ms=60)) for n in (1, 2, 3)]
        for scale in scales:
            scale.open()
        seen: dict[int, list[WeightReading]] = {1: [], 2: [], 3: []}
        lost: list[str] = []

        def follow(number: int, stopping: threading.Event) -> None:
            while not stopping.is_set():
                try:
                    seen[number] += scales[number - 1].read()
                except DriverError as error:
                    lost.append(str(error))

        threads = [DeviceThread(f"lane {n}", lambda stopping, n=n: follow(n, stopping)) for n in seen]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        time.sleep(0.6)
        assert all(thread.stop() for thread in threads)
        for scale in scales:
            scale.close()
    assert {reading.gross_kg for reading in seen[1]} == {10_000}
    assert {reading.gross_kg for reading in seen[3]} == {30_000}
    assert seen[2] == [] and all(words.startswith("lane 2: ") for words in lost)
    for number in (1, 3):
        times = [reading.received_ms for reading in seen[number]]
        assert max(after - before for before, after in zip(times, times[1:], strict=False)) < 400


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's own
def test_rtu_through_a_converter_that_is_set_up_by_rfc_2217(tmp_path: Path) -> None:
    """A peer without pymodbus, with the CRC written out: the manual's own frames on a line with parity."""
    far = Rfc2217FarEnd()
    far.plug()
    asked: list[bytes] = []

    def answer(stopping: threading.Event) -> None:
        waiting = b""
        while not stopping.is_set():
            waiting += far.read()
            if len(waiting) >= 8:
                asked.append(waiting)
                far.write(bytes.fromhex("01030402F800007A7A"))
                waiting = b""
            stopping.wait(0.002)

    thread = DeviceThread("a converter", answer)
    thread.start()
    try:
        target = far.port.replace("rfc2217:", "rtu+rfc2217:") + "?baud=19200&parity=E"
        scale = ModbusIndicator("lane 1 scale", config(target, "generic_transmitter", decimals=0, timeout_ms=250))
        scale.open()
        shows(scale, 760)
        line = far.line()
        scale.close()
    finally:
        thread.stop()
        far.unplug()
    assert set(asked) == {bytes.fromhex("010300000002C40B")}
    assert line and (line.baud, line.bytesize, line.parity, line.stopbits) == (19_200, 8, "E", 1)


@pytest.mark.anyio
@pytest.mark.parametrize("wire", ["tcp", "serial"])
async def test_the_worker_has_it_back_within_five_seconds(wire: str, tmp_path: Path) -> None:
    device = SimulatedRegisters(load_register_map("hbm_wtx").for_site(), 5_000)
    readings: list[WeightReading] = []
    health: list[DeviceStatus] = []
    with on_wire(wire, tmp_path, device) as server:
        worker = ReaderWorker(
            "lane 1 scale",
            build_scale("lane 1 scale", config(server.target)),
            on_reading=readings.append,
            on_status=health.append,
            on_crash=lambda bug: pytest.fail(f"{bug!r}"),
        )
        worker.start()
        await _true(lambda: bool(readings))
        for trouble in ("off", "hung"):
            _make(trouble, server, device, bad=True)
            await _true(lambda: health[-1].health is Health.DOWN)
            await asyncio.sleep(0.2)
            readings.clear()
            device.set_weight_kg(7_000)
            _make(trouble, server, device, bad=False)
            back_s = time.monotonic()
            await _true(lambda: bool(readings))
            assert time.monotonic() - back_s < 5
            assert readings[0].gross_kg == 7_000
            assert health[-1].health is Health.UP
        assert await worker.stop()


def _make(trouble: str, server: SimulatedModbus, device: SimulatedRegisters, *, bad: bool) -> None:
    if trouble == "hung":
        device.hung = bad
    elif bad:
        server.switch_off()
    else:
        server.switch_on()


async def _true(condition: Callable[[], bool], within_s: float = 6.0) -> None:
    ends_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_s, "it did not come in time"
        await asyncio.sleep(0.01)


def test_a_command_to_a_hung_device_may_have_been_done(made: Rig) -> None:
    made.device.hung = True
    with pytest.raises(DeviceTimeout, match="did not answer to zero; it may have been done"):
        made.scale.command(ScaleCommand.ZERO)


def test_nothing_waits_longer_than_a_read_may(tmp_path: Path) -> None:
    with rig("tcp", tmp_path, timeout_ms=250) as made:
        made.device.hung = True
        took_s = []
        for _ in range(2):
            begin_s = time.monotonic()
            made.scale.read()
            took_s.append(time.monotonic() - begin_s)
        assert min(took_s) < 0.3, "the longest that is left when the machine is not slow"
        assert modbus_indicator.LONGEST_SLEEP_S < 0.3
