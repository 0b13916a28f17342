"""The forms that take money back, bring it to a plant without a link, and end an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.routing import Route

from sync.office import corrections, epochs, topups
from sync.office.notices import check_text, parse_whole
from sync.office.recovery import finish_reconcile
from sync.office.refusal import NotAllowed
from sync.office.requests import read_body
from sync.office.store.database import Store
from sync.office.store.topups import find_account, find_grant
from sync.office.web.forms import AskAgain, Booked, form_route, with_again
from sync.units import format_fen

if TYPE_CHECKING:
    from sync.office.web.app import Office


def money_form_routes(office: Office) -> list[Route]:
    """All of them."""

    def refund(store: Store, typed: dict[str, Any], by: str) -> Booked:
        told = corrections.book_refund(store, read_body(corrections.RefundIn, typed), by)
        return with_again(f"{told['reference']} ¥{format_fen(told['amount_fen'])}", told["new"])

    def recall(store: Store, typed: dict[str, Any], by: str) -> Booked:
        told = corrections.recall(store, read_body(corrections.RecallIn, typed))
        account, asked = told["account"], _plants(told["recalled"])
        if not asked:
            return Booked(f"{account}:各厂没有多余的额度", f"{account}: no plant has more than that unused")
        return Booked(f"{account}:已通知 {asked} 退回未用额度", f"{account}: recalled from {asked}")

    def reprice(store: Store, typed: dict[str, Any], by: str) -> Booked:
        lines = corrections.reprice(store, read_body(corrections.RepriceIn, typed))
        done = f"{sum(line['ok'] for line in lines)} / {len(lines)}"
        failed = [line for line in lines if not line["ok"]]
        return Booked(
            "; ".join([f"{done} 张已改价", *(f"{each['notice']} ✗ {each['why_zh']}" for each in failed)]),
            "; ".join([f"{done} notices changed", *(f"{each['notice']} ✗ {each['why']}" for each in failed)]),
        )

    def close(store: Store, typed: dict[str, Any], by: str) -> Booked:
        reason = str(typed.get("reason", ""))
        check_text("reason", reason, required=True)
        told = epochs.close_plant(store, str(typed.get("plant", "")), f"{reason} ({by})"[:60])
        plant = _plants([told["instance"]])
        return Booked(f"{plant}:已通知关账期", f"{plant}: told to close its epoch")

    def late(store: Store, typed: dict[str, Any], by: str) -> Booked:
        seq = parse_whole("seq", str(typed.get("seq", "")))
        instance, reason = str(typed.get("instance", "")), str(typed.get("reason", ""))
        charge = typed.get("decision") == "charge"
        told = epochs.decide_late(store, instance, seq, charge, reason, typed["persons"] or by)
        return Booked(*epochs.say_late(told))

    def finish(store: Store, typed: dict[str, Any], by: str) -> Booked:
        persons = typed["persons"]
        if persons is None:
            raise NotAllowed("first", "", "须两人签字", "two persons must sign")
        finish_reconcile(store, persons, typed.get("accept") == "on")
        return Booked(f"对账完成:{persons}", f"reconciled: {persons}")

    return [
        form_route(office, "/plants/close", "close", close),
        form_route(office, "/exceptions/late", "suspense", late, signers="reconcile"),
        form_route(office, "/plants/reconcile", "reconcile", finish, signers="reconcile"),
        form_route(office, "/topup", "grant", _top_up),
        form_route(office, "/payments/refund", "refund", refund),
        form_route(office, "/payments/undo", "undo", _undo),
        form_route(office, "/balances/recall", "recall", recall),
        form_route(office, "/notices/reprice", "reprice", reprice),
    ]


def _top_up(store: Store, typed: dict[str, Any], by: str) -> Booked:
    body = read_body(topups.TopupIn, typed)
    _ask_whose_truck(store, body)
    instance, account, new = topups.top_up(store, body, by)
    to = code_address(instance, account)
    if not new:
        return Booked("到款已登记过,未重复入账和分配", "already booked, nothing more was granted", to)
    with store.read() as tx:
        grant = find_grant(tx, instance, account)
    plant, name = (f"{body.plant} {grant.plant_name}", grant.customer_name) if grant else (body.plant, "")
    fen = format_fen(body.grant_fen or body.payment_fen)
    return Booked(f"已给 {plant} 分配 {name} {account} 的 ¥{fen}", f"¥{fen} of {name} {account} granted to {plant}", to)


def _undo(store: Store, typed: dict[str, Any], by: str) -> Booked:
    told = corrections.undo_payment(store, read_body(corrections.UndoIn, typed), by)
    said = with_again(f"{told['reference']} ¥{format_fen(told['amount_fen'])}", told["new"])
    zh, en = said.said, said.en or said.said
    if told["exposure_fen"]:
        exposure = format_fen(told["exposure_fen"])
        zh, en = f"{zh} · 敞口 ¥{exposure}", f"{en} · exposure ¥{exposure}"
    if asked := _plants(told["recalled"]):
        zh, en = f"{zh} · 已通知 {asked} 退回未用额度", f"{en} · recalled from {asked}"
    return Booked(zh, en)


def _ask_whose_truck(store: Store, body: topups.TopupIn) -> None:
    """A plate or a notice's number was typed: say whose it is before money is booked to that customer."""
    with store.read() as tx:
        found = find_account(tx, body.who)
    if found.order:
        whose = f"{found.customer_name} {found.account}"
        raise AskAgain(
            "who", body.who, f"通知单 {found.order} 的客户是 {whose};核对后再按一次",
            f"notice {found.order} is of {whose}: if that is right, press once more", {"who": found.account},
        )  # fmt: skip


def _plants(instances: list[str]) -> str:
    """Codes of plants, without what is internal in an epoch's name."""
    return ", ".join(dict.fromkeys(name.split("/")[0] for name in instances))


def code_address(instance: str, account: str) -> str:
    """Where the code of a grant is shown."""
    return "/topup/code?" + urlencode({"instance": instance, "account": account})
