"""The scale's side of a lane: readings and health in, on the loop; out come the weights to show and to book."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from drivers.ports import Loops, Scale, ScaleCommand
from drivers.readings import DeviceStatus, Health, WeightReading
from drivers.worker import ReaderWorker
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.scale_monitor import Capture, ScaleMonitor, ScaleRules, ScaleState
from edge.domain.scale_watch import WatchRules
from edge.domain.visit import Visit
from edge.station.desk import Desk
from edge.station.lane_watch import LaneWatch
from edge.station.views import ScaleView

T = TypeVar("T")
_CURVE_POINTS = 60
_DEVICE_WORDS = {
    Health.STARTING: Words("正在连接仪表", "connecting to the indicator"),
    Health.SILENT: Words("仪表不发数据,请检查电缆与仪表", "the indicator is silent: check cable and indicator"),
    Health.GARBLED: Words(
        "有字节但不成帧,请检查波特率与仪表型号", "bytes but no frames: check baud rate and indicator type"
    ),
    Health.DOWN: Words("仪表断开,请检查接口与电缆", "the indicator is disconnected: check plug and cable"),
}


@dataclass(frozen=True, slots=True)
class LaneSetup:
    """A lane's fixed facts."""

    lane: str
    name: Words
    indicator: str
    rules: ScaleRules
    verified_until: date | None
    watch: WatchRules | None = None
    """What the scale watch looks for; None: nothing."""


class LaneScale:
    """One lane's weighing indicator. `reading` is called after each reading, `changed` when its health changed."""

    def __init__(
        self,
        setup: LaneSetup,
        scale: Scale,
        loops: Loops | None,
        desk: Desk,
        *,
        reading: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self.setup = setup
        self.watch = LaneWatch(setup.lane, setup.indicator, setup.rules, setup.watch, loops, desk, changed)
        self.monitor = ScaleMonitor(setup.rules)
        self._desk = desk
        self._on_reading = reading
        self._on_change = changed
        self._source = f"scale {setup.lane}"
        self._came = asyncio.Event()
        self._status = DeviceStatus(setup.lane, Health.STARTING)
        self._arrivals: deque[int] = deque(maxlen=50)
        self._reader = ReaderWorker(
            self._source, scale, on_reading=self._reading, on_status=self._health, on_crash=desk.fail
        )

    def start(self) -> None:
        """Start the threads of the indicator and the loops."""
        self._reader.start()
        self.watch.start()

    async def run(self) -> None:
        """Watch the scale until cancelled."""
        await self.watch.run()

    async def stop(self) -> None:
        """Let go of the devices."""
        await asyncio.gather(self._reader.stop(), self.watch.stop())

    def state(self) -> ScaleState:
        """What the scale is doing now."""
        return self.monitor.state(self._now_ms())

    def shown_kg(self) -> int | None:
        """The weight for the screen; None (dashes) unless it is fresh and a number."""
        return self.monitor.shown_kg(self._now_ms())

    def left(self) -> bool:
        """The truck has left the deck: it is empty, and zero was seen."""
        return self.state() is ScaleState.EMPTY and self.monitor.zero_seen

    def capture(self, visit: Visit | None) -> Capture | Refusal:
        """The stable weight to book for the visit that stands here, or why there is none."""
        same_truck = visit is not None and self._desk.snapshot.captured_on(self.setup.lane) == visit.visit
        return self._with_device_words(self.monitor.capture(self._now_ms(), same_truck=same_truck))

    def may_zero(self) -> int | Refusal:
        """The weight that the indicator may be told to set to zero, or why it may not."""
        if ScaleCommand.ZERO not in self._reader.commands:
            return refuse(Reason.ZERO_NOT_OFFERED)
        return self._with_device_words(self.monitor.resting_kg(self._now_ms()))

    async def tell(self, command: ScaleCommand, timeout_s: float, begin_within_s: float) -> None:
        """Tell the indicator; see `ReaderWorker.command`."""
        await self._reader.command(command, timeout_s, begin_within_s)

    async def seen_again(self, timeout_s: float) -> int | None:
        """The weight of the next reading; None when none comes in time."""
        self._came.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        except TimeoutError:
            return None
        return self.shown_kg()

    def unverified(self) -> Refusal | None:
        """Why this scale may not weigh for settlement today: its legal verification has run out."""
        until = self.setup.verified_until
        today = self._desk.plant.business_date(self._desk.clock.now())
        if until is None or not self._desk.clock.trusted() or today <= until.isoformat():
            return None
        return refuse(Reason.SCALE_UNVERIFIED, verified_until=until.isoformat())

    def view(self) -> ScaleView:
        """The scale as its lane's page shows it."""
        now_ms, rules = self._now_ms(), self.setup.rules
        until = self.setup.verified_until
        return ScaleView(
            state=self.state().value,
            gross_kg=self.shown_kg(),
            division_kg=rules.division_kg,
            maximum_kg=rules.maximum_kg,
            verified_until=until.isoformat() if until else "",
            frames_per_s=sum(now_ms - at <= 1000 for at in self._arrivals),
            zero_seen=self.monitor.zero_seen,
            what=self._device_words(),
        )

    def curve_kg(self) -> tuple[int, ...]:
        """The weight curve thinned out for a small picture."""
        points = self.monitor.curve_kg()
        step = max(1, -(-len(points) // _CURVE_POINTS))
        return points[::step]

    def _reading(self, reading: WeightReading) -> None:
        self.monitor.feed(reading)
        self.watch.feed(reading)
        self._came.set()
        self._arrivals.append(reading.received_ms)
        self._on_reading()

    def _health(self, status: DeviceStatus) -> None:
        self._status = status
        if status.health is Health.UP:
            self._desk.clear_alarm(self._source)
        else:
            self.monitor.lose()
            if status.health is not Health.STARTING:
                self._desk.raise_alarm(self._source, self._device_words())
        self._on_change()

    def _with_device_words(self, answer: T | Refusal) -> T | Refusal:
        words = self._device_words()
        if isinstance(answer, Refusal) and answer.reason is Reason.SCALE_LOST and words.zh:
            return refuse(Reason.SCALE_LOST, what=words.zh, what_en=words.en)
        return answer

    def _device_words(self) -> Words:
        return _DEVICE_WORDS.get(self._status.health, Words("", ""))

    def _now_ms(self) -> int:
        return self._desk.clock.monotonic_ms()
