"""A check sum in every row, so that a bit that flipped on the disk is found wherever it sits.

The ledger's chain covers what happened, not the moment stamped beside it, nor columns that no record tells: a place in
the queue, who asked for a copy, the number of the last document. Each row of the books ends in `row_sum`, the CRC-32 of
its other columns. Temporary triggers of the writing connection keep it up, so no statement of the program mentions it.
This is against worn disks, not against thieves, who can compute it too.
"""

import sqlite3
import zlib

from edge.store.findings import Findings

COLUMN = "row_sum"
CHECK = "rows"
_KEY = "row_sums"


def row_sum(*values: object) -> int:
    """The check sum of a row's other columns, in the order of the table."""
    return zlib.crc32("\x1f".join(map(str, values)).encode("utf-8", "surrogatepass"))


def summed_tables(connection: sqlite3.Connection) -> dict[str, tuple[list[str], list[str]]]:
    """Each table whose rows carry a sum: its other columns, and which of them are its key."""
    found = {}
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    for (table,) in names:
        columns = connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)).fetchall()
        if any(name == COLUMN for name, _ in columns):
            summed = [name for name, _ in columns if name != COLUMN]
            found[table] = summed, [name for name, key in columns if key]
    return found


def keep_sums(connection: sqlite3.Connection) -> None:
    """From now on every row that this connection writes gets its sum. All are made anew when the tables have changed.

    Does nothing in books that have no sums yet: the migrations come first.
    """
    tables = summed_tables(connection)
    if not tables:
        return
    connection.create_function(COLUMN, -1, row_sum, deterministic=True)
    shape = _shape(tables)
    kept = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    for table, (columns, key) in tables.items():
        _watch(connection, table, columns, key)
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
    for table, (columns, _) in tables.items():
        names = ", ".join((*columns, COLUMN))
        for *values, kept_sum in connection.execute(f"SELECT {names} FROM {table}"):
            if row_sum(*values) != kept_sum:
                findings.say(CHECK, f"the row of {table} that begins {values[0]!r} is not as it was written")
                break


def _shape(tables: dict[str, tuple[list[str], list[str]]]) -> str:
    return str(zlib.crc32(repr({table: columns for table, (columns, _) in tables.items()}).encode()))


def _summed(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {table} WHERE {COLUMN} <> 0 LIMIT 1").fetchone() is not None


def _watch(connection: sqlite3.Connection, table: str, columns: list[str], key: list[str]) -> None:
    values = ", ".join(f"NEW.{column}" for column in columns)
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    for event in ("INSERT", f"UPDATE OF {', '.join(columns)}"):
        connection.execute(
            f"CREATE TEMP TRIGGER IF NOT EXISTS {COLUMN}_{event[:6]}_{table} AFTER {event} ON main.{table}"
            f" BEGIN UPDATE {table} SET {COLUMN} = {COLUMN}({values}) WHERE {same}; END"
        )


def _renew(connection: sqlite3.Connection, tables: dict[str, tuple[list[str], list[str]]], shape: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, (columns, _) in tables.items():
            connection.execute(f"UPDATE {table} SET {COLUMN} = {COLUMN}({', '.join(columns)})")
        connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_KEY, shape))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
