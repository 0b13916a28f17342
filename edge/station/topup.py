"""充值码 taken: head office's grant, carried by hand to a plant whose link is down. Inside one transaction.

The same cumulative total as by link, so a code that was scanned before, or overtaken by the link, changes nothing.
"""

from edge.domain.account import spendable_fen
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.visit import Visit
from edge.station.epoch import bar
from edge.station.head_office import own_term
from edge.station.notices import take_grant
from edge.station.plant import Plant
from edge.station.views import Done
from edge.store.books import Books
from sync.allotment import PlantCounters
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


def take_code(books: Books, grant: CarriedGrant, by: str, visit: str) -> Done | Refusal:
    """Book the grant of a code that `read_code` believed. `visit` stands on the lane ('' for none): the answer says
    what it still lacks.
    """
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
    zh, en = f"已收充值码:账户 {grant.account} ￥{more}", f"Top-up code taken: account {grant.account}, ¥{more}"
    standing = books.visits.get(visit) if visit else None
    if standing is not None and standing.notice.account != grant.account:
        return Done(Words(f"{zh},不是本车的账户", f"{en}; not this truck's account"))
    if standing is not None and (lacking_fen := lacks_fen(standing, books.accounts.get(grant.account))):
        lacking = format_fen(lacking_fen)
        return Done(Words(f"{zh},本车还差 ￥{lacking}", f"{en}; this truck still lacks ¥{lacking}"))
    return Done(Words(zh, en))


def lacks_fen(visit: Visit, counters: PlantCounters) -> int:
    """What a load that is held for money still lacks at this plant; 0 when nothing, or when it is not held."""
    return max(0, visit.held_amount_fen - spendable_fen(counters, visit.hold_fen))


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
