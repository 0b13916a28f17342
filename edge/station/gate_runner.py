"""The one owner of a gate: scan → signature → plate → verdict → durable "used" → one pulse to the barrier.

Fail closed. The pass is marked used before the barrier moves: a crash in between leaves a used pass and a shut gate,
which a guard may override with a name and a reason, on record.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, replace

from drivers.ports import Camera, DriverError, Gate
from drivers.readings import GateInputs
from drivers.worker import CommandWorker
from edge.domain.exit_pass import OVERRIDABLE, ExitPass, GateDecision, Verdict
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.visit import VisitState
from edge.station import passage, plates
from edge.station.crops import CropStore
from edge.station.desk import Desk
from edge.station.eyes import MOST_EXPECTED, NOT_SEEN, Eyes, Seen
from edge.station.lane_runner import LinkSource
from edge.station.passage import Outcome, Scan
from edge.station.pictures import PictureStore
from edge.station.ticket_view import paper_view
from edge.station.views import GateView, PassageView, TicketView, VerdictView, Why, as_json
from edge.store.books import Books
from edge.store.crashpoint import crashpoint

_PULSE_DEADLINE_S = 8.0
_INPUTS_DEADLINE_S = 4.0
_WATCH_EVERY_S = 1.0
_SHOWN = 30
_QUESTION_MS = 300_000
"""A question older than this is about a truck that may have gone: the answer to it takes a new look."""
_PLATE = frozenset({Reason.PLATE_NOT_READ, Reason.PLATE_UNSURE, Reason.PLATE_DIFFERS})
"""Overriding one of these is a decision about the plate."""


@dataclass(frozen=True, slots=True)
class GateSetup:
    """A gate's fixed facts."""

    gate: str
    name: Words


class GateRunner:
    """One exit gate."""

    def __init__(
        self,
        setup: GateSetup,
        barrier: Gate,
        camera: Camera | None,
        desk: Desk,
        pictures: PictureStore,
        link: LinkSource,
        crops: CropStore | None = None,
    ) -> None:
        self.setup = setup
        self._barrier = barrier
        self._desk = desk
        self._pictures = pictures
        self._link = link
        self._crops = crops
        self._eyes = Eyes(f"camera {setup.gate}", camera, desk, pictures)
        self._worker = CommandWorker(f"barrier {setup.gate}")
        self._lock = asyncio.Lock()
        self._scan: Scan | None = None
        self._scanned_ms = 0
        self._last: VerdictView | None = None
        self._today: deque[PassageView] = deque(maxlen=_SHOWN)
        self._released_today = 0
        self._day = ""
        self._inputs: GateInputs | None = None

    def start(self) -> None:
        """Start the barrier's and the camera's threads."""
        self._eyes.start()
        self._worker.start()

    async def run(self) -> None:
        """Watch loop, boom and camera until cancelled; a device that does not answer is an alarm."""
        await self._remember_today()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._eyes.run())
            group.create_task(self._watch_barrier())

    async def _watch_barrier(self) -> None:
        while True:
            await self._look_at_barrier()
            self._publish()
            await asyncio.sleep(_WATCH_EVERY_S)

    async def stop(self) -> None:
        """Let go of the devices."""
        await asyncio.gather(self._worker.stop(), self._eyes.stop())
        self._barrier.close()

    async def scan(self, code: str, by: str) -> VerdictView:
        """One scanned text; always one verdict with its reason."""
        async with self._lock:
            exit_pass = passage.read_code(self._desk.plant, code)
            return await self._scanned(exit_pass, by)

    async def override(self, by: str, name: str, reason: str, paper: str) -> VerdictView | Refusal:
        """人工放行 of the last scan: only for reasons a person can judge, with name and reason, on record.

        `paper` is the ticket or slip the guard was shown: another truck may have been scanned meanwhile.
        """
        async with self._lock:
            scan, last = self._scan, self._last
            if scan is None or last is None or last.why is None or isinstance(scan.exit_pass, Refusal):
                return refuse(Reason.NOTHING_TO_OVERRIDE)
            if last.ticket is None or last.ticket.ticket != paper:
                return refuse(Reason.NOTHING_TO_OVERRIDE)
            if not name.strip() or not reason.strip():
                return refuse(Reason.NAME_AND_REASON)
            why = Reason(last.why.reason)
            if why not in OVERRIDABLE:
                return refuse(Reason.NOT_OVERRIDABLE, why=last.why.zh, why_en=last.why.en)
            if self._aged():
                return await self._scanned(scan.exit_pass, by)
            named, because = name.strip()[:60], reason.strip()[:120]
            compared = plates.Compared(True, by, named, because) if why in _PLATE else scan.compared
            self._scan = replace(
                scan, by=by, override_name=named, override_reason=because, overruled=(*scan.overruled, why),
                compared=compared, told_now=why in _PLATE,
            )  # fmt: skip
            return await self._answer(self._scan)

    async def compare(
        self, by: str, name: str, same: bool, reason: str, paper: str, shown: str
    ) -> VerdictView | Refusal:
        """是这辆车 or 不是: the guard has compared the truck with its paper, where the camera was not sure.

        `paper` and `shown` are what he was shown, the ticket or slip and the picture: an answer is for that truck only.
        """
        async with self._lock:
            scan, last = self._scan, self._last
            if scan is None or last is None or last.ticket is None or not last.plate_asked:
                return refuse(Reason.NO_PLATE_QUESTION)
            if (last.ticket.ticket, last.picture) != (paper, shown):
                return refuse(Reason.NO_PLATE_QUESTION)
            if self._aged():
                return await self._scanned(scan.exit_pass, by)
            crop = self._pictures.get(scan.seen.crop)
            compared = plates.Compared(same, by, name.strip()[:60], reason.strip()[:120])
            self._scan = replace(scan, by=by, compared=compared, told_now=True)
            verdict = await self._answer(self._scan)
        if same:
            where = f"gate {self.setup.gate}"
            await plates.keep_crop(self._desk, self._crops, crop, scan.seen, last.plate_pass, where)
        return verdict

    def picture(self, key: str) -> bytes | None:
        """The JPEG of a scan."""
        return self._pictures.get(key)

    def view(self) -> GateView:
        """The gate now."""
        inputs = self._inputs
        ok = inputs is not None
        boom = Words("道闸正常", "barrier ready") if ok else Words("道闸无应答", "barrier does not answer")
        if inputs is not None and inputs.boom_up:
            boom = Words("道闸已抬起", "barrier is up")
        return GateView(
            gate=self.setup.gate,
            name=self.setup.name,
            barrier=boom,
            barrier_ok=ok,
            vehicle_on_loop=inputs.vehicle_on_loop if inputs else None,
            link=self._link(),
            last=self._last,
            today=tuple(self._today),
            released_today=self._released_today,
            alarms=self._desk.alarms,
        )

    def changed(self) -> None:
        """The books changed: show it."""
        self._publish()

    async def _look(self, exit_pass: ExitPass) -> Seen:
        """The truck at the gate, held against the scanned pass first, then against all others that are open."""

        def open_passes(books: Books) -> tuple[str, list[str]]:
            stored = books.paper_of(exit_pass)
            claimed = paper_view(self._desk.plant, stored) if stored else None
            return (claimed.plate if claimed else ""), books.slips.unused_plates(MOST_EXPECTED)

        claimed, empty = await self._desk.database.read(open_passes)
        waiting = [visit.plate for visit in self._desk.snapshot.in_states(VisitState.TICKETED, VisitState.SEALED)]
        return await self._eyes.look((claimed, *waiting, *empty))

    def _aged(self) -> bool:
        return self._desk.clock.monotonic_ms() - self._scanned_ms > _QUESTION_MS

    async def _scanned(self, exit_pass: ExitPass | Refusal, by: str) -> VerdictView:
        """Look, and answer a scan of which nobody has said anything yet."""
        seen = NOT_SEEN if isinstance(exit_pass, Refusal) else await self._look(exit_pass)
        self._scan, self._scanned_ms = Scan(self.setup.gate, exit_pass, seen, by), self._desk.clock.monotonic_ms()
        return await self._answer(self._scan)

    async def _answer(self, scan: Scan) -> VerdictView:
        committed = await self._desk.commit(lambda books: passage.pass_gate(books, self._desk.plant, scan))
        self._scan = replace(scan, told_now=False)
        if isinstance(committed, Refusal):
            outcome = Outcome(GateDecision(Verdict.REFUSE, committed), None)
        else:
            outcome = committed
        barrier = ""
        if outcome.decision.verdict is Verdict.OPEN:
            crashpoint("gate.used")
            outcome, barrier = await self._open(scan, outcome)
        self._show(scan, outcome, barrier)
        assert self._last is not None
        return self._last

    async def _open(self, scan: Scan, outcome: Outcome) -> tuple[Outcome, str]:
        source = f"barrier {self.setup.gate}"
        try:
            await self._worker.call(self._barrier.open_once, timeout_s=_PULSE_DEADLINE_S)
        except DriverError as error:
            why = refuse(Reason.BARRIER_FAILED, what=error.what, what_en=error.what)
            self._desk.raise_alarm(source, why.words)
            return replace(outcome, decision=GateDecision(Verdict.REFUSE, why)), "failed"
        self._desk.clear_alarm(source)
        if isinstance(scan.exit_pass, ExitPass):
            pass_id = scan.exit_pass.pass_id
            await self._desk.commit(lambda books: books.tickets.opened(pass_id))
        crashpoint("gate.opened")
        return outcome, "opened"

    async def _remember_today(self) -> None:
        """After a restart: today's list as the ledger has it."""
        desk = self._desk
        self._day = desk.plant.business_date(desk.clock.now())
        passages = await desk.database.read(
            lambda books: passage.passages(books, desk.plant, self.setup.gate, self._day)
        )
        self._today.extend(passages[:_SHOWN])
        self._released_today = sum(1 for each in passages if each.verdict == Verdict.OPEN.value)

    async def _look_at_barrier(self) -> None:
        source = f"barrier {self.setup.gate}"
        try:
            self._inputs = await self._worker.call(self._barrier.inputs, timeout_s=_INPUTS_DEADLINE_S)
        except DriverError as error:
            self._inputs = None
            self._desk.raise_alarm(source, Words(f"道闸无应答:{error.what}", f"barrier: {error.what}"))
        else:
            self._desk.clear_alarm(source)

    def _show(self, scan: Scan, outcome: Outcome, barrier: str) -> None:
        desk, decision, seen = self._desk, outcome.decision, scan.seen
        now = desk.clock.now()
        free = seen.match.free if seen.match else None
        view: TicketView | None = paper_view(desk.plant, outcome.stored) if outcome.stored else None
        self._last = VerdictView(
            verdict=decision.verdict.value,
            why=Why.of(decision.why) if decision.why else None,
            ticket=view,
            plate_pass=view.plate if view else "",
            plate_seen=seen.plate,
            confidence_permille=free.confidence_permille if free else 0,
            overridable=decision.why is not None and view is not None and decision.why.reason in OVERRIDABLE,
            at=desk.plant.local(now),
            picture=seen.picture,
            overridden_by=scan.override_name if decision.verdict is Verdict.OPEN else "",
            barrier=barrier,
            look=plates.look_view(plates.look_record(seen)),
            plate_asked=decision.why is not None and decision.why.reason is Reason.PLATE_UNSURE and view is not None,
            plate_by=scan.compared.by if scan.compared and scan.compared.same else "",
        )
        shown = (seen.picture, seen.crop) if self._last.plate_asked or self._last.overridable else ()
        self._pictures.hold(f"gate {self.setup.gate}", shown)
        self._count(decision, view, seen)
        self._publish()

    def _count(self, decision: GateDecision, view: TicketView | None, seen: Seen) -> None:
        desk = self._desk
        day = desk.plant.business_date(desk.clock.now())
        if day != self._day:
            self._day, self._released_today = day, 0
            self._today.clear()
        if decision.verdict is Verdict.OPEN:
            self._released_today += 1
        words = decision.why.words if decision.why else passage.RELEASED
        plate = view.plate if view else seen.plate
        at = desk.plant.local_minute(desk.clock.now())
        self._today.appendleft(PassageView(at, plate, view.net_kg if view else None, decision.verdict.value, words))

    def _publish(self) -> None:
        self._desk.live.publish(f"gate/{self.setup.gate}", as_json(self.view()))
