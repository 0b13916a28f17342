"""What the scale watch looks for, from which size on, and what it says: a `Finding` with its numbers and its curve.

A finding blocks nothing by itself. It is an alarm for people, kept with the weighing.
"""

from dataclasses import dataclass
from enum import StrEnum

from edge.domain.refusal import Words

WATCH_CURVE_STEP_MS = 200
WATCH_CURVE_POINTS = 300


class WatchKind(StrEnum):
    """What is wrong with the scale, or with what stands on it."""

    ZERO_DRIFT = "zero_drift"
    """零点漂移: the empty deck does not read zero, or zero differs before and after a truck."""
    STEP = "step"
    """重量突跳: a standing truck became lighter or heavier at once, by no axle and no load."""
    SLOPE = "slope"
    """重量异常变化: a steady fall of a standing truck, or a rise no truck and no loader can make."""
    PROPPED = "propped"
    """秤台被顶: the weight of a rolling truck depends on where on the deck it is."""
    TARE_HISTORY = "tare_history"
    """皮重异常: outside the band of this plate's earlier tares."""
    NO_VEHICLE = "no_vehicle"
    """无车变化: the weight changes, or is there, while the loops see no vehicle."""
    ALIBI = "alibi"
    """存储号异常: the number of the indicator's weighing memory goes back or stands for two weights."""
    INDICATOR = "indicator"
    """仪表被换: frames come at another rate, in other divisions or decimals, or without the stable flag."""


class Work(StrEnum):
    """What may honestly change the weight of the truck that stands on the deck."""

    NONE = "none"
    """Nothing but persons: before the tare, between tare and start of loading, after the gross."""
    LOAD = "load"
    """Goods go on (visit LOADING)."""
    UNLOAD = "unload"
    """Goods may go off too (visit HELD, or LOADING again after 卸货重磅)."""


class Role(StrEnum):
    """What a captured weight is booked as."""

    TARE = "tare"
    GROSS = "gross"


@dataclass(frozen=True, slots=True)
class Finding:
    """One alarm. `numbers` are integers with the unit in the name; the curve is the weight around the event, oldest
    first, one point each `curve_step_ms`, at most `WATCH_CURVE_POINTS`.
    """

    kind: WatchKind
    words: Words
    numbers: tuple[tuple[str, int], ...]
    curve_kg: tuple[int, ...]
    curve_step_ms: int = WATCH_CURVE_STEP_MS


@dataclass(frozen=True, slots=True)
class Cause:
    """What a rule has seen, before it has words: the kind, the case within it, and its numbers."""

    kind: WatchKind
    case: str
    numbers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """How an indicator speaks, to be kept over a restart: what a replaced one would have to copy."""

    interval_ms: int
    """Median time between frames."""
    division_kg: int
    """Of the weights seen; 0 while they are too few."""
    decimals: int
    """As the driver tells them (`WeightReading.decimals`)."""
    flagged: bool
    """Frames carry a stable flag."""
    alibi: int
    """Newest number of the weighing memory; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class WatchRules:
    """The thresholds. Each is above what honest trucks do in tests/edge/watch and below what a theft is worth; those in
    kg are also never less than so many divisions (`_d`), so that a coarse scale does not cry at its own rounding.
    """

    off: frozenset[WatchKind] = frozenset()
    """Kinds that are not looked for."""
    rest_ms: int = 900
    """So long within the rest band is standing still: longer than a body's bounce (1.5 to 3.5 Hz)."""
    rest_kg: int = 60
    rest_d: int = 2
    """The rest band: an idling engine, wind and a division of flicker stay inside."""
    step_kg: int = 250
    step_d: int = 6
    """The least step that is told: three persons climbing out of a cab are 240 kg."""
    quick_ms: int = 1600
    """From rest to rest in less than this nothing can roll: an indicator's filter takes up to 1.2 s (their manuals), a
    truck needs 1 s to move a wheel over the deck's edge, and as long again to stop and swing out."""
    axle_kg: int = 1000
    """No axle of a truck is lighter; a smaller step of a standing truck is not one more axle."""
    rolling_ms: int = 3000
    rolling_permille: int = 2
    rolling_d: int = 2
    """Up and down by so much within this time after a rise: the truck rolls on, and the rise was the rest of an axle
    that had stopped on the deck's edge. A standing truck's weight may move once, when somebody climbs out."""
    stood_ms: int = 1500
    """So long it stood before a step that is told at once; shorter may be a swing's turning point."""
    press_ms: int = 5000
    """A loader's bucket pressing on the heap holds no steady force for longer."""
    creep_kg_per_s: int = 1
    """Slower than this over a whole rest goods may drip."""
    return_kg: int = 150
    """Back within this of an earlier rest is that weight again: a loader's bucket let go, a truck rolled back."""
    fall_kg: int = 300
    fall_d: int = 8
    fall_ms: int = 180_000
    """A steady fall of a standing truck within this time. A 2 inch drain valve lets out 3 to 8 kg/s; wet sand drips
    below 0.2 kg/s, 36 kg in this time; a driver and two others are 240 kg, and not steady."""
    slide_kg: int = 700
    slide_most_points: int = 40
    slide_slow_points: int = 10
    slide_slow_permille: int = 45
    slide_slow_step_permille: int = 10
    slide_back_permille: int = 3
    slide_quick_points: int = 4
    slide_quick_permille: int = 30
    slide_quick_step_permille: int = 120
    """A slide is so much of the weight in at most 8 s of the curve's points: slowly, over 2 s or more and never more
    than a hundredth from point to point (an axle is a tenth within a second); or quickly, where a truck that rolls off
    gets heavier. An honest deck gives the same weight wherever a load stands (R 76-1, 3.6.2)."""
    peak_kg: int = 500
    peak_permille: int = 20
    """A gross booked so far below the highest second since this truck came: rolling and braking move a second's mean by
    0.4 %, rarely by 1.7 %."""
    zero_fall_kg: int = 60
    zero_fall_d: int = 3
    """The deck reads so much less after a truck than before it: mud adds, nothing honest takes away."""
    zero_rise_kg: int = 300
    zero_rise_d: int = 6
    """So much more: spilled goods, ice, something left on the deck."""
    wheel_ms: int = 20_000
    """So long a truck that leaves may stop with its last wheel on the deck's edge."""
    drift_kg: int = 200
    drift_d: int = 8
    """The sum of all changes of zero under trucks since the operator's zero. Zero tracking hides drift while the deck
    is empty, not while a truck stands on it."""
    tares: int = 3
    """So many earlier tares make a band."""
    tare_mad_permille: int = 4000
    """k·MAD: 2.7 standard deviations of a normal spread (1.4826 MAD each)."""
    tare_kg: int = 700
    tare_few_kg: int = 400
    """And so much over the number of tares wider: the median of a few is itself unsure."""
    tare_permille: int = 20
    tare_d: int = 10
    """The band's half width is never less: fuel is ±400 kg, mud, snow and a passenger are another 350 kg."""
    unseen_ms: int = 3000
    unseen_kg: int = 300
    """Weight that comes or goes while the loops have seen nothing for so long: more than three persons."""
    spike_kg: int = 1000
    """One frame alone so far off from the one before and the one after it is noise: no truck swings like that."""
    leap_kg: int = 20_000
    """In 200 ms: one axle of 12 t at 8 km/h takes 110 ms, the next one is 1.3 m behind it, 600 ms later."""
    block: int = 100
    """Frames that make one judgement of how the indicator speaks; two in a row must differ."""
    rate_percent: int = 20
    """The frame interval's median may differ by this before it is another indicator's."""


def at_least(kg: int, divisions: int, division_kg: int) -> int:
    """A threshold in kg that is never less than so many divisions."""
    return max(kg, divisions * division_kg)
