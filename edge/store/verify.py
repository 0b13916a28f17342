"""`weighgate ledger verify`: is everything in a plant's books true? Reads only; works on a live file and on a copy.

The ledger is replayed from its first row and every table is compared with what it says. Rows are streamed: memory does
not grow with the ledger, but for one byte a ticket, one byte a print job, the names of empty slips and of open
visits.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.store.database import connect
from edge.store.findings import Findings
from edge.store.replay import Replay
from edge.store.row_sums import check_sums
from edge.store.schema import check_schema
from edge.store.tail_check import check_link
from edge.store.witness import WitnessBroken, read_witness
from sync.chain import GENESIS_HASH
from sync.wal_check import TORN, lost_commits

CHECKS = (
    "database", "log", "witness", "rows", "chain", "records", "numbers", "tickets", "amounts", "accounts", "visits",
    "weighments", "slips", "voids", "exits", "prints", "seals", "stock", "alarms", "commands", "plates", "epoch",
    "outbox",
)  # fmt: skip
"""The names of the checks, in the order of the report."""

_PAGE = 500


class NotBooks(Exception):
    """The file is no plant's books, or cannot be opened; says which and why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One named check; `problem` is the first thing found, in words, '' when it holds."""

    name: str
    problem: str

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The answer of `verify`: what was read, and every check."""

    path: Path
    records: int
    tickets: int
    head_hash: str
    checks: tuple[Check, ...]
    plate_looks: int = 0
    plate_decisions: int = 0
    """What people decided about a plate."""

    @property
    def ok(self) -> bool:
        """True only when every check holds."""
        return all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "records": self.records,
            "tickets": self.tickets,
            "plate_looks": self.plate_looks,
            "plate_decisions": self.plate_decisions,
            "head_hash": self.head_hash,
            "checks": [{"name": check.name, "ok": check.ok, "problem": check.problem} for check in self.checks],
        }


def verify(path: Path, witness: Path | None = None) -> VerifyReport:
    """Check a plant's books from genesis to the last row, on one snapshot. NotBooks when it is no such file.

    `witness` is the file that knows how far these books had come; only with it is a newest commit missed that a flipped
    bit took out of the write-ahead log.
    """
    connection = _open(path)
    try:
        connection.execute("BEGIN")
        return _verify(connection, path, witness)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if "no such table" in str(error):
            raise NotBooks(f"{path}: not a plant's books: {error}") from error
        findings = Findings(CHECKS)
        findings.say("database", f"cannot be read: {error}")
        return _not_reached(path, findings)
    finally:
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise NotBooks(f"{path}: no such file")
    try:
        return connect(path, writable=False)
    except sqlite3.OperationalError as error:
        raise NotBooks(f"{path}: cannot be opened: {error}") from error


def _verify(connection: sqlite3.Connection, path: Path, witness: Path | None) -> VerifyReport:
    findings = Findings(CHECKS)
    if (lost := lost_commits(connection, path)) > TORN:
        findings.say("log", f"the write-ahead log is damaged: {lost} commits behind the damage are lost")
    if witness is not None:
        _check_witness(connection, findings, witness)
    for row in connection.execute("PRAGMA integrity_check(1)"):
        if row[0] != "ok":
            findings.say("database", str(row[0]))
    if not check_schema(connection, findings) and _has_ledger(connection):
        return _not_reached(path, findings)
    check_sums(connection, findings)
    try:
        return _replayed(connection, path, findings)
    except (ValueError, LookupError, TypeError):
        if not any(findings.first.values()):
            raise
        return _not_reached(path, findings)  # what a damaged row says cannot be thought through to the end


def _replayed(connection: sqlite3.Connection, path: Path, findings: Findings) -> VerifyReport:
    replay = Replay(connection, findings)
    seq, head_hash = 0, GENESIS_HASH
    for row in _rows(connection):
        check_link(findings, row, seq, head_hash)
        seq, head_hash = row["seq"], row["hash"]
        replay.feed(seq, row["kind"], row["body"], head_hash)
    replay.finish()
    _check_outbox(connection, findings, seq)
    plates = replay.plates
    return VerifyReport(path, seq, replay.tickets.count, head_hash, _checks(findings), plates.looks, plates.decisions)


def _has_ledger(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'ledger'").fetchone() is not None


def _not_reached(path: Path, findings: Findings) -> VerifyReport:
    for name in CHECKS:
        findings.say(name, "not reached, because of what was found before")
    return VerifyReport(path, 0, 0, "", _checks(findings))


def _rows(connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    """The ledger in its order, a page at a time, so that no statement stays open across other reads."""
    after = -1
    while True:
        page = connection.execute(
            "SELECT seq, kind, body, prev_hash, hash FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?", (after, _PAGE)
        ).fetchall()
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]["seq"]


def _check_witness(connection: sqlite3.Connection, findings: Findings, witness: Path) -> None:
    try:
        seen = read_witness(witness)
    except (WitnessBroken, OSError) as error:
        findings.say("witness", f"the witness file cannot be read: {error}")
        return
    row = connection.execute("SELECT hash FROM ledger WHERE seq = ?", (seen.seq,)).fetchone()
    if seen.seq and (row is None or row["hash"] != seen.hash):
        findings.say("witness", f"the witness saw ledger row {seen.seq}, which these books lack or tell otherwise")


def _check_outbox(connection: sqlite3.Connection, findings: Findings, head: int) -> None:
    row = connection.execute("SELECT value FROM meta WHERE key = 'acked_seq'").fetchone()
    acked = int(row["value"]) if row else 0
    if not 0 <= acked <= head:
        findings.say("outbox", f"head office acknowledged row {acked}, but the ledger ends at {head}")


def _checks(findings: Findings) -> tuple[Check, ...]:
    return tuple(Check(name, findings.first[name]) for name in CHECKS)
