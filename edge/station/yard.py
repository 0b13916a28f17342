"""The yard: trucks arrive against a notice, wait in a queue that everybody can see, and notices run out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from edge.domain.dispatch import tidy_plate
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.visit import Visit, VisitEvent, VisitState, next_state
from edge.station.desk import Desk
from edge.station.lane_view import queue_entries
from edge.station.notices import end_visit, moved
from edge.station.views import Done, QueueView
from edge.store.books import Books


class Yard:
    """Arrivals, notices and the queue board."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def arrive(self, plate: str, by: str) -> Done | Refusal:
        """A truck stands at the entrance: it joins the queue when it has an open notice."""
        tidy = tidy_plate(plate)
        if not tidy:
            return refuse(Reason.PLATE_MISSING)
        return await self._desk.commit(lambda books: arrive(books, self._desk.plant.local, tidy, by))

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


def arrive(books: Books, local: Callable[[datetime], str], plate: str, by: str) -> Done | Refusal:
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
    return _queue(books, valid[0], now, by)


def _queue(books: Books, visit: Visit, now: datetime, by: str) -> Done | Refusal:
    following = next_state(visit.state, VisitEvent.ARRIVE)
    if isinstance(following, Refusal):
        return following
    number = books.visits.next_queue_number()
    books.visits.put(replace(visit, state=following, queue_number=number, arrived_at=now))
    books.ledger.append(moved(visit, VisitEvent.ARRIVE, following, now, by))
    return Done(Words(f"{visit.plate} 排队 {number} 号", f"{visit.plate}: number {number} in the queue"))


def _expire(books: Books, name: str) -> None:
    visit = books.visits.get(name)
    # Looked at again: an amendment may have come since the snapshot.
    if visit is not None and visit.notice.expires_at <= books.clock.now():
        end_visit(books, visit, VisitEvent.EXPIRE, by="system", reason="通知单过期")
