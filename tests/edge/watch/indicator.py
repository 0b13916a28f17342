"""From the load on the cells to frames: filter, noise, division, zero tracking, stable flag, frame rate, lost frames.

Values of common indicators (manuals of Yaohua XK3190, Mettler Toledo IND, Rinstrum R420): filters of 0.2–1.2 s, stable
= within one division for 0.5–1 s, zero tracking 0.5 d/s within ±2 d, 5–50 frames/s.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from drivers.readings import WeightReading
from tests.edge.watch.physics import DT_S, Array


@dataclass
class Indicator:
    """One indicator with its settings and its present zero."""

    rate_hz: float
    division_kg: int
    filter_s: float
    tracks_zero: bool
    flagged: bool
    stable_s: float
    noise_kg: float
    decimals: int
    drops: float
    alibi: int
    zero_kg: float = 0.0
    damage: float = 0.0
    """So many of its frames lose one bit on a line without a checksum; most of them are still frames."""

    def frames(self, load: Array, start_ms: int, seed: int) -> Iterator[WeightReading]:
        """The frames it sends while this load (50 Hz) is on the cells. Between two frames `zero`, `weighed` may be
        called.
        """
        smooth = _filtered(load, self.filter_s)
        noise = np.random.default_rng(seed)
        count = int((len(load) - 1) * DT_S * self.rate_hz)
        at_s = np.arange(count) / self.rate_hz
        seen = smooth[(at_s / DT_S).astype(int)] + noise.standard_normal(count) * self.noise_kg
        arrive_ms = (at_s * 1000 + noise.uniform(0, 6, count)).astype(int) + start_ms
        dropped = noise.random(count) < self.drops
        damaged = noise.random(count) < self.damage
        window = max(2, round(self.stable_s * self.rate_hz))
        still = _still(seen, window, self.division_kg)
        for index in range(count):
            kg = seen[index] - self.zero_kg
            if self.tracks_zero and still[index] and abs(kg) <= 2 * self.division_kg:
                most = 0.5 * self.division_kg / self.rate_hz
                self.zero_kg += min(max(kg, -most), most)
            shown = round((seen[index] - self.zero_kg) / self.division_kg) * self.division_kg
            if dropped[index]:
                continue
            reading = self.reading(shown, bool(still[index]) if self.flagged else None, int(arrive_ms[index]))
            got = _flipped(reading, noise) if damaged[index] else reading
            if got is not None:
                yield got

    def reading(self, kg: int, stable: bool | None, at_ms: int) -> WeightReading:
        """One frame."""
        text = f"{kg / 10**self.decimals:+.{self.decimals}f}" if self.decimals else f"{kg:+d}"
        raw = f"\x02{text}{'' if stable is None else 'S' if stable else 'M'}\r\n".encode()
        return WeightReading(kg, stable, at_ms, raw, alibi=self.alibi or None, decimals=self.decimals)

    def zero(self, shown_kg: int) -> None:
        """The operator's zero."""
        self.zero_kg += shown_kg

    def weighed(self) -> None:
        """The weighing memory takes one more number."""
        self.alibi += 1 if self.alibi else 0


_FRAME = re.compile(rb"\x02([+-]\d+)(?:\.(\d+))?([SM]?)\r\n")


def _flipped(reading: WeightReading, noise: np.random.Generator) -> WeightReading | None:
    """The reading with one bit of its frame the other way; None when no frame is left."""
    raw = bytearray(reading.raw)
    raw[noise.integers(len(raw))] ^= 1 << int(noise.integers(8))
    frame = _FRAME.fullmatch(raw)
    if frame is None:
        return None
    whole, places, flag = frame[1].decode(), (frame[2] or b"").decode(), frame[3]
    kg = int(Decimal(f"{whole}.{places}" if places else whole).scaleb(len(places)))
    stable = {b"": None, b"S": True, b"M": False}[flag]
    return replace(reading, gross_kg=kg, stable=stable, raw=bytes(raw), decimals=len(places))


def make_indicator(rng: random.Random) -> Indicator:
    """An indicator as a plant may have it."""
    division = rng.choice((10, 20, 20, 20, 50))
    return Indicator(
        rate_hz=rng.choice((5.0, 8.0, 10.0, 10.0, 12.5, 20.0, 25.0, 50.0)),
        division_kg=division,
        filter_s=rng.uniform(0.2, 1.2),
        tracks_zero=rng.random() < 0.5,
        flagged=rng.random() < 0.85,
        stable_s=rng.uniform(0.5, 1.0),
        noise_kg=division * rng.uniform(0.05, 0.25),
        decimals=rng.choice((0, 0, 0, 3)),
        drops=rng.choice((0.0, 0.001, 0.01)),
        alibi=rng.choice((0, 0, rng.randrange(100, 90000))),
    )


def _filtered(load: Array, filter_s: float) -> Array:
    """Two moving means in a row, each half of the filter's time."""
    width = max(1, round(filter_s / 2 / DT_S))
    for _ in range(2):
        padded = np.concatenate((np.full(width, load[0]), load))
        total = np.cumsum(padded)
        load = (total[width:] - total[:-width]) / width
    return load


def _still(seen: Array, window: int, division_kg: int) -> npt.NDArray[np.bool_]:
    """Whether the last `window` values lie within one division."""
    if len(seen) < window:
        return np.zeros(len(seen), dtype=np.bool_)
    views = np.lib.stride_tricks.sliding_window_view(seen, window)
    still = np.zeros(len(seen), dtype=np.bool_)
    still[window - 1 :] = views.max(axis=1) - views.min(axis=1) <= division_kg
    return still
