"""Every statement that writes a row leaves the row's sum; one that does not is found by `check_sums`."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import edge
from edge.store.findings import Findings
from edge.store.row_sums import CHECK, Rows, check_sums, keep_sums

_WRITES = re.compile(r"\b(INSERT (OR \w+ )?INTO|UPDATE \w+ SET|UPDATE \{|REPLACE INTO|DELETE FROM)")


@pytest.fixture
def connection() -> sqlite3.Connection:
    """Two tables with sums, the one with defaults."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, row_sum INTEGER DEFAULT 0) STRICT")
    made.execute(
        "CREATE TABLE trucks (plate TEXT PRIMARY KEY, kg INTEGER, word TEXT NOT NULL DEFAULT 'it''s', n INTEGER"
        " NOT NULL DEFAULT 7, row_sum INTEGER NOT NULL DEFAULT 0) STRICT"
    )
    keep_sums(made)
    return made


def spoilt(connection: sqlite3.Connection) -> bool:
    """Whether a sum is not that of its row."""
    findings = Findings([CHECK])
    check_sums(connection, findings)
    return bool(findings.first[CHECK])


def rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """The trucks less their sums."""
    return connection.execute("SELECT plate, kg, word, n FROM trucks ORDER BY plate").fetchall()


@pytest.mark.parametrize(
    ("write", "left"),
    [
        (lambda trucks: trucks.add(plate="B"), [("A", 1, "x", 7), ("B", None, "it's", 7)]),
        (lambda trucks: trucks.add(n=3, kg=5, plate="B", word="é\x1f"), [("A", 1, "x", 7), ("B", 5, "é\x1f", 3)]),
        (lambda trucks: trucks.put(plate="A", kg=None), [("A", None, "x", 7)]),
        (lambda trucks: trucks.put(plate="B", n=2), [("A", 1, "x", 7), ("B", None, "it's", 2)]),
        (lambda trucks: trucks.change({"plate": "A"}, n=8, word="y"), [("A", 1, "y", 8)]),
        (lambda trucks: trucks.change({"kg": 1, "word": "x"}, plate="C", kg=2), [("C", 2, "x", 7)]),
        (lambda trucks: trucks.change({"plate": "Z"}, n=8), [("A", 1, "x", 7)]),
    ],
)  # fmt: skip
def test_each_way_to_write_leaves_the_sum(
    connection: sqlite3.Connection, write: Callable[[Rows], None], left: list[tuple[object, ...]]
) -> None:
    trucks = Rows(connection, "trucks")
    trucks.add(plate="A", kg=1, word="x")
    for _ in range(2):  # the second time with the statement that was kept
        connection.execute("SAVEPOINT turn")
        write(trucks)
        assert rows(connection) == left
        assert not spoilt(connection)
        connection.execute("ROLLBACK TO turn")
    connection.execute("UPDATE trucks SET n = n + 1")
    assert spoilt(connection), "the control: a statement of somebody else's"


def test_a_key_that_is_taken_is_refused(connection: sqlite3.Connection) -> None:
    trucks = Rows(connection, "trucks")
    trucks.add(plate="A")
    with pytest.raises(sqlite3.IntegrityError):
        trucks.add(plate="A")


def test_nobody_else_writes_to_the_books() -> None:
    root = Path(edge.__path__[0])
    writers = [path.name for path in root.rglob("*.py") if _WRITES.search(path.read_text(encoding="utf-8"))]
    beside = {"picture_index.py"}  # a file of its own, which is no part of the books
    assert set(writers) - beside == {"row_sums.py"}
