"""One SQLite file, one writer thread, one reader thread. A transaction either stands on disk or never was.

WAL with `synchronous=FULL`: a commit that returned survives power loss. The thread that writes is the only writer in
the plant (a second process is refused by a lock file), so a decision made inside a transaction cannot be overtaken.
"""

import asyncio
import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database as SqliteUtils

from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.crashpoint import crashpoint
from edge.store.ledger import LedgerRow
from edge.store.row_sums import keep_sums
from edge.store.schema import migrations
from edge.store.tail_check import ADVICE, BooksTorn, check_tail
from sync.wal_check import TORN, lost_commits

S = TypeVar("S")
T = TypeVar("T")

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA busy_timeout=5000",
)


class StoreFull(Exception):
    """No room on the disk: the transaction was rolled back, nothing was booked."""


class StoreBroken(Exception):
    """The disk failed below us. Nothing may be retried: the program must end and open the file anew."""


class StoreBusy(Exception):
    """Another process has this plant's books open."""


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """A connection with our pragmas; `writable=False` cannot change anything, not even by mistake.

    Raises sqlite3.Error; StoreBroken for a disk on which SQLite could not begin its write-ahead log.
    """
    if writable:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        if not path.with_name(f"{path.name}-wal").exists():
            # SQLite says nothing when the switch failed, and goes on in a mode whose last commit a power cut may undo.
            connection.close()
            raise StoreBroken(f"{path}: the disk did not take the write-ahead log: disk I/O error")
    else:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA busy_timeout=5000")
    connection.row_factory = sqlite3.Row
    return connection


class Database:
    """The plant's books. `transact` runs a function on the writer thread inside one transaction; `read` beside it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make the books. Raises StoreBusy, StoreFull, StoreBroken; BooksTorn for a bad ledger end."""
        self.path = path
        self.clock = clock
        self.on_row: Callable[[LedgerRow], None] | None = None
        """Told the ledger's newest row after each commit that added one, on the thread that committed."""
        self._broken: StoreBroken | None = None
        self._lock = take_lock(path)
        try:
            _check_log(path)
            self._writer = connect(path, writable=True)
            migrations.apply(SqliteUtils(self._writer))
            keep_sums(self._writer)
            check_tail(self._writer)
            _fold_log(self._writer)
            self._reader = connect(path, writable=False)
        except BaseException as error:
            os.close(self._lock)
            if (worded := _worded(error, path)) is not None:
                raise worded from error
            raise
        self._books = Books(self._writer, clock)
        self._reader_books = Books(self._reader, clock)
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="store-reader")

    async def transact(self, work: Callable[[Books], T]) -> T:
        """Run `work` between BEGIN IMMEDIATE and COMMIT. An exception rolls back and comes out here.

        Raises StoreFull when the disk is full, StoreBroken on an I/O error.
        """
        return await asyncio.get_running_loop().run_in_executor(self._write_thread, self.transact_now, work)

    async def transact_and_look(self, work: Callable[[Books], T], look: Callable[[Books], S]) -> tuple[T, S]:
        """The same; then `look` at what stands, before anybody else can write."""

        def both() -> tuple[T, S]:
            return self.transact_now(work), look(self._books)

        return await asyncio.get_running_loop().run_in_executor(self._write_thread, both)

    async def read(self, work: Callable[[Books], T]) -> T:
        """Run `work` on the reader's own snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._read_thread, self._read_now, work)

    def transact_now(self, work: Callable[[Books], T]) -> T:
        """The same as `transact`, on the calling thread: for start-up and command line tools."""
        if self._broken is not None:
            raise StoreBroken(str(self._broken))
        try:
            self._books.ledger.begin()
            self._writer.execute("BEGIN IMMEDIATE")
            result = work(self._books)
            crashpoint("commit.before")
            self._writer.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            worded = _worded(error, self.path)
            if isinstance(worded, StoreBroken):
                self._broken = worded
            if worded is not None:
                raise worded from error
            raise
        crashpoint("commit.after")
        if self.on_row is not None and self._books.ledger.appended is not None:
            self.on_row(self._books.ledger.appended)
        return result

    def _read_now(self, work: Callable[[Books], T]) -> T:
        self._reader.execute("BEGIN")
        try:
            return work(self._reader_books)
        finally:
            self._reader.execute("COMMIT")

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def close(self) -> None:
        """Finish what is queued, close both connections, free the lock.

        The last one to close folds the log into the books. After a disk has failed that is the reader, which may not
        write: what the next start finds is what was synced before.
        """
        self._write_thread.shutdown(wait=True)
        self._read_thread.shutdown(wait=True)
        last = (self._reader, self._writer) if self._broken is None else (self._writer, self._reader)
        for connection in last:
            connection.close()
        os.close(self._lock)


def take_lock(path: Path) -> int:
    """The one lock of these books, held until the handle is closed. StoreBusy while another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise StoreBusy(f"{path}: another weighgate process has it open; stop that one first") from error
    return handle


def _check_log(path: Path) -> None:
    """Look before anything is written, on a connection that leaves the log as it is."""
    if not path.exists() or not path.with_name(f"{path.name}-wal").exists():
        return
    connection = connect(path, writable=False)
    try:
        connection.execute("BEGIN")
        if (lost := lost_commits(connection, path)) > TORN:
            raise BooksTorn(f"{path}-wal: the write-ahead log is damaged, {lost} commits behind it are lost. {ADVICE}")
    finally:
        connection.close()


def _fold_log(connection: sqlite3.Connection) -> None:
    """Each life begins with an empty log, so that nothing of an earlier one stands behind its newest commit."""
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL:
            raise


def _worded(error: BaseException, path: Path) -> StoreFull | StoreBroken | None:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return StoreFull(f"{path}: disk full")
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY):
            return StoreBroken(f"{path}: {error}")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return StoreFull(f"{path}: disk full")
    return None
