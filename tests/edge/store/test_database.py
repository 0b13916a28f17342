"""The books on disk: migrations, what tables refuse, one writer, the pragmas, and a disk that is really full."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.crashpoint import POINTS
from edge.store.database import Database, StoreBroken, StoreBusy, StoreFull, connect
from edge.store.verify import verify
from sync.records import Granted
from tests.edge.disks import mounted
from tests.edge.station.rig import make_plant
from tests.edge.store.books import load, make_books, order, print_all

PLANT = make_plant()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Empty books."""
    opened = Database(tmp_path / "plant.db", Clock())
    yield opened
    opened.close()


def raw(path: Path) -> sqlite3.Connection:
    """A connection without our care."""
    return sqlite3.connect(path, isolation_level=None)


def test_pragmas_are_those_that_survive_power_loss(database: Database, tmp_path: Path) -> None:
    fresh = connect(tmp_path / "plant.db", writable=True)
    found = {
        name: fresh.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    fresh.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_migrations_run_once_and_every_table_is_strict(tmp_path: Path) -> None:
    Database(tmp_path / "plant.db", Clock()).close()
    database = Database(tmp_path / "plant.db", Clock())
    connection = raw(tmp_path / "plant.db")
    tables = dict(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '*migration*'")
    )
    assert {"ledger", "accounts", "visits", "tickets", "passes_used", "print_jobs"} <= tables.keys()
    assert all("STRICT" in sql for name, sql in tables.items() if not name.startswith("sqlite_"))
    connection.close()
    database.close()


def test_the_ledger_is_append_only(tmp_path: Path) -> None:
    make_books(tmp_path / "plant.db")
    connection = raw(tmp_path / "plant.db")
    before = connection.execute("SELECT COUNT(*), MAX(hash) FROM ledger").fetchone()
    for statement in (
        "UPDATE ledger SET body = '{}' WHERE seq = 1",
        "DELETE FROM ledger WHERE seq = 1",
        "DELETE FROM ledger",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    assert connection.execute("SELECT COUNT(*), MAX(hash) FROM ledger").fetchone() == before
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts SET spent_fen = granted_fen + 1",
        "UPDATE accounts SET held_fen = -1",
        "UPDATE accounts SET voided_fen = spent_fen + 1",
        "UPDATE accounts SET granted_fen = 0",
        "UPDATE accounts SET granted_fen = 'much'",
        "UPDATE visits SET hold_fen = -1",
        "UPDATE tickets SET net_kg = 0",
        "UPDATE tickets SET visit = 'N1'",
        "UPDATE tickets SET pass_id = (SELECT MIN(pass_id) FROM tickets)",
        "UPDATE visits SET plate = '浙A00001', state = 'queued'",
        "UPDATE print_jobs SET copy_number = 0",
        "UPDATE print_jobs SET state = 'perhaps'",
        "UPDATE passes_used SET ticket = 'HX01-03-0000001'",
    ],
)
def test_tables_refuse_what_must_not_be(tmp_path: Path, statement: str) -> None:
    make_books(tmp_path / "plant.db")
    connection = raw(tmp_path / "plant.db")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.close()
    assert verify(tmp_path / "plant.db").ok


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def fail(books: Books) -> None:
        books.ledger.append(Granted(account="C1", granted_fen=5))
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        database.transact_now(fail)
    assert database.transact_now(lambda books: books.ledger.head().seq) == 0


def test_a_reader_cannot_write(database: Database, tmp_path: Path) -> None:
    reader = connect(tmp_path / "plant.db", writable=False)
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("INSERT INTO meta VALUES ('a', 'b')")
    reader.close()


def test_a_second_process_is_refused(tmp_path: Path, repository: Path) -> None:
    database = Database(tmp_path / "plant.db", Clock())
    program = (
        "import sys; from pathlib import Path; from edge.store.database import *; from edge.store.clock import Clock\n"
    )
    program += "try: Database(Path(sys.argv[1]), Clock())\nexcept StoreBusy as error: print(error)"
    command = [sys.executable, "-c", program, str(tmp_path / "plant.db")]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True, timeout=30).stdout
    assert "another weighgate process" in answer and "plant.db" in answer
    with pytest.raises(StoreBusy):
        Database(tmp_path / "plant.db", Clock())
    database.close()
    Database(tmp_path / "plant.db", Clock()).close()


def test_every_crash_point_stands_in_the_program(repository: Path) -> None:
    code = "".join(path.read_text() for path in (repository / "edge").rglob("*.py") if path.name != "crashpoint.py")
    assert {name for name in POINTS if f'crashpoint("{name}")' in code} == set(POINTS)
    assert code.count('crashpoint("') == len(POINTS)


def sell_until_full(database: Database) -> tuple[list[str], Exception]:
    """Whole visits until the disk says no; the tickets that were answered, and the no."""
    answered: list[str] = []
    for number in range(1, 10_000):
        try:
            ticket = database.transact_now(lambda books, number=number: _sell(books, number))  # type: ignore[misc]
        except (StoreFull, StoreBroken) as error:
            return answered, error
        answered.append(ticket)
    raise AssertionError("the disk never became full")


def _sell(books: Books, number: int) -> str:
    ticket = load(books, PLANT, order(books, number), 5_000)
    print_all(books)
    return ticket


def tickets_on_disk(path: Path) -> list[str]:
    """What a fresh reader finds."""
    connection = connect(path, writable=False)
    found = [row[0] for row in connection.execute("SELECT ticket FROM tickets ORDER BY number")]
    connection.close()
    return found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MB."""
    with mounted(tmp_path, 2) as folder:
        yield folder


def test_a_full_disk_books_nothing_and_recovers(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    path = small_disk / "plant.db"
    database = Database(path, Clock())
    answered, error = sell_until_full(database)
    assert isinstance(error, StoreFull) and answered
    assert tickets_on_disk(path) == answered, "no ticket without its commit, and none lost"
    with pytest.raises(StoreFull):
        database.transact_now(lambda books: _sell(books, 5000))
    assert tickets_on_disk(path) == answered
    ballast.unlink()
    again = database.transact_now(lambda books: _sell(books, 6000))
    assert tickets_on_disk(path) == [*answered, again], "the next number, no gap"
    database.close()
    assert verify(path).ok


def test_a_full_disk_at_the_start(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(2 * 1024 * 1024 - 20_000))
    with pytest.raises((StoreFull, StoreBroken), match=r"plant\.db"):
        Database(small_disk / "plant.db", Clock())
    (small_disk / "ballast").unlink()
    Database(small_disk / "plant.db", Clock()).close()


@pytest.mark.parametrize("limit_bytes", range(242_456, 450_000, 17_456))
def test_wherever_writing_stops_old_tickets_stand(tmp_path: Path, limit_bytes: int) -> None:
    """RLIMIT_FSIZE in a forked child: every write past the limit fails, wherever in the file it falls."""
    path = tmp_path / "plant.db"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
            answered, _ = sell_until_full(Database(path, Clock()))
            with (tmp_path / "answered").open("w") as out:
                out.write("\n".join(answered))
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    answered = (tmp_path / "answered").read_text().split()
    assert answered
    database = Database(path, Clock())
    assert tickets_on_disk(path) == answered
    again = database.transact_now(lambda books: _sell(books, 9000))
    assert tickets_on_disk(path) == [*answered, again]
    database.close()
    assert verify(path).ok
