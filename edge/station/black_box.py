"""A capture played through a lane's own rules: what the scale monitor and the scale watch made of a disputed weighing.

The same decoder, monitor and watch as in a running plant, at the capture's own times. Nothing is booked.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from drivers.readings import WeightReading
from drivers.scale.capture import Capture, frames
from drivers.scale.frames import to_reading
from drivers.scale.serial_indicator import SerialIndicatorConfig
from edge.domain.refusal import Refusal
from edge.domain.scale_monitor import Capture as Weighing
from edge.domain.scale_monitor import ScaleMonitor, ScaleState
from edge.domain.scale_watch import Finding, Role, ScaleWatch, Work
from edge.station.lane_scale import LaneSetup

_LOOK_MS = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that a lane would have seen: `what` is `state`, `possible` (a press would book it), `booked` (the press
    that is known did), `refused` (a press does not) or `finding` (of the scale watch)."""

    at_ms: int
    what: str
    kg: int | None
    words: str
    more: dict[str, Any] = field(default_factory=dict)

    def facts(self, began_at: datetime | None) -> dict[str, Any]:
        """For a person or a program; with the wall clock where the capture knows it."""
        at = (began_at + timedelta(milliseconds=self.at_ms)).isoformat(timespec="milliseconds") if began_at else None
        return {"at_ms": self.at_ms, "at": at, "what": self.what, "kg": self.kg, "words": self.words, **self.more}


def judge(
    capture: Capture, indicator: SerialIndicatorConfig, setup: LaneSetup, booked_ms: Sequence[int] = ()
) -> Iterator[Seen]:
    """Every change that a lane would have seen.

    `booked_ms` is when weights were booked, as the ledger knows it: of several the first is the tare, the others are
    gross, and goods were loaded in between. The watch judges most of a stand only when a weight is booked.
    """
    profile = indicator.profile()
    unit = indicator.unit or profile.unit
    box = _Box(setup, booked_ms)
    for at_ms, weight in frames(capture, profile):
        yield from box.until(at_ms)
        yield from box.reading(to_reading(weight, at_ms, unit, accept_net=indicator.accept_net))
    yield from box.until(capture.lasts_ms)


class _Box:
    def __init__(self, setup: LaneSetup, booked_ms: Sequence[int]) -> None:
        self._monitor = ScaleMonitor(setup.rules)
        self._watch = ScaleWatch(setup.rules, setup.watch) if setup.watch else None
        self._presses = deque(sorted(booked_ms))
        self._role = Role.TARE if len(booked_ms) > 1 else Role.GROSS
        self._work = Work.NONE
        self._now_ms = 0
        self._state = ScaleState.LOST
        self._same_truck = False

    def until(self, at_ms: int) -> Iterator[Seen]:
        """Time goes by without a frame."""
        while self._now_ms < at_ms:
            self._now_ms = min(at_ms, self._now_ms + _LOOK_MS)
            yield from self._look()
            while self._presses and self._presses[0] <= self._now_ms:
                self._presses.popleft()
                yield from self._booked()

    def reading(self, reading: WeightReading) -> Iterator[Seen]:
        """One frame."""
        self._monitor.feed(reading)
        yield from self._look()
        if self._watch:
            yield from self._found(self._watch.feed(reading, self._work))

    def _booked(self) -> Iterator[Seen]:
        """A press that is known: what it booked, and what the watch says to that."""
        pressed = self._press("booked", f"已取重 booked as {self._role.value}")
        yield pressed
        if pressed.kg is None or pressed.what == "refused":
            return
        self._monitor.captured()
        self._same_truck = True
        if self._watch:
            yield from self._found(self._watch.captured(self._role, "", pressed.kg, self._now_ms))
        self._work = Work.LOAD if self._role is Role.TARE or self._presses else Work.NONE
        self._role = Role.GROSS

    def _found(self, findings: Sequence[Finding]) -> Iterator[Seen]:
        for finding in findings:
            words = f"{finding.words.zh} {finding.words.en}"
            more = {"kind": finding.kind.value, "numbers": dict(finding.numbers)}
            yield Seen(self._now_ms, "finding", self._monitor.shown_kg(self._now_ms), words, more)

    def _look(self) -> Iterator[Seen]:
        state = self._monitor.state(self._now_ms)
        if state is self._state:
            return
        self._state = state
        yield Seen(self._now_ms, "state", self._monitor.shown_kg(self._now_ms), state.value)
        if state is ScaleState.EMPTY:
            self._same_truck = False
        if state is ScaleState.STABLE:
            yield self._press("possible", "可取重 may be booked")

    def _press(self, what: str, words: str) -> Seen:
        """What a press of the button does at this moment."""
        outcome: Weighing | Refusal = self._monitor.capture(self._now_ms, same_truck=self._same_truck)
        if isinstance(outcome, Refusal):
            no = outcome.words
            return Seen(self._now_ms, "refused", self._monitor.shown_kg(self._now_ms), f"{no.zh} {no.en}")
        raws = [raw.hex().upper() for raw in outcome.frames]
        return Seen(self._now_ms, what, outcome.gross_kg, f"{words}: {outcome.gross_kg} kg", {"frames": raws})
