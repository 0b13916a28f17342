"""What people and programs ask head office to book, in one shape for the forms, the JSON API and the commands."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sync.documents import Notice
from sync.fields import Mode
from sync.office.lack import Lack, LacksMoney
from sync.office.notices import (
    NUMBER,
    NoticeRequest,
    check_customer_id,
    check_range,
    check_text,
    parse_date,
    parse_moment,
    parse_price,
    parse_whole,
)
from sync.office.refusal import NotAllowed
from sync.office.store.database import Store
from sync.office.store.lacks import note_refusal
from sync.office.store.money import Credit, Payment, approve_credit, grant_by_hand, post_payment
from sync.office.store.orders import amend_notice, cancel_notice, issue_notice, open_instance
from sync.office.store.stock import receive_stock as take_in
from sync.settings_errors import known_keys
from sync.units import amount_fen

Body = TypeVar("Body", bound=BaseModel)
MOST_FEN = 10**13
_TYPES_ZH = {
    "string_type": "须为文字", "int_type": "须为整数", "int_from_float": "须为整数", "bool_type": "须为 true 或 false",
}  # fmt: skip
"""What pydantic found, for the Chinese half of a refusal."""
_DEFAULT_VALIDITY = timedelta(hours=24)


class In(BaseModel):
    """What is asked for, with no field that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PaymentIn(In):
    """到款通知书."""

    reference: str
    customer_id: str
    amount_fen: int
    customer_name: str = ""
    payer: str = ""


class CreditIn(In):
    """赊销申请, approved."""

    application: str
    customer_id: str
    product: str
    quantity_kg: int
    price_fen_per_t: int
    due: str
    responsible: str
    customer_name: str = ""


class NoticeIn(In):
    """发货通知单. `expires_at` ISO 8601 with zone; empty means 24 hours from now."""

    plant: str
    customer_id: str
    plate: str
    product: str
    price_fen_per_t: int
    axles: int = 6
    notice: str = ""
    mode: str = "prepaid"
    expires_at: str = ""
    product_code: int = 0
    limit_kg: int | None = None
    articulated: bool = True
    vehicle_max_kg: int | None = None
    credit_application: str = ""
    pickup_person: str = ""
    carrier: str = ""
    freight_fen: int = 0


class AmendIn(In):
    """What may change in an open notice; absent fields stay."""

    plate: str | None = None
    price_fen_per_t: int | None = None
    limit_kg: int | None = None
    expires_at: str | None = None
    axles: int | None = None
    vehicle_max_kg: int | None = None


def read_body(model: type[Body], fields: Mapping[str, Any]) -> Body:
    """The fields as a body; NotAllowed names the first that is missing, unknown or of the wrong type."""
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "body"
        if problem["type"] == "missing":
            raise NotAllowed(field, "", "必填", "is required") from error
        if problem["type"] == "extra_forbidden":
            known = ", ".join(known_keys(model, ()))
            raise NotAllowed(field, "", f"未知字段;可用:{known}", f"unknown field; allowed: {known}") from error
        said = problem["msg"].removeprefix("Input ")
        zh = _TYPES_ZH.get(problem["type"], f"不对:{said}")
        raise NotAllowed(field, str(problem["input"])[:60], zh, said) from error


def from_texts(fields: Mapping[str, str]) -> dict[str, Any]:
    """Fields as people type them: `price` and other amounts in yuan, quantities in kg; empty fields are left out."""
    typed: dict[str, Any] = {}
    for name, text in fields.items():
        if not text.strip():
            continue
        if name in _YUAN:
            typed[_YUAN[name]] = parse_price(name, text)
        elif name in _WHOLE:
            typed[name] = parse_whole(name, text)
        elif name in ("articulated", "again"):
            typed[name] = text in ("true", "on", "1", "yes")
        else:
            typed[name] = text.strip()
    return typed


_YUAN = {
    "amount": "amount_fen", "price": "price_fen_per_t", "freight": "freight_fen", "keep": "keep_fen",
    "grant": "grant_fen", "payment": "payment_fen",
}  # fmt: skip
_WHOLE = frozenset({"quantity_kg", "received_kg", "limit_kg", "vehicle_max_kg", "axles", "product_code"})


def book_payment(store: Store, body: PaymentIn, by: str) -> dict[str, Any]:
    """Post a payment notice and give it to the plants that wait for it; `new` is False for the very same one again."""
    check_range("amount_fen", body.amount_fen, 1, MOST_FEN, "fen")
    check_code("reference", body.reference)
    check_customer_id(body.customer_id)
    check_text("customer_name", body.customer_name)
    check_text("payer", body.payer)
    payment = Payment(body.reference, body.customer_id, body.customer_name, body.amount_fen, body.payer, by)
    with store.write() as tx:
        new = post_payment(tx, payment)
    return {"reference": body.reference, "amount_fen": body.amount_fen, "new": new}


def book_credit(store: Store, body: CreditIn, by: str, utc_offset_hours: int) -> dict[str, Any]:
    """Book an approved credit application as an account of its own; a new one must not be due before today."""
    check_code("application", body.application)
    check_customer_id(body.customer_id)
    check_text("customer_name", body.customer_name)
    check_text("product", body.product, required=True)
    check_text("responsible", body.responsible, required=True)
    check_range("quantity_kg", body.quantity_kg, 1, 10**9, "kg")
    check_range("price_fen_per_t", body.price_fen_per_t, 1, 10**10, "fen/t")
    due: date = parse_date("due", body.due)
    fund = amount_fen(body.quantity_kg, body.price_fen_per_t)
    credit = Credit(amount_fen=fund, posted_by=by, **{**body.model_dump(), "due": due.isoformat()})
    with store.write() as tx:
        new = approve_credit(tx, credit)
        if new and due < (today := datetime.now(timezone(timedelta(hours=utc_offset_hours))).date()):
            # Every truck on it would be held as overdue.
            raise NotAllowed("due", body.due, f"已过期;须为 {today} 或以后", f"is past; allowed: {today} or later")
    return {"application": body.application, "account": credit.account, "amount_fen": fund, "new": new}


def book_notice(store: Store, body: NoticeIn, by: str, utc_offset_hours: int) -> Notice:
    """Issue a dispatch notice: its money is granted in the same commit; the link sends it."""
    now = datetime.now(timezone(timedelta(hours=utc_offset_hours)))
    fields = body.model_dump()
    fields["mode"] = _mode(body.mode)
    fields["expires_at"] = (
        parse_moment("expires_at", body.expires_at, utc_offset_hours)
        if body.expires_at
        else (now + _DEFAULT_VALIDITY).astimezone(UTC)
    )
    try:
        with store.write() as tx:
            return issue_notice(tx, NoticeRequest(issued_by=by, **fields), now)
    except LacksMoney as refusal:
        lack = Lack(f"{body.plate} {now:%Y-%m-%d}", refusal.account, "refused", refusal.missing_fen)
        with store.write() as tx:
            note_refusal(tx, body.plant, lack, refusal.elsewhere_fen)
        raise


def change_notice(store: Store, number: str, body: AmendIn, utc_offset_hours: int) -> Notice:
    """The next version of an open notice."""
    changes = {name: value for name, value in body.model_dump().items() if value is not None}
    if not changes:
        raise NotAllowed("body", "", "没有改动", f"nothing to change; allowed: {', '.join(known_keys(AmendIn, ()))}")
    if "expires_at" in changes:
        changes["expires_at"] = parse_moment("expires_at", changes["expires_at"], utc_offset_hours)
    with store.write() as tx:
        return amend_notice(tx, number, changes, datetime.now(timezone(timedelta(hours=utc_offset_hours))))


def withdraw_notice(store: Store, number: str, reason: str) -> None:
    """Cancel an open notice."""
    check_text("reason", reason, required=True)
    with store.write() as tx:
        cancel_notice(tx, number, reason)


def grant(store: Store, account: str, plant: str, grant_fen: int) -> dict[str, Any]:
    """Allot more of an account to a plant than its notices need."""
    with store.write() as tx:
        instance = open_instance(tx, plant)
        total = grant_by_hand(tx, account, instance, grant_fen)
    return {"account": account, "instance": instance, "granted_fen": total}


def receive_stock(store: Store, plant: str, product: str, received_kg: int) -> dict[str, Any]:
    """Take goods into a plant's yard."""
    with store.write() as tx:
        stock = take_in(tx, plant, product, received_kg)
    return {"plant": plant, "product": stock.product, "received_kg": stock.received_kg}


def check_code(field: str, value: str) -> None:
    """A number as banks and offices write them."""
    if NUMBER.fullmatch(value) is None:
        raise NotAllowed(
            field, value[:60], "只能用字母、数字、- 和 /,最多 40 位", "allowed: letters, digits, - _ and /, at most 40"
        )


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError as error:
        allowed = ", ".join(mode.value for mode in Mode)
        raise NotAllowed("mode", text[:60], f"可选:{allowed}", f"allowed: {allowed}") from error
