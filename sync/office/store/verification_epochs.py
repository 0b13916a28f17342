"""How plant epochs ended, read again: what each was settled with, and that no late ticket is missing in suspense."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from sync.messages import Ticketed, Voided
from sync.office.reading import read_row
from sync.office.store.schema import allotments, inbox, instances, settlements, stubs, suspense


def check_epochs(tx: Connection) -> list[str]:
    """One line for everything that does not hold."""
    problems = []
    ended = {row["instance"]: row for row in tx.execute(select(settlements)).mappings()}
    for row in tx.execute(select(instances).order_by(instances.c.instance)).mappings():
        if (row["state"] == "settled") != (row["instance"] in ended):
            problems.append(f"{row['instance']}: is {row['state']}, and {_has(row['instance'] in ended)} settlement")
        elif row["state"] == "settled":
            problems += _check(tx, row, ended[row["instance"]])
    return problems


def _has(there: bool) -> str:
    return "has a" if there else "has no"


def _check(tx: Connection, head: Any, ended: Any) -> list[str]:
    instance = head["instance"]
    spend: dict[str, int] = defaultdict(int)
    late: dict[int, Ticketed | Voided] = {}
    money = inbox.c.kind.in_((Ticketed.KIND, Voided.KIND))
    mine = (inbox.c.instance == instance, inbox.c.seq <= head["last_seq"], money)
    with tx.execute(select(inbox.c.seq, inbox.c.kind, inbox.c.body).where(*mine)) as rows:
        for seq, kind, body in rows:
            record = read_row(kind, body)
            if not isinstance(record, Ticketed | Voided):
                continue
            if seq > ended["settled_seq"]:
                late[seq] = record
            else:
                spend[record.account] += record.amount_fen if isinstance(record, Ticketed) else -record.amount_fen
    paper = list(tx.execute(select(stubs).where(stubs.c.instance == instance)).mappings())
    waiting = list(tx.execute(select(suspense).where(suspense.c.instance == instance)).mappings())
    for stub in paper:
        spend[stub["account"]] += stub["amount_fen"]
    for row in waiting:
        if row["state"] == "charged":
            spend[row["account"]] += row["amount_fen"] if row["kind"] == "ticket" else -row["amount_fen"]
    return _spends(tx, instance, spend) + _late(instance, late, paper, waiting)


def _spends(tx: Connection, instance: str, spend: dict[str, int]) -> list[str]:
    """Applied tickets up to the settlement, and the paper's, and what finance charged later."""
    rows = tx.execute(
        select(allotments.c.account, allotments.c.settled_spend_fen).where(allotments.c.instance == instance)
    )
    settled: dict[str, int] = {account: int(spend_fen) for account, spend_fen in rows}
    return [
        f"{instance}: {account}: settled with {settled.get(account, 0)} fen, rows and stubs say {spend[account]}"
        for account in sorted(settled.keys() | spend.keys())
        if settled.get(account, 0) != spend[account]
    ]


def _late(instance: str, late: dict[int, Ticketed | Voided], paper: list[Any], waiting: list[Any]) -> list[str]:
    """Each late ticket is matched by its stub or waits in suspense, as its row tells it, and nothing else is there."""
    told = {seq: (record.KIND, record.ticket, record.account, record.amount_fen) for seq, record in late.items()}
    found = {row["seq"]: (row["kind"], row["ticket"], row["account"], row["amount_fen"]) for row in waiting}
    for stub in paper:
        if stub["matched_seq"]:
            found[stub["matched_seq"]] = (Ticketed.KIND, stub["ticket"], stub["account"], stub["amount_fen"])
    return [
        f"{instance}: row {seq}: suspense and stubs hold {found.get(seq)}, the row says {told.get(seq)}"
        for seq in sorted(told.keys() | found.keys())
        if told.get(seq) != found.get(seq)
    ]
