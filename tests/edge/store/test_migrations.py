"""Books of an older release: verified as they are, migrated at the next start, nothing in them changed."""

import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database as SqliteUtils

from edge.station import weighing
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database, connect
from edge.store.schema import migrations
from edge.store.verify import verify
from tests.edge.station.rig import make_plant
from tests.edge.store.books import leave, leave_empty, load, order, print_all

PLANT = make_plant()


@pytest.fixture
def before_slips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Books with m001's tables alone: a truck that left, one before the gate, an empty one that got no slip."""

    def fill(books: Books) -> None:
        tickets = [load(books, PLANT, order(books, number)) for number in (1, 2)]
        leave_empty(books, PLANT, order(books, 3))
        print_all(books)
        leave(books, PLANT, tickets[0])

    with monkeypatch.context() as then:
        then.setattr(weighing, "_issue_slip", lambda *_: None)
        today = Database(tmp_path / "today.db", Clock())
        today.transact_now(fill)
        today.close()
    path = tmp_path / "plant.db"
    connection = connect(path, writable=True)
    migrations.apply(SqliteUtils(connection), stop_before="m002_empty_slips")
    connection.execute("ATTACH ? AS today", (str(tmp_path / "today.db"),))
    for (table,) in connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall():
        columns = ", ".join(name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))
        if not table.startswith("_"):
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM today.{table}")
    connection.execute("DELETE FROM meta WHERE key = 'row_sums'")
    connection.close()
    return path


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    """A whole table."""
    connection = sqlite3.connect(path)
    found = connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
    connection.close()
    return found


def test_old_books_verify_without_being_migrated(before_slips: Path) -> None:
    report = verify(before_slips)
    assert report.ok, report.as_json()
    assert report.tickets == 2


def test_the_migration_changes_nothing_and_slips_can_be_issued(before_slips: Path) -> None:
    tables = ("ledger", "visits", "tickets", "passes_used", "print_jobs", "accounts")
    before = {table: rows(before_slips, table) for table in tables}
    database = Database(before_slips, Clock())
    assert {table: [row[:-1] for row in rows(before_slips, table)] for table in tables} == before  # less its sum
    assert rows(before_slips, "empty_slips") == []
    database.transact_now(lambda books: leave(books, PLANT, "HX01-03-0000002"))
    database.transact_now(lambda books: leave_empty(books, PLANT, order(books, 4)))
    database.transact_now(lambda books: leave(books, PLANT, "N4"))
    database.close()
    Database(before_slips, Clock()).close()
    assert len(rows(before_slips, "empty_slips")) == 1
    assert verify(before_slips).ok
