"""Tickets after printing: list, one ticket with its commands, and the day."""

import csv
import io
from collections.abc import Iterable
from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.station.views import Done, TicketView
from edge.web.plant import Desk
from edge.web.roles import allowed, not_allowed
from edge.web.site import Fields, Site
from edge.web.words import WORDS
from sync.units import format_fen

LIMITS: dict[str, dict[str, int]] = {
    "reprint": {},
    "confirm_print": {"paper_out": 5},
    "seal": {"seal": 20},
    "void": {"second": 60, "pin": 60, "reason": 200},
}


class TicketPages:
    """Everything under /tickets and /day."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/tickets", self.tickets),
            Route("/tickets/{ticket}", self.ticket),
            Route("/tickets/{ticket}/{command}", self.command, methods=["POST"]),
            Route("/day", self.day),
            Route("/day.csv", self.day_csv),
        ]

    @property
    def _desk(self) -> Desk:
        return self._site.plant.tickets

    async def tickets(self, request: Request) -> Response:
        """The latest tickets."""
        if self._site.session(request) is None:
            return self._site.please_log_in(request, "/tickets")
        return self._site.page(request, "tickets.html", tickets=await self._desk.recent(100))

    async def ticket(self, request: Request) -> Response:
        """One ticket and what can still be done with it."""
        name = request.path_params["ticket"]
        session = self._site.session(request)
        if session is None:
            return self._site.please_log_in(request, f"/tickets/{name}")
        found = await self._desk.find(name)
        if found is None:
            return self._site.problem(request, 404, refuse(Reason.TICKET_UNKNOWN, ticket=name[:40]).words)
        others = [
            person for person in self._site.pins.people.values()
            if person.id != session.person.id and allowed(person, "void")
        ]  # fmt: skip
        may = {command: allowed(session.person, command) for command in ("reprint", "confirm_print", "void")}
        seals = {kind: allowed(session.person, f"seal_{kind}") for kind in ("enterprise", "finance")}
        alarms, plates = await self._desk.alarms(found.visit), await self._desk.plates(found.visit)
        return self._site.page(
            request, "ticket.html", ticket=found, alarms=alarms, plates=plates, others=others, may_do=may,
            may_seal=seals,
        )  # fmt: skip

    async def command(self, request: Request) -> Response:
        """One of the ticket's buttons."""
        ticket, command = request.path_params["ticket"], request.path_params["command"]
        if command not in LIMITS:
            return self._site.problem(request, 404, WORDS["no_page"])

        async def do(by: str, form: Fields) -> Done | Refusal | Words:
            return await self._do(ticket, command, by, form)

        # Which seal decides who may set it, so the role is looked at again in `_seal`.
        role = command if command != "seal" else self._seal_role(request)
        return await self._site.command(request, role, f"/tickets/{ticket}", do, LIMITS[command])

    def _seal_role(self, request: Request) -> str:
        session = self._site.session(request)
        finance = session is not None and allowed(session.person, "seal_finance")
        return "seal_finance" if finance else "seal_enterprise"

    async def _do(self, ticket: str, command: str, by: str, form: Fields) -> Done | Refusal | Words:
        if command == "reprint":
            return await self._desk.reprint(ticket, by)
        if command == "confirm_print":
            if form["paper_out"] not in ("yes", "no"):
                return WORDS["yes_or_no"]  # a wrong guess here prints a second original, or none
            return await self._desk.confirm_print(ticket, form["paper_out"] == "yes", by)
        if command == "seal":
            return await self._seal(ticket, form["seal"], by)
        return await self._void(ticket, by, form)

    async def _seal(self, ticket: str, seal: str, by: str) -> Done | Refusal:
        if not allowed(self._site.pins.people.get(by), f"seal_{seal}"):
            return not_allowed()
        return await self._desk.seal(ticket, seal, by)

    async def _void(self, ticket: str, by: str, form: Fields) -> Done | Refusal | Words:
        if form["second"] == by:
            return refuse(Reason.SAME_PERSON)
        if not form["reason"]:
            return refuse(Reason.REASON_MISSING)
        second = await self._site.pins.check(form["second"], form["pin"])
        if isinstance(second, Words):
            return second
        if not allowed(second, "void"):
            return not_allowed()
        return await self._desk.void(ticket, by, second.id, form["reason"])

    async def day(self, request: Request) -> Response:
        """What left today, by customer."""
        chosen = self._day_asked(request)
        if isinstance(chosen, Response):
            return chosen
        return self._site.page(request, "day.html", day=await self._desk.day(chosen), chosen=chosen)

    async def day_csv(self, request: Request) -> Response:
        """The day's tickets for a spreadsheet."""
        chosen = self._day_asked(request)
        if isinstance(chosen, Response):
            return chosen
        report = await self._desk.day(chosen)
        headers = {"Content-Disposition": f'attachment; filename="tickets-{chosen}.csv"'}
        return Response(_csv(report["rows"]), media_type="text/csv; charset=utf-8", headers=headers)

    def _day_asked(self, request: Request) -> str | Response:
        """The business date to show, or the answer to somebody who may not see it or asks for no date."""
        session = self._site.session(request)
        if session is None:
            return self._site.please_log_in(request, "/day")
        if not allowed(session.person, "day"):
            return self._site.problem(request, 403, not_allowed().words)
        return self._chosen_day(request) or self._site.problem(request, 400, WORDS["bad_date"])

    def _chosen_day(self, request: Request) -> str | None:
        """The business date asked for, the present one where none is, None when it is no date."""
        asked = request.query_params.get("date", "")
        if not asked:
            return self._site.plant.business_date
        try:
            return date.fromisoformat(asked).isoformat()
        except ValueError:
            return None


def _csv(rows: Iterable[TicketView]) -> bytes:
    """UTF-8 with a mark, which spreadsheets need to see Chinese."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(["出库单", "时间", "车牌", "客户", "品种", "净重kg", "金额元", "状态", "补打"])
    for row in rows:
        amount = format_fen(row.amount_fen).replace(",", "")
        cells = [row.ticket, row.gross_at, row.plate, row.customer_name, row.product]
        table.writerow([*map(_cell, cells), row.net_kg, amount, row.state_words.zh, row.copies])
    return out.getvalue().encode("utf-8-sig")


def _cell(text: str) -> str:
    """Text that a spreadsheet will not run as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
