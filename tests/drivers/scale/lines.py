"""Scales at the end of real lines, for the tests: how to open one, and what to wait for."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drivers.ports import Scale
from drivers.readings import WeightReading
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig


def scale_at(port: str, indicator: str, **more: object) -> SerialIndicator:
    """The driver of an indicator at this port, not yet open."""
    raw: dict[str, object] = {"type": "serial", "port": port, "indicator": indicator}
    return SerialIndicator(f"scale at {indicator}", SerialIndicatorConfig.model_validate(raw | more))


@contextmanager
def opened(port: str, indicator: str, **more: object) -> Iterator[SerialIndicator]:
    """The same, open for the time of the block."""
    scale = scale_at(port, indicator, **more)
    scale.open()
    try:
        yield scale
    finally:
        scale.close()


def readings(scale: Scale, seconds: float) -> list[WeightReading]:
    """Everything that is read in a time."""
    end = time.monotonic() + seconds
    found: list[WeightReading] = []
    while time.monotonic() < end:
        found += scale.read()
    return found


def until(scale: SerialIndicator, condition: Callable[[WeightReading], bool], within_s: float = 2.0) -> WeightReading:
    """The first reading for which the condition holds."""
    end = time.monotonic() + within_s
    last: WeightReading | None = None
    while time.monotonic() < end:
        for last in scale.read():
            if condition(last):
                return last
    raise AssertionError(f"it did not come in time; last {last}")


def shows(scale: SerialIndicator, kg: int, within_s: float = 2.0) -> WeightReading:
    """Wait until a weight is shown."""
    return until(scale, lambda reading: reading.gross_kg == kg, within_s)
