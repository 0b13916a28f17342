"""What people and programs ask head office to take back: refunds, bounced cheques, allotments, prices."""

from datetime import UTC, datetime
from typing import Any

from sync.office.notices import check_customer_id, check_range, check_text
from sync.office.refusal import NotAllowed
from sync.office.requests import MOST_FEN, In, check_code
from sync.office.store import corrections as books
from sync.office.store.database import Store
from sync.office.store.money import load_account
from sync.office.store.orders import amend_notice, open_notices


class RefundIn(In):
    """退款."""

    reference: str
    customer_id: str
    amount_fen: int
    reason: str
    again: bool = False
    """It was paid out before the books were restored: book it again (while they are reconciled)."""


class UndoIn(In):
    """退票: `reference` is the payment's."""

    reference: str
    reason: str


class RecallIn(In):
    """收回额度; an empty `plant` asks all plants that hold money of the account."""

    account: str
    plant: str = ""
    keep_fen: int = 0
    reason: str = ""


class RepriceIn(In):
    """调价, for open prepaid and consigned notices; an empty `plant` means all plants."""

    product: str
    price_fen_per_t: int
    plant: str = ""


def book_refund(store: Store, body: RefundIn, by: str) -> dict[str, Any]:
    """Pay back what is free; `new` is False for the very same one again."""
    check_code("reference", body.reference)
    check_customer_id(body.customer_id)
    check_range("amount_fen", body.amount_fen, 1, MOST_FEN, "fen")
    check_text("reason", body.reason, required=True)
    refund = books.Refund(body.reference, body.customer_id, body.amount_fen, body.reason, by, body.again)
    with store.write() as tx:
        new = books.post_refund(tx, refund)
    return {"reference": body.reference, "amount_fen": body.amount_fen, "new": new}


def undo_payment(store: Store, body: UndoIn, by: str) -> dict[str, Any]:
    """Take a payment back. `exposure_fen` of it is not covered yet; `recalled` plants were asked to give money back."""
    check_text("reason", body.reason, required=True)
    with store.write() as tx:
        done = books.undo_payment(tx, body.reference, body.reason, by)
    return {
        "reference": done.reference, "account": done.account, "amount_fen": done.amount_fen,
        "covered_fen": done.covered_fen, "exposure_fen": done.amount_fen - done.covered_fen,
        "recalled": list(done.recalled), "new": done.new,
    }  # fmt: skip


def recall(store: Store, body: RecallIn) -> dict[str, Any]:
    """Ask plants for what they do not hold; `recalled` are the plant epochs that had something to ask for."""
    check_text("reason", body.reason)
    check_range("keep_fen", body.keep_fen, 0, MOST_FEN, "fen")
    reason = body.reason or "总部收回"
    with store.write() as tx:
        holders = books.lock_holders(tx, body.account, body.plant)
        if not holders and load_account(tx, body.account) is None:
            raise NotAllowed("account", body.account, "没有这个账户", "no such account")
        asked = [name for name in holders if books.recall_unused(tx, body.account, name, body.keep_fen, reason)]
    return {"account": body.account, "recalled": asked}


def reprice(store: Store, body: RepriceIn) -> list[dict[str, Any]]:
    """A new price for every open notice of a product, each in its own commit; one line for each, also for a refusal.

    A line is `{"notice", "plant", "ok", "hold_fen", "version", "why", "why_zh"}`; `why` is empty when it was done.
    """
    check_text("product", body.product, required=True)
    check_range("price_fen_per_t", body.price_fen_per_t, 1, 10**10, "fen/t")
    with store.read() as tx:
        listed = open_notices(tx, body.product, body.plant)
    return [_repriced(store, number, plant, body.price_fen_per_t) for number, plant in listed]


def _repriced(store: Store, number: str, plant: str, price_fen_per_t: int) -> dict[str, Any]:
    line = {"notice": number, "plant": plant, "ok": True, "hold_fen": 0, "version": 0, "why": "", "why_zh": ""}
    try:
        with store.write() as tx:
            notice = amend_notice(tx, number, {"price_fen_per_t": price_fen_per_t}, datetime.now(UTC))
    except NotAllowed as error:
        return {**line, "ok": False, "why": error.en, "why_zh": error.zh}
    return {**line, "hold_fen": notice.hold_fen, "version": notice.version}
