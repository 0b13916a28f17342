"""Watches one scale for fraud and wear: readings in, findings out. docs/scale-watch.md says what it can and cannot see.

Pure: no clock, no IO; the caller passes monotonic milliseconds. One finding for one cause: a kind is told once while
the same truck stands on the deck, a zero that is off once until an operator zeroes it.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from drivers.readings import WeightReading
from edge.domain.scale_monitor import ScaleRules
from edge.domain.scale_watch_curve import Curve, Rest, RestFinder, SecondMaker
from edge.domain.scale_watch_device import AlibiJudge, SignatureJudge
from edge.domain.scale_watch_rules import (
    Cause,
    Finding,
    Role,
    Signature,
    WatchKind,
    WatchRules,
    Work,
    at_least,
)
from edge.domain.scale_watch_slopes import FallJudge, SlideJudge
from edge.domain.scale_watch_steps import StepJudge
from edge.domain.scale_watch_tare import judge_tare
from edge.domain.scale_watch_words import words_of
from edge.domain.scale_watch_zero import LoopJudge, ZeroJudge

__all__ = ["Finding", "Role", "ScaleWatch", "Signature", "WatchKind", "WatchRules", "Work"]

_NEIGHBOURS = 3


class _OnDeck:
    """What is known of the truck on the deck, from its first axle to the empty deck."""

    def __init__(self, rules: WatchRules, division_kg: int) -> None:
        self.steps = StepJudge(rules, division_kg)
        self.falls = FallJudge(rules, division_kg)
        self.slides = SlideJudge(rules, division_kg)
        self.captured = False
        self.work = Work.NONE


class ScaleWatch:
    """One lane's scale. Mutable, single owner. `known` is the signature kept from before a restart."""

    def __init__(self, scale: ScaleRules, rules: WatchRules | None = None, known: Signature | None = None) -> None:
        self._scale = scale
        self._rules = rules = rules or WatchRules()
        band_kg = at_least(rules.rest_kg, rules.rest_d, scale.division_kg)
        self._curve = Curve()
        self._rests = RestFinder(rules.rest_ms, band_kg)
        self._seconds = SecondMaker(band_kg)
        self._zero = ZeroJudge(rules, scale.division_kg)
        self._loops = LoopJudge(rules)
        self._alibi = AlibiJudge(known.alibi if known else 0)
        self._speech = SignatureJudge(rules, known)
        self._deck: _OnDeck | None = None
        self._told: set[WatchKind] = set()
        self._latest: deque[WeightReading] = deque(maxlen=_NEIGHBOURS)

    def feed(self, reading: WeightReading, work: Work = Work.NONE) -> Sequence[Finding]:
        """Take one frame, also one with a fault; gaps are seen by `received_ms`. Judged is the one before it, when both
        its neighbours are known.
        """
        if reading.gross_kg is None:
            return ()
        if self._latest and reading.received_ms - self._latest[-1].received_ms > self._scale.fresh_ms:
            self._rests.cut()
            self._latest.clear()
        self._latest.append(reading)
        if len(self._latest) < _NEIGHBOURS:
            return ()
        judged = self._latest[1]
        causes = [each for each in self._judge(judged, self._believed(), judged.received_ms, work) if each is not None]
        return self._findings(causes) if causes else ()

    def _believed(self) -> int:
        """The weight of the frame in the middle, unless it is a spike, which noise makes on a line without checksum."""
        before_kg, kg, after_kg = (each.gross_kg or 0 for each in self._latest)
        middle_kg = sorted((before_kg, kg, after_kg))[1]
        return middle_kg if abs(kg - middle_kg) > self._rules.spike_kg else kg

    def loops(self, vehicle: bool | None, now_ms: int) -> Sequence[Finding]:
        """Whether the deck's loops see a vehicle; call on each change, None when no loop is fitted or it does not
        answer (the default).
        """
        self._loops.loops(vehicle, now_ms)
        return ()

    def captured(
        self, role: Role, plate: str, gross_kg: int, now_ms: int, tare_history_kg: Sequence[int] = ()
    ) -> Sequence[Finding]:
        """A weight was booked. `tare_history_kg`: the plate's earlier tares at this plant, oldest first (the newest 20
        suffice), without this one.
        """
        causes = [self._alibi.captured()]
        if role is Role.TARE:
            causes.append(judge_tare(self._rules, self._scale.division_kg, gross_kg, tare_history_kg))
        if self._deck is not None:
            self._deck.captured = True
            causes.append(self._deck.slides.captured(role, gross_kg))
            causes.append(self._deck.steps.captured(role, gross_kg, self._rests.rest or self._rests.before, now_ms))
        return self._findings([cause for cause in causes if cause is not None])

    def zeroed(self) -> Sequence[Finding]:
        """An operator's zero command was carried out: the deck rests at another weight now, and nothing moved it."""
        changed = self._zero.zeroed(self._rests.rest)
        found = self._findings([changed] if changed is not None else [])
        self._rests.forget()
        self._loops.zeroed()
        self._told.discard(WatchKind.ZERO_DRIFT)
        return found

    @property
    def signature(self) -> Signature | None:
        """How this indicator speaks, once it is known; keep it, and hand it to the next `ScaleWatch`."""
        return self._speech.signature(self._alibi.newest)

    def _judge(self, reading: WeightReading, kg: int, now_ms: int, work: Work) -> Iterator[Cause | None]:
        yield self._speech.feed(reading, kg)
        yield self._alibi.feed(reading.alibi)
        yield self._point(self._curve.add(now_ms, kg), kg, work)
        deck = self._deck
        if deck is None and kg >= self._scale.truck_kg:
            deck = self._come()
            yield self._zero.truck_came()
        if deck is not None and work is not deck.work:
            rest = self._rests.rest or self._rests.before
            # Whoever presses tare and start at once has the empty deck for the latest rest.
            if work is Work.LOAD and rest is not None and rest.last_kg >= self._scale.truck_kg:
                yield deck.steps.loading(rest.last_kg)
            deck.work = work
        rest = self._rests.feed(now_ms, kg)
        if rest is not None:
            yield from self._rested(rest, work)
        if self._rests.rest is not None:
            yield self._loops.look(self._rests.rest)
            if self._deck is None:
                yield self._zero.look(self._rests.rest)
        if self._deck is not None:
            self._deck.steps.weight(now_ms, kg)
        second = self._seconds.feed(now_ms, kg)
        if second is not None and self._deck is not None and self._rests.rest is not None:
            yield self._deck.falls.second(second, work)

    def _come(self) -> _OnDeck:
        self._deck = _OnDeck(self._rules, self._scale.division_kg)
        self._told &= {WatchKind.ZERO_DRIFT}
        return self._deck

    def _rested(self, rest: Rest, work: Work) -> Iterator[Cause | None]:
        deck, before = self._deck, self._rests.before
        if deck is None:
            return
        if rest.first_kg < self._scale.truck_kg:
            self._deck = None
            self._zero.truck_left()
        elif before is not None and before.last_kg >= self._scale.truck_kg:
            yield deck.steps.rested(before, rest, work)

    def _point(self, change_kg: int | None, kg: int, work: Work) -> Cause | None:
        """The curve has a new point when there is a change."""
        if change_kg is None:
            return None
        if abs(change_kg) > self._rules.leap_kg:
            return Cause(WatchKind.SLOPE, "leap", (("change_kg", abs(change_kg)),))
        deck = self._deck
        if deck is None or (deck.captured and work is not Work.NONE):
            return None
        return deck.slides.point(kg, leaving=deck.captured)

    def _findings(self, causes: Sequence[Cause]) -> Sequence[Finding]:
        found = []
        for cause in causes:
            if cause.kind in self._told or cause.kind in self._rules.off:
                continue
            self._told.add(cause.kind)
            found.append(Finding(cause.kind, words_of(cause), cause.numbers, self._curve.points()))
        return found
