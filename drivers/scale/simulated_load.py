"""What stands on a simulated deck and what its indicator makes of it: motion, noise, drift, zero, tare, range."""

import random
import threading
from collections.abc import Callable
from typing import Literal

from drivers.ports import CommandNo
from drivers.scale.encoders import Shown
from drivers.worker import monotonic_ms

OVER_DIVISIONS = 9
UNDER_DIVISIONS = 20
"""R 76-1: nothing is shown above Max + 9 e; most indicators show nothing more than 20 d below zero."""
ZERO_RANGE_PERCENT = 4
"""R 76-1: zero-setting works within 4 % of Max."""
USUAL_CAPACITY_KG = 100_000
HOUR_MS = 3_600_000


class SimulatedLoad:
    """What stands on the simulated deck, settable from any thread. Weights in whole kilograms.

    `capacity_kg` is Max; without it the indicator never says out of range by itself. `settle_s` is how long it says
    "moving" after the weight has come to rest; `unit` and `decimals` are those of its frames. `clock` gives monotonic
    milliseconds. The same seed and clock give the same display.
    """

    def __init__(
        self,
        weight_kg: int = 0,
        *,
        division_kg: int = 1,
        seed: int = 0,
        capacity_kg: int | None = None,
        settle_s: float = 0.0,
        unit: Literal["kg", "t"] = "kg",
        decimals: int = 0,
        clock: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._clock = clock
        self._division_kg = division_kg
        self._capacity_kg = capacity_kg
        self._settle_ms = round(settle_s * 1000)
        self._unit: Literal["kg", "t"] = unit
        self._decimals = decimals
        self._convert_ms = 1
        self._noise_kg = self._noisy_kg = 0
        self._noisy_ms = 0
        self._vibration_kg, self._vibration_ms = 0, 1
        self._swing_kg, self._swing_ms = 0, 1
        self._drift_kg_per_hour, self._drift_since_ms = 0, 0
        self._shift_kg = 0
        self._moving: bool | None = None
        self._overload = self._underload = False
        self._from_kg = self._to_kg = weight_kg
        self._begin_ms = self._end_ms = clock() - self._settle_ms
        self._zeroed_kg = self._tare_kg = self._alibi = 0

    def set_weight_kg(self, weight_kg: int) -> None:
        """Jump to a weight (negative too)."""
        self.ramp_to(weight_kg, 0)

    def ramp_to(self, weight_kg: int, seconds: float) -> None:
        """Go to a weight in a straight line; the indicator says it is moving until it is there and has settled."""
        now_ms = self._clock()
        with self._lock:
            self._from_kg = self._true_kg(now_ms)
            self._to_kg = weight_kg
            self._begin_ms, self._end_ms = now_ms, now_ms + round(seconds * 1000)

    def set_noise_kg(self, noise_kg: int) -> None:
        """Let every frame be off by up to so many kilograms either way."""
        with self._lock:
            self._noise_kg = noise_kg

    def set_conversions(self, per_s: int) -> None:
        """So many new values a second, each repeated by every frame until the next; usually each frame has its own."""
        with self._lock:
            self._convert_ms = 1000 // per_s

    def set_vibration(self, amplitude_kg: int, period_s: float) -> None:
        """An engine or the wind: up and down by so much. More than a division is motion to the indicator."""
        with self._lock:
            self._vibration_kg, self._vibration_ms = amplitude_kg, max(1, round(period_s * 1000))

    def set_swing(self, amplitude_kg: int, period_s: float) -> None:
        """The temperature of the day: slowly up and down by so much, and no motion."""
        with self._lock:
            self._swing_kg, self._swing_ms = amplitude_kg, max(1, round(period_s * 1000))

    def set_drift(self, kg_per_hour: int) -> None:
        """Let zero creep from now on, and keep what it has crept so far."""
        now_ms = self._clock()
        with self._lock:
            self._shift_kg += self._drifted_kg(now_ms)
            self._drift_kg_per_hour, self._drift_since_ms = kg_per_hour, now_ms

    def shift_zero(self, kg: int) -> None:
        """Let zero step: dirt falls on the deck, a cell is hit, somebody plays with a remote control."""
        with self._lock:
            self._shift_kg += kg

    def set_moving(self, moving: bool | None) -> None:
        """Force the motion flag; None gives it back to the load."""
        with self._lock:
            self._moving = moving

    def set_overload(self, overload: bool) -> None:
        with self._lock:
            self._overload = overload

    def set_underload(self, underload: bool) -> None:
        with self._lock:
            self._underload = underload

    def shown(self) -> Shown:
        """What the display shows now."""
        now_ms = self._clock()
        now_ms -= now_ms % self._convert_ms
        with self._lock:
            if self._convert_ms == 1 or now_ms != self._noisy_ms:
                self._noisy_kg, self._noisy_ms = self._random.randint(-self._noise_kg, self._noise_kg), now_ms
            return self._shown(now_ms, self._noisy_kg)

    def zero(self) -> CommandNo | None:
        """Set to zero what stands there now; None when it was done."""
        now_ms = self._clock()
        with self._lock:
            shown, signal_kg = self._shown(now_ms), self._signal_kg(now_ms)
            range_kg = (self._capacity_kg or USUAL_CAPACITY_KG) * ZERO_RANGE_PERCENT // 100
            if shown.moving:
                return CommandNo.MOVING
            if shown.overload or signal_kg > range_kg:
                return CommandNo.ABOVE_RANGE
            if shown.underload or signal_kg < -range_kg:
                return CommandNo.BELOW_RANGE
            self._zeroed_kg, self._tare_kg = signal_kg, 0
            return None

    def tare(self) -> CommandNo | None:
        """Take what is shown as tare; None when it was done. Only a stable weight above zero can be tare."""
        now_ms = self._clock()
        with self._lock:
            shown = self._shown(now_ms)
            if shown.moving:
                return CommandNo.MOVING
            if shown.overload:
                return CommandNo.ABOVE_RANGE
            if shown.underload or shown.weight_kg <= 0:
                return CommandNo.BELOW_RANGE
            self._tare_kg = shown.weight_kg
            return None

    def clear_tare(self) -> CommandNo | None:
        """Show gross again; always done."""
        with self._lock:
            self._tare_kg = 0
        return None

    def keep(self) -> Shown:
        """Weigh into the weighing memory: what is shown with its number there; no number while there is no weight."""
        shown = self.shown()
        if shown.moving or shown.out_of_range:
            return shown
        with self._lock:
            self._alibi += 1
            return Shown(
                shown.weight_kg, tare_kg=shown.tare_kg, unit=shown.unit, decimals=shown.decimals, alibi=self._alibi
            )

    def set_alibi(self, alibi: int) -> None:
        """The number of the last weighing in the memory."""
        with self._lock:
            self._alibi = alibi

    def _shown(self, now_ms: int, noise_kg: int = 0) -> Shown:
        weight_kg, division = self._signal_kg(now_ms) - self._zeroed_kg + noise_kg, self._division_kg
        rounded_kg = (2 * weight_kg + division) // (2 * division) * division
        moving = now_ms < self._end_ms + self._settle_ms or self._vibration_kg > division
        over = self._capacity_kg is not None and weight_kg > self._capacity_kg + OVER_DIVISIONS * division
        under = self._capacity_kg is not None and weight_kg < -UNDER_DIVISIONS * division
        return Shown(
            rounded_kg,
            moving=moving if self._moving is None else self._moving,
            overload=self._overload or over,
            underload=self._underload or under,
            tare_kg=self._tare_kg,
            unit=self._unit,
            decimals=self._decimals,
        )

    def _signal_kg(self, now_ms: int) -> int:
        """What the cells say, before anybody set it to zero."""
        return (
            self._true_kg(now_ms)
            + self._shift_kg
            + self._drifted_kg(now_ms)
            + _wave_kg(self._swing_kg, self._swing_ms, now_ms)
            + _wave_kg(self._vibration_kg, self._vibration_ms, now_ms)
        )

    def _drifted_kg(self, now_ms: int) -> int:
        return self._drift_kg_per_hour * (now_ms - self._drift_since_ms) // HOUR_MS

    def _true_kg(self, now_ms: int) -> int:
        if now_ms >= self._end_ms:
            return self._to_kg
        if now_ms <= self._begin_ms:
            return self._from_kg  # a conversion of before
        gone_ms, all_ms = now_ms - self._begin_ms, self._end_ms - self._begin_ms
        return self._from_kg + (self._to_kg - self._from_kg) * gone_ms // all_ms


def _wave_kg(amplitude_kg: int, period_ms: int, now_ms: int) -> int:
    """A triangle between minus and plus the amplitude."""
    return amplitude_kg * (abs(4 * (now_ms % period_ms) - 2 * period_ms) - period_ms) // period_ms
