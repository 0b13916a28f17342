"""The part of the replay about empty trucks' slips: weighings, table, print and the one exit of each."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from edge.store.findings import Findings
from edge.store.replay_passes import check_pass_code, check_pass_used
from sync.records import Exited, Printed, SlipIssued

_COMPARED = ("visit", "pass_id", "plate", "tare_kg", "exit_kg", "lane", "operator")
_MARK_CHARACTERS = 8
_NO_SLIPS = "(SELECT '' AS visit, '' AS pass_id WHERE 0)"


class SlipReplay:
    """Of each slip its name and what happened to it are kept: empty trucks are few."""

    def __init__(self, connection: sqlite3.Connection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self._exited: dict[str, bool] = {}
        self._printed: set[str] = set()
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'empty_slips'").fetchone()
        self.table = "empty_slips" if known else _NO_SLIPS
        """What to select slips from; a copy of books from before there were slips has none."""

    def __contains__(self, name: str) -> bool:
        """Whether a paper of this name is a slip that the ledger issued."""
        return name in self._exited

    @property
    def exits(self) -> int:
        """How many have left with a slip."""
        return sum(self._exited.values())

    def issued(self, seq: int, record: SlipIssued, row_hash: str, weighings: Sequence[tuple[str, int]]) -> None:
        """A slip record, with the weighings (role, kg) of its visit so far."""
        name = record.visit
        if name in self._exited:
            self._findings.say("slips", f"ledger row {seq}: a second slip of {name}")
        self._exited.setdefault(name, False)
        if list(weighings[-1:]) != [("empty", record.exit_kg)]:
            self._findings.say("weighments", f"{name}: {record.exit_kg} kg empty was not weighed last")
        if [mass_kg for role, mass_kg in weighings if role == "tare"][-1:] != [record.tare_kg]:
            self._findings.say("weighments", f"{name}: no tare of {record.tare_kg} kg was weighed before its slip")
        row = self._row(name)
        if row is None:
            self._findings.say("slips", f"the slip of {name} is in the ledger, but not in its table")
            return
        for field in _COMPARED:
            self._findings.differ("slips", f"{field} of the slip of {name}", row[field], getattr(record, field))
        self._findings.differ("slips", f"time of the slip of {name}", datetime.fromisoformat(row["at"]), record.at)
        check_pass_code(self._findings, "slips", f"the slip of {name}", row["pass_code"], (0, record.pass_id, 0))
        mark = row_hash[:_MARK_CHARACTERS].upper()
        self._findings.differ("slips", f"ledger mark of the slip of {name}", row["ledger_mark"], mark)

    def left(self, seq: int, record: Exited) -> None:
        """An exit record of a slip."""
        name = record.ticket
        row = self._row(name)
        self._findings.differ("exits", f"visit of the slip of {name}", record.visit, name)
        self._findings.differ("exits", f"pass of the slip of {name}", row["pass_id"] if row else "", record.pass_id)
        if self._exited[name]:
            if not record.override_of:
                self._findings.say("exits", f"ledger row {seq}: the empty truck of {name} left twice")
            return
        check_pass_used(self._connection, self._findings, record)
        self._exited[name] = True

    def printed(self, seq: int, record: Printed) -> None:
        """A print record of a slip: one original."""
        if record.result == "sent" and record.copy_number == 0:
            if record.ticket in self._printed:
                self._findings.say("prints", f"ledger row {seq}: a second original slip of {record.ticket} was printed")
            self._printed.add(record.ticket)

    def finish(self) -> None:
        """Compare what is counted, and what only tables know."""
        count = self._connection.execute(f"SELECT COUNT(*) FROM {self.table}").fetchone()[0]
        self._findings.differ("slips", "number of slips", count, len(self._exited))
        for problem, lacking in (
            ("has no empty truck", "SELECT 1 FROM visits v WHERE v.visit = s.visit AND v.state = 'empty_exit'"),
            ("has no original print job", "SELECT 1 FROM print_jobs p WHERE p.ticket = s.visit AND p.copy_number = 0"),
        ):
            row = self._connection.execute(
                f"SELECT visit FROM {self.table} s WHERE NOT EXISTS ({lacking}) LIMIT 1"
            ).fetchone()
            if row is not None:
                self._findings.say("slips", f"the slip of {row['visit']} {problem}")

    def _row(self, visit: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(
            f"SELECT * FROM {self.table} WHERE visit = ?", (visit,)
        ).fetchone()
        return row
