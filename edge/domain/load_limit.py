"""How heavy a truck may become, and which limit is the first to bite. The road's own limits: `sync.road_limits`."""

from dataclasses import dataclass
from enum import StrEnum

from edge.domain.quantities import affordable_kg, floor_to_division
from edge.domain.refusal import Words
from sync.road_limits import road_limit_kg


class LimitedBy(StrEnum):
    """Which limit is the lowest."""

    MONEY = "money"
    CREDIT = "credit"
    NOTICE = "notice"
    ROAD = "road"
    VEHICLE = "vehicle"
    SCALE = "scale"

    @property
    def words(self) -> Words:
        """For the screen, in both languages."""
        return _LIMIT_WORDS[self]


_LIMIT_WORDS = {
    LimitedBy.MONEY: Words("预付款余额", "prepaid balance"),
    LimitedBy.CREDIT: Words("赊销额度", "approved credit"),
    LimitedBy.NOTICE: Words("通知单装车限量", "notice limit"),
    LimitedBy.ROAD: Words("道路限重 GB 1589", "road limit GB 1589"),
    LimitedBy.VEHICLE: Words("车辆核定总质量", "vehicle's own limit"),
    LimitedBy.SCALE: Words("秤最大称量", "scale maximum"),
}

HARD_LIMITS = frozenset({LimitedBy.ROAD, LimitedBy.VEHICLE, LimitedBy.SCALE})
"""Exceeding one of these is an overload: only unloading clears it."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One limit as gross mass."""

    gross_kg: int
    by: LimitedBy


@dataclass(frozen=True, slots=True)
class LoadLimit:
    """The lowest ceiling, and the lowest of the hard ones. Gross masses in kg on the scale's grid."""

    lowest: Ceiling
    hardest: Ceiling

    def left_kg(self, gross_kg: int) -> int:
        """What may still be loaded; negative when it is over."""
        return self.lowest.gross_kg - gross_kg


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """What bounds one truck. `spendable_fen` is its own hold plus what the account has free at this plant."""

    tare_kg: int
    axles: int
    articulated: bool
    vehicle_max_kg: int | None
    scale_max_kg: int
    division_kg: int
    notice_limit_kg: int | None
    spendable_fen: int
    price_fen_per_t: int
    on_credit: bool


def load_limit(facts: LimitFacts) -> LoadLimit:
    """All ceilings as gross mass, lowest first; equal ones name the harder rule."""
    grid = facts.division_kg
    hard = [Ceiling(floor_to_division(road_limit_kg(facts.axles, facts.articulated), grid), LimitedBy.ROAD)]
    hard.append(Ceiling(floor_to_division(facts.scale_max_kg, grid), LimitedBy.SCALE))
    if facts.vehicle_max_kg is not None:
        hard.append(Ceiling(floor_to_division(facts.vehicle_max_kg, grid), LimitedBy.VEHICLE))
    soft = []
    if facts.notice_limit_kg is not None:
        notice_kg = facts.tare_kg + floor_to_division(facts.notice_limit_kg, grid)
        soft.append(Ceiling(notice_kg, LimitedBy.NOTICE))
    money_kg = facts.tare_kg + affordable_kg(facts.spendable_fen, facts.price_fen_per_t, grid)
    soft.append(Ceiling(money_kg, LimitedBy.CREDIT if facts.on_credit else LimitedBy.MONEY))
    hardest = min(hard, key=lambda ceiling: ceiling.gross_kg)
    return LoadLimit(min([*hard, *soft], key=lambda ceiling: ceiling.gross_kg), hardest)
