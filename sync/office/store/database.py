"""The engine, its one thread, and transactions that take the lock before they read.

SQLite: WAL, synchronous=FULL, BEGIN IMMEDIATE (one writer at a time, also across processes). PostgreSQL: row locks by
SELECT … FOR UPDATE on the account or the instance that is about to change; commits are durable by its own default.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from sync.office.store.bulk import insert_new as insert_new
from sync.office.store.bulk import put as put
from sync.office.store.migrations import OLDEST_VERSION, migrate
from sync.office.store.schema import SCHEMA_VERSION, meta, metadata
from sync.office.store.terms import MODE, begin_term
from sync.terms import first_term

Result = TypeVar("Result")

_BUSY_TIMEOUT_S = 10
_OPENING = 0x77656967  # any number that no other program takes as an advisory lock


class StoreError(Exception):
    """The books cannot be opened or were made by another version; one line says which and what to do."""


class StoreUnavailable(Exception):
    """The database did not do it (stopped, disk full, locked for too long): nothing was committed; try again later."""


class StoreDamaged(StoreUnavailable):
    """The file is damaged: no program of ours wrote it so. Trying again helps nobody; one line says what to do."""


class Store:
    """Head office's database. Methods that touch it run in the caller's thread; `run` gives them the store's own."""

    def __init__(self, url: str) -> None:
        """Open the books, make the tables when they are new. StoreError when that is impossible."""
        self.url = url
        self._engine = _engine(url)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="office-store")
        try:
            with self.write() as tx:
                if self.is_postgresql:  # two processes that open new books at once would both make the tables
                    tx.execute(select(func.pg_advisory_xact_lock(_OPENING)))
                metadata.create_all(tx)
                _check_version(tx)
        except StoreDamaged:
            self.close()
            raise
        except StoreUnavailable as error:
            self.close()
            raise StoreError(f"office.database: {self._engine.url!s} — cannot be opened: {error}") from error
        except StoreError:
            self.close()
            raise

    @contextmanager
    def _worded(self) -> Iterator[None]:
        """What the database says in our words. A statement it does not take, or a broken constraint, is a bug."""
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            raise StoreUnavailable(str(error.orig)) from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:
                raise
            raise StoreDamaged(
                f"office.database: {self._engine.url!s} — the file is damaged ({error.orig}); keep it, and put a "
                "backup back: docs/operating.md, Head office from a backup"
            ) from error

    @property
    def is_postgresql(self) -> bool:
        """Which of the two dialects this is."""
        return self._engine.dialect.name == "postgresql"

    @contextmanager
    def write(self, *, rehearse: bool = False) -> Iterator[Connection]:
        """One transaction that may write: committed at the end, rolled back by any exception. `rehearse`: rolled back
        in any case, to see what would be done, or refused."""
        with self._worded(), self._engine.begin() as connection:
            if not self.is_postgresql:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            if rehearse:
                connection.rollback()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot for reading; nothing in it is written."""
        with self._worded(), self._engine.connect() as connection:
            if self.is_postgresql:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()

    async def run(self, work: Callable[["Store"], Result]) -> Result:
        """`work(store)` in the store's thread; calls queue in the order they were made."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, self)

    async def run_read(self, work: Callable[[Connection], Result]) -> Result:
        """`work` on one snapshot, in the store's thread."""

        def reading(store: Store) -> Result:
            with store.read() as tx:
                return work(tx)

        return await self.run(reading)

    async def run_write(self, work: Callable[[Connection], Result]) -> Result:
        """`work` in one transaction, in the store's thread; committed when this returns."""

        def writing(store: Store) -> Result:
            with store.write() as tx:
                return work(tx)

        return await self.run(writing)

    def close(self) -> None:
        """Finish what is queued and close all connections."""
        self._worker.shutdown(wait=True)
        self._engine.dispose()


def lock_name(tx: Connection, name: str) -> None:
    """Wait for other transactions that locked this name: for what no row stands for yet. SQLite has one writer."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))


def insert_first(tx: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert one row; False when its primary key is taken, also by a process that is just committing it."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    key = next(iter(table.primary_key))
    statement = dialect.insert(table).values(**row).on_conflict_do_nothing().returning(key)
    return tx.execute(statement).first() is not None


def next_change(tx: Connection) -> int:
    """Raise and return the number that tells readers that something changed."""
    raised = update(meta).where(meta.c.name == "change").values(number=meta.c.number + 1).returning(meta.c.number)
    return int(tx.execute(raised).scalar_one())


def current_change(tx: Connection) -> int:
    """The number of the last change; another process sees it grow."""
    return int(tx.execute(select(meta.c.number).where(meta.c.name == "change")).scalar_one())


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=4, max_overflow=2, pool_pre_ping=True)
    file = Path(url.removeprefix("sqlite:///"))
    if not file.parent.is_dir():
        raise StoreError(f"office.database: '{file}' — its folder does not exist")
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S, "isolation_level": None})
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    _keep_a_log(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _keep_a_log(connection: Any) -> None:
    """Write-ahead logging. Of two that open new books at once SQLite refuses one here, without the time-out's wait."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _check_version(tx: Connection) -> None:
    insert_new(tx, meta, [{"name": MODE, "number": 0}])
    found = tx.execute(select(meta.c.number).where(meta.c.name == "schema")).scalar()
    if found is None:
        tx.execute(insert(meta), [{"name": "schema", "number": SCHEMA_VERSION}, {"name": "change", "number": 0}])
        begin_term(tx, first_term(), "new books")
    elif OLDEST_VERSION <= found < SCHEMA_VERSION:
        migrate(tx, int(found))
    elif found != SCHEMA_VERSION:
        raise StoreError(f"office.database: schema {found} — this program reads schema {SCHEMA_VERSION}")
