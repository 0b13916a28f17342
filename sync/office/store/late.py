"""Tickets and voids that no settlement counted: they match a paper stub, or wait in suspense 挂账 for finance.

Those are rows that came after their epoch was settled, rows parked behind a gap, rows of a forked ledger, and rows that
this program cannot read: all were signed by the plant, so their goods may have left. None is netted silently.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select, update

from sync.messages import WireRecord
from sync.office.clock import now_text
from sync.office.effects import Incident
from sync.office.reading import read_row
from sync.office.store.applying import tell
from sync.office.store.database import insert_new
from sync.office.store.schema import forks, inbox, settlements, stubs, suspense
from sync.records import Ticketed, Voided
from sync.units import format_fen

FIRST_FORK = 900_000_000
"""Rows of forks have numbers that are taken: in suspense they stand from here on. No plant writes so many rows."""

Money = Ticketed | Voided
Key = tuple[str, str]
_MONEY_KINDS = (Ticketed.KIND, Voided.KIND)
_MOST_FEN, _MOST_KG = 10**13, 10**6


@dataclass(frozen=True, slots=True)
class Unread:
    """A ticket or void that this program cannot read, perhaps of a newer plant; as much of it as can be told. It counts
    nowhere by itself. `amount_fen` 0 and empty texts: not told."""

    KIND: str
    why: str
    ticket: str
    account: str
    plate: str
    net_kg: int
    amount_fen: int


Late = Money | Unread


def signed_fen(record: Money) -> int:
    """What a row adds to the net dispatch of its account."""
    return record.amount_fen if isinstance(record, Ticketed) else -record.amount_fen


def late_rows(tx: Connection, table: Table, *where: Any) -> Iterator[tuple[Any, Late]]:
    """Tickets and voids among rows of the inbox or of forks, with the row as it is kept; also those not readable."""
    query = select(table).where(table.c.kind.in_(_MONEY_KINDS), *where)
    with tx.execute(query.order_by(table.c.seq, table.c.hash).execution_options(yield_per=2000)) as rows:
        for row in rows.mappings():
            if (record := read_late(row["kind"], row["body"])) is not None:
                yield row, record


def money_rows(tx: Connection, table: Table, *where: Any) -> Iterator[tuple[Any, Money]]:
    """Those of them that can be read, so that they can count."""
    for row, record in late_rows(tx, table, *where):
        if not isinstance(record, Unread):
            yield row, record


def unread_rows(tx: Connection, instance: str) -> list[tuple[Any, Unread]]:
    """The other ones in the ledger of a plant epoch."""
    found = late_rows(tx, inbox, inbox.c.instance == instance)
    return [(row, record) for row, record in found if isinstance(record, Unread)]


def read_late(kind: str, body: str) -> Late | None:
    """The ticket or void in a row; None for a row of another kind."""
    record = read_row(kind, body)
    if isinstance(record, Ticketed | Voided):
        return record
    return _told(kind, body, record) if isinstance(record, str) and kind in _MONEY_KINDS else None


def _told(kind: str, body: str, why: str) -> Unread:
    try:
        fields = json.loads(body)
    except ValueError:
        fields = {}
    fields = fields if isinstance(fields, dict) else {}

    def text(name: str) -> str:
        value = fields.get(name)
        return value[:80] if isinstance(value, str) and value.isprintable() else ""

    def whole(name: str, most: int) -> int:
        value = fields.get(name)
        return value if type(value) is int and 0 <= value <= most else 0

    return Unread(
        kind, why, text("ticket"), text("account"), text("plate"), whole("net_kg", _MOST_KG),
        whole("amount_fen", _MOST_FEN),
    )  # fmt: skip


def net_by_ticket(records: Iterable[Money]) -> dict[Key, int]:
    """Net fen by (account, ticket); negative for a void that is no whole ticket's, or came twice."""
    nets: dict[Key, int] = defaultdict(int)
    for record in records:
        nets[record.account, record.ticket] += signed_fen(record)
    return nets


def net_by_account(nets: dict[Key, int]) -> dict[str, int]:
    """Net fen by account. A void takes back its own ticket, and once: never what another one counts."""
    spend: dict[str, int] = defaultdict(int)
    for (account, _), net_fen in nets.items():
        spend[account] += max(0, net_fen)
    return spend


def fork_note(row: Any) -> str:
    """Which row of a fork a line in suspense is."""
    return f"分叉 fork: row {row['seq']} {row['hash'][:16]}"


def uncovered_forks(tx: Connection, instance: str) -> list[tuple[Any, Late]]:
    """Tickets and voids of forks that neither stand in the ledger as well nor are named by a stub of their own."""
    mine = inbox.c.instance == instance
    bodies = {row["body"] for row, _ in late_rows(tx, inbox, mine)} if _has_forks(tx, instance) else set()
    named = {
        (row.ticket, row.account, row.amount_fen)
        for row in tx.execute(select(stubs).where(stubs.c.instance == instance, stubs.c.matched_seq == 0))
    }
    found = []
    for row, record in late_rows(tx, forks, forks.c.instance == instance):
        known = row["body"] in bodies
        bodies.add(row["body"])
        as_stub = (record.ticket, record.account, record.amount_fen)
        if record.KIND == Ticketed.KIND and as_stub in named and not known:
            named.remove(as_stub)
        elif not known:
            found.append((row, record))
    return found


def _has_forks(tx: Connection, instance: str) -> bool:
    return tx.execute(select(forks.c.seq).where(forks.c.instance == instance).limit(1)).first() is not None


def book_unapplied(tx: Connection, plant: str, instance: str) -> int:
    """Put what a settled epoch did not count, parked rows, unreadable ones and forks, into suspense; how many are new
    there."""
    settled_seq = tx.execute(select(settlements.c.settled_seq).where(settlements.c.instance == instance)).scalar_one()
    query = select(suspense.c.seq, suspense.c.note).where(suspense.c.instance == instance)
    there = {row.seq: row.note for row in tx.execute(query)}
    before = len(there)
    here = late_rows(tx, inbox, inbox.c.instance == instance)
    parked = [each for each in here if each[0]["seq"] > settled_seq or isinstance(each[1], Unread)]
    for row, record in parked:
        if row["seq"] not in there and not _matched(tx, instance, row["seq"], record):
            there[row["seq"]] = ""
            _suspend(tx, plant, instance, row["seq"], record)
    said = {note.split(";")[0] for note in there.values()}
    for row, record in uncovered_forks(tx, instance):
        if fork_note(row) not in said:
            seq = max([FIRST_FORK, *there]) + 1
            there[seq] = fork_note(row)
            _suspend(tx, plant, instance, seq, record, there[seq])
    return len(there) - before


def book_late(tx: Connection, plant: str, instance: str, rows: Sequence[WireRecord]) -> None:
    """Rows of a settled epoch: their tickets match a stub, or wait for finance."""
    for row in rows:
        record = read_late(row.kind, row.body)
        if record is not None and not _matched(tx, instance, row.seq, record):
            _suspend(tx, plant, instance, row.seq, record)


def _matched(tx: Connection, instance: str, seq: int, record: Late) -> bool:
    if record.KIND != Ticketed.KIND:
        return False
    row = stubs.c
    same = (
        row.instance == instance, row.ticket == record.ticket, row.account == record.account,
        row.amount_fen == record.amount_fen, row.matched_seq.in_((0, seq)),
    )  # fmt: skip
    if tx.execute(select(row.ticket).where(*same)).first() is None:
        return False
    tx.execute(update(stubs).where(*same).values(matched_seq=seq))
    return True


def _suspend(tx: Connection, plant: str, instance: str, seq: int, record: Late, why: str = "") -> None:
    late_void = record.KIND == Voided.KIND
    stub = tx.execute(
        select(stubs.c.account, stubs.c.amount_fen).where(stubs.c.instance == instance, stubs.c.ticket == record.ticket)
    ).first()
    noted = f"存根 stub: {stub.account} ¥{format_fen(stub.amount_fen)}" if stub else ""
    unread = f"读不出 unreadable: {record.why}" if isinstance(record, Unread) else ""
    note = "; ".join(each for each in (why, noted, unread) if each)
    plate, net_kg = ("", 0) if isinstance(record, Voided) else (record.plate, record.net_kg)
    insert_new(tx, suspense, [{
        "instance": instance, "seq": seq, "kind": "void" if late_void else "ticket", "ticket": record.ticket,
        "account": record.account, "plate": plate, "net_kg": net_kg, "amount_fen": record.amount_fen, "note": note,
        "state": "open", "arrived_at": now_text(),
    }])  # fmt: skip
    what = f"{record.ticket} {record.account} ¥{format_fen(record.amount_fen)} {note}".strip()
    tell(tx, plant, instance, [Incident(seq, "late_void" if late_void else "late_ticket", now_text(), what)])
