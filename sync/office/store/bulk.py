"""Many rows in one statement. PostgreSQL takes them by COPY, or unpacks them from one JSON parameter; SQLite, which has
no round trips to save, takes them one by one. Rows are dicts with the same keys.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import psycopg
from sqlalchemy import Column, ColumnElement, Connection, Table, Text, any_, bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import OperationalError

Row = Mapping[str, Any]


def add_rows(tx: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows whose primary keys are known to be free; one that is taken is an error."""
    if not rows:
        return
    if not _is_postgresql(tx):
        tx.execute(insert(table), list(rows))
        return
    names = list(rows[0])
    cursor = tx.connection.driver_connection.cursor()  # type: ignore[union-attr]
    try:
        with cursor.copy(f"COPY {_quoted(tx, table.name)} ({_columns(tx, names)}) FROM STDIN") as copy:
            for values in map(itemgetter(*names), rows):
                copy.write_row(values)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise OperationalError("COPY", None, error) from error  # as SQLAlchemy would have worded it
    finally:
        cursor.close()


def insert_new(tx: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, leaving those alone whose primary key is already there."""
    if not rows:
        return
    if _is_postgresql(tx):
        _unpack(tx, table, rows, "ON CONFLICT DO NOTHING")
    else:
        tx.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))


def put(tx: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or overwrite the named columns of those whose primary key is already there. No key twice."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    changed = [name for name in rows[0] if name not in keys]
    if _is_postgresql(tx):
        sets = ", ".join(f"{_quoted(tx, name)} = excluded.{_quoted(tx, name)}" for name in changed)
        _unpack(tx, table, rows, f"ON CONFLICT ({_columns(tx, keys)}) DO UPDATE SET {sets}")
    else:
        statement = sqlite.insert(table)
        chosen = {name: statement.excluded[name] for name in changed}
        tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=chosen), list(rows))


def change(tx: Connection, table: Table, keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Overwrite the named columns of rows that are there and equal in `keys`; others are left out."""
    if not rows:
        return
    changed = [name for name in rows[0] if name not in keys]
    if _is_postgresql(tx):
        own = _quoted(tx, table.name)
        sets = ", ".join(f"{_quoted(tx, name)} = told.{_quoted(tx, name)}" for name in changed)
        equal = " AND ".join(f"{own}.{_quoted(tx, name)} = told.{_quoted(tx, name)}" for name in keys)
        statement = f"UPDATE {own} SET {sets} FROM {_unpacked(tx, table)} told WHERE {equal}"
        tx.exec_driver_sql(statement, (_as_json(rows),))
    else:
        where = [table.c[name] == bindparam(f"its_{name}") for name in keys]
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in changed}
        named = [{f"{'its' if name in keys else 'new'}_{name}": row[name] for name in row} for row in rows]
        tx.execute(update(table).where(*where).values(values), named)


def among(tx: Connection, column: "Column[str]", values: Iterable[str]) -> "ColumnElement[bool]":
    """Whether a column is one of very many texts: one parameter instead of one for each, which all would be parsed."""
    listed = sorted(values)
    return column == any_(bindparam(None, listed, type_=ARRAY(Text))) if _is_postgresql(tx) else column.in_(listed)


def fetch(tx: Connection, table: Table, names: Sequence[str], key: Row, among_values: Iterable[str]) -> Sequence[Any]:
    """Named columns of the rows whose primary key is `key`, of one column, and then any of the values."""
    (first, fixed), second = *key.items(), [column.name for column in table.primary_key][1]
    listed = sorted(among_values)
    if not _is_postgresql(tx):
        mine = (table.c[first] == fixed, table.c[second].in_(listed))
        return tx.execute(select(*(table.c[name] for name in names)).where(*mine)).all()
    columns, own = _columns(tx, names), _quoted(tx, table.name)
    # OFFSET 0 keeps each look-up one by the whole key: without statistics PostgreSQL would read all of the first part.
    one = f"SELECT {columns} FROM {own} WHERE {_quoted(tx, first)} = %s AND {_quoted(tx, second)} = told.name OFFSET 0"
    statement = f"SELECT {columns} FROM unnest(%s::text[]) told(name), LATERAL ({one}) found"
    return tx.exec_driver_sql(statement, (listed, fixed)).all()


def _unpack(tx: Connection, table: Table, rows: Sequence[Row], end: str) -> None:
    columns = _columns(tx, list(rows[0]))
    into = f"INSERT INTO {_quoted(tx, table.name)} ({columns})"
    tx.exec_driver_sql(f"{into} SELECT {columns} FROM {_unpacked(tx, table)} {end}", (_as_json(rows),))


def _unpacked(tx: Connection, table: Table) -> str:
    return f"json_populate_recordset(NULL::{_quoted(tx, table.name)}, %s::json)"


def _as_json(rows: Sequence[Row]) -> str:
    return json.dumps(rows, ensure_ascii=False)


def _is_postgresql(tx: Connection) -> bool:
    return tx.dialect.name == "postgresql"


def _columns(tx: Connection, names: Sequence[str]) -> str:
    return ", ".join(_quoted(tx, name) for name in names)


def _quoted(tx: Connection, name: str) -> str:
    return tx.dialect.identifier_preparer.quote(name)
