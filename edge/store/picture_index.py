"""Which picture was taken when, of what, and how much room all of them take: a small SQLite file beside the pictures.

It is no part of the books. Whoever deletes it loses what was noted about the pictures, and no record; it is made anew
from the files.
"""

import contextlib
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TABLES = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA foreign_keys=ON;
CREATE TABLE IF NOT EXISTS pictures (
    kept INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS looks (
    sha256 TEXT NOT NULL REFERENCES pictures (sha256) ON DELETE CASCADE,
    at TEXT NOT NULL,
    what TEXT NOT NULL,
    visit TEXT NOT NULL,
    plate TEXT NOT NULL,
    weight_kg INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS looks_visit ON looks (visit);
CREATE INDEX IF NOT EXISTS looks_sha256 ON looks (sha256);
"""


@dataclass(frozen=True, slots=True)
class Look:
    """One time somebody or something looked: what for, which plate was read, the weight then, and the picture."""

    sha256: str
    at: datetime
    what: str
    visit: str = ""
    plate: str = ""
    weight_kg: int | None = None


class PictureIndex:
    """One owner at a time; calls from one thread at a time."""

    def __init__(self, file: Path) -> None:
        """Open or make the index; one that is damaged is made anew, empty. Raises sqlite3.Error, OSError."""
        try:
            self._connection = _open(file)
        except sqlite3.DatabaseError:
            for each in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
                each.unlink(missing_ok=True)
            self._connection = _open(file)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @property
    def total_bytes(self) -> int:
        """What all pictures take."""
        return int(self._connection.execute("SELECT coalesce(sum(bytes), 0) FROM pictures").fetchone()[0])

    def add(self, look: Look, size: int) -> None:
        """A picture was taken; the same picture again counts once, and from now."""
        with self._connection:
            self._keep(look.sha256, size)
            at = look.at.astimezone(UTC).isoformat(timespec="milliseconds")
            row = (look.sha256, at, look.what, look.visit, look.plate, look.weight_kg)
            self._connection.execute("INSERT INTO looks VALUES (?, ?, ?, ?, ?, ?)", row)

    def drop(self, sha256: str) -> None:
        """A picture is gone, and what was noted about it."""
        with self._connection:
            self._connection.execute("DELETE FROM pictures WHERE sha256 = ?", (sha256,))

    def oldest(self, besides: Collection[str] = ()) -> str | None:
        """The picture that was kept longest ago, of those that are not `besides`."""
        rows = self._connection.execute("SELECT sha256 FROM pictures ORDER BY kept")
        return next((str(row[0]) for row in rows if row[0] not in besides), None)

    def of_visit(self, visit: str) -> tuple[Look, ...]:
        """All looks at one truck, oldest first."""
        rows = self._connection.execute(
            "SELECT sha256, at, what, visit, plate, weight_kg FROM looks WHERE visit = ? ORDER BY rowid", (visit,)
        )
        return tuple(Look(row[0], datetime.fromisoformat(row[1]), *row[2:]) for row in rows)

    def agree_with(self, files: Iterable[tuple[str, int]]) -> None:
        """The files that there are, as hash and size, oldest first: what is not among them is forgotten."""
        found = dict(files)
        with self._connection:
            known = {str(row[0]) for row in self._connection.execute("SELECT sha256 FROM pictures")}
            gone = [(each,) for each in known - found.keys()]
            self._connection.executemany("DELETE FROM pictures WHERE sha256 = ?", gone)
            for sha256, size in found.items():
                if sha256 not in known:
                    self._keep(sha256, size)

    def _keep(self, sha256: str, size: int) -> None:
        newest = "coalesce((SELECT max(kept) FROM pictures), 0) + 1"
        self._connection.execute(
            f"INSERT INTO pictures (sha256, bytes) VALUES (?, ?) ON CONFLICT (sha256) DO UPDATE SET kept = {newest}",
            (sha256, size),
        )


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, check_same_thread=False)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(connection.close)
        connection.executescript(_TABLES)
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError(f"{file} is damaged")
        connection.execute("SELECT kept, sha256, bytes FROM pictures LIMIT 0")
        connection.execute("SELECT sha256, at, what, visit, plate, weight_kg FROM looks LIMIT 0")
        on_failure.pop_all()
    return connection
