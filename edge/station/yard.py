"""The yard: trucks arrive against a notice, wait in a queue that everybody can see, and notices run out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from edge.domain.dispatch import tidy_plate
from edge.domain.plate_check import Agreement, Place, check_plate
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.visit import Visit, VisitEvent, VisitState, next_state
from edge.station import plates
from edge.station.desk import Desk
from edge.station.eyes import Eyes, Seen
from edge.station.lane_view import queue_entries
from edge.station.notices import end_visit, moved
from edge.station.views import ArrivalView, Done, QueueView
from edge.store.books import Books

ENTRANCE = "entrance"
_LOOK_IS_GOOD_MS = 120_000


@dataclass(frozen=True, slots=True)
class Sighting:
    """A look at the entrance. `shown`: the person who registers the truck had it before his eyes."""

    seen: Seen
    taken_ms: int
    shown: bool = False


class Yard:
    """Arrivals, notices and the queue board."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.eyes: Eyes | None = None
        """The entrance's camera; None where there is none."""
        self._sighting: Sighting | None = None

    async def look(self) -> ArrivalView:
        """Who stands at the entrance: the open notices' trucks that it may be. Nothing is done before a person taps."""
        self._sighting = await self._look()
        if self._sighting is None:
            return ArrivalView(None, (), False)
        seen = self._sighting.seen
        match = seen.match
        sure = match is not None and match.plate is not None
        found = tuple(near.plate for near in match.nearest) if match else ()
        named = (match.plate,) if match and match.plate else found
        return ArrivalView(plates.look_view(plates.look_record(seen)), named, sure)

    async def arrive(self, plate: str, by: str, shown: str = "") -> Done | Refusal:
        """A truck stands at the entrance: it joins the queue when it has an open notice. `shown` is the picture that
        the person saw; without one the camera looks by itself, for the record.
        """
        tidy = tidy_plate(plate)
        if not tidy:
            return refuse(Reason.PLATE_MISSING)
        known, self._sighting = self._sighting, None
        fresh = known is not None and self._desk.clock.monotonic_ms() - known.taken_ms <= _LOOK_IS_GOOD_MS
        if known is not None and fresh and shown and known.seen.picture == shown:
            sighting: Sighting | None = replace(known, shown=True)
        else:
            sighting = await self._look(tidy)
        return await self._desk.commit(lambda books: arrive(books, self._desk.plant.local, tidy, by, sighting))

    async def _look(self, claimed: str = "") -> Sighting | None:
        if self.eyes is None:
            return None
        noticed = [visit.plate for visit in self._desk.snapshot.in_states(VisitState.NOTICED)]
        seen = await self.eyes.look((claimed, *noticed))
        return Sighting(seen, self._desk.clock.monotonic_ms())

    async def expire(self) -> None:
        """End notices whose time has passed. Called about twice a minute; does nothing while the clock is doubtful."""
        clock = self._desk.clock
        if not clock.trusted():
            return
        waiting = self._desk.snapshot.in_states(VisitState.NOTICED, VisitState.QUEUED)
        late = [visit.visit for visit in waiting if visit.notice.expires_at <= clock.now()]
        for name in late:
            await self._desk.commit(lambda books, name=name: _expire(books, name))  # type: ignore[misc]

    async def notices(self) -> list[dict[str, Any]]:
        """Open notices for the list, plain values."""
        return [
            {
                "notice": visit.notice.notice,
                "plate": visit.plate,
                "customer_name": visit.notice.customer_name,
                "product": visit.notice.product,
                "mode": visit.notice.mode.value,
                "limit_kg": visit.notice.limit_kg,
                "hold_fen": visit.hold_fen,
                "wanted_fen": visit.wanted_fen,
                "price_fen_per_t": visit.notice.price_fen_per_t,
                "expires_at": self._desk.plant.local(visit.notice.expires_at),
                "state": visit.state.value,
                "state_zh": visit.state.words.zh,
                "state_en": visit.state.words.en,
            }
            for visit in self._desk.snapshot.in_states(*VisitState)
        ]

    def queue_view(self) -> QueueView:
        """The board for drivers."""
        return QueueView(
            plant_name=self._desk.plant.name,
            waiting=queue_entries(self._desk, VisitState.QUEUED),
            serving=queue_entries(
                self._desk, VisitState.ADMITTED, VisitState.TARED, VisitState.LOADING, VisitState.HELD
            ),
        )


def arrive(
    books: Books, local: Callable[[datetime], str], plate: str, by: str, sighting: Sighting | None = None
) -> Done | Refusal:
    """NOTICED → QUEUED for the oldest valid notice of this plate; one open visit per plate."""
    inside = books.visits.in_plant(plate)
    if inside is not None:
        words = inside.state.words
        return refuse(Reason.VISIT_OPEN, plate=plate, state=words.zh, state_en=words.en)
    notices = books.visits.noticed(plate)
    if not notices:
        return refuse(Reason.NO_NOTICE, plate=plate)
    now = books.clock.now()
    valid = [visit for visit in notices if visit.notice.expires_at > now or not books.clock.trusted()]
    if not valid:
        last = notices[-1].notice
        return refuse(Reason.NOTICE_EXPIRED, notice=last.notice, expired_at=local(last.expires_at))
    return _queue(books, valid[0], now, by, sighting)


def _queue(books: Books, visit: Visit, now: datetime, by: str, sighting: Sighting | None) -> Done | Refusal:
    following = next_state(visit.state, VisitEvent.ARRIVE)
    if isinstance(following, Refusal):
        return following
    number = books.visits.next_queue_number()
    books.visits.put(replace(visit, state=following, queue_number=number, arrived_at=now))
    look = plates.look_record(sighting.seen) if sighting else None
    books.tell(moved(visit, VisitEvent.ARRIVE, following, now, by).model_copy(update={"look": look}))
    if sighting is not None:
        _compare(books, visit, sighting, by)
    return Done(Words(f"{visit.plate} 排队 {number} 号", f"{visit.plate}: number {number} in the queue"))


def _compare(books: Books, visit: Visit, sighting: Sighting, by: str) -> None:
    """Nobody is turned away at the entrance for what a camera reads. Where it does not agree, the person who registered
    the truck has decided, if the picture was before him; else the doubt is on record.
    """
    at = plates.Standpoint(Place.ARRIVAL, ENTRANCE, visit.visit, visit.plate)
    check = check_plate(visit.plate, sighting.seen.match)
    if check.agreement in (Agreement.AGREES, Agreement.NOT_SEEN):
        return
    if sighting.shown:
        plates.decided(books, at, sighting.seen, plates.Compared(True, by))
    else:
        plates.doubt(books, at, sighting.seen, check, by)


def _expire(books: Books, name: str) -> None:
    visit = books.visits.get(name)
    # Looked at again: an amendment may have come since the snapshot.
    if visit is not None and visit.notice.expires_at <= books.clock.now():
        end_visit(books, visit, VisitEvent.EXPIRE, by="system", reason="通知单过期")
