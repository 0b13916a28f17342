"""The indicator itself: does it speak as it did, and does its weighing memory count upwards?"""

from collections import deque
from collections.abc import Collection
from dataclasses import replace

from drivers.readings import WeightReading
from edge.domain.scale_monitor import DIVISIONS_KG
from edge.domain.scale_watch_rules import Cause, Signature, WatchKind, WatchRules

_ALIBI_WRAP = 100
_ALIBI_PROOF = 3
_FEWEST_WEIGHTS = 40
_DIVISION_PERMILLE = 950
"""So many of the weights are multiples of the division; of the next larger one at most half are. The others are what
noise on the line has made of them."""


class AlibiJudge:
    """Numbers of the weighing memory grow. 0 and None are no number.

    Whether the number grows with each of our weighings depends on the indicator's settings; only where it did three
    times in a row, two weighings with one number are told.
    """

    def __init__(self, newest: int = 0) -> None:
        self.newest = newest
        self._shown = 0
        self._captured = 0
        self._grew = 0

    def feed(self, alibi: int | None) -> Cause | None:
        """The number in a frame. A count that wrapped to its beginning is no going back."""
        self._shown = alibi or 0
        if not alibi or alibi == self.newest:
            return None
        before, self.newest = self.newest, alibi
        wrapped = alibi < _ALIBI_WRAP < before and str(before).startswith("99")
        if alibi > before or wrapped:
            return None
        return Cause(WatchKind.ALIBI, "back", (("before", before), ("now", alibi)))

    def captured(self) -> Cause | None:
        """A weight was booked with the newest number."""
        before, self._captured = self._captured, self._shown
        if not before or not self._shown:
            return None
        grew, self._grew = self._grew, self._grew + 1 if self._shown != before else 0
        if self._shown != before or grew < _ALIBI_PROOF:
            return None
        return Cause(WatchKind.ALIBI, "same", (("now", self._shown),))


class SignatureJudge:
    """Learns how the indicator speaks from its first two blocks of frames that agree, then compares each block."""

    def __init__(self, rules: WatchRules, known: Signature | None) -> None:
        self._rules = rules
        self.known = known
        self._candidate: Signature | None = None
        self._intervals: list[int] = []
        self._last_ms: int | None = None
        self._flags = 0
        self._decimals = 0
        self._weights: deque[int] = deque(maxlen=400)

    def feed(self, reading: WeightReading, kg: int) -> Cause | None:
        """Take one frame that carries a weight; `kg` is the weight that the watch believes."""
        if self._last_ms is not None:
            self._intervals.append(reading.received_ms - self._last_ms)
        self._last_ms = reading.received_ms
        self._flags += reading.stable is not None
        if kg and (not self._weights or self._weights[-1] != kg):
            self._weights.append(kg)
        if len(self._intervals) < self._rules.block:
            return None
        self._decimals = reading.decimals or 0
        return self._block()

    def signature(self, alibi: int) -> Signature | None:
        """To keep over a restart."""
        return replace(self.known, alibi=alibi) if self.known else None

    def _block(self) -> Cause | None:
        now = Signature(
            interval_ms=sorted(self._intervals)[len(self._intervals) // 2],
            division_kg=_division_kg(self._weights) if len(self._weights) >= _FEWEST_WEIGHTS else 0,
            decimals=self._decimals,
            flagged=self._flags * 2 > self._rules.block,
            alibi=0,
        )
        self._intervals, self._flags = [], 0
        before, self._candidate = self._candidate, now
        if before is None or self._different(before, now):
            return None  # one block is an accident
        if self.known is None:
            self.known = now
            return None
        changed = self._different(self.known, now)
        if not changed:
            if not self.known.division_kg and now.division_kg:
                self.known = now
            return None
        told = Cause(WatchKind.INDICATOR, changed, _both(self.known, now))
        self.known = now
        self._weights.clear()
        return told

    def _different(self, one: Signature, two: Signature) -> str:
        """What tells them apart; nothing when they are the same indicator's."""
        if one.flagged != two.flagged:
            return "flag"
        if one.decimals != two.decimals:
            return "decimals"
        if abs(one.interval_ms - two.interval_ms) * 100 > self._rules.rate_percent * max(one.interval_ms, 20):
            return "rate"
        if one.division_kg and two.division_kg and one.division_kg != two.division_kg:
            return "division"
        return ""


def _both(one: Signature, two: Signature) -> tuple[tuple[str, int], ...]:
    return (
        ("interval_before_ms", one.interval_ms),
        ("interval_ms", two.interval_ms),
        ("division_before_kg", one.division_kg),
        ("division_now_kg", two.division_kg),
        ("decimals_before", one.decimals),
        ("decimals_now", two.decimals),
    )


def _division_kg(weights: Collection[int]) -> int:
    """The largest division that most weights are multiples of; 0 when there is none."""
    most = len(weights) * _DIVISION_PERMILLE
    return max((d for d in DIVISIONS_KG if sum(kg % d == 0 for kg in weights) * 1000 >= most), default=0)
