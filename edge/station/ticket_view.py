"""Tickets, and the slips of empty trucks, as lists and pages show them."""

from edge.domain.refusal import Words
from edge.domain.ticket import SealKind
from edge.domain.visit import VisitState
from edge.station.plant import Plant
from edge.station.views import TicketView
from edge.store.slips import StoredSlip
from edge.store.tickets import StoredTicket

SEAL_WORDS = {SealKind.ENTERPRISE: Words("企管部", "enterprise office"), SealKind.FINANCE: Words("财务", "finance")}

EMPTY = "empty"
"""Where a ticket's view says how the sale is paid, an empty truck's slip says this."""


def ticket_state(stored: StoredTicket) -> VisitState:
    """Where a ticket stands."""
    if stored.voided:
        return VisitState.VOIDED
    if stored.used_at is not None:
        return VisitState.RELEASED
    return VisitState.TICKETED if stored.missing_seal else VisitState.SEALED


def ticket_view(plant: Plant, stored: StoredTicket) -> TicketView:
    """One row of the ticket list."""
    ticket, state = stored.ticket, ticket_state(stored)
    seals = {seal.kind: seal.person for seal in stored.seals}
    return TicketView(
        ticket=ticket.ticket,
        visit=ticket.visit,
        plate=ticket.plate,
        customer_name=ticket.customer_name,
        product=ticket.product,
        net_kg=ticket.net_kg,
        amount_fen=ticket.amount_fen,
        gross_at=plant.local(ticket.gross_at),
        state=state.value,
        state_words=state.words,
        enterprise_seal=seals.get(SealKind.ENTERPRISE, ""),
        finance_seal=seals.get(SealKind.FINANCE, ""),
        copies=stored.copies,
        print_state=stored.print_state,
        used_at=plant.local(stored.used_at) if stored.used_at else "",
        lane=ticket.lane,
        mode=ticket.mode.value,
    )


def slip_view(plant: Plant, stored: StoredSlip) -> TicketView:
    """An empty truck's slip in the same list: no goods, no money, no seals."""
    slip = stored.slip
    state = VisitState.RELEASED if stored.used_at is not None else VisitState.EMPTY_EXIT
    return TicketView(
        ticket=slip.visit,
        visit=slip.visit,
        plate=slip.plate,
        customer_name="",
        product="",
        net_kg=0,
        amount_fen=0,
        gross_at=plant.local(slip.at),
        state=state.value,
        state_words=state.words,
        enterprise_seal="",
        finance_seal="",
        copies=stored.copies,
        print_state=stored.print_state,
        used_at=plant.local(stored.used_at) if stored.used_at else "",
        lane=slip.lane,
        mode=EMPTY,
    )


def paper_view(plant: Plant, stored: StoredTicket | StoredSlip) -> TicketView:
    """Whichever it is."""
    return ticket_view(plant, stored) if isinstance(stored, StoredTicket) else slip_view(plant, stored)
