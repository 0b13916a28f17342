"""Modbus weighing devices without iron: a real Modbus server (TCP, or RTU on a pty) whose registers show a load.

Where things stand comes from the register map; what a manual says they look like is checked against hand-written words
in the tests, so that a fault in the map does not hide on both sides.
"""

import asyncio
import os
import pty
import random
import tty
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from struct import pack

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.scale.encoders import Shown
from drivers.scale.register_words import words_of
from drivers.scale.registers import DecimalsCode, Meaning, Part, RegisterMap, Status, Telling, UnitCode, Until, Write
from drivers.scale.simulated_load import SimulatedLoad
from drivers.simulators import ModbusServer, ModbusSimulator
from drivers.worker import monotonic_ms

BEAT_MS = 100
_WRITES = (6, 16)


class SimulatedRegisters(SimulatedLoad):
    """One device: the words of a map for the load set here, and its commands acting on that load."""

    def __init__(
        self, found: RegisterMap, weight_kg: int = 0, *, division_kg: int = 1, seed: int = 0, decimals: int = 0
    ) -> None:
        """`found` is complete (`RegisterMap.for_site`); `decimals` counts where a register tells them."""
        fixed = found.decimals if isinstance(found.decimals, int) else decimals
        super().__init__(weight_kg, division_kg=division_kg, seed=seed, decimals=fixed)
        self.map = found
        self.device_id = found.device_id
        self.hung = False
        """Takes requests and answers none; what waits is answered, late, when it is no longer hung."""
        self.slow_s = 0.0
        """Answers so late."""
        self.refuses: ExcCodes | None = None
        """Answers every request with this exception."""
        self.faulty = False
        """Says error, as with a cut cell cable."""
        self.frozen = False
        """Still answers, but no longer measures: every register stands still, the heartbeat too."""
        self.writes: deque[tuple[int, int]] = deque(maxlen=100)
        """What was written last, address and value."""
        self._image: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self._handshake: dict[int, int] = {}

    def words(self, first: int, count: int) -> list[int]:
        """The registers as they are now; 0 where the map knows nothing."""
        if not (self.frozen and self._image):
            self._image = self._show(self.shown())
        return [self._image.get(address, 0) for address in range(first, first + count)]

    def write(self, address: int, values: Sequence[int]) -> None:
        """What was written acts when it is a command's, and when its bits rise if 0 must be written first."""
        written = int.from_bytes(b"".join(word.to_bytes(2, "big") for word in self._in_order(values)), "big")
        before, self._written[address] = self._written.get(address), written
        self.writes.append((address, written))
        for telling in self.map.command:
            at = _step_of(telling, address, written)
            if at is None:
                continue
            rises = not _needs_zero(telling) or before == 0
            if written == 0 or (rises and at == _acting(telling) and self._act(telling)):
                self._shake(telling, at)

    def _in_order(self, values: Sequence[int]) -> Sequence[int]:
        return values if self.map.word_order != "little" else values[::-1]

    def _act(self, telling: Telling) -> bool:
        act = {"zero": self.zero, "tare": self.tare, "clear_tare": self.clear_tare}[telling.command.value]
        return act() is None

    def _shake(self, telling: Telling, at: int) -> None:
        """The handshake the device gives between this write and the next."""
        for step in telling.steps[at + 1 :]:
            if isinstance(step, Write):
                return
            if isinstance(step, Until):
                lowest = (step.mask & -step.mask).bit_length() - 1
                self._handshake[step.address] = step.equals << lowest

    def _show(self, shown: Shown) -> dict[int, int]:
        found = self.map
        image: dict[int, int] = {}
        gross = found.weight.of == "gross"
        self._put(image, found.weight.address, found.weight.words, _raw(found, shown, gross=gross))
        if isinstance(found.decimals, DecimalsCode):
            code = next(
                (key for key, count in found.decimals.values.items() if count == shown.decimals), shown.decimals
            )
            self._put_code(image, found.decimals, code)
        if isinstance(found.unit, UnitCode):
            self._put_code(
                image, found.unit, next(key for key, unit in found.unit.values.items() if unit == shown.unit)
            )
        said = self._said(shown, gross=gross)
        for status in found.status:
            self._put(image, status.address, status.words, _bits(status, said))
        if found.heartbeat:
            self._put_code(image, found.heartbeat, monotonic_ms() // BEAT_MS & 0xFFFF)
        for address, value in self._handshake.items():
            image[address] = image.get(address, 0) | value
        return image

    def _said(self, shown: Shown, *, gross: bool) -> set[Meaning]:
        said: set[Meaning] = {"moving" if shown.moving else "stable", "net" if shown.net else "gross"}
        states: tuple[tuple[bool, Meaning], ...] = (
            (shown.overload, "overload"),
            (shown.underload, "underload"),
            ((shown.weight_kg if gross else shown.displayed_kg) < 0, "minus"),
            (shown.weight_kg == 0, "zero"),
            (self.faulty, "error"),
        )
        return said | {meaning for is_so, meaning in states if is_so}

    def _put(self, image: dict[int, int], address: int, count: int, value: int) -> None:
        for offset, word in enumerate(words_of(value, count, self.map.word_order or "big", self.map.byte_order)):
            image[address + offset] = image.get(address + offset, 0) | word

    def _put_code(self, image: dict[int, int], part: Part, code: int) -> None:
        lowest = (part.mask & -part.mask).bit_length() - 1
        self._put(image, part.address, part.words, code << lowest & part.mask)


def _raw(found: RegisterMap, shown: Shown, *, gross: bool) -> int:
    """The weight's register value, negative where its type allows."""
    mass = shown.weight_kg if gross else shown.displayed_kg
    if found.weight.type == "float32":
        return int.from_bytes(pack(">f", float(shown.number(mass))), "big")
    digits = shown.digits(mass) if found.division is None else round(mass // found.division)
    return abs(digits) if "minus" in found.meanings else digits


def _bits(status: Status, said: set[Meaning]) -> int:
    value = 0
    for each in status.bits:
        is_set = bool(said & set(each.set)) if each.set else not said & set(each.clear)
        value |= is_set << each.bit
    for code in status.codes:
        lowest = (code.mask & -code.mask).bit_length() - 1
        nothing = next(key for key, meanings in code.values.items() if not meanings)
        value |= next((key for key, meanings in code.values.items() if said & set(meanings)), nothing) << lowest
    return value


def _step_of(telling: Telling, address: int, value: int) -> int | None:
    """Which of the command's steps this write is."""
    writes = [at for at, step in enumerate(telling.steps) if isinstance(step, Write) and step.address == address]
    matching = [at for at in writes if getattr(telling.steps[at], "value", None) == value]
    return matching[-1] if matching else None


def _acting(telling: Telling) -> int:
    """The step that does it: the last that writes something; what comes before unlocks."""
    return max(at for at, step in enumerate(telling.steps) if isinstance(step, Write) and step.value)


def _needs_zero(telling: Telling) -> bool:
    first = telling.steps[0]
    return isinstance(first, Write) and first.value == 0


class SimulatedModbus(ModbusSimulator):
    """A Modbus server for one or more devices, in its own thread with its own loop.

    On a free port of 127.0.0.1, or, with `link`, RTU on a pseudo-terminal behind that symbolic link (8N1: a pty has no
    parity). A device that is not there is silent on a serial line and an exception over TCP, as behind most gateways.
    """

    def __init__(
        self, *devices: SimulatedRegisters, link: Path | None = None, rtu: bool = False, port: int = 0
    ) -> None:
        super().__init__("simulated Modbus", port)
        self._devices = devices
        self._link = link
        self._rtu = rtu or link is not None
        self._bridge: _PtyBridge | None = None
        self.noisy = False
        """Spoils frames on a serial line."""
        self._noise = random.Random(len(devices))
        self.requests = 0
        """How many requests came, answered or not."""
        self.switch_on()

    @property
    def target(self) -> str:
        """For `ModbusIndicatorConfig.target`; the same after it was off."""
        if self._link:
            return f"serial://{self._link}?baud=115200"
        return f"{'rtu+' if self._rtu else ''}tcp://127.0.0.1:{self._port}"

    def _server(self) -> ModbusServer:
        devices = [self._device(device) for device in self._devices]
        if self._link:
            self._bridge = _PtyBridge(self._link, asyncio.get_running_loop())
            port = self._bridge.server_port
            return ModbusSerialServer(devices, port=port, baudrate=115200, trace_packet=self._on_line)
        return ModbusTcpServer(
            devices,
            framer=FramerType.RTU if self._rtu else FramerType.SOCKET,
            address=("127.0.0.1", self._port),
            trace_packet=self._on_line if self._rtu else None,
        )

    def _hang_up(self) -> None:
        if self._bridge:
            self._bridge.close()

    def _on_line(self, sending: bool, data: bytes) -> bytes:
        """What becomes of a frame on a serial line. Nothing for a device that is not there: pymodbus would answer
        exception 4, a real line is silent."""
        if not sending:
            return data
        if data[0] not in {device.device_id for device in self._devices}:
            return b""
        return self._spoilt(data) if self.noisy else data

    def _spoilt(self, data: bytes) -> bytes:
        """Junk before it, a byte changed, its end cut off, or as it was."""
        at = self._noise.randrange(len(data))
        flipped = data[:at] + bytes([data[at] ^ 1 << self._noise.randrange(8)]) + data[at + 1 :]
        return self._noise.choice([self._noise.randbytes(3) + data, flipped, data[:-2], data])

    def _device(self, device: SimulatedRegisters) -> SimDevice:
        last = max([device.map.first + device.map.count, *(step.address + 2 for step in _addressed(device.map))])

        async def on_request(
            function: int,
            start: int,
            address: int,
            count: int,
            registers: list[int],
            values: list[int] | list[bool] | None,
        ) -> ExcCodes | None:
            """pymodbus asks before each answer."""
            self.requests += 1
            if device.slow_s:
                await asyncio.sleep(device.slow_s)
            while device.hung:  # noqa: ASYNC110 - set from other threads, where an asyncio.Event must not be touched
                await asyncio.sleep(0.02)
            if device.refuses is not None:
                return device.refuses
            if function in _WRITES and values is not None:
                device.write(address, [int(value) for value in values])
            else:
                registers[address - start : address - start + count] = device.words(address, count)
            return None

        return SimDevice(
            id=device.device_id,
            simdata=[SimData(0, values=0, count=last, datatype=DataType.REGISTERS)],
            action=on_request,
        )


def _addressed(found: RegisterMap) -> list[Write | Until]:
    return [step for telling in found.command for step in telling.steps if isinstance(step, Write | Until)]


class _PtyBridge:
    """Two pseudo-terminals back to back: a null-modem cable between the server and whoever opens `link`."""

    def __init__(self, link: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._loop = loop
        self._near, near_port = _open_pty()
        self._far, self.server_port = _open_pty()
        temporary = link.with_name(link.name + ".new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(near_port)
        temporary.replace(link)
        loop.add_reader(self._near, self._copy, self._near, self._far)
        loop.add_reader(self._far, self._copy, self._far, self._near)

    def close(self) -> None:
        self._link.unlink(missing_ok=True)
        for end in (self._near, self._far):
            self._loop.remove_reader(end)
            os.close(end)

    def _copy(self, source: int, sink: int) -> None:
        try:
            data = os.read(source, 4096)
        except OSError:  # nobody has the other side open: look again later, not at once and for ever
            self._loop.remove_reader(source)
            self._loop.call_later(0.02, self._again, source, sink)
            return
        with suppress(OSError):
            os.write(sink, data)

    def _again(self, source: int, sink: int) -> None:
        with suppress(OSError):  # closed in between
            os.fstat(source)
            self._loop.add_reader(source, self._copy, source, sink)


def _open_pty() -> tuple[int, str]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    name = os.ttyname(slave)
    os.close(slave)
    return master, name
