"""The part of the replay about the scale watch: every alarm that was told stands in its table, seen by whom."""

import sqlite3

from edge.store.findings import Findings
from sync.records import ScaleAlarmed, ScaleAlarmSeen

_NO_ALARMS = "(SELECT 0 AS seq, '' AS lane, '' AS kind, '' AS visit, 0 AS seen_seq WHERE 0)"


class AlarmReplay:
    """Of each alarm one row is kept: they are few."""

    def __init__(self, connection: sqlite3.Connection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self._told: dict[int, tuple[str, str, str, int | None]] = {}
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'scale_alarms'").fetchone()
        self._table = "scale_alarms" if known else _NO_ALARMS  # a copy of older books has none

    def feed(self, seq: int, record: ScaleAlarmed | ScaleAlarmSeen) -> None:
        """An alarm, or that a person saw one, which happens once."""
        if isinstance(record, ScaleAlarmed):
            self._told[seq] = (record.lane, record.kind, record.visit, None)
            return
        known = self._told.get(record.alarm)
        if known is None:
            self._findings.say("alarms", f"ledger row {seq} saw alarm {record.alarm}, which no row told")
        elif known[3] is not None:
            self._findings.say("alarms", f"ledger row {seq} saw alarm {record.alarm} a second time")
        else:
            self._told[record.alarm] = (*known[:3], seq)

    def finish(self) -> None:
        """Compare the table."""
        rows = self._connection.execute(f"SELECT seq, lane, kind, visit, seen_seq FROM {self._table}")
        stored = {row["seq"]: (row["lane"], row["kind"], row["visit"], row["seen_seq"]) for row in rows}
        for seq in sorted(stored.keys() | self._told.keys()):
            self._findings.differ("alarms", f"scale alarm {seq}", stored.get(seq), self._told.get(seq))
