"""Grants as the top-up page lists them, and whom a dispatcher means by what he reads out."""

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, select

from sync.office.clock import now_text
from sync.office.refusal import NotAllowed
from sync.office.store.money import prepaid_account
from sync.office.store.orders import CHANGEABLE
from sync.office.store.schema import accounts, allotments, customers, instances, notices, topups

_MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Grant:
    """One account at one plant epoch."""

    instance: str
    account: str
    granted_fen: int
    state: str
    frozen: str
    plant_name: str
    customer_name: str
    granted_at: str
    """When it grew last; '' when that was not noted, or is forgotten after three months."""
    enrolled_at: str
    seen_at: str
    """When the plant told that it has all of it; '' while it has not."""
    had_fen: int
    """How much of it the plant has told so far."""

    @property
    def new_fen(self) -> int:
        """What its code brings, as far as head office knows."""
        return self.granted_fen - self.had_fen


@dataclass(frozen=True, slots=True)
class Found:
    """The account somebody meant."""

    account: str
    customer_id: str
    kind: str
    customer_name: str
    order: str = ""
    """The open notice by whose number or plate it was meant; '' when its own name or its customer's was given."""


def find_account(tx: Connection, who: str) -> Found:
    """By account, customer number, or the plate or number of an open notice.

    NotAllowed for what means nobody, or more than one: money is never booked to a guess. A notice that has expired may
    still be open here and at a plant without a link, so it makes its plate doubtful, and alone is not enough.
    """
    text = who.strip()
    if exact := _named(tx, {text}):
        return exact[0]
    orders = tx.execute(
        select(notices.c.account, notices.c.notice, notices.c.expires_at)
        .where((notices.c.notice == text) | (notices.c.plate == text.upper()), notices.c.state.in_(CHANGEABLE))
        .order_by(notices.c.issued_at)
    ).all()
    order_of = {row.account: row.notice for row in orders}
    found = _named(tx, {prepaid_account(text), *order_of})
    if len(found) > 1:
        listed = ", ".join(f"{each.account} {each.customer_name} {order_of.get(each.account, '')}".strip()
                           for each in found)  # fmt: skip
        raise NotAllowed(
            "who", who[:60], f"不止一个账户:{listed};请写账户", f"means more than one: {listed}; allowed: one account"
        )
    if not found:
        raise NotAllowed(
            "who", who[:60], "没有这个客户、账户、车牌或未完成的通知单",
            "no such customer, account, or plate or number of an open notice",
        )  # fmt: skip
    order = order_of.get(found[0].account, "")
    if order not in ("", text) and all(row.expires_at <= now_text() for row in orders):
        raise NotAllowed(
            "who", who[:60], f"这辆车的通知单 {order} 已过期;请核对后写客户编号、账户或单号",
            f"its notice {order} has expired; allowed: the customer's number, the account or the notice's number",
        )  # fmt: skip
    return replace(found[0], order=order)


def _named(tx: Connection, names: set[str]) -> list[Found]:
    query = (
        select(accounts.c.account, accounts.c.customer_id, accounts.c.kind, customers.c.name.label("customer_name"))
        .join(customers, customers.c.customer_id == accounts.c.customer_id)
        .where(accounts.c.account.in_(names))
        .order_by(accounts.c.account)
    )
    return [Found(**row) for row in tx.execute(query).mappings()]


def find_grant(tx: Connection, instance: str, account: str) -> Grant | None:
    """What was granted there; None when nothing was."""
    mine = (allotments.c.account == account, allotments.c.instance == instance)
    found = _read(tx, _grants().where(*mine))
    return found[0] if found else None


def followed_term(tx: Connection, instance: str) -> int:
    """The number of the term that the plant told last; 0 before its first STATE."""
    status = tx.execute(select(instances.c.status).where(instances.c.instance == instance)).scalar()
    return int((json.loads(status).get("term") or {}).get("number", 0)) if status else 0


def list_grants(tx: Connection) -> list[Grant]:
    """Grants of open epochs, those the plant has not got first, then the newest."""
    query = _grants().where(instances.c.state == "open", instances.c.frozen == "")
    rows = _read(tx, query.order_by(func.coalesce(topups.c.granted_at, "").desc(), allotments.c.account))
    return sorted(rows, key=lambda grant: grant.seen_at != "" or not grant.granted_at)[:_MOST_ROWS]


def waiting_trucks(tx: Connection, limit: int = 30) -> list[dict[str, Any]]:
    """Open notices, for the page's list of whom a dispatcher may mean."""
    query = (
        select(notices.c.plate, notices.c.notice, notices.c.account, instances.c.plant, customers.c.name)
        .join(instances, instances.c.instance == notices.c.instance)
        .join(accounts, accounts.c.account == notices.c.account)
        .join(customers, customers.c.customer_id == accounts.c.customer_id)
        .where(notices.c.state.in_(CHANGEABLE))
        .order_by(notices.c.issued_at.desc())
    )
    return [dict(row) for row in tx.execute(query.limit(limit)).mappings()]


def list_accounts(tx: Connection) -> list[dict[str, Any]]:
    """Accounts with their customers' names, to choose from."""
    query = select(accounts.c.account, customers.c.name).join(
        customers, customers.c.customer_id == accounts.c.customer_id
    )
    return [dict(row) for row in tx.execute(query.order_by(accounts.c.account)).mappings()]


def _grants() -> Any:
    total = topups.c.granted_fen == allotments.c.granted_fen
    mine = (topups.c.account == allotments.c.account) & (topups.c.instance == allotments.c.instance)
    told = topups.alias("told")
    had = select(func.coalesce(func.max(told.c.granted_fen), 0)).where(
        told.c.account == allotments.c.account, told.c.instance == allotments.c.instance, told.c.seen_at != ""
    )
    return (
        select(
            allotments.c.instance, allotments.c.account, allotments.c.granted_fen, instances.c.state,
            instances.c.frozen, instances.c.plant_name, instances.c.enrolled_at,
            customers.c.name.label("customer_name"),
            func.coalesce(topups.c.granted_at, "").label("granted_at"),
            func.coalesce(topups.c.seen_at, "").label("seen_at"), had.scalar_subquery().label("had_fen"),
        )
        .join(instances, instances.c.instance == allotments.c.instance)
        .join(accounts, accounts.c.account == allotments.c.account)
        .join(customers, customers.c.customer_id == accounts.c.customer_id)
        .outerjoin(topups, mine & total)
        .where(allotments.c.granted_fen > 0)
    )  # fmt: skip


def _read(tx: Connection, query: Any) -> list[Grant]:
    return [Grant(**row) for row in tx.execute(query).mappings()]
