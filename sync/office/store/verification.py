"""Reading the books again from their sources: chains, shipments, counters, funds, document numbers, invariant I1.
How plant epochs ended is in `sync.office.store.verification_epochs`."""

from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import InvalidRequestError

from sync.chain import GENESIS_HASH, ChainBroken, verify_row
from sync.messages import WireRecord
from sync.office.effects import Effects, Shipment
from sync.office.store.balances import posted_sums
from sync.office.store.money import read_accounts
from sync.office.store.scale_alarms import odd_alarms
from sync.office.store.schema import (
    allotments,
    documents,
    forgotten,
    forks,
    inbox,
    instances,
    payments,
    shipments,
    suspense,
    undone,
)
from sync.office.store.verification_epochs import check_epochs

_COMPARED = tuple(each.name for each in fields(Shipment) if each.name not in ("visit", "changed_at", "changed_seq"))
_OF_THE_NOTICE = frozenset(
    {"customer_id", "customer_name", "product", "mode", "price_fen_per_t", "credit_due", "carrier"}
)
"""Taken from the notice while there is no ticket, whose row tells them."""


@dataclass(slots=True)
class Findings:
    """The outcome: `checks` by name, and one line for everything that does not hold."""

    checks: dict[str, bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    rows: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return all(self.checks.values())

    def note(self, check: str, problems: list[str]) -> None:
        """Add what one check found; a check that ran and found nothing holds."""
        self.checks[check] = self.checks.get(check, True) and not problems
        self.problems += [f"{check}: {problem}" for problem in problems]


def verify_books(tx: Connection) -> Findings:
    """Recompute everything that can be recomputed. Reads all rows once; of a damaged file not even that."""
    findings = Findings()
    findings.note("database", _database(tx))
    if findings.ok:
        try:
            _recompute(tx, findings)
        except (ValueError, TypeError, LookupError, InvalidRequestError) as error:
            findings.note("database", [_DAMAGED.format(f"a value cannot be read: {str(error).splitlines()[0]}")])
    return findings


_DAMAGED = "{}; keep the file, and put a backup back: docs/operating.md, Head office from a backup"


def _recompute(tx: Connection, findings: Findings) -> None:
    for check in ("chains", "shipments", "alarms", "counters", "documents"):
        findings.note(check, [])
    for row in tx.execute(select(instances).order_by(instances.c.instance)).mappings():
        effects, problems = _replay(tx, row, findings)
        findings.note("chains", problems)
        findings.note("shipments", _shipments(tx, row["instance"], effects))
        findings.note("alarms", odd_alarms(tx, row["plant"], row["instance"], effects))
        findings.note("counters", _counters(tx, row, effects))
        findings.note("documents", _documents(tx, row))
    findings.note("epochs", check_epochs(tx))
    findings.note("funds", _funds(tx))
    findings.note("invariant_i1", _invariant(tx))
    unsettled = select(instances.c.instance).where(instances.c.state != "settled")
    forked = tx.execute(select(forks.c.instance, forks.c.seq).where(forks.c.instance.in_(unsettled))).all()
    findings.note("no_forks", [f"{instance}: row {seq} came twice with different content" for instance, seq in forked])


def _database(tx: Connection) -> list[str]:
    """Pages, indexes and constraints of a SQLite file. PostgreSQL looks after its own, with its data checksums."""
    if tx.dialect.name != "sqlite":
        return []
    said = [str(row[0]) for row in tx.exec_driver_sql("PRAGMA integrity_check(1)")]
    return [_DAMAGED.format(" ".join(each.split())) for each in said if each != "ok"]


def _replay(tx: Connection, head: Any, findings: Findings) -> tuple[Effects, list[str]]:
    """Feed the applied rows again, from the first."""
    effects, last_seq, last_hash = Effects(), 0, GENESIS_HASH
    query = select(inbox).where(inbox.c.instance == head["instance"], inbox.c.seq <= head["last_seq"])
    with tx.execute(query.order_by(inbox.c.seq).execution_options(yield_per=2000)) as result:
        for row in result.mappings():
            record = WireRecord(**{name: row[name] for name in WireRecord.model_fields})
            if record.seq != last_seq + 1:
                return effects, [f"{head['instance']}: row {last_seq + 1} is missing"]
            try:
                last_hash = verify_row(last_hash, record)
            except ChainBroken as error:
                return effects, [f"{head['instance']}: {error}"]
            effects.feed(record.seq, record.kind, record.body, record.at)
            last_seq = record.seq
            findings.rows += 1
    problems = []
    if (last_seq, last_hash) != (head["last_seq"], head["last_hash"]):
        problems.append(f"{head['instance']}: ends at row {last_seq}, the books say {head['last_seq']}")
    if head["frozen"] and head["state"] != "settled":  # else two persons have looked
        problems.append(f"{head['instance']}: frozen: {head['frozen']}")
    return effects, problems


def _shipments(tx: Connection, instance: str, effects: Effects) -> list[str]:
    problems = []
    stored = {
        row["visit"]: row
        for row in tx.execute(select(shipments).where(shipments.c.instance == instance)).mappings()
    }  # fmt: skip
    for visit in sorted(stored.keys() ^ effects.shipments.keys()):
        problems.append(f"{instance}: visit {visit} is {'not told by any row' if visit in stored else 'missing'}")
    for visit in sorted(stored.keys() & effects.shipments.keys()):
        for name in _COMPARED:
            told = getattr(effects.shipments[visit], name)
            if not effects.shipments[visit].ticket and name in _OF_THE_NOTICE:
                continue
            if stored[visit][name] != told:
                problems.append(f"{instance}: visit {visit}: {name} is {stored[visit][name]!r}, the rows say {told!r}")
    return problems


def _counters(tx: Connection, head: Any, effects: Effects) -> list[str]:
    instance, problems = head["instance"], []
    tickets: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for shipment in effects.shipments.values():
        if shipment.ticket:
            tickets[shipment.account][0] += shipment.amount_fen
            tickets[shipment.account][1] += shipment.amount_fen if shipment.state == "voided" else 0
    for row in tx.execute(select(allotments).where(allotments.c.instance == instance)).mappings():
        sums = effects.sums[row["account"]]
        where = f"{instance}: {row['account']}"
        for name in ("spent_fen", "voided_fen", "held_fen"):
            if row[name] != getattr(sums, name):
                problems.append(f"{where}: {name} is {row[name]}, the rows say {getattr(sums, name)}")
        if [row["spent_fen"], row["voided_fen"]] != tickets[row["account"]]:
            problems.append(f"{where}: tickets sum to {tickets[row['account']]}, the counters say otherwise")
        left_fen = row["granted_fen"] - row["returned_seen_fen"]  # a settled epoch's late tickets are in suspense
        if head["state"] != "settled" and row["spent_fen"] - row["voided_fen"] > left_fen:
            problems.append(f"{where}: more is dispatched than was granted")
    if head["state"] != "settled":  # else they are in suspense, which the epochs' check looks at
        problems += [f"{instance}: row {seq} counts nowhere: {why}" for seq, why in effects.unread_money]
    return problems


def _documents(tx: Connection, head: Any) -> list[str]:
    """Numbers from 1 without a gap, but for those that a restore has forgotten and the plant had applied."""
    query = select(func.count(), func.max(documents.c.number)).where(documents.c.instance == head["instance"])
    number, highest = tx.execute(query).one()
    lost = tx.execute(
        select(forgotten.c.first_number, forgotten.c.last_number).where(forgotten.c.instance == head["instance"])
    ).all()
    gone = sum(last - first + 1 for first, last in lost)
    top = max([highest or 0, *(last for _, last in lost)])
    if number + gone == top == head["documents"]:
        return []
    return [f"{head['instance']}: {number} documents up to number {top}, the books say {head['documents']}"]


def _funds(tx: Connection) -> list[str]:
    """Fund and exposure are what was posted, and no undone payment is another amount than was paid."""
    posted, found = posted_sums(tx), []
    for account in read_accounts(tx):
        name, told = account.account, posted[account.account]
        if account.fund_fen != told.fund_fen:
            found.append(f"{name}: fund is {account.fund_fen} fen, posted are {told.fund_fen} fen")
        if account.exposure_fen != told.exposure_fen:
            found.append(f"{name}: exposure is {account.exposure_fen} fen, posted are {told.exposure_fen} fen")
    other = select(undone.c.reference).join(payments, payments.c.reference == undone.c.reference)
    differing = other.where((payments.c.amount_fen != undone.c.amount_fen) | (payments.c.account != undone.c.account))
    return found + [f"{name}: undone otherwise than it was paid" for name in tx.execute(differing).scalars()]


def _invariant(tx: Connection) -> list[str]:
    """I1, but for late tickets that finance charged: those goods had left, whatever was free."""
    row = suspense.c
    query = select(row.account, func.sum(row.amount_fen)).where(row.state == "charged", row.kind == "ticket")
    charged: dict[str, int] = {name: int(fen) for name, fen in tx.execute(query.group_by(row.account))}
    return [
        f"{account.account}: {-account.free_fen} fen more is out than the fund of {account.fund_fen} fen"
        for account in read_accounts(tx)
        if account.free_fen + charged.get(account.account, 0) < 0
    ]
