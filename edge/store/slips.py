"""Exit passes of empty trucks 空车出门证 as rows."""

import sqlite3
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from edge.domain.ticket import EmptySlip
from edge.store.row_sums import Rows

_SLIP = tuple(field.name for field in fields(EmptySlip))
_SELECT = """
SELECT s.*, u.at AS used_at,
    (SELECT COUNT(*) - 1 FROM print_jobs p WHERE p.ticket = s.visit) AS copies,
    (SELECT state FROM print_jobs p WHERE p.ticket = s.visit ORDER BY copy_number DESC LIMIT 1) AS print_state
FROM empty_slips s LEFT JOIN passes_used u ON u.pass_id = s.pass_id
"""


@dataclass(frozen=True, slots=True)
class StoredSlip:
    """A slip with what happened to it since. `print_state` and `copies` are of its latest print job."""

    slip: EmptySlip
    pass_code: str
    ledger_mark: str
    used_at: datetime | None
    copies: int
    print_state: str

    @property
    def lane(self) -> str:
        """Where it was weighed, and is printed."""
        return self.slip.lane


class SlipTable:
    """All slips of this plant epoch, at most one a visit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = Rows(connection, "empty_slips")

    def add(self, slip: EmptySlip, pass_code: str, ledger_mark: str) -> None:
        """A new slip; visit and pass are unique."""
        told = asdict(slip) | {"at": slip.at.isoformat()}
        self._rows.add(**told, pass_code=pass_code, ledger_mark=ledger_mark)

    def get(self, visit: str) -> StoredSlip | None:
        """The slip of a visit."""
        return self._one("s.visit", visit)

    def by_pass(self, pass_id: str) -> StoredSlip | None:
        """The slip with this pass."""
        return self._one("s.pass_id", pass_id)

    def recent(self, limit: int) -> list[StoredSlip]:
        """The newest slips first."""
        return [_stored(row) for row in self._connection.execute(f"{_SELECT} ORDER BY s.at DESC LIMIT ?", (limit,))]

    def unused_plates(self, limit: int) -> list[str]:
        """Whose slips may still open the gate, the newest first."""
        query = (
            "SELECT plate FROM empty_slips s WHERE NOT EXISTS"
            " (SELECT 1 FROM passes_used u WHERE u.pass_id = s.pass_id) ORDER BY s.at DESC LIMIT ?"
        )
        return [row["plate"] for row in self._connection.execute(query, (limit,))]

    def _one(self, column: str, value: str) -> StoredSlip | None:
        row = self._connection.execute(f"{_SELECT} WHERE {column} = ?", (value,)).fetchone()
        return _stored(row) if row else None


def _stored(row: sqlite3.Row) -> StoredSlip:
    values = {name: row[name] for name in _SLIP}
    values["at"] = datetime.fromisoformat(values["at"])
    return StoredSlip(
        slip=EmptySlip(**values),
        pass_code=row["pass_code"],
        ledger_mark=row["ledger_mark"],
        used_at=datetime.fromisoformat(row["used_at"]) if row["used_at"] else None,
        copies=max(0, row["copies"] or 0),
        print_state=row["print_state"] or "",
    )
