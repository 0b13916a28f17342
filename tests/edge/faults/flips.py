"""Single bits flipped in books of one file and its write-ahead log, and what came of each.

Where each byte of the books stands under a check (the index that docs/reliability.md shows):

| Bytes | Check of `weighgate ledger verify` |
|---|---|
| pages, cells, indexes, CHECKs (SQLite's integrity_check); tables, indexes, guards as made | database |
| frames of the log before its newest commits | log |
| the newest commit of the log: the ledger's newest row, known outside the books | witness |
| every column of every row of every table, by the row's own sum | rows |
| the ledger's number, kind, body and both hashes, a second time | chain |
| what tables say against what the ledger says: money, states, numbers, weights, passes, prints, seals, stock, terms | \
records, numbers, tickets, amounts, accounts, visits, weighments, slips, voids, exits, prints, seals, stock, epoch, \
outbox |

Nothing answers for: free pages and the space between cells, counters in the file's header that SQLite keeps for caches,
frames of the log that were folded in already, when a migration was applied, and the words in which sqlite_utils made
its own table of migrations. No row of the books is there.
"""

import contextlib
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edge.store import verify as verification
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from edge.store.findings import Findings
from edge.store.verify import NotBooks, verify
from edge.store.witness import Witness
from tests.edge.station.rig import make_plant
from tests.edge.store.books import document, leave, leave_empty, load, make_books, order, print_all

INSTANCE = "HX01/3/0123456789abcdef"
LOGGED = 12
"""So many of the visits stand in the write-ahead log only."""
PLANT = make_plant()
FIRST = 10
"""The first numbers are those of `make_books`, which has a little of everything."""


def fill(folder: Path, visits: int) -> None:
    """Books of a process that was killed: so many finished visits, the last of them in the log; a witness beside."""
    path = folder / "plant.db"
    make_books(path)
    _sell(path, range(FIRST, FIRST + visits - LOGGED))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            database = Database(path, Clock())
            witness = Witness(folder / "witness" / "plant.json", INSTANCE)
            witness.begin(database)
            _visits(database, range(FIRST + visits - LOGGED, FIRST + visits))
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (folder / "plant.db-shm").unlink()


def _sell(path: Path, numbers: range) -> None:
    database = Database(path, Clock())
    database.transact_now(lambda books: books.vacate("N6"))  # `make_books` leaves it on the lane
    _visits(database, numbers)
    database.close()


def _visits(database: Database, numbers: range) -> None:
    for number in numbers:
        if number % 10 == 0:
            received: dict[str, object] = {"product": "焦炭", "received_kg": 50_000_000 + number}
            database.transact_now(partial(document, kind="stock", body=received))
        name = database.transact_now(partial(order, number=number))
        paper = database.transact_now(partial(_weigh, name=name, empty=number % 10 == 0))
        database.transact_now(partial(_let_out, paper=paper))


def _weigh(books: Books, name: str, empty: bool) -> str:
    if not empty:
        return load(books, PLANT, name)
    leave_empty(books, PLANT, name)
    return name


def _let_out(books: Books, paper: str) -> None:
    print_all(books)
    leave(books, PLANT, paper)


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, read from the tables themselves and as bytes, and the schema. sqlite3.Error."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.text_factory = bytes
    try:
        schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name <> '_sqlite_migrations'"
        found = {"schema": connection.execute(schema).fetchall()}
        for kind, name in connection.execute("SELECT type, name FROM sqlite_schema").fetchall():
            if kind == b"table":
                columns = "migration_set, name" if name == b"_sqlite_migrations" else "*"
                table = name.decode()
                found[table] = connection.execute(f'SELECT {columns} FROM "{table}" NOT INDEXED').fetchall()
        return found
    finally:
        connection.close()


class Flipper:
    """Flips bits in a copy of books, one at a time."""

    def __init__(self, books: Path, place: Path) -> None:
        self._witness = books / "witness" / "plant.json"
        self._place = place
        self._raw = {name: (books / name).read_bytes() for name in ("plant.db", "plant.db-wal")}
        self._lay("plant.db", 0, 0)
        assert verify(place / "plant.db", self._witness).ok
        self._truth = everything(place / "plant.db")

    def flip(self, name: str, dice: random.Random, *, blind: bool = False) -> str:
        """What became of one flip: 'by CHECK', 'by refusal' (no books any more), 'harmless', or 'SILENT: …'.

        `blind`: the control; no sums, no log, no witness, as SQLite's own check alone.
        """
        at, bit = dice.randrange(len(self._raw[name])), 1 << dice.randrange(8)
        self._lay(name, at, bit)
        path = self._place / "plant.db"
        try:
            failed = sqlites_own(path) if blind else failing(path, self._witness)
        except NotBooks:
            return "by refusal"
        if failed:
            return f"by {failed}"
        try:
            got = everything(path)
        except sqlite3.Error as error:
            return f"SILENT: {name} byte {at} bit {bit}: {error}"
        if got == self._truth:
            return "harmless"
        wrong = next(table for table in {**self._truth, **got} if got.get(table) != self._truth.get(table))
        return f"SILENT: {name} byte {at} bit {bit}: {wrong}"

    def _lay(self, name: str, at: int, bit: int) -> None:
        for each, raw in self._raw.items():
            content = bytearray(raw)
            if each == name:
                content[at] ^= bit
            (self._place / each).write_bytes(content)
        (self._place / "plant.db-shm").unlink(missing_ok=True)


class Found(Exception):
    """A check does not hold; its name is the argument."""


class FirstOnly(Findings):
    """Ends a verification where it finds the first problem: thousands of flips need not be looked at to the end."""

    def say(self, check: str, problem: str) -> None:
        super().say(check, problem)
        raise Found(check)


@contextlib.contextmanager
def at_the_first() -> Iterator[None]:
    """Inside, verifications of this process end at the first problem."""
    vars(verification)["Findings"] = FirstOnly
    try:
        yield
    finally:
        vars(verification)["Findings"] = Findings


def failing(path: Path, witness: Path) -> str:
    """The first check of `ledger verify` that does not hold, '' when all do."""
    try:
        report = verify(path, witness)
    except Found as found:
        return str(found)
    return next((check.name for check in report.checks if not check.ok), "")


def sqlites_own(path: Path) -> str:
    """What SQLite finds by itself."""
    connection = sqlite3.connect(path)
    try:
        return "" if connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok" else "integrity_check"
    except (sqlite3.Error, UnicodeDecodeError):
        return "integrity_check"
    finally:
        connection.close()


def flips(flipper: Flipper, count: int, dice: random.Random, *, blind: bool = False) -> Counter[str]:
    """So many flips, a third of them in the log; how many ended how."""
    return Counter(flipper.flip(dice.choice(("plant.db", "plant.db", "plant.db-wal")), dice, blind=blind)
                   for _ in range(count))  # fmt: skip
