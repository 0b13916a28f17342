"""One lane's day: the film of its visits goes through the indicator into the real `ScaleMonitor` and the watch.

What the station would do stands here as small as it can: which work is going on, when buttons are pressed, that a truck
needs a zero before it, that the operator zeroes a deck that is more than a division off.
"""

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
GIVE_UP_MS = 25_000


@dataclass
class Press:
    """A button pressed at a moment of the film; pressed again while the scale says no."""

    at_s: float
    act: Act


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
    missed: int = 0
    late_ms: int = 0
    """So long after its button the film's latest weighing came; the film goes on as it was written."""
    dropped: int = 0
    """Visits that were not weighed in time."""
    weighed: int = 0
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
        start_ms, self._standing, self.late_ms = self.now_ms, "", 0
        queue = [
            (start_ms + round(press.at_s * 1000), press.act) for press in sorted(presses, key=lambda each: each.at_s)
        ]
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
            if queue and queue[0][0] <= self.now_ms >= self.retry_ms:
                self._press_next(queue)
        if queue:
            self.missed, self.late_ms = self.missed + len(queue), GIVE_UP_MS
        self.now_ms = start_ms + round(len(load) * 20) + 40

    def _press_next(self, queue: list[tuple[int, Act]]) -> None:
        due_ms, act = queue.pop(0)
        if act(self):
            self.late_ms = max(self.late_ms, self.now_ms - due_ms)
            return
        if self.now_ms - due_ms < GIVE_UP_MS:
            queue.insert(0, (due_ms, act))
            self.retry_ms = self.now_ms + RETRY_MS
        else:
            self.missed += 1
            self.late_ms = GIVE_UP_MS

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
            self.watch.zeroed(self.now_ms)
        return True
