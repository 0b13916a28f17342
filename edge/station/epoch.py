"""What a plant epoch may no longer do, and how it ends: money recalled, the epoch closing, the epoch closed.

Every function runs inside the caller's transaction. Books that are fenced give nothing back and close nothing: they do
not know what was spent, and head office would free that money a second time.
"""

from edge.domain.refusal import Reason, Refusal, refuse
from edge.domain.visit import HOLD_OPEN, VisitEvent, VisitState
from edge.station.notices import end_visit, fill_holds
from edge.store.books import Books, Mode
from sync.documents import CloseEpoch, Recall
from sync.records import EpochClosed, FinalCounters, Returned

_CLOSING_REASON = "关账期"
FINAL_ACCOUNTS = 2_000
"""As many accounts as one record can tell and still fit a message; those that moved most are told."""


def bar(mode: Mode) -> Refusal | None:
    """Why nothing new may be booked in this mode: no ticket, no void, no money. None while it may."""
    match mode:
        case "fenced":
            return refuse(Reason.FENCED)
        case "closed":
            return refuse(Reason.EPOCH_CLOSED)
        case "live":
            return None


def take_recall(books: Books, recall: Recall) -> None:
    """收回额度: give back what is neither held nor spent above `keep_fen`. Holds stay."""
    if books.mode == "live":
        _give_back(books, recall.account, recall.keep_fen, recall.reason or "总部收回")


def begin_closing(books: Books, order: CloseEpoch) -> None:
    """关账期: trucks that have not arrived are cancelled; those in the yard are still served from their holds."""
    if books.mode != "live" or books.closing:
        return
    books.keep("closing", order.reason or _CLOSING_REASON)
    for visit in books.visits.open():
        if visit.state is VisitState.NOTICED:
            end_visit(books, visit, VisitEvent.CANCEL, by="head office", reason=_CLOSING_REASON)


def finish_closing(books: Books) -> None:
    """In a closing epoch, after each change: money that came free goes to trucks in the yard that lack it, then back to
    head office, and with the last hold the epoch ends.
    """
    if not books.closing or books.mode != "live":
        return
    for account, counters in books.accounts.all().items():
        if counters.available_fen:
            fill_holds(books, account)
            _give_back(books, account, 0, _CLOSING_REASON)
    if any(visit.state in HOLD_OPEN for visit in books.visits.open()):
        return
    moved = {name: each for name, each in books.accounts.all().items() if each.granted_fen}
    told = sorted(moved, key=lambda name: (-moved[name].spent_fen, name))[:FINAL_ACCOUNTS]
    final = {
        name: FinalCounters(
            granted_fen=moved[name].granted_fen,
            returned_fen=moved[name].returned_fen,
            spent_fen=moved[name].spent_fen,
            voided_fen=moved[name].voided_fen,
        )
        for name in told
    }
    books.ledger.append(EpochClosed(accounts=final, at=books.clock.now()))
    books.keep("closed", "1")


def _give_back(books: Books, account: str, keep_fen: int, reason: str) -> None:
    counters = books.accounts.get(account)
    more_fen = counters.available_fen - keep_fen
    if more_fen <= 0:
        return
    after = counters.give_back(more_fen)
    books.accounts.put(account, after)
    books.ledger.append(Returned(account=account, returned_fen=after.returned_fen, reason=reason))
