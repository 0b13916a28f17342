"""The JSON API for money that goes back or to a plant without a link. Amounts int fen; refusals as in `api`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import Route

from sync.office import corrections, topups
from sync.office.requests import read_body
from sync.office.store.database import Store
from sync.office.web.access import User
from sync.office.web.api import Work, write_handler

if TYPE_CHECKING:
    from sync.office.web.app import Office


def money_api_routes(office: Office) -> list[Route]:
    """All of them."""

    def topup(request: Request, fields: Any, user: User) -> Work:
        body, key = read_body(topups.TopupIn, fields), office.signing_key()

        def work(store: Store) -> dict[str, Any]:
            instance, account, new = topups.top_up(store, body, user.name)
            return {**topups.code_of(store, key, instance, account).as_json(), "new": new}

        return work

    def refund(request: Request, fields: Any, user: User) -> Work:
        body = read_body(corrections.RefundIn, fields)
        return lambda store: corrections.book_refund(store, body, user.name)

    def undo(request: Request, fields: Any, user: User) -> Work:
        body = read_body(corrections.UndoIn, fields)
        return lambda store: corrections.undo_payment(store, body, user.name)

    def recall(request: Request, fields: Any, user: User) -> Work:
        body = read_body(corrections.RecallIn, fields)
        return lambda store: corrections.recall(store, body)

    return [
        Route("/api/topups", write_handler(office, "grant", topup), methods=["POST"]),
        Route("/api/refunds", write_handler(office, "refund", refund), methods=["POST"]),
        Route("/api/undone", write_handler(office, "undo", undo), methods=["POST"]),
        Route("/api/recalls", write_handler(office, "recall", recall), methods=["POST"]),
    ]
