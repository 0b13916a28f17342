"""The Modbus driver against a real server that hangs, dawdles, refuses, dies, lies and freezes: never an old weight."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pymodbus.constants import ExcCodes

from drivers.modbus import modbus_client, parse_modbus_target, registers_folder
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable, DriverError, ScaleCommand
from drivers.readings import DeviceStatus, Health, WeightReading
from drivers.registry import ScaleConfig, build_scale
from drivers.scale import modbus_indicator
from drivers.scale.modbus_indicator import ModbusIndicator, ModbusIndicatorConfig
from drivers.scale.registers import load_register_map
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters
from drivers.worker import DeviceThread, ReaderWorker, monotonic_ms
from tests.drivers.scale.modbus_rig import FAST, WIRES, Rig, config, on_wire, rig, shows, until

CONFIG: TypeAdapter[ScaleConfig] = TypeAdapter(ScaleConfig)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after less, where not the time but the words are tested."""
    monkeypatch.setattr(modbus_indicator, "GIVE_UP_MS", 150)


@pytest.fixture(params=WIRES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with rig(request.param, tmp_path) as made:
        made.device.set_weight_kg(14_560)
        shows(made.scale, 14_560)
        yield made


def fails(scale: ModbusIndicator, kind: type[DriverError], match: str, within_s: float = 2.0) -> DriverError:
    """It must raise this, and say no weight before."""
    ends_s = time.monotonic() + within_s
    with pytest.raises(kind, match=match) as error:
        while time.monotonic() < ends_s:
            assert not scale.read()
    assert error.value.try_this
    return error.value


def test_a_hung_device_is_noticed_with_words_and_found_again(made: Rig) -> None:
    made.device.hung = True
    begin_s = time.monotonic()
    fails(made.scale, DeviceTimeout, r"takes the connection, but device_id 1 has not answered for \d+ ms")
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


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """A TCP peer that answers each request with whatever `answer` makes of it."""

    def serve(stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                client, _ = server.accept()
            except TimeoutError:
                continue
            with client:
                client.settimeout(0.05)
                while not stopping.is_set():
                    try:
                        asked = client.recv(512)
                    except TimeoutError:
                        continue
                    except OSError:
                        break
                    if not asked:
                        break
                    client.sendall(answer(asked))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        thread = DeviceThread("a peer that lies", serve)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        finally:
            thread.stop()


def tcp_answer(asked: bytes, pdu: bytes, *, transaction: bytes | None = None, unit: int | None = None) -> bytes:
    head = (transaction or asked[:2]) + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big")
    return head + bytes([asked[6] if unit is None else unit]) + pdu


GOOD = b"\x03\x08" + bytes.fromhex("0000 38E0 0000 0000")
LIES: dict[str, Callable[[bytes], bytes]] = {
    "half the registers": lambda asked: tcp_answer(asked, b"\x03\x04" + GOOD[2:6]),
    "too many registers": lambda asked: tcp_answer(asked, b"\x03\x0a" + GOOD[2:] + b"\0\0"),
    "an odd number of bytes": lambda asked: tcp_answer(asked, b"\x03\x07" + GOOD[2:-1]),
    "no registers": lambda asked: tcp_answer(asked, b"\x03\x00"),
    "a function byte and no more": lambda asked: tcp_answer(asked, b"\x03"),
    "a count and no registers": lambda asked: tcp_answer(asked, b"\x03\x08"),
    "an unknown function": lambda asked: tcp_answer(asked, b"\x63\x08" + GOOD[2:]),
    "the answer of another function": lambda asked: tcp_answer(asked, b"\x04" + GOOD[1:]),
    "the answer to a write": lambda asked: tcp_answer(asked, b"\x06\x00\x00\x00\x05"),
    "the answer to an older question": lambda asked: tcp_answer(asked, GOOD, transaction=b"\xee\xee"),
    "the answer of another device": lambda asked: tcp_answer(asked, GOOD, unit=7),
    "half an answer": lambda asked: tcp_answer(asked, GOOD)[:11],
    "junk": lambda _: bytes(range(40)),
    "silence of zeros": lambda _: bytes(12),
    "a web page": lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.usefixtures("impatient")
def test_an_answer_that_is_none_is_no_weight(lie: str) -> None:
    with answering(LIES[lie]) as target:
        scale = ModbusIndicator("lane 1 scale", config(target, timeout_ms=50))
        scale.open()
        fails(scale, DeviceTimeout, "sends bytes but no answer of device_id 1|has not answered")
        scale.close()


def test_the_peer_that_tells_the_truth_is_believed() -> None:
    """The control of the lies: the same peer with a true answer."""
    with answering(lambda asked: tcp_answer(asked, GOOD)) as target:
        scale = ModbusIndicator("lane 1 scale", config(target))
        scale.open()
        assert shows(scale, 14_560).stable
        scale.close()


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
        for turn in range(40):
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
        time.sleep(0.9)
        assert all(thread.stop() for thread in threads)
        for scale in scales:
            scale.close()
    assert {reading.gross_kg for reading in seen[1]} == {10_000}
    assert {reading.gross_kg for reading in seen[3]} == {30_000}
    assert seen[2] == [] and all(words.startswith("lane 2: ") for words in lost)
    for number in (1, 3):
        times = [reading.received_ms for reading in seen[number]]
        assert max(after - before for before, after in zip(times, times[1:], strict=False)) < 400


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


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"registers": "nothing"}, "unknown registers 'nothing'; valid: cas_ci600d, dini_dgt4x, "),
        ({"registers": "relay_generic"}, "unknown registers 'relay_generic'; valid: "),
        (
            {"registers": "kpr", "decimals": 0},
            '\'kpr\': set word_order to "big" or "little"; `weighgate scale commission',
        ),
        ({"registers": "generic_transmitter"}, "'generic_transmitter': set decimals"),
        ({"target": "udp://10.0.0.1"}, "is no Modbus target; allowed: tcp://host:502, rtu"),
        ({"target": "serial:///dev/ttyS1?baud=1"}, "baud 1 is not 300 to 921600"),
        ({"decimals": 0, "division": "0.1"}, "exclude each other"),
        ({"device_id": 256}, "less than or equal to 255"),
        ({"word_oder": "big"}, "Extra inputs"),
    ],
)
def test_what_a_site_may_not_say(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        CONFIG.validate_python({"type": "modbus", "target": "tcp://10.0.0.1", "registers": "hbm_wtx"} | settings)
    assert says in str(error.value)


def test_a_serial_line_takes_the_maps_own_speed_and_a_site_may_say_another() -> None:
    wired = ModbusIndicatorConfig(
        type="modbus",
        target="serial:///dev/ttyS1",
        registers="zsg4",
        decimals=0,
        **FAST,  # type: ignore[arg-type]
    )
    assert wired.line(wired.map())[:4] == ("serial", "/dev/ttyS1", 38_400, "N")
    remote = parse_modbus_target("rtu+rfc2217://10.0.0.5:4001?baud=19200&parity=E&stopbits=2")
    assert remote == ("serial", "rfc2217://10.0.0.5:4001", 19_200, "E", 2)
    assert ModbusIndicatorConfig(
        type="modbus", target="tcp://10.0.0.1", registers="generic_transmitter", division=Decimal("0.01")
    ).map().division == Decimal("0.01")


def test_nothing_waits_longer_than_a_read_may(tmp_path: Path) -> None:
    with rig("tcp", tmp_path, timeout_ms=250) as made:
        made.device.hung = True
        for _ in range(3):
            begin_s = time.monotonic()
            made.scale.read()
            assert time.monotonic() - begin_s < 0.32
        assert modbus_indicator.LONGEST_SLEEP_S <= 0.3
