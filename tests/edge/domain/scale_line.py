"""A scale that says what a test of the scale watch tells it to say."""

from drivers.readings import WeightFault, WeightReading
from edge.domain.scale_monitor import ScaleRules
from edge.domain.scale_watch import Finding, Role, ScaleWatch, WatchKind, WatchRules, Work

STEP_MS = 100
D_KG = 20


class Line:
    """A scale that sends ten frames a second."""

    def __init__(self, rules: WatchRules | None = None) -> None:
        self.watch = ScaleWatch(ScaleRules(D_KG, 100_000), rules)
        self.now_ms = 0
        self.work = Work.NONE
        self.stable: bool | None = True
        self.alibi: int | None = None
        self.found: list[Finding] = []

    def say(self, kg: int | None) -> None:
        self.now_ms += STEP_MS
        fault = WeightFault.OVERLOAD if kg is None else None
        reading = WeightReading(kg, self.stable, self.now_ms, b"\x02%d\r" % (kg or 0), fault, alibi=self.alibi)
        self.found += self.watch.feed(reading, self.work)

    def hold(self, kg: int, seconds: float) -> "Line":
        for _ in range(round(seconds * 1000 / STEP_MS)):
            self.say(kg)
        return self

    def roll(self, kg: int, to_kg: int, seconds: float) -> "Line":
        """A straight change with the swing of something heavy at its end."""
        count = round(seconds * 1000 / STEP_MS)
        for index in range(count):
            self.say(kg + (to_kg - kg) * (index + 1) // count)
        for swing in (300, -300, 200, -200, 100, -100):
            self.say(to_kg + swing)
        return self

    def arrive(self, kg: int = 15_000) -> "Line":
        return self.hold(0, 3).roll(0, kg // 3, 0.5).hold(kg // 3, 2).roll(kg // 3, kg, 0.6).hold(kg, 4)

    def capture(self, role: Role, kg: int, history: tuple[int, ...] = ()) -> "Line":
        self.found += self.watch.captured(role, "浙F90748", kg, self.now_ms, history)
        return self

    def cases(self) -> list[tuple[WatchKind, dict[str, int]]]:
        return [(finding.kind, dict(finding.numbers)) for finding in self.found]
