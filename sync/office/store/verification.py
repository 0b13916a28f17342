"""Reading the books again from their sources: chains, shipments, counters, funds, document numbers, invariant I1."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from sync.chain import GENESIS_HASH, ChainBroken, verify_row
from sync.messages import WireRecord
from sync.office.effects import Effects
from sync.office.store.money import read_accounts
from sync.office.store.schema import allotments, credits, documents, forks, inbox, instances, payments, shipments

_COMPARED = ("state", "ticket", "net_kg", "amount_fen", "hold_fen", "account", "plate")


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
    """Recompute everything that can be recomputed. Reads all rows once."""
    findings = Findings()
    for check in ("chains", "shipments", "counters", "documents"):
        findings.note(check, [])
    for row in tx.execute(select(instances).order_by(instances.c.instance)).mappings():
        effects, problems = _replay(tx, row, findings)
        findings.note("chains", problems)
        findings.note("shipments", _shipments(tx, row["instance"], effects))
        findings.note("counters", _counters(tx, row["instance"], effects))
        findings.note("documents", _documents(tx, row))
    findings.note("funds", _funds(tx))
    findings.note("invariant_i1", _invariant(tx))
    forked = tx.execute(select(forks.c.instance, forks.c.seq)).all()
    findings.note("no_forks", [f"{instance}: row {seq} came twice with different content" for instance, seq in forked])
    return findings


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
    if head["frozen"]:
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
            if stored[visit][name] != told:
                problems.append(f"{instance}: visit {visit}: {name} is {stored[visit][name]!r}, the rows say {told!r}")
    return problems


def _counters(tx: Connection, instance: str, effects: Effects) -> list[str]:
    problems = []
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
        if row["spent_fen"] - row["voided_fen"] > row["granted_fen"] - row["returned_seen_fen"]:
            problems.append(f"{where}: more is dispatched than was granted")
    return problems


def _documents(tx: Connection, head: Any) -> list[str]:
    query = select(func.count(), func.max(documents.c.number)).where(documents.c.instance == head["instance"])
    number, highest = tx.execute(query).one()
    if number == (highest or 0) == head["documents"]:
        return []
    return [f"{head['instance']}: {number} documents up to number {highest or 0}, the books say {head['documents']}"]


def _funds(tx: Connection) -> list[str]:
    posted: dict[str, int] = defaultdict(int)
    for table in (payments, credits):
        for account, amount in tx.execute(
            select(table.c.account, func.sum(table.c.amount_fen)).group_by(table.c.account)
        ):
            posted[account] += int(amount)
    return [
        f"{account.account}: fund is {account.fund_fen} fen, posted are {posted[account.account]} fen"
        for account in read_accounts(tx)
        if account.fund_fen != posted[account.account]
    ]


def _invariant(tx: Connection) -> list[str]:
    return [
        f"{account.account}: {-account.free_fen} fen more is out than the fund of {account.fund_fen} fen"
        for account in read_accounts(tx)
        if account.free_fen < 0
    ]
