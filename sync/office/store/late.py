"""Tickets and voids that no settlement counted: they match a paper stub, or wait in suspense 挂账 for finance.

Those are rows that came after their epoch was settled, rows parked behind a gap, and rows of a forked ledger: all were
signed by the plant, so their goods may have left. None is netted silently.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select, update

from sync.messages import WireRecord
from sync.office.clock import now_text
from sync.office.effects import Incident
from sync.office.reading import read_row
from sync.office.refusal import NotAllowed
from sync.office.store.applying import tell
from sync.office.store.database import insert_new
from sync.office.store.schema import forks, inbox, settlements, stubs, suspense
from sync.records import Record, Ticketed, Voided
from sync.units import format_fen

FIRST_FORK = 900_000_000
"""Rows of forks have numbers that are taken: in suspense they stand from here on. No plant writes so many rows."""

Money = Ticketed | Voided
Key = tuple[str, str]


def signed_fen(record: Money) -> int:
    """What a row adds to the net dispatch of its account."""
    return record.amount_fen if isinstance(record, Ticketed) else -record.amount_fen


def money_rows(tx: Connection, table: Table, *where: Any) -> Iterator[tuple[Any, Money]]:
    """Tickets and voids among rows of the inbox or of forks, with the row as it is kept."""
    query = select(table).where(table.c.kind.in_((Ticketed.KIND, Voided.KIND)), *where)
    with tx.execute(query.order_by(table.c.seq, table.c.hash).execution_options(yield_per=2000)) as rows:
        for row in rows.mappings():
            record = read_row(row["kind"], row["body"])
            if isinstance(record, Ticketed | Voided):
                yield row, record


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


def uncovered_forks(tx: Connection, instance: str) -> list[tuple[Any, Money]]:
    """Tickets and voids of forks that neither stand in the ledger as well nor are named by a stub of their own."""
    mine = inbox.c.instance == instance
    bodies = {row["body"] for row, _ in money_rows(tx, inbox, mine)} if _has_forks(tx, instance) else set()
    named = {
        (row.ticket, row.account, row.amount_fen)
        for row in tx.execute(select(stubs).where(stubs.c.instance == instance, stubs.c.matched_seq == 0))
    }
    found = []
    for row, record in money_rows(tx, forks, forks.c.instance == instance):
        known = row["body"] in bodies
        bodies.add(row["body"])
        as_stub = (record.ticket, record.account, record.amount_fen)
        if isinstance(record, Ticketed) and as_stub in named and not known:
            named.remove(as_stub)
        elif not known:
            found.append((row, record))
    return found


def _has_forks(tx: Connection, instance: str) -> bool:
    return tx.execute(select(forks.c.seq).where(forks.c.instance == instance).limit(1)).first() is not None


def book_unapplied(tx: Connection, plant: str, instance: str) -> int:
    """Put what a settled epoch did not count, parked rows and forks, into suspense; how many are new there."""
    settled_seq = tx.execute(select(settlements.c.settled_seq).where(settlements.c.instance == instance)).scalar_one()
    query = select(suspense.c.seq, suspense.c.note).where(suspense.c.instance == instance)
    there = {row.seq: row.note for row in tx.execute(query)}
    before = len(there)
    parked = list(money_rows(tx, inbox, inbox.c.instance == instance, inbox.c.seq > settled_seq))
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
        record = read_row(row.kind, row.body)
        if isinstance(record, Ticketed | Voided) and not _matched(tx, instance, row.seq, record):
            _suspend(tx, plant, instance, row.seq, record)


def _matched(tx: Connection, instance: str, seq: int, record: Record) -> bool:
    if not isinstance(record, Ticketed):
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


def _suspend(tx: Connection, plant: str, instance: str, seq: int, record: Money, why: str = "") -> None:
    late_void = isinstance(record, Voided)
    stub = tx.execute(
        select(stubs.c.account, stubs.c.amount_fen).where(stubs.c.instance == instance, stubs.c.ticket == record.ticket)
    ).first()
    noted = f"存根 stub: {stub.account} ¥{format_fen(stub.amount_fen)}" if stub else ""
    note = "; ".join(each for each in (why, noted) if each)
    plate, net_kg = ("", 0) if isinstance(record, Voided) else (record.plate, record.net_kg)
    insert_new(tx, suspense, [{
        "instance": instance, "seq": seq, "kind": "void" if late_void else "ticket", "ticket": record.ticket,
        "account": record.account, "plate": plate, "net_kg": net_kg, "amount_fen": record.amount_fen, "note": note,
        "state": "open", "arrived_at": now_text(),
    }])  # fmt: skip
    what = f"{record.ticket} {record.account} ¥{format_fen(record.amount_fen)} {note}".strip()
    tell(tx, plant, instance, [Incident(seq, "late_void" if late_void else "late_ticket", now_text(), what)])


def refuse_unearned_void(tx: Connection, row: Any) -> None:
    """NotAllowed for a void in suspense whose ticket does not count, or not with as much: it would make money."""
    if row["kind"] != "void":
        return
    counted_fen = _counted(tx, row)
    if counted_fen < row["amount_fen"]:
        raise NotAllowed(
            "suspense", f"{row['instance']} {row['seq']}",
            f"{row['ticket']} 只入账 ¥{format_fen(counted_fen)};先处理其出库单,未入账的作废请注销",
            f"{row['ticket']} counts with ¥{format_fen(counted_fen)} only: decide on its ticket first; dismiss the "
            "void of a ticket that was not charged",
        )  # fmt: skip


def _counted(tx: Connection, void: Any) -> int:
    """What the ticket of a void counts with. A fork's void takes back a ticket of the fork: numbers are used twice."""
    instance, account, ticket = void["instance"], void["account"], void["ticket"]
    forked = void["seq"] >= FIRST_FORK
    mine = (suspense.c.instance == instance, suspense.c.account == account, suspense.c.ticket == ticket)
    total_fen = 0
    for each in tx.execute(select(suspense).where(*mine, suspense.c.state == "charged")):
        if (each.seq >= FIRST_FORK) == forked:
            total_fen += each.amount_fen if each.kind == "ticket" else -each.amount_fen
    if forked:
        return total_fen
    ended = tx.execute(select(settlements.c.settled_seq).where(settlements.c.instance == instance)).scalar_one()
    rows = money_rows(
        tx, inbox, inbox.c.instance == instance, inbox.c.seq <= ended, inbox.c.body.contains(ticket, autoescape=True)
    )
    total_fen += max(0, net_by_ticket(record for _, record in rows).get((account, ticket), 0))
    paper = (stubs.c.instance == instance, stubs.c.account == account, stubs.c.ticket == ticket)
    return total_fen + int(
        tx.execute(select(func.coalesce(func.sum(stubs.c.amount_fen), 0)).where(*paper)).scalar_one()
    )
