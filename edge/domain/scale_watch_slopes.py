"""Slow changes of a truck's weight: water that runs out while it stands, a deck that is held up while it rolls."""

from collections import deque
from dataclasses import dataclass

from edge.domain.scale_watch_curve import Second
from edge.domain.scale_watch_rules import WATCH_CURVE_STEP_MS, Cause, Role, WatchKind, WatchRules, Work, at_least

_LEAST_SECONDS = 8
_SLOWEST_KG_PER_S = 1
_GAP_LEAST_KG = 40
_LEVEL_POINTS = 10


class FallJudge:
    """A steady fall of a standing truck: in one go, or in the gaps between buckets, summed over the visit."""

    def __init__(self, rules: WatchRules, division_kg: int) -> None:
        self._rules = rules
        self._fall_kg = at_least(rules.fall_kg, rules.fall_d, division_kg)
        self._rise_kg = at_least(rules.rest_kg, rules.rest_d, division_kg)
        self._jump_kg = at_least(rules.step_kg, rules.step_d, division_kg)
        self._run: deque[Second] = deque()
        self._gaps_kg = 0

    def second(self, second: Second, work: Work) -> Cause | None:
        """Take the next second of the same truck."""
        if work is Work.UNLOAD:
            self._run.clear()
            return None
        if not second.quiet:
            return None
        run = self._run
        if run and not -self._jump_kg < second.mean_kg - run[-1].mean_kg < self._rise_kg:
            told = self._gap()
            run.clear()
            run.append(second)
            return told
        run.append(second)
        while run[0].at_ms < second.at_ms - self._rules.fall_ms:
            run.popleft()
        fall_kg = run[0].mean_kg - second.mean_kg
        if fall_kg >= self._fall_kg and self._steady(fall_kg):
            return self._cause(fall_kg, (second.at_ms - run[0].at_ms) // 1000)
        return None

    def _gap(self) -> Cause | None:
        """The run ended with a bucket: was it falling all the time?"""
        run = self._run
        fall_kg, took_s = run[0].mean_kg - run[-1].mean_kg, (run[-1].at_ms - run[0].at_ms) // 1000
        if not self._steady(fall_kg) or fall_kg < max(_GAP_LEAST_KG, _SLOWEST_KG_PER_S * took_s):
            return None
        self._gaps_kg += fall_kg
        return self._cause(self._gaps_kg, took_s) if self._gaps_kg >= self._fall_kg else None

    def _steady(self, fall_kg: int) -> bool:
        """Not a bucket that presses and lets go, and not persons who climb down: no third of it from one quiet second
        to the next."""
        run = list(self._run)
        largest_kg = max((a.mean_kg - b.mean_kg for a, b in zip(run, run[1:], strict=False)), default=0)
        return len(run) >= _LEAST_SECONDS and largest_kg * 3 <= fall_kg

    def _cause(self, fall_kg: int, took_s: int) -> Cause:
        return Cause(WatchKind.SLOPE, "falling", (("fall_kg", fall_kg), ("took_s", took_s)))


@dataclass(frozen=True, slots=True)
class _Shape:
    """One way of sliding: up or down, how much of the weight at least in all, and at most
    from point to point, over how many points; no `piece` of so many points holds more than its permille."""

    case: str
    sign: int
    least_permille: int
    most_permille: int
    points: int
    piece: int
    piece_permille: int


class SlideJudge:
    """A deck that is held up gives another weight for another place: between two axles the weight of a rolling truck is
    level on an honest deck, and rolling off it never grows. Looks at the curve's points, smoothed over 1 s (0.6 s).

    Axles come and go faster than the slow slides; the quick one counts only upwards and only for a truck that leaves. A
    truck that stops with a wheel on the deck's edge leaves the rest of that axle for later: a small rise, done within a
    second, with the level of a standing truck before it.
    """

    def __init__(self, rules: WatchRules, division_kg: int) -> None:
        self._rules = rules
        slow = rules.slide_slow_permille, rules.slide_slow_step_permille, rules.slide_slow_points, 5, 750
        quick = rules.slide_quick_permille, rules.slide_quick_step_permille, rules.slide_quick_points, 1, 500
        self._sinking = _Run(rules, division_kg, _Shape("sinking", -1, *slow))
        self._growing = _Run(rules, division_kg, _Shape("growing", 1, *slow))
        self._leaving = _Run(rules, division_kg, _Shape("leaving", 1, *quick))
        self._points: deque[int] = deque(maxlen=5)
        self._since_peak = 0
        self._peak_kg: int | None = 0

    def point(self, kg: int, *, leaving: bool) -> Cause | None:
        """Take the next point of the same truck, which comes or, `leaving`, goes."""
        self._points.append(kg)
        second_kg = sum(self._points) // len(self._points)
        self._since_peak += 1
        if self._peak_kg is not None and second_kg > self._peak_kg:
            self._peak_kg, self._since_peak = second_kg, 0
        told = [self._sinking.point(second_kg), self._growing.point(second_kg)]
        if leaving:
            newest = list(self._points)[-3:]
            told.append(self._leaving.point(sum(newest) // len(newest)))
        return next((cause for cause in told if cause is not None), None)

    def captured(self, role: Role, kg: int) -> Cause | None:
        """A weight is booked. A gross that is the first one of a truck that came loaded is the most it ever weighed."""
        peak_kg, self._peak_kg = self._peak_kg, None
        least_kg = max(self._rules.peak_kg, kg * self._rules.peak_permille // 1000)
        if role is not Role.GROSS or peak_kg is None or peak_kg - kg < least_kg:
            return None
        took_ms = self._since_peak * WATCH_CURVE_STEP_MS
        return Cause(WatchKind.PROPPED, "sinking", (("slide_kg", peak_kg - kg), ("took_ms", took_ms)))


class _Run:
    """Points that follow one shape."""

    def __init__(self, rules: WatchRules, division_kg: int, shape: _Shape) -> None:
        self._rules, self._division_kg, self._shape = rules, division_kg, shape
        self._last_kg: int | None = None
        self._from_kg = 0
        self._steps: list[int] = []

    def point(self, kg: int) -> Cause | None:
        last_kg, self._last_kg = self._last_kg, kg
        if last_kg is None:
            return None
        step_kg = (kg - last_kg) * self._shape.sign
        most_kg = last_kg * self._shape.most_permille // 1000
        back_kg = max(self._division_kg, last_kg * self._rules.slide_back_permille // 1000)
        if not -back_kg < step_kg <= most_kg or len(self._steps) >= self._rules.slide_most_points:
            self._steps.clear()
            return None
        if not self._steps:
            if step_kg <= 0:
                return None
            self._from_kg = last_kg
        self._steps.append(step_kg)
        if self._level():
            self._steps.clear()
            return None
        slide_kg = abs(kg - self._from_kg)
        least_kg = max(self._rules.slide_kg, kg * self._shape.least_permille // 1000)
        if len(self._steps) < self._shape.points or slide_kg < least_kg or self._at_once(slide_kg):
            return None
        took_ms = len(self._steps) * WATCH_CURVE_STEP_MS
        return Cause(WatchKind.PROPPED, self._shape.case, (("slide_kg", slide_kg), ("took_ms", took_ms)))

    def _level(self) -> bool:
        """Nothing has moved for 2 s: what comes then is something else."""
        newest = self._steps[-_LEVEL_POINTS:]
        return len(newest) == _LEVEL_POINTS and abs(sum(newest)) <= self._division_kg

    def _at_once(self, slide_kg: int) -> bool:
        """Most of it within one piece."""
        steps, piece = self._steps, self._shape.piece
        most_kg = max(sum(steps[first : first + piece]) for first in range(max(1, len(steps) - piece + 1)))
        return most_kg * 1000 > slide_kg * self._shape.piece_permille
