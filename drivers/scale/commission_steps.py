"""The weighings of a commissioning: the empty deck, a known weight, a loaded truck, each taken when it stands still.

No words and no verdicts here; `commission_judge.py` has them. Masses in whole kilograms, times in milliseconds.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median_low

from drivers.ports import Scale
from drivers.readings import WeightReading
from drivers.worker import monotonic_ms

STILL_MS = 1_500
"""So long within one division before a weight is taken."""
KEPT_RAWS = 3
CHANGE_MS = 1_500


class Step(StrEnum):
    """What stands on the deck."""

    EMPTY = "empty"
    KNOWN = "known"
    TRUCK = "truck"


@dataclass(frozen=True, slots=True)
class Weighed:
    """What came while one thing stood on the deck."""

    step: Step
    known_kg: int | None
    """Its mass, or for a truck what the indicator's own display showed; None: nobody knows."""
    still: bool
    """It stood within one division all the time."""
    kg: int | None
    """The median; None when no reading carried a weight."""
    lowest_kg: int | None
    highest_kg: int | None
    readings: int
    faults: dict[str, int]
    seconds: float
    longest_gap_ms: int
    said_stable: int
    said_moving: int
    last: WeightReading | None
    raws: tuple[bytes, ...]

    @property
    def per_second(self) -> float:
        return round(self.readings / max(0.1, self.seconds), 1)

    @property
    def spread_kg(self) -> int:
        return 0 if self.highest_kg is None or self.lowest_kg is None else self.highest_kg - self.lowest_kg


@dataclass(frozen=True, slots=True)
class Motion:
    """What the stable flag said of frames whose weight had just changed by more than two divisions."""

    changing: int = 0
    said_stable: int = 0
    flagged: int = 0
    """Frames with a flag, of all that came."""


class Observer:
    """Reads one scale from the first step to the last. `shown` is called with every reading, for a live display."""

    def __init__(self, scale: Scale, division_kg: int, shown: Callable[[WeightReading], None] = lambda _: None) -> None:
        self._scale = scale
        self._division_kg = division_kg
        self._shown = shown
        self._before: WeightReading | None = None
        self._changing = self._said_stable = self._flagged = 0

    @property
    def motion(self) -> Motion:
        """The stable flag's behaviour so far."""
        return Motion(self._changing, self._said_stable, self._flagged)

    def read(self) -> Sequence[WeightReading]:
        """One read of the scale. Raises DriverError when it is lost."""
        readings = self._scale.read()
        for reading in readings:
            self._note(reading)
            self._shown(reading)
        return readings

    def until_still(self, within_s: float, fits: Callable[[int], bool] = lambda _: True) -> bool:
        """Read until the weight stands within one division, and `fits`. False when it does not in time."""
        end_ms = monotonic_ms() + round(within_s * 1000)
        row: list[WeightReading] = []
        while monotonic_ms() < end_ms:
            for reading in self.read():
                row = [each for each in row if reading.received_ms - each.received_ms <= STILL_MS] + [reading]
            if self._is_still(row) and fits(row[-1].gross_kg or 0):
                return True
        return False

    def take(self, step: Step, known_kg: int | None, seconds: float) -> Weighed:
        """Everything that comes within a time."""
        began_ms = monotonic_ms()
        readings: list[WeightReading] = []
        while monotonic_ms() - began_ms < seconds * 1000:
            readings += self.read()
        weights = [reading.gross_kg for reading in readings if reading.gross_kg is not None]
        times = [began_ms, *(reading.received_ms for reading in readings), monotonic_ms()]
        raws = dict.fromkeys(reading.raw for reading in reversed(readings))
        return Weighed(
            step=step,
            known_kg=known_kg,
            still=bool(weights) and max(weights) - min(weights) <= self._division_kg,
            kg=median_low(weights) if weights else None,
            lowest_kg=min(weights, default=None),
            highest_kg=max(weights, default=None),
            readings=len(readings),
            faults=dict(Counter(reading.fault.value for reading in readings if reading.fault)),
            seconds=(monotonic_ms() - began_ms) / 1000,
            longest_gap_ms=max(after - before for before, after in zip(times, times[1:], strict=False)),
            said_stable=sum(reading.stable is True for reading in readings),
            said_moving=sum(reading.stable is False for reading in readings),
            last=readings[-1] if readings else None,
            raws=tuple(raws)[:KEPT_RAWS],
        )

    def _is_still(self, row: Sequence[WeightReading]) -> bool:
        weights = _weights(row)
        return (
            len(weights) == len(row) >= 2
            and row[-1].received_ms - row[0].received_ms >= STILL_MS * 2 // 3
            and max(weights) - min(weights) <= self._division_kg
            and not any(reading.stable is False for reading in row)
        )

    def _note(self, reading: WeightReading) -> None:
        before, self._before = self._before, reading
        self._flagged += reading.stable is not None
        if before is None or before.gross_kg is None or reading.gross_kg is None:
            return
        quick = reading.received_ms - before.received_ms <= CHANGE_MS
        if quick and abs(reading.gross_kg - before.gross_kg) > 2 * self._division_kg:
            self._changing += 1
            self._said_stable += reading.stable is True


def _weights(readings: Iterable[WeightReading]) -> list[int]:
    return [reading.gross_kg for reading in readings if reading.gross_kg is not None]
