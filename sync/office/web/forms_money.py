"""The forms that take money back, bring it to a plant without a link, and end an epoch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync.office import corrections, epochs, topups
from sync.office.notices import check_text, parse_whole
from sync.office.recovery import finish_reconcile
from sync.office.refusal import NotAllowed
from sync.office.requests import read_body
from sync.office.store.database import Store
from sync.office.web.access import client_address
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

    def close(store: Store, typed: dict[str, Any], by: str) -> str:
        reason = str(typed.get("reason", ""))
        check_text("reason", reason, required=True)
        told = epochs.close_plant(store, str(typed.get("plant", "")), f"{reason} ({by})"[:60])
        return f"{told['instance']}: 已通知关账期 told to close"

    def late(store: Store, typed: dict[str, Any], by: str) -> str:
        seq = parse_whole("seq", str(typed.get("seq", "")))
        charge = typed.get("decision") == "charge"
        resolve = epochs.charge_late if charge else epochs.dismiss_late
        done = resolve(store, str(typed.get("instance", "")), seq, str(typed.get("reason", "")), by)
        said = "已入账 charged" if charge else "已注销 dismissed"
        return f"{done['ticket']} ¥{format_fen(done['amount_fen'])} {said}"

    return [
        form_route(office, "/plants/close", "close", close),
        form_route(office, "/exceptions/late", "suspense", late),
        Route("/plants/reconcile", _finish(office), methods=["POST"]),
        form_route(office, "/topup", "grant", top_up),
        form_route(office, "/payments/refund", "refund", refund),
        form_route(office, "/payments/undo", "undo", undo),
        form_route(office, "/balances/recall", "recall", recall),
        form_route(office, "/notices/reprice", "reprice", reprice),
    ]


def _finish(office: Office) -> Callable[[Request], Awaitable[Response]]:
    """The end of reconciling: two persons sign with their PINs, whoever of them is signed in."""

    async def handler(request: Request) -> Response:
        user = office.access.user(request)
        if user is None:
            return RedirectResponse("/login", 303)
        async with request.form(max_fields=10, max_files=0) as form:
            typed = {name: value[:80] for name, value in form.items() if isinstance(value, str)}
        signed = [(typed.get(name, ""), typed.get(f"{name}_pin", "")) for name in ("first", "second")]
        try:
            persons = await office.access.two_persons("reconcile", signed, client_address(request))
            accept = typed.get("accept") == "on"
            await office.store.run(lambda store: finish_reconcile(store, persons, accept))
        except NotAllowed as refusal:
            values = {name: text for name, text in typed.items() if not name.endswith("_pin")}
            extra = {"refusal": refusal, "values": values, "form": request.url.path}
            return await office.show(request, user, "plants", extra, status=422)
        office.hub.changed()
        office.access.leave_note(request, f"对账完成 reconciled: {persons}")
        return RedirectResponse("/plants", 303)

    return handler


_AGAIN = " (已登记过,未重复 already booked, not twice)"


def code_address(instance: str, account: str) -> str:
    """Where the code of a grant is shown."""
    return "/topup/code?" + urlencode({"instance": instance, "account": account})
