"""The part of the replay about orders: the notice in a visit's row against what the ledger took, and its ticket."""

import sqlite3

from pydantic import ValidationError

from edge.domain.dispatch import tidy_plate
from edge.store.findings import Findings
from sync.documents import Notice
from sync.orders import digest
from sync.records import NoticeTaken, Ticketed

_ON_THE_TICKET = (
    "notice", "account", "customer_id", "customer_name", "product", "mode", "price_fen_per_t", "carrier", "freight_fen",
    "credit_due", "responsible",
)  # fmt: skip


def check_order(findings: Findings, row: sqlite3.Row, taken: NoticeTaken, ticket: Ticketed | None) -> None:
    """A visit's row holds the order that was taken last, and its ticket sells at that order's terms."""
    name = taken.visit
    try:
        order = Notice.model_validate_json(row["order_body"])
    except ValidationError as error:
        findings.say("visits", f"order of {name} cannot be read: {error.errors()[0]['msg']}")
        return
    plate = tidy_plate(order.plate)
    table = (row["notice"], row["version"], row["account"], row["plate"])
    ledger = (taken.notice, taken.version, taken.account, taken.plate)
    findings.differ("visits", f"notice, version, account and plate of {name}", table, ledger)
    written = (order.notice, order.version, order.account, plate)
    findings.differ("visits", f"notice, version, account and plate in the order of {name}", written, ledger)
    if taken.order_sha256 and digest(order) != taken.order_sha256:
        findings.say("visits", f"the order of {name} is not the one that the ledger took")
    if ticket is not None:
        for field in _ON_THE_TICKET:
            findings.differ("visits", f"{field} of {name}'s order", getattr(order, field), getattr(ticket, field))
        findings.differ("visits", f"plate of {name}'s order", plate, ticket.plate)
