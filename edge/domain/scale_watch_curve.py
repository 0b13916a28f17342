"""A stream of weights cut into what the rules look at: the curve, rests, and quiet seconds. Integers only."""

from collections import deque
from dataclasses import dataclass

from edge.domain.scale_watch_rules import WATCH_CURVE_POINTS, WATCH_CURVE_STEP_MS


@dataclass(slots=True)
class Rest:
    """The weight stood still: from when to when, its mean at the beginning and its mean at the end.

    `low_kg` and `high_kg` are the extremes on the way from the rest before.
    """

    start_ms: int
    first_kg: int
    end_ms: int
    last_kg: int
    low_kg: int
    high_kg: int


@dataclass(frozen=True, slots=True)
class Second:
    """One second of weights: its mean, and whether all of them lay within the rest band."""

    at_ms: int
    mean_kg: int
    quiet: bool


class Curve:
    """The last minute, one point each 200 ms."""

    def __init__(self) -> None:
        self._points: deque[int] = deque(maxlen=WATCH_CURVE_POINTS)
        self._next_ms = 0

    def add(self, at_ms: int, kg: int) -> int | None:
        """The change since the point before, when this reading makes a point."""
        if at_ms < self._next_ms:
            return None
        late = at_ms - self._next_ms > WATCH_CURVE_STEP_MS
        self._next_ms = at_ms + WATCH_CURVE_STEP_MS
        change_kg = kg - self._points[-1] if self._points and not late else None
        self._points.append(kg)
        return change_kg

    def points(self) -> tuple[int, ...]:
        """Oldest first."""
        return tuple(self._points)


class RestFinder:
    """Finds rests. A rest ends when weights leave its band for more than `_GLITCH_MS`."""

    _GLITCH_MS = 250

    def __init__(self, rest_ms: int, band_kg: int) -> None:
        self._rest_ms, self._band_kg = rest_ms, band_kg
        self._window: deque[tuple[int, int]] = deque()
        self._sum_kg = 0
        self._away: list[tuple[int, int]] = []
        self._low_kg = self._high_kg = 0
        self.rest: Rest | None = None
        """The rest that lasts now."""
        self.before: Rest | None = None
        """The one before it."""

    def feed(self, at_ms: int, kg: int) -> Rest | None:
        """Take one weight; the rest that began with it, if one did."""
        if self.rest is not None:
            self._follow(self.rest, at_ms, kg)
            return None
        self._low_kg, self._high_kg = min(self._low_kg, kg), max(self._high_kg, kg)
        self._push(at_ms, kg)
        if at_ms - self._window[0][0] < self._rest_ms - 100:
            return None
        weights = [each for _, each in self._window]
        if max(weights) - min(weights) > self._band_kg:
            return None
        mean_kg = self._sum_kg // len(weights)
        self.rest = Rest(self._window[0][0], mean_kg, at_ms, mean_kg, self._low_kg, self._high_kg)
        return self.rest

    def cut(self) -> None:
        """The stream had a gap: what follows is a rest of its own."""
        self._end()
        self._window.clear()
        self._sum_kg = 0

    def forget(self) -> None:
        """The scale was zeroed: a rest from before it says nothing about one after it."""
        self.cut()
        self.before = None

    def _follow(self, rest: Rest, at_ms: int, kg: int) -> None:
        if abs(kg - rest.last_kg) <= self._band_kg:
            self._away.clear()
            self._push(at_ms, kg)
            rest.end_ms, rest.last_kg = at_ms, self._sum_kg // len(self._window)
            return
        self._away.append((at_ms, kg))
        if at_ms - self._away[0][0] >= self._GLITCH_MS:
            away = list(self._away)
            self._end()
            self._window.clear()
            self._sum_kg = 0
            for at, weight in away:
                self._push(at, weight)
            self._low_kg = min(weight for _, weight in away)
            self._high_kg = max(weight for _, weight in away)

    def _end(self) -> None:
        if self.rest is not None:
            self.before, self.rest = self.rest, None
            self._low_kg = self._high_kg = self.before.last_kg
        self._away.clear()

    def _push(self, at_ms: int, kg: int) -> None:
        self._window.append((at_ms, kg))
        self._sum_kg += kg
        while self._window[0][0] < at_ms - self._rest_ms:
            self._sum_kg -= self._window.popleft()[1]


class SecondMaker:
    """Gathers weights into seconds."""

    def __init__(self, band_kg: int) -> None:
        self._band_kg = band_kg
        self._start_ms: int | None = None
        self._weights: list[int] = []

    def feed(self, at_ms: int, kg: int) -> Second | None:
        """Take one weight; the second that ended with it, if one did."""
        done = None
        if self._start_ms is None or at_ms - self._start_ms >= 1000:
            if self._start_ms is not None and at_ms - self._start_ms < 2000 and len(self._weights) >= 3:
                weights = self._weights
                quiet = max(weights) - min(weights) <= self._band_kg
                done = Second(at_ms, sum(weights) // len(weights), quiet)
            self._start_ms, self._weights = at_ms, []
        self._weights.append(kg)
        return done
