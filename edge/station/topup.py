"""充值码 taken: head office's grant, carried by hand to a plant whose link is down. Inside one transaction.

The same cumulative total as by link, so a code that was scanned before, or overtaken by the link, changes nothing.
"""

from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.station.epoch import bar
from edge.station.head_office import own_term
from edge.station.notices import take_grant
from edge.station.plant import Plant
from edge.station.views import Done
from edge.store.books import Books
from sync.carried import CarriedFault, CarriedGrant, CarriedGrantError, TermMark
from sync.units import format_fen


def read_code(plant: Plant, code: str) -> CarriedGrant | Refusal:
    """What a scanned or typed code says, if head office signed it for this plant epoch."""
    if plant.office_key is None:
        return refuse(Reason.TOPUP_NO_OFFICE)
    try:
        grant = plant.office_key.read(code)
    except CarriedGrantError as error:
        return _unreadable(error)
    own = plant.instance
    if grant.instance.plant != own.plant:
        return refuse(Reason.TOPUP_OTHER_PLANT, code_plant=grant.instance.plant, plant=own.plant)
    if grant.instance != own:
        return refuse(Reason.TOPUP_OTHER_EPOCH, code_epoch=grant.instance.wire_id, epoch=own.wire_id)
    return grant


def take_code(books: Books, grant: CarriedGrant, by: str) -> Done | Refusal:
    """Book the grant of a code that `read_code` believed."""
    if (barred := bar(books.mode)) is not None:
        return barred
    term = own_term(books)
    if term is None or TermMark.of(term) != grant.term:
        return refuse(Reason.TOPUP_OTHER_TERM, code_term=grant.term.number, term=term.number if term else 0)
    before = books.accounts.get(grant.account)
    if grant.granted_fen <= before.granted_fen:
        return refuse(
            Reason.TOPUP_USED, account=grant.account, granted_fen=before.granted_fen, code_fen=grant.granted_fen
        )
    take_grant(books, grant.account, grant.granted_fen, by=by)
    more = format_fen(grant.granted_fen - before.granted_fen)
    return Done(
        Words(f"已收充值码:账户 {grant.account} ￥{more}", f"Top-up code taken: account {grant.account}, ¥{more}")
    )


def _unreadable(error: CarriedGrantError) -> Refusal:
    match error.fault:
        case CarriedFault.NOT_A_CODE:
            return refuse(Reason.TOPUP_NOT_A_CODE)
        case CarriedFault.TYPO:
            return refuse(Reason.TOPUP_TYPO, line=error.line)
        case CarriedFault.TRUNCATED:
            return refuse(Reason.TOPUP_TRUNCATED, line=error.line)
        case CarriedFault.OTHER_VERSION:
            return refuse(Reason.TOPUP_OTHER_VERSION)
        case CarriedFault.FORGED:
            return refuse(Reason.TOPUP_FORGED)
