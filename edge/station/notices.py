"""Head office's documents in the plant's books: a notice places its hold, an amendment moves it, a cancel releases it.

Every function runs inside the caller's transaction and repeats harmlessly.
"""

from dataclasses import replace
from datetime import datetime

from edge.domain.account import lower_hold, place_hold, raise_hold
from edge.domain.dispatch import tidy_plate
from edge.domain.refusal import Refusal
from edge.domain.visit import HOLD_OPEN, Visit, VisitEvent, VisitState, next_state
from edge.store.books import Books
from edge.store.visits import notice_from_wire
from sync.documents import Notice, NoticeCancelled
from sync.fields import NOTICE_NUMBER
from sync.orders import digest
from sync.records import Granted, HoldChanged, NoticeRefused, NoticeTaken, VisitMoved


def take_notice(books: Books, order: Notice) -> None:
    """A notice arrived. Known ones change only by a higher version; an expired one, one whose number no page's address
    can carry, or one for an epoch that is being closed is refused and says so.
    """
    if order.issued_at <= books.clock.now():
        # Signed by head office, and no later than we think it is: a time that was surely reached.
        books.clock.witness(order.issued_at)
    known = books.visits.get(order.notice)
    if known is not None:
        _amend(books, known, order)
    elif books.closing:
        _refuse(books, order, "closed" if books.mode == "closed" else "closing")
    elif NOTICE_NUMBER.fullmatch(order.notice) is None:
        _refuse(books, order, "bad number")
    elif order.expires_at <= books.clock.now() and books.clock.trusted():
        _refuse(books, order, "expired")
    else:
        notice = notice_from_wire(order)
        counters, hold_fen = place_hold(books.accounts.get(order.account), order.hold_fen)
        visit = Visit(notice, VisitState.NOTICED, hold_fen, order.hold_fen)
        books.accounts.put(order.account, counters)
        books.visits.add(visit, order)
        books.ledger.append(_taken(visit, order))


def cancel_notice(books: Books, cancelled: NoticeCancelled) -> None:
    """Head office takes a notice back: allowed until the truck is tared."""
    visit = books.visits.get(cancelled.notice)
    if visit is None:
        return
    outcome = end_visit(books, visit, VisitEvent.CANCEL, by="head office", reason=cancelled.reason or "总部取消")
    if isinstance(outcome, Refusal):
        books.ledger.append(
            NoticeRefused(notice=cancelled.notice, version=visit.notice.version, reason="cancel too late")
        )


def end_visit(books: Books, visit: Visit, event: VisitEvent, *, by: str, reason: str) -> Visit | Refusal:
    """Finish a visit without a ticket (cancel, expire, leave empty): its hold goes back, once."""
    following = next_state(visit.state, event)
    if isinstance(following, Refusal):
        return following
    counters = books.accounts.get(visit.notice.account)
    books.accounts.put(visit.notice.account, counters.release(visit.hold_fen))
    ended = replace(visit, state=following, hold_fen=0, wanted_fen=0, held=None)
    books.visits.put(ended)
    books.ledger.append(moved(visit, event, following, books.clock.now(), by, reason, released_fen=visit.hold_fen))
    books.vacate(visit.visit)
    return ended


def moved(
    visit: Visit,
    event: VisitEvent,
    state: VisitState,
    at: datetime,
    by: str,
    reason: str = "",
    *,
    lane: str = "",
    released_fen: int = 0,
) -> VisitMoved:
    """The ledger record of a step that moved neither weight nor money out."""
    return VisitMoved(
        visit=visit.visit,
        notice=visit.notice.notice,
        plate=visit.plate,
        event=event.value,
        state=state.value,
        at=at,
        operator=by,
        lane=lane,
        reason=reason,
        account=visit.notice.account,
        released_fen=released_fen,
    )


def take_grant(books: Books, account: str, granted_fen: int, *, by: str = "") -> bool:
    """Head office's cumulative grant; True when it raised ours. Short holds of this account are filled,
    oldest first. Fenced and closed books take no money. `by` is who carried it, '' when it came by link.
    """
    before = books.accounts.get(account)
    after = before.grant(granted_fen)
    if after == before or books.mode != "live":
        return False
    books.accounts.put(account, after)
    books.ledger.append(Granted(account=account, granted_fen=after.granted_fen, by=by))
    fill_holds(books, account)
    return True


def fill_holds(books: Books, account: str) -> None:
    """Short holds of this account are filled from what is available, in their turn."""
    waiting = [visit for visit in books.visits.lacking(account) if visit.state in HOLD_OPEN]
    for visit in sorted(waiting, key=_turn):
        _fill_hold(books, visit)


def _turn(visit: Visit) -> tuple[bool, bool, int, str]:
    """Whose hold is filled first: loads held for money, then trucks in the plant as they arrived, then notices."""
    return not visit.held_amount_fen, not visit.queue_number, visit.queue_number, visit.visit


def _fill_hold(books: Books, visit: Visit) -> None:
    wanted_fen = max(visit.wanted_fen, visit.held_amount_fen)
    counters, hold_fen = raise_hold(books.accounts.get(visit.notice.account), visit.hold_fen, wanted_fen)
    if hold_fen != visit.hold_fen:
        _change_hold(books, replace(visit, hold_fen=hold_fen))
        books.accounts.put(visit.notice.account, counters)


def _change_hold(books: Books, visit: Visit) -> None:
    books.visits.put(visit)
    books.ledger.append(
        HoldChanged(
            visit=visit.visit, notice=visit.notice.notice, account=visit.notice.account, hold_fen=visit.hold_fen
        )
    )


def _amend(books: Books, known: Visit, order: Notice) -> None:
    if order.version <= known.notice.version:
        if order.version == known.notice.version and not books.visits.came_as(known.visit, order):
            # Head office, restored from a copy, gave the number away again: silence would leave it waiting for a truck
            # that nobody lets in.
            _refuse(books, order, "number used")
        return
    other_truck = tidy_plate(order.plate) != known.plate and known.state is not VisitState.NOTICED
    if known.state not in HOLD_OPEN or order.account != known.notice.account or other_truck:
        _refuse(books, order, "amended too late")
        return
    notice = notice_from_wire(order)
    counters, hold_fen = lower_hold(books.accounts.get(order.account), known.hold_fen, order.hold_fen)
    counters, hold_fen = raise_hold(counters, hold_fen, order.hold_fen)
    amended = replace(known, notice=notice, hold_fen=hold_fen, wanted_fen=order.hold_fen)
    books.accounts.put(order.account, counters)
    books.visits.amend(amended, order)
    books.visits.put(amended)
    books.ledger.append(_taken(amended, order))


def _refuse(books: Books, order: Notice, reason: str) -> None:
    books.ledger.append(NoticeRefused(notice=order.notice, version=order.version, reason=reason))


def _taken(visit: Visit, order: Notice) -> NoticeTaken:
    return NoticeTaken(
        notice=visit.notice.notice,
        version=visit.notice.version,
        visit=visit.visit,
        account=visit.notice.account,
        plate=visit.plate,
        hold_fen=visit.hold_fen,
        wanted_fen=visit.wanted_fen,
        order_sha256=digest(order),
    )
