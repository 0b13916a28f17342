"""The JSON API for programs, with a token: `Authorization: Bearer TOKEN`. Amounts int fen, masses int kg.

An answer of 422 is `{"error": {"field", "value", "allowed", "allowed_zh"}}`, and nothing was changed.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sync.office import requests
from sync.office.notices import parse_date
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.balances import balances, day_of
from sync.office.store.database import Store
from sync.office.store.decisions import list_suspense
from sync.office.store.figures import read_figures
from sync.office.store.verification import verify_books
from sync.office.web.access import User

if TYPE_CHECKING:
    from sync.office.web.app import Office

Work = Callable[[Store], Any]
Handler = Callable[[Request], Awaitable[Response]]
_LONGEST_LIST = 5000
_TOKEN_ZH, _TOKEN = "须带令牌:Authorization: Bearer 令牌", "a token is needed: Authorization: Bearer TOKEN"


def api_routes(office: Office) -> list[Route]:
    """All of them."""
    hours = office.settings.office.utc_offset_hours
    reads: dict[str, Callable[[Request], Work]] = {
        "balances": lambda _: _reading(balances),
        "figures": lambda _: _reading(read_figures),
        "day": lambda request: _reading(lambda tx: day_of(tx, _date(request))),
        "suspense": lambda _: _reading(lambda tx: list_suspense(tx, all_states=True)),
        "refunds": lambda request: _reading(lambda tx: views.list_refunds(tx, _limit(request))),
        "shipments": lambda request: _reading(
            lambda tx: views.list_shipments(
                tx, request.query_params.get("plant", ""), request.query_params.get("date", ""),
                request.query_params.get("q", ""), _limit(request),
            )
        ),
        "plants": lambda _: _reading(views.list_plants),
        "totals": lambda request: _reading(lambda tx: views.totals(tx, request.query_params.get("date", ""))),
        "notices": lambda request: _reading(lambda tx: views.list_notices(tx, _limit(request))),
        "payments": lambda request: _reading(lambda tx: views.list_payments(tx, _limit(request))),
        "incidents": lambda request: _reading(lambda tx: views.list_incidents(tx, _limit(request))),
        "dropped": lambda _: _reading(views.list_dropped),
        "verify": lambda _: _reading(_verify),
    }  # fmt: skip

    def payment(request: Request, fields: Any, user: User) -> Work:
        body = requests.read_body(requests.PaymentIn, fields)
        return lambda store: requests.book_payment(store, body, user.name)

    def credit(request: Request, fields: Any, user: User) -> Work:
        body = requests.read_body(requests.CreditIn, fields)
        return lambda store: requests.book_credit(store, body, user.name, hours)

    def notice(request: Request, fields: Any, user: User) -> Work:
        body = requests.read_body(requests.NoticeIn, fields)
        return lambda store: requests.book_notice(store, body, user.name, hours).model_dump(mode="json")

    def amend(request: Request, fields: Any, user: User) -> Work:
        body = requests.read_body(requests.AmendIn, fields)
        number = request.path_params["number"]
        return lambda store: requests.change_notice(store, number, body, hours).model_dump(mode="json")

    def cancel(request: Request, fields: Any, user: User) -> Work:
        number, reason = request.path_params["number"], fields.get("reason", "")
        if not isinstance(reason, str):
            raise NotAllowed("reason", str(reason)[:60], "须为文字", "should be text")

        def work(store: Store) -> dict[str, str]:
            requests.withdraw_notice(store, number, reason)
            return {"notice": number}

        return work

    return [
        *(Route(f"/api/{name}", _read(office, make), methods=["GET"]) for name, make in reads.items()),
        Route("/api/payments", write_handler(office, "payment", payment), methods=["POST"]),
        Route("/api/credits", write_handler(office, "credit", credit), methods=["POST"]),
        Route("/api/notices", write_handler(office, "notice", notice), methods=["POST"]),
        Route("/api/notices/{number:path}/amend", write_handler(office, "notice", amend), methods=["POST"]),
        Route("/api/notices/{number:path}/cancel", write_handler(office, "notice", cancel), methods=["POST"]),
    ]


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "200")
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_LIST:
        raise NotAllowed("limit", text[:20], f"1 至 {_LONGEST_LIST}", f"allowed: 1 to {_LONGEST_LIST}")
    return int(text)


def _date(request: Request) -> str:
    return parse_date("date", request.query_params.get("date", "")).isoformat()


def _reading(read: Callable[[Any], Any]) -> Work:
    def work(store: Store) -> Any:
        with store.read() as tx:
            return read(tx)

    return work


def _verify(tx: Any) -> dict[str, Any]:
    found = verify_books(tx)
    return {"ok": found.ok, "checks": found.checks, "problems": found.problems[:100], "rows": found.rows}


async def _user(office: Office, request: Request) -> User | None:
    return await office.access.program(request) or office.access.user(request)


def _read(office: Office, make: Callable[[Request], Work]) -> Handler:
    async def handler(request: Request) -> Response:
        if await _user(office, request) is None:
            return _error(401, "authorization", _TOKEN_ZH, _TOKEN)
        return JSONResponse(await office.store.run(make(request)))

    return handler


def write_handler(office: Office, what: str, make: Callable[[Request, Any, User], Work]) -> Handler:
    """A POST for those who may do `what`: `make` reads the body, its work books it."""

    async def handler(request: Request) -> Response:
        user = await _user(office, request)
        if user is None:
            return _error(401, "authorization", _TOKEN_ZH, _TOKEN)
        if not user.may(what):
            return _error(403, "role", "您的岗位不能办理", f"{user.role} may not do this")
        try:
            fields = json.loads(await request.body() or b"{}")
            json.dumps(fields, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            return _error(422, "body", "须为一个 JSON 对象", "a JSON object is expected")
        told = await office.store.run(make(request, fields, user))
        office.hub.changed()
        return JSONResponse(told, 201)

    return handler


def _error(status: int, field: str, zh: str, en: str) -> JSONResponse:
    return JSONResponse({"error": NotAllowed(field, "", zh, en).as_json()}, status)
