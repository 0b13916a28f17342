"""The scale watch of one lane: what it is fed, what it found, and the alarms that stand until a person has seen them.

Findings come on the loop, from readings, from the deck's loops, from captures; `tell` writes them to the ledger.
"""

import asyncio
from collections.abc import Callable, Sequence

from drivers.ports import DriverError, Loops
from drivers.readings import WeightReading
from drivers.worker import CommandWorker
from edge.domain.refusal import Refusal, Words
from edge.domain.scale_monitor import ScaleRules
from edge.domain.scale_watch import Finding, Role, ScaleWatch, Signature, WatchRules, Work
from edge.domain.visit import Visit, VisitState
from edge.station.desk import Desk
from edge.station.scale_alarms import (
    Booked,
    Found,
    about,
    alarm_view,
    keep_signature,
    read_signature,
    see,
    tell,
)
from edge.station.views import Done, ScaleAlarmView
from edge.store.books import Books

SHOWN_ALARMS = 3
_LOOPS_EVERY_S = 0.2
_LOOPS_DEADLINE_S = 1.5
_RETRY_S = 5.0
_WAITING_FINDINGS = 50


class LaneWatch:
    """Owns the lane's `ScaleWatch` and its loops. `rules` None: nothing is watched; alarms that stand still show."""

    def __init__(
        self,
        lane: str,
        indicator: str,
        scale: ScaleRules,
        rules: WatchRules | None,
        loops: Loops | None,
        desk: Desk,
        changed: Callable[[], None],
    ) -> None:
        self.standing: tuple[ScaleAlarmView, ...] = ()
        """The newest alarms that nobody has seen, `SHOWN_ALARMS` at most."""
        self.count = 0
        """How many nobody has seen."""
        self._lane = lane
        self._indicator = indicator
        self._scale = scale
        self._rules = rules
        self._watch: ScaleWatch | None = None
        self._loops = loops
        self._desk = desk
        self._changed = changed
        self._worker = CommandWorker(f"loops {lane}")
        self._found: list[Found] = []
        self._lost = 0
        """How many found no room to wait in while the ledger could not be written."""
        self._lost_source = f"scale watch {lane}"
        self._wake = asyncio.Event()
        self._booked: Booked | None = None
        self._kept: Signature | None = None
        self._unloading: str | None = None
        """The visit whose goods may go off again; None before the first reading, for we may have restarted in it."""

    @property
    def on(self) -> bool:
        """Whether anything is watched."""
        return self._rules is not None

    def start(self) -> None:
        """Start the loops' thread."""
        if self._loops is not None:
            self._worker.start()

    async def run(self) -> None:
        """Show what stands, then watch until cancelled."""
        if self._rules is not None:
            self._kept = await self._desk.database.read(lambda books: read_signature(books, self._lane))
            self._watch = ScaleWatch(self._scale, self._rules, self._kept)
        await self._refresh()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            if self._loops is not None:
                group.create_task(self._look(self._loops))

    async def stop(self) -> None:
        """Let go of the loops, and write what was found last."""
        if self._loops is not None:
            await self._worker.stop()
            self._loops.close()
        if self._found:
            await self._desk.commit(lambda books: tell(books, self._desk.plant, self._found))

    def feed(self, reading: WeightReading) -> None:
        """Each reading of the scale."""
        if self._watch is not None:
            visit = self._desk.snapshot.on_lane(self._lane)
            self._take(self._watch.feed(reading, self._work(visit)))

    def zeroed(self) -> None:
        """An operator's zero command was carried out."""
        if self._watch is not None:
            self._take(self._watch.zeroed())

    def booked(self, booked: Booked) -> None:
        """A press has booked a weighing: judge it."""
        self._booked, weighed = booked, booked.weighed
        if self._watch is None or weighed.role == "empty":
            return
        now_ms = self._desk.clock.monotonic_ms()
        role = Role(weighed.role)
        found = self._watch.captured(role, booked.plate, weighed.gross_kg, now_ms, booked.tares_kg)
        self._take(found, weighed.visit)
        if self._watch.signature != self._kept:
            self._wake.set()

    async def see(self, alarm: int, by: str, note: str) -> Done | Refusal:
        """确认: a person has looked at an alarm of this lane."""
        name = self._desk.plant.names.get(by, "")
        outcome = await self._desk.commit(lambda books: see(books, self._lane, alarm, by, note, name))
        if isinstance(outcome, Done):
            self._desk.clear_alarm(self._lost_source)
        await self._refresh()
        return outcome

    async def _look(self, loops: Loops) -> None:
        """Read the loops. Those that do not answer are an alarm, and as if there were none."""
        source = f"loops {self._lane}"
        while True:
            vehicle: bool | None = None
            try:
                vehicle = await self._worker.call(loops.vehicle, timeout_s=_LOOPS_DEADLINE_S)
            except DriverError as error:
                words = Words(f"秤台地感无应答:{error.what}", f"the deck's loops do not answer: {error.what}")
                self._desk.raise_alarm(source, words)
            else:
                self._desk.clear_alarm(source)
            if self._watch is not None:
                self._take(self._watch.loops(vehicle, self._desk.clock.monotonic_ms()))
            await asyncio.sleep(_LOOPS_EVERY_S)

    async def _tell(self) -> None:
        """Write what was found to the ledger, as soon as it is found; a full disk is tried again after some seconds."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            found = tuple(self._found)
            signature = self._watch.signature if self._watch is not None else None
            news = signature if signature != self._kept else None

            def write(books: Books, found: Sequence[Found] = found, news: Signature | None = news) -> None:
                tell(books, self._desk.plant, found)
                if news is not None:
                    keep_signature(books, self._lane, news)

            if isinstance(await self._desk.commit(write), Refusal):
                self._wake.set()
                await asyncio.sleep(_RETRY_S)
                continue
            self._kept = signature or self._kept
            del self._found[: len(found)]
            self._tell_lost()
            if found:
                await self._refresh()

    def _take(self, findings: Sequence[Finding], visit: str = "") -> None:
        if not findings:
            return
        row = self._desk.snapshot.lanes.get(self._lane)
        last = self._booked.weighed if self._booked is not None else None
        now = self._desk.clock.now()
        for finding in findings:
            of = visit or about(finding, row.visit if row else "", row.captured_visit if row else "")
            weighment = last.weighment if last is not None and last.visit == of else ""
            self._found.append(Found(finding, self._lane, self._indicator, of, weighment, now))
        self._lost += max(0, len(self._found) - _WAITING_FINDINGS)
        del self._found[_WAITING_FINDINGS:]
        self._wake.set()

    def _tell_lost(self) -> None:
        """A person who acknowledges an alarm of this lane has read it."""
        if not self._lost:
            return
        zh = f"账本写不进时称重监视另有 {self._lost} 条报警未能保存,请查看该时段的称重"
        en = f"{self._lost} more scale alarms could not be kept while the ledger could not be written: check that time"
        self._desk.raise_alarm(self._lost_source, Words(zh, en))
        self._lost = 0

    def _work(self, visit: Visit | None) -> Work:
        """What may honestly change the weight now. Goods go off only after a hold (卸货重磅)."""
        state = visit.state if visit else None
        if visit is not None and (
            state is VisitState.HELD or (self._unloading is None and state is VisitState.LOADING)
        ):
            self._unloading = visit.visit
        elif self._unloading is None:
            self._unloading = ""
        if visit is None or state not in (VisitState.LOADING, VisitState.HELD):
            return Work.NONE
        return Work.UNLOAD if self._unloading == visit.visit else Work.LOAD

    async def _refresh(self) -> None:
        def read(books: Books) -> tuple[tuple[ScaleAlarmView, ...], int]:
            stored = books.scale_alarms.standing(self._lane, SHOWN_ALARMS)
            views = tuple(alarm_view(self._desk.plant, each) for each in stored)
            return views, books.scale_alarms.count_standing(self._lane)

        self.standing, self.count = await self._desk.database.read(read)
        self._changed()
