"""Which ledger rows tell what was seen of a visit's plate, and what a person decided about it."""

import sqlite3
from dataclasses import dataclass

from edge.store.row_sums import Rows
from sync.plate_records import PlateDecided, PlateLook, PlateQuestioned
from sync.records import RECORDS, Exited, Record, VisitMoved, Weighed

PlateRow = VisitMoved | Weighed | Exited | PlateQuestioned | PlateDecided
"""The records that tell of a plate of one visit."""
_SELECT = "SELECT l.seq, l.kind, l.body FROM plate_rows p JOIN ledger l ON l.seq = p.seq"


@dataclass(frozen=True, slots=True)
class StoredLook:
    """A ledger row that tells of a visit's plate."""

    seq: int
    record: PlateRow


def tells_of_plate(record: Record) -> PlateRow | None:
    """The record, when it belongs into the table: it has a look, or a person's decision."""
    if isinstance(record, PlateQuestioned | PlateDecided):
        return record if record.visit else None
    if isinstance(record, VisitMoved | Weighed | Exited) and record.look is not None:
        return record
    return None


class PlateTable:
    """All looks at the trucks of this plant epoch, by visit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = Rows(connection, "plate_rows")

    def add(self, seq: int, record: Record) -> None:
        """Remember a ledger row, if it tells of a plate."""
        if (told := tells_of_plate(record)) is not None:
            self._rows.add(seq=seq, visit=told.visit)

    def of_visit(self, visit: str) -> list[StoredLook]:
        """The looks at one visit's truck, oldest first."""
        rows = self._connection.execute(f"{_SELECT} WHERE p.visit = ? ORDER BY p.seq", (visit,))
        found = ((row["seq"], RECORDS[row["kind"]].model_validate_json(row["body"])) for row in rows)
        return [StoredLook(seq, told) for seq, record in found if (told := tells_of_plate(record)) is not None]

    def tared(self, visit: str) -> PlateLook | None:
        """What the camera saw when this visit's tare was taken; None when there was no camera, or no tare yet."""
        tares = [each.record for each in self.of_visit(visit) if isinstance(each.record, Weighed)]
        return next((each.look for each in reversed(tares) if each.role == "tare"), None)
