"""type = "modbus": a weighing device asked over Modbus, by TCP or on a serial line; its registers are in
`config/registers/`.

Each reading comes from one request (`registers.py` says why) and counts from the moment of the request, so that a slow
answer never looks fresh. Nothing is kept from one request to the next but the heartbeat.
"""

import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from drivers.modbus import ModbusTarget, parse_modbus_target
from drivers.ports import (
    CommandNo,
    CommandRefused,
    DeviceRefused,
    DeviceTimeout,
    DeviceUnavailable,
    ScaleCommand,
)
from drivers.readings import WeightReading
from drivers.scale.frames import to_reading
from drivers.scale.modbus_line import (
    ExceptionAnswerError,
    LineLostError,
    ModbusLine,
    NoAnswerError,
    TooLateError,
    modbus_line,
)
from drivers.scale.profile import Unit
from drivers.scale.register_words import RegisterBlock, bytes_of, read_registers, words_of
from drivers.scale.registers import (
    DecimalCount,
    DeviceId,
    Order,
    RegisterMap,
    Step,
    Until,
    Wait,
    Write,
    load_register_map,
)
from drivers.worker import monotonic_ms

LONGEST_SLEEP_S = 0.2
GIVE_UP_MS = 800
"""Without a good answer for so long the device is given up and opened again; before that it is asked again."""
EFFECT_MS = 2_500
BETWEEN_LOOKS_S = 0.05
ACKNOWLEDGED, BUSY = 5, 6
NOT_SUPPORTED = (1, 2, 3)
NO_PATH = (10, 11)
OVER_TCP_ONLY = (0, *range(248, 256))
"""Source: Modbus over Serial Line V1.02, 2.2: 0 is everybody and gets no answer, above 247 is reserved."""


class ModbusIndicatorConfig(BaseModel):
    """One Modbus weighing device. What is None comes from its register map."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["modbus"]
    target: str
    """`tcp://host:502`, `rtu+tcp://host:port`, `serial:///dev/ttyS1?baud=9600&parity=N` or
    `rtu+rfc2217://host:port?baud=9600&parity=N`. Devices that name the same target share its line."""
    registers: str
    """A file of `config/registers/`."""
    device_id: DeviceId | None = None
    word_order: Order | None = None
    byte_order: Order | None = None
    """Within a register; "little" is against the standard and is built."""
    decimals: DecimalCount | None = None
    division: Decimal | None = None
    """What one count is worth, in the unit; instead of `decimals`."""
    unit: Unit | None = None
    accept_net: bool = False
    """Take net as gross: only for a device that always says net and is never tared."""
    poll_ms: Annotated[int, Field(ge=20, le=500)] | None = None
    timeout_ms: Annotated[int, Field(ge=50, le=800)] = 250
    """For one answer. Devices on one line share the time limit of the first."""

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> "ModbusIndicatorConfig":
        line = self.line(self.map((info.context or {}).get("registers")))
        if line.scheme != "tcp" and self.device_id in OVER_TCP_ONLY:
            raise ValueError(f"device_id {self.device_id}: a serial line has 1 to 247")
        return self

    def map(self, registers: Path | None = None) -> RegisterMap:
        """The device's registers with what the site knows. Raises ValueError in words."""
        found = load_register_map(self.registers, registers)
        return found.for_site(
            word_order=self.word_order, byte_order=self.byte_order, decimals=self.decimals, division=self.division,
            unit=self.unit,
        )  # fmt: skip

    def line(self, found: RegisterMap) -> ModbusTarget:
        """Where it is, with the map's own baud rate where the site names none. Raises ValueError in words."""
        return parse_modbus_target(self.target, baud=found.serial.baud, parity=found.serial.parity)


class ModbusIndicator:
    """Fulfils `drivers.ports.Scale`."""

    def __init__(self, name: str, config: ModbusIndicatorConfig, registers: Path | None = None) -> None:
        self.name = name
        self.config = config
        self._map = config.map(registers)
        self._word_order: Order = self._map.word_order or "big"
        self._target = config.line(self._map)
        self._device_id = self._map.device_id if config.device_id is None else config.device_id
        self._poll_ms = config.poll_ms or self._map.poll_ms
        self._telling = {telling.command: telling.steps for telling in self._map.command}
        self._line: ModbusLine | None = None
        self._due_ms = 0
        self._answered_ms = 0
        self._last_byte_ms: int | None = None
        self._beat: int | None = None
        self._beat_ms: int | None = None
        self._opened_ms = 0

    def open(self) -> None:
        """Connect. Raises DeviceUnavailable."""
        line = modbus_line(self._target, self.config.timeout_ms / 1000)
        try:
            line.join(self)
        except (LineLostError, NoAnswerError) as error:
            raise self._unavailable("cannot be reached") from error
        self._line = line
        self._due_ms = self._answered_ms = self._opened_ms = monotonic_ms()
        self._last_byte_ms = self._beat = self._beat_ms = None

    def read(self) -> Sequence[WeightReading]:
        """Wait for the next poll's time, or ask once. Raises DeviceUnavailable when the line is lost, DeviceTimeout
        when the device has not answered or its heartbeat has stood still too long, DeviceRefused when it says no."""
        wait_ms = self._due_ms - monotonic_ms()
        if wait_ms > 0:
            time.sleep(min(LONGEST_SLEEP_S, wait_ms / 1000))
            return ()
        asked_ms = monotonic_ms()
        self._due_ms = asked_ms + self._poll_ms
        try:
            words = self._block()
        except NoAnswerError as error:
            return self._missed(error)
        except ExceptionAnswerError as error:
            return self._refused(error)
        self._answered_ms = self._last_byte_ms = monotonic_ms()
        if not self._is_alive(words, asked_ms):
            return ()
        wire = read_registers(self._map, words, self._evidence(words))
        return [to_reading(wire, asked_ms, accept_net=self.config.accept_net)]

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            try:
                line.leave(self)
            except NoAnswerError as error:
                raise self._unavailable("is busy and could not be closed") from error

    @property
    def commands(self) -> frozenset[ScaleCommand]:
        """Without tare where the weight is what the display shows and nothing tells that it became net."""
        return frozenset(self._telling) - (set() if self._map.says_net else {ScaleCommand.TARE})

    def command(self, command: ScaleCommand, not_after_ms: int | None = None) -> None:
        """Tell it and look whether it took effect, as far as its registers show that."""
        if command not in self.commands:
            raise CommandRefused(self.name, command, CommandNo.NOT_KNOWN)
        try:
            for step in self._telling[command]:
                self._take(command, step, not_after_ms)
                if isinstance(step, Write):
                    not_after_ms = None  # it has begun
            self._look_for_effect(command)
        except TooLateError as error:
            raise CommandRefused(self.name, command, CommandNo.TOO_LATE) from error
        except NoAnswerError as error:
            what = f"{self.config.target} did not answer to {command}; it may have been done"
            raise DeviceTimeout(self.name, what, "Look at the device before telling it again") from error
        except ExceptionAnswerError as error:
            why = CommandNo.NOT_KNOWN if error.code in NOT_SUPPORTED else CommandNo.NOT_NOW
            raise CommandRefused(self.name, command, why) from error

    @property
    def garbled(self) -> bool:
        """Never: bytes that are no answer end in DeviceTimeout, which says so."""
        return False

    @property
    def last_byte_ms(self) -> int | None:
        return self._last_byte_ms

    def _block(self) -> list[int]:
        return self._registers(self._map.first, self._map.count)

    def _registers(self, address: int, count: int) -> list[int]:
        assert self._line is not None
        try:
            return self._line.read(self._map.function, address, count, self._device_id)
        except LineLostError as error:
            raise self._unavailable("is lost") from error

    def _evidence(self, words: Sequence[int]) -> bytes:
        """The answer as it stands in an RTU frame, without the CRC; `commission.observed` takes it apart again."""
        data = b"".join(word.to_bytes(2, "big") for word in words)
        return bytes([self._device_id, self._map.function, len(data)]) + data

    def _missed(self, error: NoAnswerError | ExceptionAnswerError) -> Sequence[WeightReading]:
        """A lost answer is asked for again; too many end in DeviceTimeout."""
        now_ms = monotonic_ms()
        silent_ms = now_ms - self._answered_ms
        if silent_ms < GIVE_UP_MS:
            assert self._line is not None
            # RTU answers carry no number: until one that is late can no longer be on its way, nothing new is asked
            self._due_ms = now_ms + (self.config.timeout_ms if self._line.is_rtu else 0)
            return ()
        if isinstance(error, ExceptionAnswerError):
            what, try_this = f"says it is busy for {silent_ms} ms", "Restart the device, or poll it less often"
        elif error.heard:
            what = f"sends bytes but no answer of device_id {self._device_id}"
            try_this = "Check baud, parity, device_id, and that no two devices have the same one"
        else:
            open_words = "is open" if self.config.target.startswith("serial:") else "takes the connection"
            what = f"{open_words}, but device_id {self._device_id} has not answered for {silent_ms} ms"
            try_this = "Check the device's power, its device_id, and on a serial line baud, parity and the two wires"
        raise DeviceTimeout(self.name, f"{self.config.target} {what}", try_this) from error

    def _refused(self, error: ExceptionAnswerError) -> Sequence[WeightReading]:
        self._last_byte_ms = monotonic_ms()
        if error.code in (ACKNOWLEDGED, BUSY):
            return self._missed(error)
        if error.code in NO_PATH:
            try_this = (
                f"The gateway does not reach device_id {self._device_id}: check it and the line behind the gateway"
            )
        else:
            try_this = "Check that `registers` is this device's map, and device_id"
        raise DeviceRefused(self.name, f"{self.config.target} answers {error}", try_this) from error

    def _is_alive(self, words: Sequence[int], asked_ms: int) -> bool:
        """The heartbeat, where there is one: it has been seen to change, and not too long ago."""
        heartbeat = self._map.heartbeat
        if heartbeat is None:
            return True
        beat = RegisterBlock(self._map, words).code(heartbeat)
        if self._beat is not None and beat != self._beat:
            self._beat_ms = asked_ms
        self._beat = beat
        since_ms = self._opened_ms if self._beat_ms is None else self._beat_ms
        if asked_ms - since_ms > heartbeat.within_ms:
            what = f"{self.config.target} answers, but its heartbeat (register {heartbeat.address}) stands still"
            raise DeviceTimeout(self.name, what, "It no longer measures: restart the device")
        return self._beat_ms is not None

    def _take(self, command: ScaleCommand, step: Step, not_after_ms: int | None) -> None:
        assert self._line is not None
        match step:
            case Wait():
                time.sleep(step.ms / 1000)
            case Until():
                ends_s = time.monotonic() + step.within_ms / 1000
                while not self._is_reached(step):
                    if time.monotonic() >= ends_s:
                        raise CommandRefused(self.name, command, CommandNo.NOT_NOW)
                    time.sleep(BETWEEN_LOOKS_S)
            case _:
                try:
                    values = words_of(step.value, step.words, self._word_order, self._map.byte_order)
                    self._line.write(step.function, step.address, values, self._device_id, not_after_ms)
                except LineLostError as error:
                    raise self._unavailable("is lost") from error

    def _is_reached(self, step: Until) -> bool:
        data = bytes_of(self._registers(step.address, step.words), self._word_order, self._map.byte_order)
        return step.code(int.from_bytes(data, "big")) == step.equals

    def _look_for_effect(self, command: ScaleCommand) -> None:
        """Zero shows in the weight; tare shows where the status says net."""
        ends_s = time.monotonic() + EFFECT_MS / 1000
        while not self._shows(command):
            if time.monotonic() >= ends_s:
                raise CommandRefused(self.name, command, CommandNo.NO_EFFECT)
            time.sleep(BETWEEN_LOOKS_S)

    def _shows(self, command: ScaleCommand) -> bool:
        if command is not ScaleCommand.ZERO and "net" not in self._map.meanings:
            return True
        words = self._block()
        said = RegisterBlock(self._map, words).said()
        if command is ScaleCommand.ZERO:
            return "zero" in said or read_registers(self._map, words, b"").weight == 0
        return ("net" in said) == (command is ScaleCommand.TARE)

    def _unavailable(self, what: str) -> DeviceUnavailable:
        return DeviceUnavailable(
            self.name, f"{self.config.target} {what}", "Check the device's power, the cable and the address"
        )
