"""The forms that take money back, bring it to a plant without a link, and end an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.routing import Route

from sync.office import corrections, topups
from sync.office.requests import read_body
from sync.office.store.database import Store
from sync.office.web.forms import Booked, form_route
from sync.units import format_fen

if TYPE_CHECKING:
    from sync.office.web.app import Office


def money_form_routes(office: Office) -> list[Route]:
    """All of them."""

    def top_up(store: Store, typed: dict[str, Any], by: str) -> Booked:
        instance, account, new = topups.top_up(store, read_body(topups.TopupIn, typed), by)
        again = "到款已登记过,未重复入账和分配 already booked, nothing more granted"
        return Booked(f"{instance} {account}" if new else again, code_address(instance, account))

    def refund(store: Store, typed: dict[str, Any], by: str) -> str:
        told = corrections.book_refund(store, read_body(corrections.RefundIn, typed), by)
        return f"{told['reference']} ¥{format_fen(told['amount_fen'])}{_AGAIN if not told['new'] else ''}"

    def undo(store: Store, typed: dict[str, Any], by: str) -> str:
        told = corrections.undo_payment(store, read_body(corrections.UndoIn, typed), by)
        said = f"{told['reference']} ¥{format_fen(told['amount_fen'])}{_AGAIN if not told['new'] else ''}"
        if told["exposure_fen"]:
            said += f" · 敞口 exposure ¥{format_fen(told['exposure_fen'])}"
        if told["recalled"]:
            said += f" · 已向 {', '.join(told['recalled'])} 收回 recalled"
        return said

    def recall(store: Store, typed: dict[str, Any], by: str) -> str:
        told = corrections.recall(store, read_body(corrections.RecallIn, typed))
        asked = ", ".join(told["recalled"])
        nothing = "各厂没有多余的额度 no plant has more than that unused"
        return f"{told['account']}: 已向 {asked} 收回 recalled" if asked else f"{told['account']}: {nothing}"

    def reprice(store: Store, typed: dict[str, Any], by: str) -> str:
        lines = corrections.reprice(store, read_body(corrections.RepriceIn, typed))
        done = [line["notice"] for line in lines if line["ok"]]
        said = f"{len(done)} / {len(lines)} 张已改价 notices changed"
        return "; ".join([said, *(f"{each['notice']} ✗ {each['why_zh']} {each['why']}" for each in lines
                                  if not each["ok"])])  # fmt: skip

    return [
        form_route(office, "/topup", "grant", top_up),
        form_route(office, "/payments/refund", "refund", refund),
        form_route(office, "/payments/undo", "undo", undo),
        form_route(office, "/balances/recall", "recall", recall),
        form_route(office, "/notices/reprice", "reprice", reprice),
    ]


_AGAIN = " (已登记过,未重复 already booked, not twice)"


def code_address(instance: str, account: str) -> str:
    """Where the code of a grant is shown."""
    return "/topup/code?" + urlencode({"instance": instance, "account": account})
