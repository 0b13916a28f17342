"""Simulated indicators: at the wire (`SimulatedIndicator`, bytes on a line) and in the process (type = "simulated").

The demo and the tests put `SimulatedIndicator` at the far end of a pty or TCP port, and the plant reads it through the
same driver as a real one.
"""

import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from drivers.ports import NO_COMMANDS, DeviceRefused, ScaleCommand
from drivers.readings import WeightReading
from drivers.scale.encoders import Shown, encoder
from drivers.scale.frames import FrameDecoder, load_profile, to_reading
from drivers.scale.simulated_links import FarEnd, PtyFarEnd, TcpFarEnd
from drivers.worker import DeviceThread, monotonic_ms

MOST_HZ = 200.0
WRONG_BAUD_BYTES = b"\x00\x80\xf8\xfe\xe0\xff"


class SimulatedLoad:
    """What stands on the simulated deck, settable from any thread. Weights in whole kilograms."""

    def __init__(self, weight_kg: int = 0, *, division_kg: int = 1, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._division_kg = division_kg
        self._noise_kg = 0
        self._moving: bool | None = None
        self._overload = False
        self._from_kg = self._to_kg = weight_kg
        self._begin_ms = self._end_ms = 0

    def set_weight_kg(self, weight_kg: int) -> None:
        """Jump to a weight (negative too)."""
        self.ramp_to(weight_kg, 0)

    def ramp_to(self, weight_kg: int, seconds: float) -> None:
        """Go to a weight in a straight line; the indicator says it is moving until it is there."""
        now_ms = monotonic_ms()
        with self._lock:
            self._from_kg = self._true_kg(now_ms)
            self._to_kg = weight_kg
            self._begin_ms, self._end_ms = now_ms, now_ms + round(seconds * 1000)

    def set_noise_kg(self, noise_kg: int) -> None:
        """Let every frame be off by up to so many kilograms either way."""
        with self._lock:
            self._noise_kg = noise_kg

    def set_moving(self, moving: bool | None) -> None:
        """Force the motion flag; None gives it back to the ramp."""
        with self._lock:
            self._moving = moving

    def set_overload(self, overload: bool) -> None:
        with self._lock:
            self._overload = overload

    def shown(self) -> Shown:
        """What the display shows now."""
        now_ms = monotonic_ms()
        with self._lock:
            weight_kg = self._true_kg(now_ms) + self._random.randint(-self._noise_kg, self._noise_kg)
            division = self._division_kg
            rounded_kg = (2 * weight_kg + division) // (2 * division) * division
            moving = now_ms < self._end_ms if self._moving is None else self._moving
            return Shown(rounded_kg, moving, self._overload)

    def _true_kg(self, now_ms: int) -> int:
        if now_ms >= self._end_ms:
            return self._to_kg
        gone_ms, all_ms = now_ms - self._begin_ms, self._end_ms - self._begin_ms
        return self._from_kg + (self._to_kg - self._from_kg) * gone_ms // all_ms


class SimulatedIndicator(SimulatedLoad):
    """An indicator at the far end of a line: sends frames of `indicator` for the load set here.

    `link` is the path of the port to make (a pty behind a symbolic link), or None for a TCP server on a free port of
    127.0.0.1; `port` is what a plant's configuration must name. Use it as a context manager, or `start` and `stop`.
    """

    def __init__(
        self,
        indicator: str,
        link: Path | None = None,
        *,
        rate_hz: float = 10.0,
        weight_kg: int = 0,
        division_kg: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(weight_kg, division_kg=division_kg, seed=seed)
        if not 0 < rate_hz <= MOST_HZ:
            raise ValueError(f"rate_hz must be above 0 and at most {MOST_HZ:g}, not {rate_hz:g}")
        self.indicator = indicator
        self._encode = encoder(indicator)
        self._period_s = 1 / rate_hz
        self._far: FarEnd = PtyFarEnd(link) if link else TcpFarEnd()
        self._far_lock = threading.Lock()
        self._silent = False
        self._garbage = random.Random(seed)
        self._wrong_baud = False
        self._thread = DeviceThread(f"simulated {indicator}", self._send)

    @property
    def port(self) -> str:
        """What to put into the plant's `port`; valid after `start`."""
        return self._far.port

    def start(self) -> None:
        self.replug()
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()
        self.unplug()

    def __enter__(self) -> "SimulatedIndicator":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def unplug(self) -> None:
        """Pull the plug: the port is gone for the reader at once."""
        with self._far_lock:
            self._far.unplug()

    def replug(self) -> None:
        """Plug in again under the same name."""
        with self._far_lock:
            self._far.plug()

    def set_silent(self, silent: bool) -> None:
        """Cut the cable behind the adapter: the port stays, nothing comes."""
        with self._far_lock:
            self._silent = silent

    def set_wrong_baud(self, wrong: bool) -> None:
        """Send what a reader at another baud rate would see: bytes without a frame."""
        with self._far_lock:
            self._wrong_baud = wrong

    def send_raw(self, data: bytes) -> None:
        """Put bytes on the line between two frames."""
        with self._far_lock:
            self._far.write(data)

    def _send(self, stopping: threading.Event) -> None:
        due = time.monotonic()
        while not stopping.is_set():
            with self._far_lock:  # so that no frame made before a plug was pulled is sent after it is back
                self._far.write(self._frame())
            due = max(due + self._period_s, time.monotonic())
            stopping.wait(due - time.monotonic())

    def _frame(self) -> bytes:
        frame = b"" if self._silent else self._encode(self.shown())
        return bytes(self._garbage.choice(WRONG_BAUD_BYTES) for _ in frame) if self._wrong_baud else frame


class SimulatedScaleConfig(BaseModel):
    """A scale without a line, for `weighgate check` and tests: always on, always shows `weight_kg`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["simulated"]
    indicator: str = "toledo"
    weight_kg: int = 0
    rate_hz: float = Field(default=10.0, ge=4, le=MOST_HZ)

    @field_validator("indicator")
    @classmethod
    def _indicator_can_be_simulated(cls, indicator: str) -> str:
        encoder(indicator)
        return indicator


class SimulatedScale(SimulatedLoad):
    """The device of `SimulatedScaleConfig`; its readings pass through the indicator's own encoder and decoder."""

    def __init__(self, name: str, config: SimulatedScaleConfig, indicators: Path | None = None) -> None:
        super().__init__(config.weight_kg)
        self.name = name
        self._period_s = 1 / config.rate_hz
        self._encode = encoder(config.indicator)
        self._profile = load_profile(config.indicator, indicators)
        self._decoder = FrameDecoder(self._profile)
        self._last_byte_ms: int | None = None

    def open(self) -> None:
        self._decoder = FrameDecoder(self._profile)
        self._last_byte_ms = None

    def read(self) -> Sequence[WeightReading]:
        """One reading, after a frame's period."""
        time.sleep(self._period_s)
        self._last_byte_ms = monotonic_ms()
        weights = self._decoder.feed(self._encode(self.shown()))
        return [to_reading(weight, self._last_byte_ms, self._profile.unit) for weight in weights]

    def close(self) -> None:
        """Nothing to let go of."""

    commands = NO_COMMANDS

    def command(self, command: ScaleCommand) -> None:
        raise DeviceRefused(self.name, f"it takes no command ({command})", "Use the keys of the indicator")

    @property
    def garbled(self) -> bool:
        return False

    @property
    def last_byte_ms(self) -> int | None:
        return self._last_byte_ms
