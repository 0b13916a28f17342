"""Alarms of the scale watch 称重报警 as rows: which ledger row tells one, and which row says that a person saw it."""

import sqlite3
from dataclasses import dataclass
from functools import lru_cache

from edge.store.row_sums import Rows
from sync.records import ScaleAlarmed, ScaleAlarmSeen

SIGNATURE = "scale_signature"
"""The kept text that says how a lane's indicator spoke before the restart; the lane's name follows."""
_SELECT = """
SELECT a.seq, told.body AS told, seen.body AS seen FROM scale_alarms a
JOIN ledger told ON told.seq = a.seq LEFT JOIN ledger seen ON seen.seq = a.seen_seq
"""


@dataclass(frozen=True, slots=True)
class StoredScaleAlarm:
    """An alarm with the ledger row that told it; `seen` is None while it stands."""

    seq: int
    told: ScaleAlarmed
    seen: ScaleAlarmSeen | None


class ScaleAlarmTable:
    """All alarms of this plant epoch. They are never taken back, only seen."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._alarms = Rows(connection, "scale_alarms")

    def add(self, seq: int, told: ScaleAlarmed) -> None:
        """A new alarm, told by this ledger row."""
        self._alarms.add(seq=seq, lane=told.lane, kind=told.kind, visit=told.visit)

    def see(self, alarm: int, seen_seq: int) -> None:
        """A person saw an alarm; the ledger row `seen_seq` says who."""
        self._alarms.change({"seq": alarm}, seen_seq=seen_seq)

    def get(self, seq: int) -> StoredScaleAlarm | None:
        """One alarm by the ledger row that told it."""
        return next(iter(self._rows("WHERE a.seq = ?", seq)), None)

    def newest(self, lane: str, kind: str, visit: str) -> StoredScaleAlarm | None:
        """The last of this kind that was told of this visit, or of none, on this lane."""
        condition = "WHERE a.lane = ? AND a.kind = ? AND a.visit = ? ORDER BY a.seq DESC LIMIT 1"
        return next(iter(self._rows(condition, lane, kind, visit)), None)

    def standing(self, lane: str, limit: int) -> list[StoredScaleAlarm]:
        """Those of a lane that nobody has seen, newest first."""
        return self._rows("WHERE a.lane = ? AND a.seen_seq IS NULL ORDER BY a.seq DESC LIMIT ?", lane, limit)

    def count_standing(self, lane: str) -> int:
        """How many of a lane nobody has seen."""
        row = self._connection.execute(
            "SELECT COUNT(*) FROM scale_alarms WHERE lane = ? AND seen_seq IS NULL", (lane,)
        ).fetchone()
        return int(row[0])

    def of_visit(self, visit: str) -> list[StoredScaleAlarm]:
        """Those of one visit, oldest first."""
        return self._rows("WHERE a.visit = ? AND a.visit <> '' ORDER BY a.seq", visit)

    def _rows(self, condition: str, *values: object) -> list[StoredScaleAlarm]:
        rows = self._connection.execute(_SELECT + condition, values)
        return [
            StoredScaleAlarm(row["seq"], _told(row["told"]), _seen(row["seen"]) if row["seen"] else None)
            for row in rows
        ]


@lru_cache(64)
def _told(body: str) -> ScaleAlarmed:
    return ScaleAlarmed.model_validate_json(body)


@lru_cache(64)
def _seen(body: str) -> ScaleAlarmSeen:
    return ScaleAlarmSeen.model_validate_json(body)
