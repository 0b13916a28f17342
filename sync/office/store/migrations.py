"""Books of an older program, brought to this one's schema in the transaction that opens them."""

from sqlalchemy import Column, Connection, inspect, text, update
from sqlalchemy.schema import CreateColumn

from sync.office.store.scale_alarms import alarms_of_older_books
from sync.office.store.schema import SCHEMA_VERSION, accounts, instances, meta
from sync.office.store.terms import begin_term
from sync.terms import first_term

OLDEST_VERSION = 1
_ADDED: dict[int, tuple["Column[object]", ...]] = {
    2: (instances.c.told_term, instances.c.told_upto, accounts.c.exposure_fen),
    4: (instances.c.mode,),
}
"""Columns by the version that brought them; new tables need no line, they are made when the books are opened."""


def migrate(tx: Connection, found: int) -> None:
    """Add what the books of version `found` lack. New tables are there already, empty."""
    for version in range(found + 1, SCHEMA_VERSION + 1):
        for column in _ADDED.get(version, ()):
            _add_column(tx, column)
        if version == 2:
            begin_term(tx, first_term(), "books of schema 1")
            if tx.dialect.name == "postgresql":  # in SQLite it costs next to nothing, and cannot be taken away
                tx.execute(text("ALTER TABLE inbox DROP CONSTRAINT IF EXISTS inbox_instance_fkey"))
        if version == 3:
            alarms_of_older_books(tx)
    tx.execute(update(meta).where(meta.c.name == "schema").values(number=SCHEMA_VERSION))


def _add_column(tx: Connection, column: "Column[object]") -> None:
    table = column.table.name
    if column.name in {each["name"] for each in inspect(tx).get_columns(table)}:
        return
    tx.execute(text(f"ALTER TABLE {table} ADD COLUMN {CreateColumn(column).compile(dialect=tx.dialect)}"))
