"""The append-only ledger: every record of the plant, chained by hash. Its tail past head office's ACK is the outbox."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from edge.store.clock import Clock
from edge.store.row_sums import Rows
from sync.chain import GENESIS_HASH, row_hash
from sync.messages import WireRecord
from sync.records import Record


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Where a record landed: its number and its hash (64 hex characters)."""

    seq: int
    hash: str

    @property
    def mark(self) -> str:
        """The 8 characters printed on the ticket: paper in customers' hands pins the chain."""
        return self.hash[:8].upper()


class Ledger:
    """Appends and reads within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._rows = Rows(connection, "ledger")
        self.appended: LedgerRow | None = None
        """The newest row of the running transaction; None while it has added none."""

    def begin(self) -> None:
        """A transaction begins."""
        self.appended = None

    def head(self) -> LedgerRow:
        """The last row; `LedgerRow(0, genesis)` when the ledger is empty."""
        if self.appended is not None:
            return self.appended
        row = self._connection.execute("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
        return LedgerRow(row["seq"], row["hash"]) if row else LedgerRow(0, GENESIS_HASH)

    def row(self, seq: int) -> LedgerRow:
        """One row; `LedgerRow(0, genesis)` for 0."""
        row = self._connection.execute("SELECT seq, hash FROM ledger WHERE seq = ?", (seq,)).fetchone()
        return LedgerRow(row["seq"], row["hash"]) if row else LedgerRow(0, GENESIS_HASH)

    def append(self, record: Record) -> LedgerRow:
        """Add one record as the next row."""
        before = self.head()
        seq, body = before.seq + 1, record.body()
        digest = row_hash(before.hash, seq, record.KIND, body)
        clock = self._clock
        self._rows.add(
            seq=seq,
            kind=record.KIND,
            body=body,
            prev_hash=before.hash,
            hash=digest,
            at=clock.now().isoformat(),
            boot_id=clock.boot_id,
            monotonic_ms=clock.monotonic_ms(),
            clock="ok" if clock.trusted() else "bad",
        )
        self.appended = LedgerRow(seq, digest)
        return self.appended

    def hash_of(self, seq: int) -> str:
        """The hash of one row, '' when there is no such row."""
        row = self._connection.execute("SELECT hash FROM ledger WHERE seq = ?", (seq,)).fetchone()
        return str(row["hash"]) if row else ""

    def rows_after(self, seq: int, limit: int) -> list[WireRecord]:
        """Up to `limit` rows following `seq`, as they travel."""
        rows = self._connection.execute(
            "SELECT seq, kind, body, at, hash FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        )
        return [WireRecord(seq=r["seq"], kind=r["kind"], body=r["body"], at=r["at"], hash=r["hash"]) for r in rows]

    def at(self, seq: int) -> datetime | None:
        """When a row was written."""
        row = self._connection.execute("SELECT at FROM ledger WHERE seq = ?", (seq,)).fetchone()
        return datetime.fromisoformat(row["at"]) if row else None

    def witnessed_at(self) -> datetime | None:
        """When the last row was written by a clock that was trusted then; None when there is no such row."""
        row = self._connection.execute("SELECT at FROM ledger WHERE clock = 'ok' ORDER BY seq DESC LIMIT 1").fetchone()
        return datetime.fromisoformat(row["at"]) if row else None

    def bodies(self, kind: str, limit: int) -> list[tuple[int, str]]:
        """The last rows of one kind, newest first: (seq, body)."""
        rows = self._connection.execute(
            "SELECT seq, body FROM ledger WHERE kind = ? ORDER BY seq DESC LIMIT ?", (kind, limit)
        )
        return [(row["seq"], row["body"]) for row in rows]
