"""One lane's day: the film of its visits goes through the indicator into the real `ScaleMonitor` and the watch.

What the station would do stands here as small as it can: which work is going on, when buttons are pressed, that a truck
needs a zero before it, that the operator zeroes a deck that is more than a division off.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from edge.domain.refusal import Refusal
from edge.domain.scale_monitor import ScaleMonitor, ScaleRules
from edge.domain.scale_watch import Finding, Role, ScaleWatch, WatchRules, Work
from tests.edge.watch.indicator import Indicator
from tests.edge.watch.physics import Scene
from tests.edge.watch.trucks import Truck

Act = Callable[["Lane"], bool]
RETRY_MS = 700


@dataclass
class Press:
    """A button pressed at a moment of the film; pressed again while the scale says no."""

    at_s: float
    act: Act
    role: Role | None = None
    """Of a weighing."""
    until_s: float = math.inf
    """The truck leaves."""


@dataclass
class Lane:
    """The lane and all that it has found."""

    indicator: Indicator
    rules: WatchRules
    rng: random.Random
    has_loops: bool = False
    now_ms: int = 100_000
    found: list[Finding] = field(default_factory=list)
    captured_kg: dict[Role, int] = field(default_factory=dict)
    work: Work = Work.NONE
    late_s: dict[Role, float] = field(default_factory=dict)
    """So long after its button each weight of this film was booked; infinite where it was not."""
    weighed: int = 0
    missed: int = 0
    retry_ms: int = 0
    _standing: str = ""

    def __post_init__(self) -> None:
        scale = ScaleRules(self.indicator.division_kg, 100_000)
        self.monitor, self.watch = ScaleMonitor(scale), ScaleWatch(scale, self.rules)

    def play(
        self, scene: Scene, presses: list[Press], cuts: list[tuple[float, float]], loops: list[tuple[float, bool]]
    ) -> None:
        """Run one film. `cuts`: the cable is off from … to … (s); `loops`: when the loops change."""
        load = scene.render()
        start_ms, self._standing, self.late_s = self.now_ms, "", {}
        queue = sorted(presses, key=lambda each: each.at_s)
        changes = [(start_ms + round(at_s * 1000), here) for at_s, here in loops] if self.has_loops else []
        dark = [(start_ms + round(off * 1000), start_ms + round(on * 1000)) for off, on in cuts]
        for reading in self.indicator.frames(load, start_ms, self.rng.randrange(2**32)):
            self.now_ms = reading.received_ms
            while changes and changes[0][0] <= self.now_ms:
                self.found += self.watch.loops(changes.pop(0)[1], self.now_ms)
            if any(off <= self.now_ms < on for off, on in dark):
                continue
            self.monitor.feed(reading)
            self.found += self.watch.feed(reading, self.work)
            if queue and queue[0].at_s * 1000 <= self.now_ms - start_ms and self.now_ms >= self.retry_ms:
                self._press_next(queue, (self.now_ms - start_ms) / 1000)
        for press in queue:
            self._missed(press)
        self.now_ms = start_ms + round(len(load) * 20) + 40

    def _press_next(self, queue: list[Press], at_s: float) -> None:
        press = queue[0]
        late_s = at_s - press.at_s
        if press.act(self):
            del queue[0]
            if press.role is not None:
                self.late_s[press.role] = late_s
        elif at_s < press.until_s:
            self.retry_ms = self.now_ms + RETRY_MS
        else:
            self._missed(queue.pop(0))

    def _missed(self, press: Press) -> None:
        if press.role is not None:
            self.missed += 1
            self.late_s[press.role] = math.inf

    def press(self, role: Role, truck: Truck) -> bool:
        """称皮重 or 装车完成: whether a weight was captured."""
        same = self._standing == truck.plate
        capture = self.monitor.capture(self.now_ms, same_truck=same)
        if isinstance(capture, Refusal):
            return False
        self.monitor.captured()
        self._standing = truck.plate
        self.weighed += 1
        self.indicator.weighed()
        self.captured_kg[role] = capture.gross_kg
        history = truck.history_kg if role is Role.TARE else ()
        self.found += self.watch.captured(role, truck.plate, capture.gross_kg, self.now_ms, history)
        return True

    def zero_when_off(self) -> bool:
        """The operator looks at the empty deck before a truck, and zeroes it."""
        shown = self.monitor.shown_kg(self.now_ms)
        if shown is not None and self.indicator.division_kg < abs(shown) < 1000:
            self.indicator.zero(shown)
            self.found += self.watch.zeroed()
        return True
