"""The part of the replay about the plant epoch: head office's terms, its end, and the numbers kept beside."""

import sqlite3
from collections.abc import Mapping

from edge.store.findings import Findings
from edge.store.scale_alarms import SIGNATURE
from sync.allotment import PlantCounters
from sync.records import EpochClosed, TermAdopted

_NUMBERS = frozenset({"acked_seq", "documents_applied", "queue_number", "term_number", "start", "fenced_seq"})
_TEXTS = frozenset({"instance", "fenced", "term_id", "closing", "closed", "row_sums", "copied"})
_ENDED = frozenset({"notice_taken", "hold", "weighment", "held", "ticket", "empty_slip", "void", "grant", "return"})
"""Kinds of records that an epoch may not have after it was closed."""


class EpochReplay:
    """Remembers the term that was adopted last, and whether the epoch was closed."""

    def __init__(self, connection: sqlite3.Connection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self._term = (0, "")
        self._closed_at = 0

    def seen(self, seq: int, kind: str) -> None:
        """Any record: nothing is sold, taken back or granted after the end."""
        if self._closed_at and kind in _ENDED:
            self._findings.say("epoch", f"ledger row {seq} ({kind}) stands after the epoch was closed")

    def adopted(self, seq: int, record: TermAdopted) -> None:
        """A term record: numbers only grow."""
        if record.number <= self._term[0]:
            self._findings.say("epoch", f"ledger row {seq} adopts term {record.number} after term {self._term[0]}")
        self._term = (record.number, record.id)

    def closed(self, seq: int, record: EpochClosed, accounts: Mapping[str, PlantCounters], open_holds: int) -> None:
        """The end: once, with no hold open, with nothing left to spend, and with the counters as they stand."""
        if self._closed_at:
            self._findings.say("epoch", f"ledger row {seq} closes the epoch a second time")
        self._closed_at = seq
        if open_holds:
            self._findings.say("epoch", f"ledger row {seq} closes the epoch while {open_holds} holds are open")
        for name, counters in accounts.items():
            if counters.held_fen or counters.available_fen:
                self._findings.say(
                    "epoch", f"ledger row {seq} closes the epoch while {name} has money here: {counters}"
                )
        for name, told in record.accounts.items():
            for field, value in told.model_dump().items():
                self._findings.differ("epoch", f"final {field} of {name}", getattr(accounts.get(name), field, 0), value)

    def finish(self) -> None:
        """Compare the kept numbers with where the replay ended; a key that nobody knows was damaged."""
        kept = {row["key"]: row["value"] for row in self._connection.execute("SELECT key, value FROM meta")}
        for key, value in kept.items():
            if key.partition(" ")[0] not in _NUMBERS | _TEXTS | {SIGNATURE}:
                self._findings.say("epoch", f"the kept name {key!r} is unknown")
            elif key in _NUMBERS and not value.isdecimal():
                self._findings.say("epoch", f"{key} is {value!r}, not a number")
        table = (kept.get("term_number", "0"), kept.get("term_id", ""))
        self._findings.differ("epoch", "head office's term", table, (str(self._term[0]), self._term[1]))
        self._findings.differ("epoch", "closed", bool(kept.get("closed")), bool(self._closed_at))
