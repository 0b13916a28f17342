"""Steps of a visit that need no weight: called to a lane, loading begun, parked, cancelled. Inside one transaction."""

from dataclasses import replace

from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.visit import Visit, VisitEvent, VisitState, next_state
from edge.station.notices import end_visit, moved
from edge.station.views import Done
from edge.store.books import Books

ON_LANE = frozenset({VisitState.ADMITTED, VisitState.TARED, VisitState.LOADING, VisitState.HELD})
"""A visit in one of these states keeps its lane until it is parked or finished."""


def fresh(books: Books, name: str) -> Visit:
    """The visit as it stands inside this transaction."""
    visit = books.visits.get(name)
    if visit is None:
        raise AssertionError(f"visit {name} vanished from the books")
    return visit


def step(books: Books, lane: str, name: str, event: VisitEvent, by: str) -> Done | Refusal:
    """One plain transition, with its record."""
    visit = fresh(books, name)
    following = next_state(visit.state, event)
    if isinstance(following, Refusal):
        return following
    books.visits.put(replace(visit, state=following))
    books.ledger.append(moved(visit, event, following, books.clock.now(), by, lane=lane))
    return Done(Words(f"{visit.plate} {following.words.zh}", f"{visit.plate}: {following.words.en}"))


def call_to_lane(books: Books, lane: str, name: str, by: str) -> Done | Refusal:
    """叫车上磅: from the queue, or back from loading elsewhere. The lane must be free, and the truck on no other."""
    visit = books.visits.get(name)
    if visit is None:
        return refuse(Reason.VISIT_UNKNOWN, visit=name)
    lanes = books.lanes()
    if (other := next((key for key, each in lanes.items() if each.visit == name and key != lane), "")) != "":
        return refuse(Reason.OTHER_LANE, plate=visit.plate, lane=other)
    row = lanes.get(lane)
    standing = books.visits.get(row.visit) if row and row.visit else None
    if standing is not None and standing.visit != name and standing.state in ON_LANE:
        return refuse(Reason.LANE_BUSY, plate=standing.plate)
    outcome = step(books, lane, name, VisitEvent.CALL, by)
    if isinstance(outcome, Done):
        books.vacate(name)
        books.occupy(lane, name)
    return outcome


def park(books: Books, visit: Visit) -> Done:
    """Drive off to load elsewhere: the lane is free, the visit stays where it was."""
    books.vacate(visit.visit)
    return Done(Words(f"{visit.plate} 已移出,可叫下一车", f"{visit.plate} moved away; the lane is free"))


def cancel(books: Books, name: str, by: str, reason: str) -> Done | Refusal:
    """取消: the visit ends without a ticket, its money is free again."""
    visit = fresh(books, name)
    ended = end_visit(books, visit, VisitEvent.CANCEL, by=by, reason=reason)
    return ended if isinstance(ended, Refusal) else Done(Words(f"{visit.plate} 已取消", f"{visit.plate} cancelled"))
