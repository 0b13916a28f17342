"""What the pages, the API and the exports read. Plain dictionaries, newest first, each list bounded."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, case, exists, func, select, tuple_

from sync.office.effects import COMMAND_KINDS
from sync.office.store.late import FIRST_FORK
from sync.office.store.scale_alarms import alarms_told, rows_of_visit
from sync.office.store.scale_commands import commands_told
from sync.office.store.schema import (
    accounts,
    credits,
    customers,
    documents,
    dropped,
    forks,
    inbox,
    incidents,
    instances,
    notices,
    payments,
    refunds,
    settlements,
    shipments,
    suspense,
    undone,
)
from sync.records import ScaleAlarmed

Row = Mapping[str, Any]
STANDS = shipments.c.state.in_(("ticketed", "released", "returned"))
_SUSPENDED = (
    (suspense.c.instance == shipments.c.instance)
    & (suspense.c.ticket == shipments.c.ticket)
    & (suspense.c.kind == "ticket")
    & (suspense.c.state != "charged")
    & (suspense.c.seq < FIRST_FORK)
)
LATE = exists().where(_SUSPENDED)
"""Shipments that came after their epoch was settled, perhaps from a stolen box, and that finance has not charged. They
stand in every list, marked, and in no sum."""
TICKETED = (shipments.c.ticket != "") & ~LATE
"""Shipments that count in the sums of a day."""
IN_YARD = ("yard", "tared", "loaded", "held", "ticketed")


def list_shipments(
    tx: Connection, plant: str = "", business_date: str = "", text: str = "", limit: int = 200
) -> list[Row]:
    """Visits that reached the yard, the last changed first; `text` is part of a plate, ticket, notice or customer."""
    query = _shipments(plant, business_date, text)
    return [dict(row) for row in tx.execute(query.limit(limit)).mappings()]


def each_shipment(tx: Connection, plant: str = "", business_date: str = "") -> Iterator[Row]:
    """All of them, for an export, without holding them in memory."""
    query = _shipments(plant, business_date, "").execution_options(yield_per=1000)
    with tx.execute(query) as result:
        for row in result.mappings():
            yield dict(row)


def _shipments(plant: str, business_date: str, text: str) -> "Select[Any]":
    query = select(shipments, LATE.label("late")).where(shipments.c.state.not_in(("noticed", "")))
    if plant:
        query = query.where(shipments.c.plant == plant)
    if business_date:
        query = query.where(shipments.c.business_date == business_date)
    if text:
        columns = (shipments.c.plate, shipments.c.ticket, shipments.c.notice, shipments.c.customer_name)
        condition = columns[0].contains(text, autoescape=True)
        for column in columns[1:]:
            condition = condition | column.contains(text, autoescape=True)
        query = query.where(condition)
    return query.order_by(shipments.c.changed_at.desc(), shipments.c.changed_seq.desc())


def totals(tx: Connection, business_date: str = "") -> dict[str, Any]:
    """Tickets, kg and fen, in all and for each plant; kg and fen of tickets that stand, voided ones apart. Without late
    ones that nobody has decided on."""
    stands, released = case((STANDS, 1), else_=0), case((shipments.c.state == "released", 1), else_=0)
    voided = case((shipments.c.state == "voided", 1), else_=0)
    query = select(
        shipments.c.plant,
        func.count().label("shipments"),
        func.sum(released).label("released"),
        func.sum(voided).label("voided"),
        func.sum(stands * shipments.c.net_kg).label("net_kg"),
        func.sum(stands * shipments.c.amount_fen).label("amount_fen"),
        func.sum(voided * shipments.c.amount_fen).label("voided_fen"),
    ).where(TICKETED)
    if business_date:
        query = query.where(shipments.c.business_date == business_date)
    plants = {
        row["plant"]: {name: int(value) for name, value in row.items() if name != "plant"}
        for row in tx.execute(query.group_by(shipments.c.plant)).mappings()
    }
    names = ("shipments", "released", "voided", "net_kg", "amount_fen", "voided_fen")
    return {**{name: sum(each[name] for each in plants.values()) for name in names}, "plants": plants}


def yard_counts(tx: Connection) -> dict[str, int]:
    """How many visits are in each state that is not over."""
    query = select(shipments.c.state, func.count()).where(shipments.c.state.in_(IN_YARD)).group_by(shipments.c.state)
    return {state: int(number) for state, number in tx.execute(query)}


def daily_kg(tx: Connection, since_date: str) -> dict[str, int]:
    """Net kg of standing tickets by business date."""
    query = (
        select(shipments.c.business_date, func.sum(shipments.c.net_kg))
        .where(STANDS, ~LATE, shipments.c.business_date >= since_date)
        .group_by(shipments.c.business_date)
    )
    return {day: int(kg) for day, kg in tx.execute(query)}


def list_notices(tx: Connection, limit: int = 200) -> list[Row]:
    """Notices with the fields of their documents, newest first."""
    query = select(notices, instances.c.plant).join(instances, instances.c.instance == notices.c.instance)
    rows = tx.execute(query.order_by(notices.c.issued_at.desc(), notices.c.notice.desc()).limit(limit)).mappings()
    return [{**json.loads(row["body"]), **{name: row[name] for name in _NOTICE_NAMES}} for row in rows]


_NOTICE_NAMES = ("notice", "version", "plant", "account", "state", "reason", "hold_fen", "issued_at", "expires_at")


def list_payments(tx: Connection, limit: int = 200) -> list[Row]:
    """Payment notices, newest first, with the customer's name, and what became of one that was undone."""
    query = (
        select(
            payments, accounts.c.customer_id, customers.c.name, undone.c.covered_fen, undone.c.undone_at,
            undone.c.undone_by, undone.c.reason,
        )
        .join(accounts, accounts.c.account == payments.c.account)
        .join(customers, customers.c.customer_id == accounts.c.customer_id)
        .outerjoin(undone, undone.c.reference == payments.c.reference)
    )  # fmt: skip
    return [dict(row) for row in tx.execute(query.order_by(payments.c.posted_at.desc()).limit(limit)).mappings()]


def list_refunds(tx: Connection, limit: int = 200) -> list[Row]:
    """Refunds, newest first, with the customer's name."""
    query = (
        select(refunds, accounts.c.customer_id, customers.c.name)
        .join(accounts, accounts.c.account == refunds.c.account)
        .join(customers, customers.c.customer_id == accounts.c.customer_id)
    )
    return [dict(row) for row in tx.execute(query.order_by(refunds.c.posted_at.desc()).limit(limit)).mappings()]


def list_credits(tx: Connection, limit: int = 200) -> list[Row]:
    """Approved credit applications, newest first."""
    return [
        dict(row) for row in tx.execute(select(credits).order_by(credits.c.posted_at.desc()).limit(limit)).mappings()
    ]


def list_customers(tx: Connection) -> list[Row]:
    """Customers by number."""
    return [dict(row) for row in tx.execute(select(customers).order_by(customers.c.customer_id)).mappings()]


def list_plants(tx: Connection) -> list[dict[str, Any]]:
    """Plant epochs, the newest of each plant first, with what their last STATE said, how many rows are parked, and how
    a settled one was settled."""
    parked = (
        select(inbox.c.instance, func.count().label("parked"))
        .join(instances, instances.c.instance == inbox.c.instance)
        .where(inbox.c.seq > instances.c.last_seq)
        .group_by(inbox.c.instance)
    )
    waiting = {row[0]: int(row[1]) for row in tx.execute(parked)}
    settled = {row["instance"]: dict(row) for row in tx.execute(select(settlements)).mappings()}
    listed = []
    for row in tx.execute(select(instances).order_by(instances.c.plant, instances.c.epoch.desc())).mappings():
        status = json.loads(row["status"]) if row["status"] else {}
        listed.append({
            **{name: row[name] for name in _PLANT_NAMES}, "parked": waiting.get(row["instance"], 0),
            "held_trucks": status.get("waiting", 0),
            "plant_seq": status.get("last_seq", 0), "documents_applied": status.get("documents_applied", 0),
            "term": (status.get("term") or {}).get("number", 0), "settled": settled.get(row["instance"]),
        })  # fmt: skip
    return listed


_PLANT_NAMES = (
    "instance", "plant", "epoch", "fingerprint", "plant_name", "state", "frozen", "last_seq", "last_hash", "documents",
    "status_at", "mode", "enrolled_at", "told_term",
)  # fmt: skip


def list_incidents(tx: Connection, limit: int = 200, visit: str = "") -> list[Row]:
    """What a person should look at, newest first; with `visit` only what the scale watch found about it. `alarm` has
    the words and the curve of such a row, None of all others; `command` a command to an indicator with its end.
    """
    query = select(incidents).order_by(incidents.c.at.desc()).limit(limit)
    if visit:
        of_it = tuple_(incidents.c.instance, incidents.c.seq).in_(rows_of_visit(tx, visit))
        query = query.where(incidents.c.kind == ScaleAlarmed.KIND, of_it)
    rows = [dict(row) for row in tx.execute(query).mappings()]
    told = alarms_told(tx, [(row["instance"], row["seq"]) for row in rows if row["kind"] == ScaleAlarmed.KIND])
    commands = commands_told(tx, rows)
    listed: list[Row] = []
    for row in rows:
        key = row["instance"], row["seq"]
        alarm = told.get(key) if row["kind"] == ScaleAlarmed.KIND else None
        command = commands.get(key) if row["kind"] in COMMAND_KINDS else None
        if command or row["kind"] not in COMMAND_KINDS:
            listed.append({**row, "alarm": alarm, "command": command})
    return listed


def list_forks(tx: Connection) -> list[Row]:
    """Both sides of each fork: the row that was kept and those that came with its number later."""
    mine = (inbox.c.instance == forks.c.instance) & (inbox.c.seq == forks.c.seq)
    query = select(forks, *(inbox.c[name].label(f"first_{name}") for name in ("kind", "hash", "body")))
    query = query.join(inbox, mine)
    return [dict(row) for row in tx.execute(query.order_by(forks.c.received_at.desc()).limit(100)).mappings()]


def list_dropped(tx: Connection) -> list[Row]:
    """Messages that were not ours, counted."""
    return [dict(row) for row in tx.execute(select(dropped).order_by(dropped.c.last_at.desc()).limit(100)).mappings()]


def documents_of(tx: Connection, instance: str) -> list[Row]:
    """Everything ever sent down to one instance, in order."""
    query = select(documents).where(documents.c.instance == instance).order_by(documents.c.number)
    return [dict(row) for row in tx.execute(query).mappings()]
