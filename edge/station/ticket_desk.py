"""What may still be done with a ticket: reprint, void before exit by two persons, seal, and the day's report."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.ticket import SealKind, SealMark
from edge.domain.visit import VisitEvent, VisitState, next_state
from edge.station.desk import Desk
from edge.station.epoch import bar
from edge.station.plates import history
from edge.station.printing import VOIDED, set_job_state
from edge.station.scale_alarms import alarm_view
from edge.station.ticket_view import SEAL_WORDS, paper_view, ticket_view
from edge.station.views import Done, PlateSaidView, ScaleAlarmView, TicketView
from edge.station.weighing import seal_ticket
from edge.store.books import Books
from edge.store.slips import StoredSlip
from edge.store.tickets import StoredTicket
from sync.records import Voided

_PRINTING = ("queued", "sending")


class TicketDesk:
    """The ticket pages' commands."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def recent(self, limit: int = 50) -> list[TicketView]:
        """The newest tickets and empty trucks' slips first."""
        stored = await self._desk.database.read(lambda books: (books.tickets.recent(limit), books.slips.recent(limit)))
        views = [paper_view(self._desk.plant, each) for papers in stored for each in papers]
        return sorted(views, key=lambda view: view.gross_at, reverse=True)[:limit]

    async def find(self, ticket: str) -> TicketView | None:
        """One ticket by its printed number, one slip by its visit."""
        stored = await self._desk.database.read(lambda books: books.paper(ticket))
        return paper_view(self._desk.plant, stored) if stored else None

    async def alarms(self, visit: str) -> list[ScaleAlarmView]:
        """What the scale watch found about a truck, oldest first."""
        stored = await self._desk.database.read(lambda books: books.scale_alarms.of_visit(visit))
        return [alarm_view(self._desk.plant, each) for each in stored]

    async def plates(self, visit: str) -> list[PlateSaidView]:
        """What was seen of a truck's plate, and who compared it, oldest first."""
        return await self._desk.database.read(lambda books: history(books, self._desk.plant, visit))

    async def reprint(self, ticket: str, by: str) -> Done | Refusal:
        """Queue a copy marked 补打 n: the same pass, so it opens the gate once."""
        return await self._desk.commit(lambda books: reprint(books, ticket, by))

    async def confirm_print(self, ticket: str, paper_out: bool, by: str) -> Done | Refusal:
        """取到票了吗? True: the paper came, the job is done. False: print a marked copy."""
        if not paper_out:
            return await self.reprint(ticket, by)
        return await self._desk.commit(lambda books: _paper_came(books, ticket, by))

    async def void(self, ticket: str, first: str, second: str, reason: str) -> Done | Refusal:
        """作废: before exit only, two different persons, with a reason. The number stays used."""
        if not first or not second or first == second:
            return refuse(Reason.SAME_PERSON)
        if not reason.strip():
            return refuse(Reason.REASON_MISSING)
        return await self._desk.commit(lambda books: void(books, ticket, first, second, reason.strip()[:120]))

    async def seal(self, ticket: str, seal: str, by: str) -> Done | Refusal:
        """Set the enterprise office's or finance's seal by a person."""
        return await self._desk.commit(lambda books: _seal(books, ticket, SealKind(seal), by))

    async def day(self, business_date: str) -> dict[str, Any]:
        """The day's tickets with their sums: everything issued, what left, what was voided, by customer."""
        stored = await self._desk.database.read(lambda books: books.tickets.of_day(business_date))
        standing = [each for each in stored if not each.voided]
        by_customer: defaultdict[str, dict[str, Any]] = defaultdict(
            lambda: {"tickets": 0, "net_kg": 0, "amount_fen": 0}
        )
        for each in standing:
            row = by_customer[each.ticket.customer_name]
            row["tickets"] += 1
            row["net_kg"] += each.ticket.net_kg
            row["amount_fen"] += each.ticket.amount_fen
        return {
            "date": business_date,
            "tickets": len(stored),
            "released": sum(1 for each in standing if each.used_at),
            "voided": len(stored) - len(standing),
            "net_kg": sum(each.ticket.net_kg for each in standing),
            "amount_fen": sum(each.ticket.amount_fen for each in standing),
            "by_customer": [{"customer_name": name, **row} for name, row in sorted(by_customer.items())],
            "rows": [ticket_view(self._desk.plant, each) for each in stored],
        }


def reprint(books: Books, ticket: str, by: str) -> Done | Refusal:
    """Queue the next marked copy of a ticket or an empty truck's slip."""
    stored = books.paper(ticket)
    if (barred := _barred(stored, ticket)) is not None:
        return barred
    assert stored is not None
    if stored.print_state in _PRINTING:
        return refuse(Reason.PRINT_PENDING, ticket=ticket)
    job = books.print_jobs.add(ticket, stored.lane, by)
    return Done(Words(f"{ticket} 补打 {job.copy_number}", f"{ticket}: copy {job.copy_number}"), ticket)


def void(books: Books, ticket: str, first: str, second: str, reason: str) -> Done | Refusal:
    """Take a ticket back before its truck left: the money is free again, the pass is dead."""
    stored = books.tickets.get(ticket)
    if (barred := _barred(stored, ticket)) is not None:
        return barred
    assert stored is not None
    if stored.used_at is not None:
        return refuse(Reason.TICKET_LEFT, ticket=ticket)
    if (closed := bar(books.mode)) is not None:
        return closed
    visit = books.visits.get(stored.ticket.visit)
    assert visit is not None
    following = next_state(visit.state, VisitEvent.VOID)
    if isinstance(following, Refusal):
        return following
    sold = stored.ticket
    row = books.ledger.append(
        Voided(
            ticket=ticket,
            visit=sold.visit,
            account=sold.account,
            amount_fen=sold.amount_fen,
            pass_id=sold.pass_id,
            first_person=first,
            second_person=second,
            reason=reason,
            at=books.clock.now(),
        )
    )
    books.tickets.void(ticket, row.seq)
    books.accounts.put(sold.account, books.accounts.get(sold.account).void(sold.amount_fen))
    books.stock_moved(sold.product, -sold.net_kg)
    books.visits.put(replace(visit, state=following))
    for job in books.print_jobs.in_state("queued"):
        if job.ticket == ticket:
            set_job_state(books, job, "failed", VOIDED)
    return Done(Words(f"{ticket} 已作废", f"{ticket} is void"), ticket)


def _paper_came(books: Books, ticket: str, by: str) -> Done | Refusal:
    job = books.print_jobs.latest(ticket)
    if job is None:
        return refuse(Reason.TICKET_UNKNOWN, ticket=ticket)
    if job.state in _PRINTING:
        return refuse(Reason.PRINT_PENDING, ticket=ticket)
    if job.state != "sent":
        set_job_state(books, job, "sent", f"paper confirmed by {by}")
    return Done(Words(f"{ticket} 已取单", f"{ticket}: paper confirmed"), ticket)


def _seal(books: Books, ticket: str, kind: SealKind, by: str) -> Done | Refusal:
    stored = books.tickets.get(ticket)
    if (barred := _barred(stored, ticket)) is not None:
        return barred
    assert stored is not None
    words = SEAL_WORDS[kind]
    if any(seal.kind is kind for seal in stored.seals):
        return refuse(Reason.TICKET_SEALED, ticket=ticket, seal=words.zh, seal_en=words.en)
    seal_ticket(books, ticket, SealMark(kind, by, books.clock.now()))
    sealed = books.tickets.get(ticket)
    visit = books.visits.get(stored.ticket.visit)
    if sealed is not None and sealed.missing_seal is None and visit is not None:
        following = next_state(visit.state, VisitEvent.SEAL)
        if isinstance(following, VisitState):
            books.visits.put(replace(visit, state=following))
    return Done(Words(f"{ticket} 已盖{words.zh}章", f"{ticket}: {words.en} seal set"), ticket)


def _barred(stored: StoredTicket | StoredSlip | None, ticket: str) -> Refusal | None:
    if stored is None:
        return refuse(Reason.TICKET_UNKNOWN, ticket=ticket)
    voided = isinstance(stored, StoredTicket) and stored.voided
    return refuse(Reason.TICKET_VOIDED, ticket=ticket) if voided else None
