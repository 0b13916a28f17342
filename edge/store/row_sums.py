"""A check sum in every row, so that a bit that flipped on the disk is found wherever it sits.

The ledger's chain covers what happened, not the moment stamped beside it, nor columns that no record tells: a place in
the queue, who asked for a copy, the number of the last document. Each row of the books ends in `row_sum`, the CRC-32 of
its other columns, set by the very statement that writes them: `Rows` makes all such statements, and there are no
others. This is against worn disks, not against thieves, who can compute it too.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping

from edge.store.findings import Findings

COLUMN = "row_sum"
CHECK = "rows"
_KEY = "row_sums"


def row_sum(*values: object) -> int:
    """The check sum of a row's other columns, in the order of the table."""
    return zlib.crc32("\x1f".join(map(str, values)).encode("utf-8", "surrogatepass"))


class Rows:
    """Writes the rows of one table within the caller's transaction. Columns are named by keyword."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._columns: list[str] = []
        self._defaults: dict[str, str] = {}
        self._keys: list[str] = []
        self._statements: dict[tuple[str, ...], str] = {}

    def add(self, **values: object) -> None:
        """A new row; sqlite3.IntegrityError when its key is taken. Columns not named have their defaults."""
        told = ("add", *values)
        statement = self._statements.get(told) or self._learn(told, self._insert(values))
        self._connection.execute(statement, tuple(values.values()))

    def put(self, **values: object) -> None:
        """A new row, or these columns of the row with this key."""
        told = ("put", *values)
        statement = self._statements.get(told) or self._learn(told, self._upsert(values))
        self._connection.execute(statement, tuple(values.values()))

    def change(self, where: Mapping[str, object], **values: object) -> None:
        """These columns of the rows that are equal in `where`."""
        told = ("change", *values, "", *where)
        statement = self._statements.get(told) or self._learn(told, self._update(where, values))
        self._connection.execute(statement, (*values.values(), *where.values()))

    def _learn(self, told: tuple[str, ...], statement: str) -> str:
        self._statements[told] = statement
        return statement

    def _insert(self, values: Mapping[str, object]) -> str:
        self._look()
        marks = _marks(values)
        total = ", ".join((self._defaults | marks)[name] for name in self._columns)
        names, given = ", ".join(marks), ", ".join(marks.values())
        return f"INSERT INTO {self._table} ({names}, {COLUMN}) VALUES ({given}, {COLUMN}({total}))"

    def _upsert(self, values: Mapping[str, object]) -> str:
        insert = self._insert(values)
        sets = ", ".join(f"{name} = excluded.{name}" for name in values if name not in self._keys)
        total = ", ".join(f"excluded.{name}" if name in values else name for name in self._columns)
        return f"{insert} ON CONFLICT ({', '.join(self._keys)}) DO UPDATE SET {sets}, {COLUMN} = {COLUMN}({total})"

    def _update(self, where: Mapping[str, object], values: Mapping[str, object]) -> str:
        self._look()
        marks = _marks(values)
        sets = ", ".join(f"{name} = {mark}" for name, mark in marks.items())
        total = ", ".join(marks.get(name, name) for name in self._columns)
        same = " AND ".join(f"{name} = {mark}" for name, mark in _marks(where, len(marks)).items())
        return f"UPDATE {self._table} SET {sets}, {COLUMN} = {COLUMN}({total}) WHERE {same}"

    def _look(self) -> None:
        if self._columns:
            return
        for name, default, key in self._connection.execute(
            "SELECT name, dflt_value, pk FROM pragma_table_info(?)", (self._table,)
        ):
            if name != COLUMN:
                self._columns.append(name)
                self._defaults[name] = default or "NULL"
                self._keys += [name] if key else []


def _marks(names: Iterable[str], after: int = 0) -> dict[str, str]:
    """The parameter of each column, numbered: it stands twice in a statement, as a value and in the sum."""
    return {name: f"?{number}" for number, name in enumerate(names, after + 1)}


def summed_tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Each table whose rows carry a sum, with its other columns."""
    found = {}
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    for (table,) in names:
        columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        if COLUMN in columns:
            found[table] = [name for name in columns if name != COLUMN]
    return found


def keep_sums(connection: sqlite3.Connection) -> None:
    """From now on `Rows` can write on this connection. All sums are made anew when the tables have changed.

    Does nothing in books that have no sums yet: the migrations come first.
    """
    tables = summed_tables(connection)
    if not tables:
        return
    connection.create_function(COLUMN, -1, row_sum, deterministic=True)
    shape = _shape(tables)
    kept = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    if kept is None or kept[0] != shape:
        _renew(connection, tables, shape)


def check_sums(connection: sqlite3.Connection, findings: Findings) -> None:
    """Every row has the sum of its columns. Books from before there were sums have nothing to compare."""
    tables = summed_tables(connection)
    kept = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone() if tables else None
    if kept is None and not any(_summed(connection, table) for table in tables):
        return
    if kept is None or kept[0] != _shape(tables):
        findings.say(CHECK, "the sums of the rows are not those of these tables")
    for table, columns in tables.items():
        names = ", ".join((*columns, COLUMN))
        for *values, kept_sum in connection.execute(f"SELECT {names} FROM {table}"):
            if row_sum(*values) != kept_sum:
                findings.say(CHECK, f"the row of {table} that begins {values[0]!r} is not as it was written")
                break


def _shape(tables: dict[str, list[str]]) -> str:
    return str(zlib.crc32(repr(tables).encode()))


def _summed(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {table} WHERE {COLUMN} <> 0 LIMIT 1").fetchone() is not None


def _renew(connection: sqlite3.Connection, tables: dict[str, list[str]], shape: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, columns in tables.items():
            connection.execute(f"UPDATE {table} SET {COLUMN} = {COLUMN}({', '.join(columns)})")
        Rows(connection, "meta").put(key=_KEY, value=shape)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
