"""How plant epochs ended, read again: what each was settled with, and that no late ticket is missing in suspense."""

from typing import Any

from sqlalchemy import Connection, select

from sync.office.store.decisions import standing_stubs
from sync.office.store.late import (
    FIRST_FORK,
    Key,
    Late,
    Unread,
    fork_note,
    late_rows,
    net_by_account,
    net_by_ticket,
    uncovered_forks,
)
from sync.office.store.schema import allotments, forks, inbox, instances, settlements, suspense
from sync.records import Ticketed


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
    rows = [(row["seq"], record) for row, record in late_rows(tx, inbox, inbox.c.instance == instance)]
    readable = [(seq, record) for seq, record in rows if not isinstance(record, Unread)]
    counted = net_by_ticket(record for seq, record in readable if seq <= ended["settled_seq"])
    late = {seq: record for seq, record in rows if seq > ended["settled_seq"] or isinstance(record, Unread)}
    paper = standing_stubs(tx, instance)
    waiting = list(tx.execute(select(suspense).where(suspense.c.instance == instance)).mappings())
    spend = net_by_account(counted)
    for stub in paper:
        spend[stub["account"]] += stub["amount_fen"]
    for row in waiting:
        if row["state"] == "charged":
            spend[row["account"]] += row["amount_fen"] if row["kind"] == "ticket" else -row["amount_fen"]
    by_row = [row for row in waiting if row["seq"] < FIRST_FORK]
    return [
        *_spends(tx, instance, spend),
        *_late(instance, late, paper, by_row),
        *_forks(tx, instance, [row for row in waiting if row["seq"] >= FIRST_FORK]),
        *_voids(instance, counted, paper, waiting),
    ]


def _forks(tx: Connection, instance: str, waiting: list[Any]) -> list[str]:
    """Every ticket and void of a fork that neither row nor stub counts waits in suspense, as it was signed."""
    told = {fork_note(row): _as_kept(record) for row, record in late_rows(tx, forks, forks.c.instance == instance)}
    owed = {fork_note(row) for row, _ in uncovered_forks(tx, instance)}
    found = {
        row["note"].split(";")[0]: (row["kind"], row["ticket"], row["account"], row["amount_fen"]) for row in waiting
    }
    return [
        f"{instance}: {note}: suspense holds {found.get(note)}, the row says {told.get(note)}"
        for note in sorted(owed | found.keys())
        if told.get(note) != found.get(note)
    ]


def _voids(instance: str, counted: dict[Key, int], paper: list[Any], waiting: list[Any]) -> list[str]:
    """No void gave back more than its own ticket counts with."""
    nets = {(account, ticket, False): max(0, net_fen) for (account, ticket), net_fen in counted.items()}
    for stub in paper:
        key = (stub["account"], stub["ticket"], False)
        nets[key] = nets.get(key, 0) + stub["amount_fen"]
    for row in waiting:
        if row["state"] == "charged":
            key = (row["account"], row["ticket"], row["seq"] >= FIRST_FORK)
            nets[key] = nets.get(key, 0) + (row["amount_fen"] if row["kind"] == "ticket" else -row["amount_fen"])
    return [
        f"{instance}: {ticket} of {account}: a void gave back {-net_fen} fen more than was charged"
        for (account, ticket, _), net_fen in sorted(nets.items())
        if net_fen < 0
    ]


def _as_kept(record: Late) -> tuple[str, str, str, int]:
    return record.KIND, record.ticket, record.account, record.amount_fen


def _spends(tx: Connection, instance: str, spend: dict[str, int]) -> list[str]:
    """Applied tickets up to the settlement, and the paper's, and what finance charged later."""
    rows = tx.execute(
        select(allotments.c.account, allotments.c.settled_spend_fen).where(allotments.c.instance == instance)
    )
    settled: dict[str, int] = {account: int(spend_fen) for account, spend_fen in rows}
    below = [f"{instance}: {account}: settled with {fen} fen" for account, fen in sorted(settled.items()) if fen < 0]
    return below + [
        f"{instance}: {account}: settled with {settled.get(account, 0)} fen, rows and stubs say {spend[account]}"
        for account in sorted(settled.keys() | spend.keys())
        if settled.get(account, 0) != spend[account]
    ]


def _late(instance: str, late: dict[int, Late], paper: list[Any], waiting: list[Any]) -> list[str]:
    """Each late ticket is matched by its stub or waits in suspense, as its row tells it, and nothing else is there."""
    told = {seq: _as_kept(record) for seq, record in late.items()}
    found = {row["seq"]: (row["kind"], row["ticket"], row["account"], row["amount_fen"]) for row in waiting}
    for stub in paper:
        if stub["matched_seq"]:
            found[stub["matched_seq"]] = (Ticketed.KIND, stub["ticket"], stub["account"], stub["amount_fen"])
    return [
        f"{instance}: row {seq}: suspense and stubs hold {found.get(seq)}, the row says {told.get(seq)}"
        for seq in sorted(told.keys() | found.keys())
        if told.get(seq) != found.get(seq)
    ]
