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
class Signature:
    """How an indicator speaks, to be kept over a restart: what a replaced one would have to copy."""

    interval_ms: int
    """Median time between frames."""
    division_kg: int
    """Greatest common divisor of the weights seen."""
    decimals: int
    """Digits after the decimal point in a text frame; 0 without one."""
    flagged: bool
    """Frames carry a stable flag."""
    alibi: int
    """Newest number of the weighing memory; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class WatchRules:
    """The thresholds."""

    off: frozenset[WatchKind] = frozenset()
    """Kinds that are not looked for."""
