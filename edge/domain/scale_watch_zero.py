"""The empty deck: where zero is before a truck, after it, and in sum; and what moves when the loops see nobody."""

from edge.domain.scale_watch_curve import Rest
from edge.domain.scale_watch_rules import Cause, WatchKind, WatchRules, at_least


class ZeroJudge:
    """Zero from truck to truck. A kind of cause is told once, until an operator zeroes the scale."""

    def __init__(self, rules: WatchRules, division_kg: int) -> None:
        self._fall_kg = at_least(rules.zero_fall_kg, rules.zero_fall_d, division_kg)
        self._rise_kg = at_least(rules.zero_rise_kg, rules.zero_rise_d, division_kg)
        self._drift_kg = at_least(rules.drift_kg, rules.drift_d, division_kg)
        self._wheel_ms = rules.wheel_ms
        self._empty_kg: int | None = None
        """What the empty deck read last."""
        self._before_kg: int | None = None
        """The same before the truck that is here, or has just left."""
        self._leaving = False
        """Whether zero after the truck is still to be judged."""
        self._sum_kg = 0
        self._told: set[str] = set()

    def truck_came(self) -> Cause | None:
        """A truck rolls on."""
        changed = self._settle(self._empty_kg)
        empty_kg = self._before_kg = self._empty_kg
        if changed is not None or empty_kg is None or -self._fall_kg < empty_kg < self._rise_kg:
            return changed
        return self._tell("before", ("zero_kg", empty_kg))

    def truck_left(self) -> None:
        """The deck rests without a truck again for the first time."""
        self._leaving = True

    def look(self, rest: Rest) -> Cause | None:
        """The rest that lasts now, without a truck. What is too much may be the wheel of one that has stopped on the
        deck's edge, for a while.
        """
        if rest.last_kg - (self._before_kg or 0) >= self._rise_kg and rest.end_ms - rest.start_ms < self._wheel_ms:
            return None
        self._empty_kg = rest.last_kg
        return self._settle(rest.first_kg)

    def zeroed(self, rest: Rest | None) -> Cause | None:
        """An operator zeroed the scale, which had rested so: what was told is settled."""
        changed = self._settle(rest.first_kg) if rest is not None else None
        self._empty_kg = self._before_kg = None
        self._sum_kg = 0
        self._told.clear()
        return changed

    def _settle(self, after_kg: int | None) -> Cause | None:
        """Compare zero after the truck with zero before it."""
        before_kg, leaving = self._before_kg, self._leaving
        self._leaving = False
        if before_kg is None or after_kg is None or not leaving:
            return None
        change_kg = after_kg - before_kg
        self._sum_kg += change_kg
        if not -self._fall_kg < change_kg < self._rise_kg:
            return self._tell("after", ("before_kg", before_kg), ("after_kg", after_kg), ("change_kg", change_kg))
        if abs(self._sum_kg) >= self._drift_kg:
            return self._tell("drift", ("sum_kg", self._sum_kg))
        return None

    def _tell(self, name: str, *numbers: tuple[str, int]) -> Cause | None:
        if name in self._told:
            return None
        self._told.add(name)
        return Cause(WatchKind.ZERO_DRIFT, name, numbers)


class LoopJudge:
    """Weight without a vehicle, where the deck has loops. Told once until a vehicle is seen."""

    def __init__(self, rules: WatchRules) -> None:
        self._rules = rules
        self._vehicle: bool | None = None
        self._since_ms = 0
        self._level_kg: int | None = None
        self._told = False

    def loops(self, vehicle: bool | None, now_ms: int) -> None:
        """What the loops say now."""
        if vehicle == self._vehicle:
            return
        self._vehicle, self._since_ms = vehicle, now_ms
        self._level_kg, self._told = None, False

    def zeroed(self) -> None:
        """An operator zeroed the scale: the weight jumped, and nothing else did."""
        self._level_kg = None

    def look(self, rest: Rest) -> Cause | None:
        """The rest that lasts now, for its weight may creep. Where nobody has been for long it should be 0."""
        if self._vehicle is not False or self._told or rest.end_ms - self._since_ms < self._rules.unseen_ms:
            return None
        if self._level_kg is None:
            self._level_kg = 0 if rest.start_ms - self._since_ms >= self._rules.unseen_ms else rest.last_kg
        if abs(rest.last_kg - self._level_kg) < self._rules.unseen_kg:
            return None
        self._told = True
        numbers = (("before_kg", self._level_kg), ("after_kg", rest.last_kg))
        return Cause(WatchKind.NO_VEHICLE, "unseen", numbers)
