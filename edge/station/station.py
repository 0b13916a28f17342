"""The plant as the pages and the program see it: its lanes, gates, yard, tickets and link, and their common life."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from edge.domain.refusal import Words
from edge.station.desk import Desk
from edge.station.gate_runner import GateRunner
from edge.station.head_office import HeadOffice
from edge.station.lane_runner import LaneRunner
from edge.station.lane_view import epoch_words, link_view
from edge.station.live import LiveHub
from edge.station.pictures import PictureStore
from edge.station.printing import PrintRunner, settle_after_crash
from edge.station.ticket_desk import TicketDesk
from edge.station.views import LinkView, QueueView, as_json
from edge.station.yard import Yard

_EXPIRE_EVERY_S = 20


class Station:
    """All parts of one plant around one desk. Parts are added before `run`."""

    def __init__(self, desk: Desk, link_up: Callable[[], tuple[bool, str]] = lambda: (False, "")) -> None:
        self._desk = desk
        self.link_up = link_up
        """Whether the link to head office is up, and since when (local text); set once the engine exists."""
        self.live: LiveHub = desk.live
        self.lanes: dict[str, LaneRunner] = {}
        self.gates: dict[str, GateRunner] = {}
        self.printers: list[PrintRunner] = []
        self.tickets = TicketDesk(desk)
        self.yard = Yard(desk)
        self.head_office = HeadOffice(desk)
        self.pictures: PictureStore | None = None
        """Where the cameras' pictures are kept."""

    @property
    def name(self) -> str:
        """The plant's name for page titles."""
        return self._desk.plant.name

    @property
    def local_now(self) -> str:
        """The time here, as people read it; the same form as every time in the views."""
        return self._desk.plant.local(self._desk.clock.now())

    @property
    def business_date(self) -> str:
        """The day that is being booked."""
        return self._desk.plant.business_date(self._desk.clock.now())

    def picture(self, key: str) -> bytes | None:
        """A stored picture, or a plate cut out of one, by its hash."""
        return self.pictures.get(key) if self.pictures is not None else None

    def link(self) -> LinkView:
        """The link to head office as pages show it."""
        return link_view(self._desk, *self.link_up())

    def queue_view(self) -> QueueView:
        """The board for drivers, with the kilograms left of the trucks on the scales."""
        view = self.yard.queue_view()
        left_kg = dict(lane.left_kg() for lane in self.lanes.values())
        serving = tuple(replace(entry, left_kg=left_kg.get(entry.visit)) for entry in view.serving)
        return replace(view, serving=serving)

    def _publish_queue(self) -> None:
        self.live.publish("queue", as_json(self.queue_view()))

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Recover, then run every part until cancelled; a part that fails ends all (the service manager
        restarts us).
        """
        await self._recover()
        owners: list[LaneRunner | GateRunner] = [*self.lanes.values(), *self.gates.values()]
        for runner in owners:
            self._desk.after_commit(runner.changed)
            runner.start()
        for printer in self.printers:
            self._desk.after_commit(printer.wake)
        self._desk.after_commit(self._publish_queue)
        if self.yard.eyes is not None:
            self.yard.eyes.start()
        try:
            async with asyncio.TaskGroup() as group:
                for each in (*owners, *self.printers):
                    group.create_task(each.run())
                if self.yard.eyes is not None:
                    group.create_task(self.yard.eyes.run())
                group.create_task(self._housekeeping())
                group.create_task(self._fail_together())
                started()
        finally:
            await self._stop()

    async def _recover(self) -> None:
        """What a crash may have left: a print job half sent, alarms to show, views to fill."""
        interrupted = await self._desk.commit(settle_after_crash)
        await self._desk.refresh()  # a full disk refuses the commit; what stands must be shown all the same
        if isinstance(interrupted, int) and interrupted:
            words = Words(
                f"{interrupted} 张出库单打印中断,请确认", f"{interrupted} tickets were interrupted in printing"
            )
            self._desk.raise_alarm("printing", words)

    async def _fail_together(self) -> None:
        """A failed transaction anywhere ends the plant, even one that a page asked for."""
        await self._desk.failed

    async def _housekeeping(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(1)
            ticks += 1
            if self._desk.clock.trusted():
                self._desk.clear_alarm("clock")
            else:
                self._desk.raise_alarm("clock", Words("时间未校准,请检查时钟", "the clock is wrong: check the time"))
            self._tell_mode()
            await self._desk.record_alarms()
            self._publish_queue()
            if ticks % _EXPIRE_EVERY_S == 0:
                await self.yard.expire()

    def _tell_mode(self) -> None:
        """Fenced, closed and closing books are told on every page, after a restart too."""
        words = epoch_words(self._desk.snapshot)
        if not words.zh:
            self._desk.clear_alarm("epoch")
        elif not any(alarm.source == "ledger" for alarm in self._desk.alarms):
            self._desk.raise_alarm("epoch", words)

    async def _stop(self) -> None:
        runners: list[LaneRunner | GateRunner | PrintRunner] = [*self.lanes.values(), *self.gates.values()]
        runners += self.printers
        eyes = [self.yard.eyes] if self.yard.eyes is not None else []
        await asyncio.gather(*(each.stop() for each in (*runners, *eyes)), return_exceptions=True)
