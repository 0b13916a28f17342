"""The forms: what was typed is booked, or comes back with the one field that is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync.office import requests
from sync.office.refusal import NotAllowed
from sync.office.store.database import Store
from sync.units import format_fen

if TYPE_CHECKING:
    from sync.office.web.app import Office

Handler = Callable[[Request], Awaitable[Response]]
Booking = Callable[[Store, dict[str, Any], str], str]
"""Books the typed fields for a person and says what was done."""


def form_routes(office: Office) -> list[Route]:
    """All of them."""
    hours = office.settings.office.utc_offset_hours

    def payment(store: Store, typed: dict[str, Any], by: str) -> str:
        told = requests.book_payment(store, requests.read_body(requests.PaymentIn, typed), by)
        again = "" if told["new"] else "(已登记过,未重复入账 already booked, not twice)"
        return f"{told['reference']} ¥{format_fen(told['amount_fen'])} {again}"

    def credit(store: Store, typed: dict[str, Any], by: str) -> str:
        told = requests.book_credit(store, requests.read_body(requests.CreditIn, typed), by, hours)
        return f"{told['account']} ¥{format_fen(told['amount_fen'])}"

    def notice(store: Store, typed: dict[str, Any], by: str) -> str:
        issued = requests.book_notice(store, requests.read_body(requests.NoticeIn, typed), by, hours)
        return f"{issued.notice} {issued.plate} ¥{format_fen(issued.hold_fen)}"

    def amend(store: Store, typed: dict[str, Any], by: str) -> str:
        number = str(typed.pop("notice", ""))
        changed = requests.change_notice(store, number, requests.read_body(requests.AmendIn, typed), hours)
        return f"{changed.notice} v{changed.version} ¥{format_fen(changed.hold_fen)}"

    def cancel(store: Store, typed: dict[str, Any], by: str) -> str:
        requests.withdraw_notice(store, str(typed.get("notice", "")), str(typed.get("reason", "")))
        return f"{typed.get('notice', '')}"

    return [
        Route("/payments", _form(office, "payments", "payment", payment), methods=["POST"]),
        Route("/payments/credit", _form(office, "payments", "credit", credit), methods=["POST"]),
        Route("/notices", _form(office, "notices", "notice", notice), methods=["POST"]),
        Route("/notices/amend", _form(office, "notices", "notice", amend), methods=["POST"]),
        Route("/notices/cancel", _form(office, "notices", "notice", cancel), methods=["POST"]),
    ]


def _form(office: Office, page: str, what: str, book: Booking) -> Handler:
    async def handler(request: Request) -> Response:
        user = office.access.user(request)
        if user is None:
            return RedirectResponse("/login", 303)
        async with request.form(max_fields=40, max_files=0) as form:
            values = {name: value[:200] for name, value in form.items() if isinstance(value, str)}
        try:
            if not user.may(what):
                raise NotAllowed("role", user.role, "您的岗位不能办理", "your role cannot do this")
            typed = requests.from_texts(values)
            done = await office.store.run(lambda store: book(store, typed, user.name))
        except NotAllowed as refusal:
            extra = {"refusal": refusal, "values": values, "form": request.url.path}
            return await office.show(request, user, page, extra, status=422)
        office.hub.changed()
        # A redirect, so that reloading the page books nothing again.
        office.access.leave_note(request, done)
        return RedirectResponse(f"/{page}", 303)

    return handler
