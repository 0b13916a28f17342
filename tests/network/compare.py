"""The plant's books beside head office's, to the fen: what differs, in words."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import connect
from edge.store.verify import verify
from sync.office.store.database import Store
from sync.office.store.schema import allotments, inbox, instances, shipments
from sync.office.store.verification import verify_books

Sums = dict[tuple[str, str], tuple[int, int, int]]
"""Customer and business date: tickets, kg, fen."""
_COUNTERS = ("granted_fen", "returned_fen", "spent_fen", "voided_fen", "held_fen")


def differences(path: Path, store: Store, instance: str) -> list[str]:
    """Every way in which the two differ; empty when nothing was lost, doubled or changed."""
    found = [f"plant: {check.name}: {check.problem}" for check in verify(path).checks if not check.ok]
    connection = connect(path, writable=False)
    books = Books(connection, Clock())
    here = connection.execute("SELECT body, void_seq FROM tickets ORDER BY number").fetchall()
    tickets = [({**json.loads(row["body"])}, row["void_seq"] is not None) for row in here]
    head, accounts = books.ledger.head(), books.accounts.all()
    acked = books.number("acked_seq")
    connection.close()
    with store.read() as tx:
        checked = verify_books(tx)
        found += [f"head office: {problem}" for problem in checked.problems]
        there = tx.execute(select(shipments).where(shipments.c.instance == instance)).mappings().all()
        rows = tx.execute(select(inbox.c.seq).where(inbox.c.instance == instance)).scalars().all()
        last = tx.execute(
            select(instances.c.last_seq, instances.c.last_hash).where(instances.c.instance == instance)
        ).one()
        counters = tx.execute(select(allotments).where(allotments.c.instance == instance)).mappings().all()
    if acked != head.seq:
        found.append(f"the plant has {head.seq} rows and was acknowledged {acked}")
    if (last.last_seq, last.last_hash) != (head.seq, head.hash):
        found.append(f"the plant's last row is {head.seq}, head office's is {last.last_seq}, or another one")
    if sorted(rows) != list(range(1, head.seq + 1)):
        found.append(f"head office holds {len(rows)} rows of {head.seq}")
    found += _tickets(tickets, [dict(row) for row in there])
    found += _accounts(accounts, [dict(row) for row in counters])
    return found


def _tickets(tickets: list[tuple[dict[str, Any], bool]], there: list[dict[str, Any]]) -> list[str]:
    names = {each["ticket"] for each in there if each["ticket"]}
    missing = [body["ticket"] for body, _ in tickets if body["ticket"] not in names]
    found = [f"{len(missing)} tickets are missing at head office, the first is {missing[0]}"] if missing else []
    here = _sums([body for body, voided in tickets if not voided])
    sold = _sums([each for each in there if each["ticket"] and each["state"] != "voided"])
    return found + _unequal(here, sold)


def _sums(rows: list[dict[str, Any]]) -> Sums:
    count: Counter[tuple[str, str]] = Counter()
    kg: Counter[tuple[str, str]] = Counter()
    fen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        key = (row["customer_id"], row["business_date"])
        count[key] += 1
        kg[key] += row["net_kg"]
        fen[key] += row["amount_fen"]
    return {key: (count[key], kg[key], fen[key]) for key in count}


def _accounts(accounts: dict[str, Any], there: list[dict[str, Any]]) -> list[str]:
    here = {name: tuple(getattr(each, field) for field in _COUNTERS) for name, each in accounts.items()}
    booked = {
        each["account"]: (
            each["granted_fen"], each["returned_seen_fen"], each["spent_fen"], each["voided_fen"], each["held_fen"]
        )
        for each in there
    }  # fmt: skip
    return _unequal(here, booked)


def _unequal(here: Mapping[Any, object], there: Mapping[Any, object]) -> list[str]:
    keys = [key for key in {**here, **there} if here.get(key) != there.get(key)]
    return [f"{key}: {here.get(key)} here, {there.get(key)} there" for key in keys]
