"""Notices as numbered documents for one plant epoch, each with its money granted in the same transaction."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, func, insert, select, update

from sync.canonical import canonical
from sync.documents import Document, Notice, NoticeCancelled
from sync.fields import Mode
from sync.office.accounts import Account, Allotment, largest_net_kg, plan_hold_fen
from sync.office.clock import now_text, time_text
from sync.office.notices import NoticeRequest
from sync.office.refusal import NotAllowed
from sync.office.store.database import insert_first, lock_name, next_change
from sync.office.store.money import load_account, prepaid_account, save_grants
from sync.office.store.reconcile import refuse_ungranted, refuse_untold, refuse_while_reconciling, ungranted
from sync.office.store.schema import credits, customers, documents, instances, notices, shipments
from sync.units import format_fen, format_kg

CHANGEABLE = ("issued", "taken", "loading", "held")
_STATES_ZH = {
    "ticketed": "已出库", "released": "已出门", "voided": "已作废", "returned": "已退货", "cancelled": "已取消",
    "cancelling": "正在取消", "expired": "已过期", "empty": "已空车出门", "refused": "厂未接收",
}  # fmt: skip
"""Where a notice cannot be changed any more, for a refusal."""


def issue_notice(tx: Connection, request: NoticeRequest, now: datetime) -> Notice:
    """Check, reserve, grant what is missing, and number the document. NotAllowed: roll back, nothing has changed."""
    request.check(now)
    refuse_while_reconciling(tx)
    wanted_number = request.notice
    request = _numbered(tx, request, now)
    if _is_used(tx, request.notice):
        raise _used(request.notice)
    instance = open_instance(tx, request.plant)
    _plate_is_free(tx, request.plate)
    notice = _priced(tx, request, now)
    account = _account(tx, notice.account)
    hold_fen = plan_hold_fen(account, instance, notice.price_fen_per_t, _load_kg(notice))
    notice = notice.model_copy(update={"hold_fen": hold_fen})
    save_grants(tx, account, account.with_hold(instance, hold_fen))
    while not insert_first(tx, notices, _notice_row(instance, notice, now)):
        if wanted_number:
            raise _used(wanted_number)
        # Another process has taken the day's next number for another plant, and committed it just now.
        notice = notice.model_copy(update={"notice": _numbered(tx, replace(request, notice=""), now).notice})
    number_document(tx, instance, notice.notice, notice)
    next_change(tx)
    return notice


def _is_used(tx: Connection, number: str) -> bool:
    """Also when only the plant remembers it: these books were restored from a copy, and its rows came again."""
    asked = (
        select(notices.c.notice).where(notices.c.notice == number),
        select(shipments.c.notice).where(shipments.c.notice == number).limit(1),
    )
    return any(tx.execute(each).first() is not None for each in asked)


def _used(number: str) -> NotAllowed:
    return NotAllowed("notice", number, "单号已用过,每个单号只用一次", "this number is used; allowed: a new one")


def _notice_row(instance: str, notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "notice": notice.notice, "version": 1, "instance": instance, "account": notice.account,
        "plate": notice.plate, "state": "issued", "hold_fen": notice.hold_fen,
        "body": canonical(notice.model_dump(mode="json")), "issued_at": time_text(now),
        "expires_at": time_text(notice.expires_at),
    }  # fmt: skip


def amend_notice(tx: Connection, number: str, changes: dict[str, Any], now: datetime) -> Notice:
    """The same notice with a higher version: limit, price, expiry, plate, vehicle. Its hold is planned anew."""
    refuse_while_reconciling(tx)
    row = _changeable(tx, number)
    _may_grow(tx, row["instance"])
    old = Notice.model_validate_json(row["body"])
    fields = {**old.model_dump(), **changes, "version": old.version + 1, "issued_at": now.astimezone(UTC)}
    application = old.account.partition("/credit-")[2]
    NoticeRequest(
        plant=row["instance"].split("/")[0], credit_application=application,
        **{name: fields[name] for name in _REQUEST_FIELDS},
    ).check(now)  # fmt: skip
    if old.mode is Mode.CREDIT:
        _not_overdue(application, old.credit_due, now)
    if old.mode is Mode.CREDIT and fields["price_fen_per_t"] != old.price_fen_per_t:
        raise NotAllowed(
            "price_fen_per_t", str(fields["price_fen_per_t"]), "赊销按申请单价", "the application fixes the price"
        )
    if fields["plate"] != old.plate:
        _plate_is_free(tx, fields["plate"])
    account = _account(tx, old.account)
    allotment = account.allotments.get(row["instance"], Allotment())
    if row["state"] == "issued":
        allotment = replace(allotment, noticed_fen=allotment.noticed_fen - row["hold_fen"])
    else:
        held = select(func.coalesce(func.sum(shipments.c.hold_fen), 0)).where(
            shipments.c.notice == number, shipments.c.instance == row["instance"]
        )
        allotment = replace(allotment, held_fen=allotment.held_fen - int(tx.execute(held).scalar_one()))
    without = replace(account, allotments={**account.allotments, row["instance"]: allotment})
    notice = Notice.model_validate(fields)
    hold_fen = plan_hold_fen(
        without, row["instance"], notice.price_fen_per_t, _load_kg(notice), own_fen=row["hold_fen"]
    )
    notice = notice.model_copy(update={"hold_fen": hold_fen})
    save_grants(tx, without, without.with_hold(row["instance"], hold_fen))
    tx.execute(
        update(notices).where(notices.c.notice == number).values(
            version=notice.version, plate=notice.plate, hold_fen=hold_fen,
            body=canonical(notice.model_dump(mode="json")), expires_at=time_text(notice.expires_at),
        )
    )  # fmt: skip
    number_document(tx, row["instance"], number, notice)
    next_change(tx)
    return notice


_REQUEST_FIELDS = (
    "customer_id", "plate", "product", "price_fen_per_t", "axles", "expires_at", "mode", "notice", "product_code",
    "limit_kg", "articulated", "vehicle_max_kg", "pickup_person", "carrier", "freight_fen", "issued_by",
)  # fmt: skip


def open_notices(tx: Connection, product: str, plant: str = "") -> list[tuple[str, str]]:
    """(number, plant) of open notices of a product that are paid before, oldest first: those a new price may change."""
    chosen = (
        select(notices.c.notice, notices.c.body, instances.c.plant)
        .join(instances, instances.c.instance == notices.c.instance)
        .where(notices.c.state.in_(CHANGEABLE), notices.c.expires_at > now_text())
        .order_by(notices.c.issued_at, notices.c.notice)
    )
    if plant:
        chosen = chosen.where(instances.c.plant == plant)
    listed = []
    for number, body, where in tx.execute(chosen):
        notice = Notice.model_validate_json(body)
        if notice.product == product and notice.mode is not Mode.CREDIT:
            listed.append((number, where))
    return listed


def cancel_notice(tx: Connection, number: str, reason: str) -> None:
    """Take a notice back. The plant answers with its record; a truck already ticketed is not affected."""
    row = _changeable(tx, number)
    if row["state"] == "issued":
        tx.execute(update(notices).where(notices.c.notice == number).values(state="cancelling", reason=reason))
    number_document(tx, row["instance"], number, NoticeCancelled(notice=number, reason=reason))
    next_change(tx)


def open_instance(tx: Connection, plant: str) -> str:
    """The plant's current epoch, ready for notices and grants; its row is locked, always before an account's."""
    row = tx.execute(
        select(instances.c.instance, instances.c.frozen)
        .where(instances.c.plant == plant, instances.c.state == "open")
        .order_by(instances.c.epoch.desc())
        .with_for_update()
    ).first()
    if row is None:
        known = list(tx.execute(select(instances.c.plant).distinct().order_by(instances.c.plant)).scalars())
        if plant in known:
            raise NotAllowed(
                "plant", plant, "该厂账期正在关闭或已关闭;请先登记下一期", "has no open epoch; enrol its next one first"
            )
        listed = ", ".join(known) or "-"
        raise NotAllowed("plant", plant, f"没有这个厂;已登记:{listed}", f"no such plant; enrolled: {listed}")
    if row[1]:
        raise NotAllowed("plant", plant, "账本对不上,已冻结", f"is frozen: {row[1]}")
    if row[0] in ungranted(tx):
        refuse_while_reconciling(tx)
        refuse_ungranted(tx, row[0])
    return str(row[0])


def _may_grow(tx: Connection, instance: str) -> None:
    """An amendment may grant money: never to a closed epoch, never to a ledger that forked."""
    state, frozen = tx.execute(
        select(instances.c.state, instances.c.frozen).where(instances.c.instance == instance)
    ).one()
    if state != "open":
        raise NotAllowed(
            "plant", instance, "该期账本已关闭;请取消后另开通知单", f"is {state}; cancel it and issue a new notice"
        )
    if frozen:
        raise NotAllowed("plant", instance, "账本对不上,已冻结", f"is frozen: {frozen}")
    refuse_ungranted(tx, instance)


def _changeable(tx: Connection, number: str) -> Any:
    instance = tx.execute(select(notices.c.instance).where(notices.c.notice == number)).scalar()
    if instance is None:
        raise NotAllowed("notice", number, "没有这个通知单", "no such notice")
    tx.execute(select(instances.c.instance).where(instances.c.instance == instance).with_for_update())
    row = tx.execute(select(notices).where(notices.c.notice == number)).mappings().one()
    if row["state"] not in CHANGEABLE:
        allowed = ", ".join(CHANGEABLE)
        raise NotAllowed(
            "notice",
            number,
            f"{_STATES_ZH.get(row['state'], row['state'])},不能再改",
            f"it is {row['state']}; allowed while {allowed}",
        )
    return row


def _numbered(tx: Connection, request: NoticeRequest, now: datetime) -> NoticeRequest:
    if request.notice:
        return request
    prefix = f"FH{now:%y%m%d}-"
    # People may give numbers of their own, also of this form: the newest that counts is looked for among the last.
    # Books restored from a copy find those that they forgot in the rows that the plants send again.
    last = max(_last_number(tx, column, prefix) for column in (notices.c.notice, shipments.c.notice))
    return replace(request, notice=f"{prefix}{last + 1:04}")


def _last_number(tx: Connection, column: Column[str], prefix: str) -> int:
    of_day = (column.between(f"{prefix}0000", f"{prefix}9999"), column.like(f"{prefix}____"))
    newest = tx.execute(select(column).where(*of_day).order_by(column.desc()).limit(100)).scalars()
    endings = (number.removeprefix(prefix) for number in newest)
    return next((int(ending) for ending in endings if ending.isdecimal()), 0)


def _plate_is_free(tx: Connection, plate: str) -> None:
    """One open notice for one truck: a second would leave the lane to guess."""
    lock_name(tx, plate)
    found = tx.execute(
        select(notices.c.notice).where(
            notices.c.plate == plate, notices.c.state.in_(CHANGEABLE), notices.c.expires_at > now_text()
        )
    ).scalar()
    if found is not None:
        raise NotAllowed("plate", plate, f"已有未完成的通知单 {found}", f"has an open notice already: {found}")


def _priced(tx: Connection, request: NoticeRequest, now: datetime) -> Notice:
    """The document, with the customer's name and, for credit, the approved application's terms."""
    name = tx.execute(select(customers.c.name).where(customers.c.customer_id == request.customer_id)).scalar()
    if name is None:
        raise NotAllowed(
            "customer_id", request.customer_id, "没有这个客户,请先登记到款", "no such customer; post a payment first"
        )
    account, due, responsible = prepaid_account(request.customer_id), "", ""
    if request.mode is Mode.CREDIT:
        credit = _credit(tx, request, now)
        account, due, responsible = credit["account"], credit["due"], credit["responsible"]
    fields = {field: getattr(request, field) for field in _REQUEST_FIELDS}
    return Notice(
        customer_name=name,
        account=account,
        hold_fen=0,
        issued_at=now.astimezone(UTC),
        credit_due=due,
        responsible=responsible,
        **fields,
    )


def _credit(tx: Connection, request: NoticeRequest, now: datetime) -> Any:
    row = tx.execute(select(credits).where(credits.c.application == request.credit_application)).mappings().first()
    field, value = "credit_application", request.credit_application
    if row is None or not row["account"].startswith(f"{request.customer_id}/"):
        raise NotAllowed(
            field, value, "该客户没有这份已批准的赊销申请", "this customer has no such approved application"
        )
    _not_overdue(value, row["due"], now)
    if row["price_fen_per_t"] != request.price_fen_per_t:
        price = format_fen(row["price_fen_per_t"])
        raise NotAllowed(
            "price_fen_per_t",
            str(request.price_fen_per_t),
            f"申请单价为 ¥{price}/t",
            f"the application says ¥{price}/t",
        )
    if row["product"] != request.product:
        raise NotAllowed(
            "product", request.product, f"申请的产品是 {row['product']}", f"the application says {row['product']}"
        )
    if request.limit_kg is not None and request.limit_kg > row["quantity_kg"]:
        quantity = format_kg(row["quantity_kg"])
        raise NotAllowed(
            "limit_kg", str(request.limit_kg), f"申请数量 {quantity} kg", f"the application allows {quantity} kg"
        )
    return row


def _not_overdue(application: str, due: str, now: datetime) -> None:
    """逾期停发: on a credit whose day of payment is past, by the clock of `now`, no notice is issued or changed."""
    if due < now.date().isoformat():
        raise NotAllowed(
            "credit_application", application, f"付款期限 {due} 已过", f"was due on {due}; allowed: a new application"
        )


def _account(tx: Connection, account: str) -> Account:
    found = load_account(tx, account)
    if found is None:
        raise NotAllowed("account", account, "没有到款", "no payment was ever booked for it")
    return found


def _load_kg(notice: Notice) -> int:
    largest = largest_net_kg(notice.axles, notice.articulated, notice.vehicle_max_kg)
    return largest if notice.limit_kg is None else min(notice.limit_kg, largest)


def number_document(tx: Connection, instance: str, subject: str, document: Document) -> None:
    """The next number without gaps: the instance's row is locked while it is taken.

    Restored books do not know which numbers the plant has applied before it has told them: NotAllowed until then.
    """
    refuse_untold(tx, instance)
    last = tx.execute(
        select(instances.c.documents).where(instances.c.instance == instance).with_for_update()
    ).scalar_one()
    tx.execute(update(instances).where(instances.c.instance == instance).values(documents=last + 1))
    tx.execute(
        insert(documents).values(
            instance=instance, number=last + 1, kind=document.KIND, subject=subject, created_at=now_text(),
            body=json.dumps(document.model_dump(mode="json"), ensure_ascii=False),
        )
    )  # fmt: skip
