"""A capture played through a lane's own rules: what the scale monitor and the scale watch made of a disputed weighing.

The same decoder, monitor and watch as in a running plant, at the capture's own times. Nothing is booked.
"""

from collections.abc import Iterator
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
from edge.domain.scale_watch import ScaleWatch, Work
from edge.station.lane_scale import LaneSetup

_LOOK_MS = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that a lane would have seen: `what` is `state`, `weighing` (a press would have booked it), `refused`
    (a press would not) or `finding` (of the scale watch)."""

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
    capture: Capture, indicator: SerialIndicatorConfig, setup: LaneSetup, *, loading: bool = False
) -> Iterator[Seen]:
    """Every change that a lane would have seen. `loading`: goods were loaded on the deck, so that a growing weight is
    no finding."""
    profile = indicator.profile()
    unit = indicator.unit or profile.unit
    box = _Box(setup, Work.LOAD if loading else Work.NONE)
    for at_ms, weight in frames(capture, profile):
        yield from box.until(at_ms)
        yield from box.reading(to_reading(weight, at_ms, unit, accept_net=indicator.accept_net))
    yield from box.until(capture.lasts_ms)


class _Box:
    def __init__(self, setup: LaneSetup, work: Work) -> None:
        self._monitor = ScaleMonitor(setup.rules)
        self._watch = ScaleWatch(setup.rules, setup.watch) if setup.watch else None
        self._work = work
        self._now_ms = 0
        self._state = ScaleState.LOST
        self._told: str | None = None

    def until(self, at_ms: int) -> Iterator[Seen]:
        """Time goes by without a frame."""
        while self._now_ms < at_ms:
            self._now_ms = min(at_ms, self._now_ms + _LOOK_MS)
            yield from self._look()

    def reading(self, reading: WeightReading) -> Iterator[Seen]:
        """One frame."""
        self._monitor.feed(reading)
        yield from self._look()
        for finding in self._watch.feed(reading, self._work) if self._watch else ():
            words = f"{finding.words.zh} {finding.words.en}"
            more = {"kind": finding.kind.value, "numbers": dict(finding.numbers)}
            yield Seen(self._now_ms, "finding", reading.gross_kg, words, more)

    def _look(self) -> Iterator[Seen]:
        state = self._monitor.state(self._now_ms)
        if state is self._state:
            return
        self._state = state
        yield Seen(self._now_ms, "state", self._monitor.shown_kg(self._now_ms), state.value)
        if state is ScaleState.STABLE:
            yield self._press()

    def _press(self) -> Seen:
        """What a press of the button would have done at this moment."""
        outcome: Weighing | Refusal = self._monitor.capture(self._now_ms, same_truck=False)
        if isinstance(outcome, Refusal):
            words = outcome.words
            return Seen(self._now_ms, "refused", self._monitor.shown_kg(self._now_ms), f"{words.zh} {words.en}")
        raws = [raw.hex().upper() for raw in outcome.frames]
        return Seen(
            self._now_ms, "weighing", outcome.gross_kg, f"可取重 may be booked: {outcome.gross_kg} kg", {"frames": raws}
        )
