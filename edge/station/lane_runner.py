"""The one owner of a lane: carries out the page's commands one by one, publishes the view.

Nothing else in the program changes a lane. A command asks for a stable weight, runs one transaction (`weighing`), and
only after its commit does anything act.
"""

import asyncio
from collections.abc import Awaitable, Callable

from drivers.ports import Camera, Loops, Scale
from edge.domain.decision import CLEARED_BY_MONEY
from edge.domain.plate_check import Place
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.scale_monitor import Capture, ScaleState
from edge.domain.visit import Visit, VisitEvent, VisitState
from edge.station import moves, plates, weighing
from edge.station.crops import CropStore
from edge.station.desk import Desk
from edge.station.eyes import Eyes, Seen
from edge.station.lane_plate import LanePlate
from edge.station.lane_scale import LaneScale, LaneSetup
from edge.station.lane_view import (
    actions,
    barred_words,
    hold_view,
    limit_and_money,
    may_zero,
    occupied,
    queue_entries,
    visit_view,
)
from edge.station.pictures import PictureStore
from edge.station.plant import Plant
from edge.station.scale_alarms import Booked, booked_since
from edge.station.topup import read_code, take_code
from edge.station.views import Done, LaneView, LinkView, Why, as_json
from edge.station.zeroing import zero
from edge.store.books import Books
from edge.store.crashpoint import crashpoint

Outcome = Done | Refusal
LinkSource = Callable[[], LinkView]
Weighing = Callable[[Books, Plant, Visit, weighing.Press], Outcome]
_PLACES: dict[Weighing, Place] = {weighing.weigh_tare: Place.TARE, weighing.leave_empty: Place.EMPTY}
_PUBLISH_EVERY_MS = 25
_TICK_S = 0.1
_HEARTBEAT_TICKS = 8
_MOST_DIGITS = 15


def _near(confirmed_kg: str, weight_kg: int, division_kg: int) -> bool:
    """Whether the weight is still the one that a person confirmed."""
    digits = confirmed_kg.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and abs(int(confirmed_kg) - weight_kg) <= division_kg


class LaneRunner:
    """One weighbridge lane."""

    def __init__(
        self,
        setup: LaneSetup,
        scale: Scale,
        camera: Camera | None,
        desk: Desk,
        pictures: PictureStore,
        link: LinkSource,
        loops: Loops | None = None,
        crops: CropStore | None = None,
    ) -> None:
        self.setup = setup
        self.scale = LaneScale(setup, scale, loops, desk, changed=self._publish, reading=self._reading)
        self._desk = desk
        self._link = link
        self._eyes = Eyes(f"camera {setup.lane}", camera, desk, pictures)
        self._plate: LanePlate[Weighing] = LanePlate(setup.lane, self._eyes, desk, pictures, crops)
        self._lock = asyncio.Lock()
        self._last: Refusal | None = None
        self._done: Words | None = None
        self._published_ms = 0
        self._publish_due = False
        self._tried_spendable: dict[str, int] = {}

    def start(self) -> None:
        """Start the scale's and the camera's threads."""
        self._eyes.start()
        self.scale.start()

    async def run(self) -> None:
        """Watch the scale, keep the page and the lane up to date, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.scale.run())
            group.create_task(self._eyes.run())
            group.create_task(self._tick())

    async def _tick(self) -> None:
        """Notice an old weight, keep pages alive, free the lane, try again when money came."""
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_S)
            ticks += 1
            self._forget_done()
            if (lost := self.scale.state() is ScaleState.LOST) or ticks % _HEARTBEAT_TICKS == 0:
                self._publish()
            if lost:
                self._plate.left()
            await self._free_when_gone()
            await self._recheck_when_paid()

    async def stop(self) -> None:
        """Let go of the devices."""
        await asyncio.gather(self.scale.stop(), self._eyes.stop())

    # Commands of the page. Each answers Done or a Refusal, and remembers it for the screen. `visit` is the one the
    # page showed: a press meant for it never acts on the next truck. Empty means whichever stands here.

    async def call(self, visit: str, by: str) -> Outcome:
        """Call a truck to this lane: from the queue, or back from loading elsewhere."""
        return await self._command(lambda: self._call(visit, by))

    async def tare(self, by: str, visit: str = "") -> Outcome:
        """称皮重: weigh the empty truck."""
        return await self._command(lambda: self._weigh(by, weighing.weigh_tare), visit)

    async def start_loading(self, by: str, visit: str = "") -> Outcome:
        """开始装车: only after the tare, only with a notice (Art 21)."""
        return await self._command(lambda: self._move(by, VisitEvent.START_LOADING), visit)

    async def load_complete(self, by: str, visit: str) -> Outcome:
        """装车完成 for the visit that the page showed; pressing twice answers with the same ticket."""
        return await self._command(lambda: self._load_complete(by, visit))

    async def recheck(self, by: str, visit: str = "") -> Outcome:
        """Weigh a held load and decide again, after a top-up or an amendment."""
        return await self._command(lambda: self._weigh(by, weighing.recheck), visit)

    async def unload(self, by: str, visit: str = "") -> Outcome:
        """卸货重磅: back to loading."""

        async def back(held: Visit) -> Outcome:
            return await self._commit(lambda books: weighing.unload(books, moves.fresh(books, held.visit), by))

        return await self._command(lambda: self._with_visit(back), visit)

    async def cancel(self, by: str, reason: str, visit: str = "") -> Outcome:
        """取消: the notice's money goes back."""

        async def end(standing: Visit) -> Outcome:
            return await self._commit(lambda books: moves.cancel(books, standing.visit, by, reason or "调度取消"))

        return await self._command(lambda: self._with_visit(end), visit)

    async def empty_exit(self, by: str, visit: str = "") -> Outcome:
        """空车出门: weighed again and as light as it came."""
        return await self._command(lambda: self._weigh(by, weighing.leave_empty), visit)

    async def topup(self, code: str, by: str, visit: str = "") -> Outcome:
        """充值码: money that head office signed on paper, for a plant whose link is down. A held load is decided again
        by the lane itself, as when the money came by link.
        """

        async def take() -> Outcome:
            desk = self._desk
            standing = desk.snapshot.on_lane(self.setup.lane)
            name = standing.visit if standing else ""
            grant = read_code(desk.plant, code)
            if isinstance(grant, Refusal):
                return grant
            return await self._commit(lambda books: take_code(books, grant, by, name))

        return await self._command(take, visit)

    async def park(self, by: str, visit: str = "") -> Outcome:
        """Drive off to load elsewhere; the lane is free for the next truck."""

        async def leave(standing: Visit) -> Outcome:
            return await self._commit(lambda books: moves.park(books, standing))

        return await self._command(lambda: self._with_visit(leave), visit)

    async def zero(self, by: str, confirmed_kg: str) -> Outcome:
        """置零: tell the indicator to set the empty deck to zero, if it still shows what the person confirmed."""

        async def tell() -> Outcome:
            weight_kg = may_zero(self._desk, self.scale)
            if isinstance(weight_kg, Refusal):
                return weight_kg
            if not _near(confirmed_kg, weight_kg, self.setup.rules.division_kg):
                return refuse(Reason.ZERO_CHANGED)
            return await zero(self._desk, self.scale, weight_kg, by)

        return await self._command(tell)

    async def compare(self, by: str, visit: str, same: bool, shown: str, note: str = "") -> Outcome:
        """是这辆车 or 不是: the dispatcher has compared the truck, of which the camera was not sure. What was pressed
        before goes on: weighed when it is the truck, held or refused when not. `shown` is the picture that was shown.
        """
        return await self._command(lambda: self._compare(by, visit, same, shown, note), visit)

    async def see_alarm(self, by: str, alarm: str, note: str) -> Outcome:
        """确认报警: a person has looked at an alarm of the scale watch, and says what it was."""
        number = int(alarm) if alarm.isdecimal() and len(alarm) <= _MOST_DIGITS else 0
        return await self._command(lambda: self.scale.watch.see(number, by, note))

    def view(self) -> LaneView:
        """The lane now."""
        desk = self._desk
        visit = desk.snapshot.on_lane(self.setup.lane)
        both = limit_and_money(desk, self.scale, visit) if visit else None
        return LaneView(
            lane=self.setup.lane,
            name=self.setup.name,
            scale=self.scale.view(),
            visit=visit_view(desk, visit) if visit else None,
            limit=both[0] if both else None,
            money=both[1] if both else None,
            hold=hold_view(desk, visit) if visit else None,
            actions=actions(desk, self.scale),
            queue=queue_entries(desk, VisitState.QUEUED, VisitState.TARED, VisitState.LOADING, VisitState.HELD),
            link=self._link(),
            curve_kg=self.scale.curve_kg(),
            alarms=desk.alarms,
            last=Why.of(self._last) if self._last else None,
            done=self._done,
            barred=barred_words(desk.snapshot),
            scale_alarms=self.scale.watch.standing,
            scale_alarm_count=self.scale.watch.count,
            plate_question=self._plate.view(visit),
        )

    def left_kg(self) -> tuple[str, int | None]:
        """The visit on the deck, and what it may still load."""
        visit = self._desk.snapshot.on_lane(self.setup.lane)
        both = limit_and_money(self._desk, self.scale, visit) if visit else None
        return (visit.visit if visit else "", both[0].left_kg if both else None)

    def changed(self) -> None:
        """The books changed: show it."""
        self._publish()

    async def _command(self, work: Callable[[], Awaitable[Outcome]], shown: str = "") -> Outcome:
        async with self._lock:
            try:
                outcome = self._changed_since(shown) or await work()
            except Exception as bug:
                self._desk.fail(bug)  # an unknown state must not go on weighing
                raise
            self._last = outcome if isinstance(outcome, Refusal) else None
            self._done = None if isinstance(outcome, Refusal) else outcome.words
            self._publish()
            return outcome

    def _changed_since(self, shown: str) -> Refusal | None:
        standing = self._desk.snapshot.on_lane(self.setup.lane)
        if not shown or standing is None or standing.visit == shown:
            return None
        return refuse(Reason.LANE_CHANGED, visit=shown)

    async def _commit(self, work: Callable[[Books], Outcome]) -> Outcome:
        return await self._desk.commit(work)

    async def _with_visit(self, work: Callable[[Visit], Awaitable[Outcome]]) -> Outcome:
        visit = self._desk.snapshot.on_lane(self.setup.lane)
        return await work(visit) if visit else refuse(Reason.NO_VISIT)

    async def _call(self, visit: str, by: str) -> Outcome:
        standing = self._desk.snapshot.on_lane(self.setup.lane)
        other = standing if standing is not None and standing.visit != visit else None
        if (busy := occupied(self.scale, other)) is not None:
            return busy
        return await self._commit(lambda books: moves.call_to_lane(books, self.setup.lane, visit, by))

    async def _load_complete(self, by: str, shown: str) -> Outcome:
        visit = self._desk.snapshot.on_lane(self.setup.lane)
        if visit is None or visit.visit != shown:
            ticketed = await self._desk.database.read(lambda books: books.visits.get(shown))
            if ticketed is not None and ticketed.ticket and ticketed.state is not VisitState.VOIDED:
                return weighing.already_ticketed(ticketed)
            return refuse(Reason.LANE_CHANGED, visit=shown) if visit else refuse(Reason.NO_VISIT)
        if visit.ticket:
            return weighing.already_ticketed(visit)
        return await self._weigh(by, weighing.load_complete)

    async def _compare(self, by: str, visit: str, same: bool, shown: str, note: str) -> Outcome:
        compared = plates.Compared(same, by, reason=note)
        pressed = await self._plate.answer(visit, shown, compared)
        return pressed if isinstance(pressed, Refusal) else await self._weigh(by, pressed, compared)

    async def _weigh(self, by: str, book: Weighing, compared: plates.Compared | None = None) -> Outcome:
        visit = self._desk.snapshot.on_lane(self.setup.lane)
        if visit is None:
            return refuse(Reason.NO_VISIT)
        if (expired := self.scale.unverified()) is not None:
            return expired
        seen = await self._plate.look(visit, self.scale.shown_kg())
        capture = self.scale.capture(visit)
        if isinstance(capture, Refusal):
            return capture
        booked: list[Booked] = []
        press_of = self._press(capture, seen, by, compared or self._plate.compared(visit.visit))

        def press(books: Books) -> Outcome:
            before = books.ledger.head().seq
            told = book(books, self._desk.plant, moves.fresh(books, visit.visit), press_of)
            booked[:] = booked_since(books, before) if self.scale.watch.on else []
            return told

        outcome = await self._commit(press)
        if isinstance(outcome, Refusal) and outcome.reason is Reason.PLATE_UNSURE:
            self._plate.asked(visit, seen, book, outcome, _PLACES.get(book, Place.LOAD))
        else:
            self._plate.settled(visit.visit)
        for each in booked:
            self.scale.watch.booked(each)
        if self._desk.snapshot.captured_on(self.setup.lane) == visit.visit:
            self.scale.monitor.captured()
        crashpoint("press.after_commit")
        return outcome

    def _press(self, capture: Capture, seen: Seen, by: str, compared: plates.Compared | None) -> weighing.Press:
        crashpoint("press.before_commit")
        setup = self.setup
        return weighing.Press(setup.lane, setup.indicator, setup.rules, capture, seen, by, compared)

    async def _move(self, by: str, event: VisitEvent) -> Outcome:
        return await self._with_visit(
            lambda visit: self._commit(lambda books: moves.step(books, self.setup.lane, visit.visit, event, by))
        )

    def _forget_done(self) -> None:
        """What was done is no news once the weight is lost, or something comes onto the deck of a free lane."""
        weight_kg, free = self.scale.shown_kg(), self._desk.snapshot.on_lane(self.setup.lane) is None
        came = free and weight_kg is not None and weight_kg >= self.setup.rules.truck_kg
        if came or self.scale.state() is ScaleState.LOST:
            self._done = None

    async def _free_when_gone(self) -> None:
        """A truck that is done and has left the deck no longer stands on the lane."""
        row = self._desk.snapshot.lanes.get(self.setup.lane)
        if row is None or not row.visit or not self.scale.left():
            return
        visit = self._desk.snapshot.visits.get(row.visit)
        if visit is None or visit.state not in moves.ON_LANE:
            async with self._lock:
                await self._desk.commit(lambda books: books.vacate(row.visit))
                self._done = None

    async def _recheck_when_paid(self) -> None:
        """A grant made a held load affordable: decide again by itself while the truck still stands there."""
        visit = self._desk.snapshot.on_lane(self.setup.lane)
        if visit is None or visit.held is None or visit.held.refusal.reason not in CLEARED_BY_MONEY:
            return
        spendable = visit.hold_fen + self._desk.snapshot.accounts[visit.notice.account].available_fen
        if visit.held.refusal.number("amount_fen") > spendable or self._tried_spendable.get(visit.visit) == spendable:
            return
        capture = self.scale.capture(visit)
        if isinstance(capture, Refusal) or abs(capture.gross_kg - visit.held.gross_kg) > self.setup.rules.division_kg:
            return  # moving, or not the load that was held: a person must press
        self._tried_spendable = {visit.visit: spendable}
        await self.recheck("auto")

    def _reading(self) -> None:
        """A weight came. Who left was compared for the last time; so was who may have, while nobody saw the weight."""
        if self.scale.left():
            self._plate.left()
        self._publish_soon()

    def _publish_soon(self) -> None:
        if self._publish_due:
            return
        wait_ms = self._published_ms + _PUBLISH_EVERY_MS - self._desk.clock.monotonic_ms()
        if wait_ms <= 0:
            self._publish()
        else:
            self._publish_due = True
            asyncio.get_running_loop().call_later(wait_ms / 1000, self._publish)

    def _publish(self) -> None:
        self._publish_due = False
        self._published_ms = self._desk.clock.monotonic_ms()
        self._desk.live.publish(f"lane/{self.setup.lane}", as_json(self.view()))
