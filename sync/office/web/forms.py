"""The forms: what was typed is booked, or comes back with the one field that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync.office import requests
from sync.office.refusal import NotAllowed
from sync.office.store.database import Store
from sync.office.web.access import client_address
from sync.office.web.words import full_width
from sync.units import format_fen

if TYPE_CHECKING:
    from sync.office.web.app import Office


@dataclass(frozen=True, slots=True)
class Booked:
    """What was done, for the next page; `to` is its address when it is another than the form's."""

    said: str
    en: str = ""
    """The same for the English page, where it needs other words."""
    to: str = ""


class AskAgain(NotAllowed):
    """Not a no: what was understood is shown, and the same form with `instead` filled in books it."""

    ask = True

    def __init__(self, field: str, value: str, zh: str, en: str, instead: dict[str, str]) -> None:
        super().__init__(field, value, zh, en)
        self.instead = instead


Booking = Callable[[Store, dict[str, Any], str], str | Booked]
"""Books the typed fields for a person and says what was done."""


def form_routes(office: Office) -> list[Route]:
    """All of them."""
    hours = office.settings.office.utc_offset_hours

    def payment(store: Store, typed: dict[str, Any], by: str) -> Booked:
        told = requests.book_payment(store, requests.read_body(requests.PaymentIn, typed), by)
        return with_again(f"{told['reference']} ¥{format_fen(told['amount_fen'])}", told["new"])

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
        form_route(office, "/payments", "payment", payment),
        form_route(office, "/payments/credit", "credit", credit),
        form_route(office, "/notices", "notice", notice),
        form_route(office, "/notices/amend", "notice", amend),
        form_route(office, "/notices/cancel", "notice", cancel),
    ]


def with_again(said: str, new: bool) -> Booked:
    """What was done, or that it had been done before."""
    return Booked(said) if new else Booked(f"{said}(已登记过,未重复)", f"{said} (already booked, not twice)")


def form_route(office: Office, path: str, what: str, book: Booking, signers: str = "") -> Route:
    """The form at `path`, for the roles that may do `what`; its page is the path's first part.

    With `signers` it may be signed by two persons who may do that, each with a PIN: `book` gets them as
    `typed["persons"]`, None when nobody signed."""
    page = path.split("/")[1]

    async def handler(request: Request) -> Response:
        user = office.access.user(request)
        if user is None:
            return RedirectResponse("/login", 303)
        async with request.form(max_fields=40, max_files=0) as form:
            values = {name: value[:200] for name, value in form.items() if isinstance(value, str)}
        words, once = office.words(request), values.pop("once", "")
        pins = [values.pop(f"{place}_pin", "") for place in ("first", "second")]
        if once and (sent_to := office.access.sent_before(once)) is not None:
            office.access.leave_note(request, words("sent_before"))
            return RedirectResponse(sent_to or f"/{page}", 303)
        try:
            if not user.may(what):
                raise NotAllowed("role", words(user.role), "您的岗位不能办理", "your role cannot do this")
            typed = requests.from_texts(values)
            if signers:
                names = [values.get(place, "") for place in ("first", "second")]
                signed, address = list(zip(names, pins, strict=True)), client_address(request)
                typed["persons"] = await office.access.two_persons(signers, signed, address) if any(names) else None
            done = await office.store.run(lambda store: book(store, typed, user.name))
        except NotAllowed as refusal:
            office.access.forget_form(once)
            if isinstance(refusal, AskAgain):
                values |= refusal.instead
            extra = {"refusal": refusal, "values": values, "form": request.url.path}
            return await office.show(request, user, page, extra, status=422)
        office.hub.changed()
        # A redirect, so that reloading the page books nothing again.
        booked = done if isinstance(done, Booked) else Booked(done)
        office.access.note_form(once, booked.to)
        said = booked.en or booked.said if words.english else full_width(booked.said)
        office.access.leave_note(request, said)
        return RedirectResponse(booked.to or f"/{page}", 303)

    return Route(path, handler, methods=["POST"])
