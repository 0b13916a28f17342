"""The part of the replay about plates: every row with a look at a visit's truck, or with a person's decision about it,
stands in its table.
"""

import sqlite3

from edge.domain.plate_check import Place
from edge.store.findings import Findings
from edge.store.plates import PlateRow, tells_of_plate
from sync.plate_records import PlateDecided
from sync.records import Exited, Record, Weighed

GATE = Place.GATE.value
_NO_ROWS = "(SELECT 0 AS seq, '' AS visit WHERE 0)"


class PlateReplay:
    """Counts the looks and the decisions; of each row its visit is compared at once, so that none is kept."""

    def __init__(self, connection: sqlite3.Connection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self.looks = 0
        self.decisions = 0
        self._told = 0
        self._same: set[tuple[str, bool]] = set()
        """Visits of which a person said yes, at a lane and at the gate: they are few."""
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'plate_rows'").fetchone()
        self._table = "plate_rows" if known else _NO_ROWS  # a copy of older books has none

    def feed(self, seq: int, record: Record) -> None:
        """Any row of the ledger."""
        told = tells_of_plate(record)
        if told is None:
            return
        self.looks += told.look is not None
        if isinstance(told, PlateDecided):
            self.decisions += 1
            if told.answer == "same":
                self._same.add((told.visit, told.place == GATE))
        elif self._unproven(told):
            self._findings.say(
                "plates", f"ledger row {seq}: nobody is on record who compared the plate of {told.visit}"
            )
        row = self._connection.execute(f"SELECT visit FROM {self._table} WHERE seq = ?", (seq,)).fetchone()
        self._findings.differ("plates", f"visit of the look in row {seq}", row["visit"] if row else None, told.visit)
        self._told += 1

    def _unproven(self, told: PlateRow) -> bool:
        """It goes by a person's eyes, and no row tells of that person's yes."""
        by_eye = isinstance(told, Weighed | Exited) and bool(told.plate_by)
        return by_eye and (told.visit, isinstance(told, Exited)) not in self._same

    def finish(self) -> None:
        """Nothing else stands in the table."""
        count = self._connection.execute(f"SELECT COUNT(*) FROM {self._table}").fetchone()[0]
        self._findings.differ("plates", "number of rows with a look or a decision", count, self._told)
