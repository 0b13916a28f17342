"""Steps of a truck that stands on the deck: a weight that jumps though nobody drove and nothing was loaded.

What honestly makes a step: an axle rolling on (up) or off (down), persons, a loader's bucket (up, while loading), a
bucket pressing on the heap (up and back). An axle weighs a tonne or more and needs time; a radio in the junction box
needs neither. A drop as large as an axle may be one rolling off, so it waits: it is told when a weight is booked after
it, and forgotten when the weight comes back or the truck leaves.
"""

from collections import deque
from dataclasses import dataclass

from edge.domain.scale_watch_curve import Rest
from edge.domain.scale_watch_rules import Cause, Role, WatchKind, WatchRules, Work, at_least

_REMEMBERED_RESTS = 40
_RETURN_MS = 60_000
_PRESSED_MS = 10_000


@dataclass(slots=True)
class _Drop:
    before_kg: int
    after_kg: int
    took_ms: int
    quick: bool


@dataclass(slots=True)
class _Rise:
    """A rise before the tare, and how the weight moved after it: the most up, the most down."""

    cause: Cause
    until_ms: int
    low_kg: int
    high_kg: int
    up_kg: int = 0
    down_kg: int = 0

    def weight(self, now_ms: int, kg: int) -> None:
        if now_ms > self.until_ms:
            return
        self.low_kg, self.high_kg = min(self.low_kg, kg), max(self.high_kg, kg)
        self.up_kg, self.down_kg = max(self.up_kg, kg - self.low_kg), max(self.down_kg, self.high_kg - kg)


class StepJudge:
    """One truck on the deck, from its first axle to the empty deck."""

    def __init__(self, rules: WatchRules, division_kg: int) -> None:
        self._rules = rules
        self._step_kg = at_least(rules.step_kg, rules.step_d, division_kg)
        self._return_kg = max(rules.return_kg, 3 * division_kg)
        self._rests: deque[Rest] = deque(maxlen=_REMEMBERED_RESTS)
        self._drops: list[_Drop] = []
        self._tare_kg: int | None = None
        self._division_kg = division_kg
        self._rise: _Rise | None = None
        self._captured = False
        self._rolled_off = False

    def weight(self, now_ms: int, kg: int) -> None:
        """Each weight."""
        if self._rise is not None:
            self._rise.weight(now_ms, kg)

    def rested(self, before: Rest, rest: Rest, work: Work) -> Cause | None:
        """A rest began; `before` is the one it follows on the same truck."""
        change_kg, took_ms = rest.first_kg - before.last_kg, rest.start_ms - before.end_ms
        self._rests.append(before)
        if abs(change_kg) < self._step_kg:
            return None
        if change_kg > 0:
            return self._rose(before, rest, change_kg, took_ms, work)
        return self._fell(before, rest, -change_kg, took_ms, work)

    def captured(self, role: Role, gross_kg: int, before: Rest | None, now_ms: int) -> Cause | None:
        """A weight is booked: drops that are still open took something from it. `before` is the latest rest, which a
        weight booked at once after a drop has not reached.
        """
        drops, self._drops = self._drops, []
        self._captured, self._rolled_off = True, False
        if before is not None and self._stood(before, self._rules.stood_ms):
            drops.append(_Drop(before.last_kg, gross_kg, now_ms - before.end_ms, quick=False))
        if role is Role.TARE:
            self._tare_kg = gross_kg
            return self._risen(gross_kg) or self._crept(before, role)
        self._tare_kg = None
        for rest in self._rests:  # a jack lifts in strokes, each too small to be a step
            if now_ms - rest.end_ms < _PRESSED_MS and self._stood(rest, self._rules.press_ms):
                drops.append(_Drop(rest.last_kg, gross_kg, now_ms - rest.end_ms, quick=False))
        for drop in drops:
            if drop.quick or drop.before_kg - gross_kg >= self._step_kg:
                return _cause("fell", drop.before_kg, drop.after_kg, drop.took_ms)
        return self._crept(before, role)

    def _crept(self, rest: Rest | None, role: Role) -> Cause | None:
        """A radio that is turned up slowly stays inside one rest: too heavy a tare, too light a gross, and faster than
        anything drips."""
        if rest is None:
            return None
        change_kg, took_ms = rest.last_kg - rest.first_kg, rest.end_ms - rest.start_ms
        crept_kg = change_kg if role is Role.TARE else -change_kg
        if crept_kg < self._step_kg or crept_kg * 1000 < took_ms * self._rules.creep_kg_per_s:
            return None
        return _cause("rose" if role is Role.TARE else "fell", rest.first_kg, rest.last_kg, took_ms)

    def loading(self, level_kg: int) -> Cause | None:
        """Loading starts with the truck still here: it weighs what its tare says, or somebody changed it."""
        tare_kg, self._tare_kg = self._tare_kg, None
        if tare_kg is None or abs(level_kg - tare_kg) < self._step_kg:
            return None
        return _cause("not_tare", tare_kg, level_kg, 0)

    def _rose(self, before: Rest, rest: Rest, change_kg: int, took_ms: int, work: Work) -> Cause | None:
        coming_off = bool(self._drops) or self._rolled_off
        self._drops = [drop for drop in self._drops if abs(rest.first_kg - drop.before_kg) > self._return_kg]
        axle = change_kg >= self._rules.axle_kg
        if axle:
            self._rise, self._rolled_off = None, False  # the truck was still rolling on
            self._drops = self._drops if self._captured else []
        if coming_off or work is not Work.NONE or not self._at_once(before, rest, took_ms, self._rules.stood_ms):
            return None
        if self._seen(rest, _RETURN_MS):
            return None
        if self._captured:
            return _cause("rose", before.last_kg, rest.first_kg, took_ms)
        if not axle:
            cause = _cause("rose", before.last_kg, rest.first_kg, took_ms)
            self._rise = _Rise(cause, rest.end_ms + self._rules.rolling_ms, rest.last_kg, rest.last_kg)
        return None

    def _risen(self, tare_kg: int) -> Cause | None:
        """The rise before this tare, unless the truck was still rolling: then it was the rest of an axle."""
        rise = self._rise
        if rise is None:
            return None
        rolling_kg = at_least(tare_kg * self._rules.rolling_permille // 1000, self._rules.rolling_d, self._division_kg)
        return None if min(rise.up_kg, rise.down_kg) >= rolling_kg else rise.cause

    def _fell(self, before: Rest, rest: Rest, change_kg: int, took_ms: int, work: Work) -> Cause | None:
        axle = change_kg >= self._rules.axle_kg
        if work is Work.UNLOAD or self._seen(rest, _PRESSED_MS if work is Work.LOAD else _RETURN_MS):
            return None
        loading = work is Work.LOAD
        at_once = self._at_once(before, rest, took_ms, self._rules.press_ms if loading else self._rules.stood_ms)
        told = at_once and loading and not axle and not self._rolled_off
        self._rolled_off = self._rolled_off or axle
        if told:
            return _cause("fell", before.last_kg, rest.first_kg, took_ms)
        if self._stood(before, self._rules.stood_ms):
            self._drops.append(_Drop(before.last_kg, rest.first_kg, took_ms, at_once))
        return None

    def _at_once(self, before: Rest, rest: Rest, took_ms: int, stood_ms: int) -> bool:
        return took_ms <= self._rules.quick_ms and self._stood(before, stood_ms) and self._straight(before, rest)

    def _stood(self, rest: Rest, least_ms: int) -> bool:
        return rest.end_ms - rest.start_ms >= least_ms

    def _straight(self, before: Rest, rest: Rest) -> bool:
        """Without the swing of something heavy that was moved: never beyond the two weights by more than a tenth."""
        low_kg, high_kg = sorted((before.last_kg, rest.first_kg))
        swing_kg = max(self._rules.rest_kg, (high_kg - low_kg) // 10)
        return rest.low_kg >= low_kg - swing_kg and rest.high_kg <= high_kg + swing_kg

    def _seen(self, rest: Rest, within_ms: int) -> bool:
        """Back at a weight of so long ago."""
        return any(
            abs(earlier.last_kg - rest.first_kg) <= self._return_kg
            for earlier in list(self._rests)[:-1]
            if rest.start_ms - earlier.end_ms < within_ms
        )


def _cause(name: str, before_kg: int, after_kg: int, took_ms: int) -> Cause:
    numbers = (
        ("before_kg", before_kg),
        ("after_kg", after_kg),
        ("change_kg", abs(after_kg - before_kg)),
        ("took_ms", took_ms),
    )
    return Cause(WatchKind.STEP, name, numbers)
