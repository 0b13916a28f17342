"""Simulated indicators: at the wire (`SimulatedIndicator`, bytes on a line) and in the process (type = "simulated").

The demo and the tests put `SimulatedIndicator` at the far end of a pty or TCP port, and the plant reads it through the
same driver as a real one.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from drivers.ports import CommandRefused, ScaleCommand
from drivers.readings import WeightReading
from drivers.scale.encoders import ADDRESSED, encoder
from drivers.scale.encoders.answers import ANSWERS, Answers
from drivers.scale.frames import FrameDecoder, load_profile, to_reading
from drivers.scale.profile import SerialDefaults
from drivers.scale.simulated_line import MOST_HZ, SimulatedLine, Station
from drivers.scale.simulated_links import FarEnd, PtyFarEnd, TcpFarEnd
from drivers.scale.simulated_load import SimulatedLoad
from drivers.worker import monotonic_ms

__all__ = ["SimulatedBus", "SimulatedIndicator", "SimulatedLoad", "SimulatedScale", "SimulatedScaleConfig"]


def _far_end(link: Path | FarEnd | None) -> FarEnd:
    if link is None:
        return TcpFarEnd()
    return PtyFarEnd(link) if isinstance(link, Path) else link


def _station(
    indicator: str, load: SimulatedLoad, address: int | None, answers: type[Answers] | None, streaming: bool | None
) -> Station:
    """An indicator as it leaves the factory: it sends by itself unless it is of those that are asked."""
    encoder(indicator)  # an unknown name is told as such
    if address is not None and indicator not in ADDRESSED:
        raise ValueError(f"indicator {indicator!r} has no address")
    kind = answers or ANSWERS.get(indicator)
    if kind is None:
        return Station(load, encoder(indicator), None, streaming is not False)
    answering = kind(load, address)
    if streaming is not None:
        answering.streaming = streaming
    return Station(load, encoder(indicator, answering.address), answering, False)


class SimulatedIndicator(SimulatedLoad, SimulatedLine):
    """An indicator at the far end of a line: sends frames of `indicator` for the load set here, or answers requests.

    `link` is the path of the port to make (a pty behind a symbolic link), a far end of another kind, or None for a TCP
    server on a free port of 127.0.0.1; `port` is what a plant's configuration must name. `streaming` overrules whether
    it sends by itself; `answers` is another way to answer (a clone's). `line`, `paced`, `rate_hz`: see
    `SimulatedLine`; `more`: see `SimulatedLoad`. Use it as a context manager, or `start` and `stop`.
    """

    def __init__(
        self,
        indicator: str,
        link: Path | FarEnd | None = None,
        *,
        rate_hz: float = 10.0,
        weight_kg: int = 0,
        division_kg: int = 1,
        seed: int = 0,
        address: int | None = None,
        streaming: bool | None = None,
        answers: type[Answers] | None = None,
        line: SerialDefaults | None = None,
        paced: bool = False,
        **more: Any,
    ) -> None:
        self.indicator = indicator
        SimulatedLoad.__init__(self, weight_kg, division_kg=division_kg, seed=seed, **more)
        stations = [_station(indicator, self, address, answers, streaming)]
        SimulatedLine.__init__(
            self, indicator, _far_end(link), stations, rate_hz=rate_hz, line=line, paced=paced, seed=seed
        )


class SimulatedBus(SimulatedLine):
    """Several indicators of one kind on one line (RS-485), each with its address and its load; nobody sends unasked."""

    def __init__(
        self, indicator: str, link: Path | FarEnd | None, loads: Mapping[int, SimulatedLoad], **more: Any
    ) -> None:
        stations = [_station(indicator, load, address, None, False) for address, load in loads.items()]
        super().__init__(f"bus {indicator}", _far_end(link), stations, **more)


def parse_ramp(text: str) -> tuple[int, float]:
    """A ramp written as "40000:12" in kilograms and seconds. Raises ValueError in words."""
    kg, _, seconds = text.partition(":")
    try:
        return int(kg), max(0.1, float(seconds))
    except ValueError:
        raise ValueError(f"--ramp {text!r}: write it as KG:SECONDS, like 40000:12") from None


def drive(load: SimulatedLoad, weight_kg: int, ramp: tuple[int, float] | None, seconds: float | None) -> None:
    """A truck drives on and off: from `weight_kg` to the ramp's weight, a stand as long, and back; without a ramp the
    weight stands there. Returns after `seconds`, or never."""
    end_s = float("inf") if seconds is None else time.monotonic() + seconds
    goals = itertools.cycle((ramp[0], weight_kg) if ramp else (weight_kg,))
    step_s = ramp[1] if ramp else 1.0
    while (left_s := end_s - time.monotonic()) > 0:
        if ramp:  # to go again to where it stands would be motion to the indicator
            load.ramp_to(next(goals), step_s)
        time.sleep(min(2 * step_s, left_s))


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

    commands = frozenset(ScaleCommand)

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

    def command(self, command: ScaleCommand, not_after_ms: int | None = None) -> None:
        """Do it at once. Raises CommandRefused when a real indicator would not do it now."""
        match command:
            case ScaleCommand.ZERO:
                no = self.zero()
            case ScaleCommand.TARE:
                no = self.tare()
            case ScaleCommand.CLEAR_TARE:
                no = self.clear_tare()
        if no is not None:
            raise CommandRefused(self.name, command, no)

    @property
    def garbled(self) -> bool:
        return False

    @property
    def last_byte_ms(self) -> int | None:
        return self._last_byte_ms
