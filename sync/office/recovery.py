"""Backups of head office's books, putting one back, and what must happen before restored books may grant again."""

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sync.office.persons import TwoPersons
from sync.office.refusal import NotAllowed
from sync.office.settings import Settings
from sync.office.store import identity, reconcile
from sync.office.store.database import Store, StoreError, next_change
from sync.office.store.money import grant_wanted, read_accounts
from sync.office.store.schema import SCHEMA_VERSION
from sync.office.witness import Witness
from sync.units import format_fen


def open_books(settings: Settings, config: Path, *, starting: bool = False) -> Store:
    """The books as configured, held against their witness: older ones than it saw begin to be reconciled."""
    store, witness = Store(settings.database_url), Witness(config.absolute().parent)
    try:
        with store.write() as tx:
            identity.compare(tx, witness.read())
            if starting:
                identity.count_start(tx)
        witness_books(store, config, safe=True, renew=True)
    except OSError as error:
        store.close()
        raise StoreError(f"{witness.path}: cannot be written: {error.strerror}") from error
    except BaseException:
        store.close()
        raise
    return store


def witness_books(store: Store, config: Path, *, safe: bool, renew: bool = False) -> None:
    """Let the witness see how far the books have come; `renew` in a new file, which no older copy of it fits."""
    with store.read() as tx:
        seen = identity.seen_of(tx)
    witness = Witness(config.absolute().parent)
    if renew:
        witness.renew(seen)
    else:
        witness.write(seen, safe=safe)


def reconcile_status(store: Store) -> dict[str, Any]:
    """`{"mode": normal|halted|reconciling, "term", "why", "told", "missing", "unknown", "short"}`; `short` are
    accounts of which more is out than was posted, as `{"account", "fen"}`."""
    with store.read() as tx:
        told = reconcile.standing(tx)
        short = [each for each in read_accounts(tx) if each.free_fen < 0]
    return {
        **asdict(told), "mode": told.mode.name.lower(), "term": told.term.number,
        "short": [{"account": each.account, "fen": -each.free_fen} for each in short],
    }  # fmt: skip


def begin_reconcile(store: Store, why: str) -> dict[str, Any]:
    """A new term: nothing is granted until every plant has told in it. Always safe, and only costs waiting."""
    with store.write() as tx:
        reconcile.begin_reconcile(tx, why)
    return reconcile_status(store)


def finish_reconcile(
    store: Store, persons: TwoPersons, accept_shortage: bool = False, not_ours: Collection[str] = ()
) -> dict[str, Any]:
    """Grant again. The two persons say that every box enrolled and every refund and undone payment booked since the
    backup is in the books again: no plant can tell that. NotAllowed while a plant has not told, or while more is out
    than was posted, which means that payments are missing; or while a box has spoken with a key that is not enrolled
    here and is not among `not_ours`, by the plant's code in its topic."""
    with store.write() as tx:
        short = [each for each in read_accounts(tx) if each.free_fen < 0]
        if short and not accept_shortage:
            listed = ", ".join(f"{each.account} ¥{format_fen(-each.free_fen)}" for each in short[:5])
            raise NotAllowed(
                "office", "reconcile",
                f"额度多于到款,备份之后的到款还没有补登:{listed}",
                f"more is out than was posted: post the payments made since the backup again: {listed}",
            )  # fmt: skip
        reconcile.finish_reconcile(tx, str(persons), not_ours)
        for account in read_accounts(tx):
            grant_wanted(tx, account.account)
        next_change(tx)
    return reconcile_status(store)


def backup_books(settings: Settings, file: Path) -> Path:
    """A checked copy of running SQLite books, which can only come up as RECONCILE. NotAllowed for PostgreSQL."""
    source = _sqlite_file(settings, "backup")
    if file.exists():
        raise NotAllowed("file", str(file), "文件已存在", "exists already; allowed: a new name")
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(_open(source)) as books, closing(sqlite3.connect(partial)) as copy:
            books.backup(copy, pages=1000)
            copy.execute("PRAGMA journal_mode = DELETE")
            copy.execute("INSERT OR REPLACE INTO meta (name, number) VALUES (?, 1)", (identity.COPY,))
            copy.commit()
            _check(copy, partial)
        _sync(partial)
        partial.replace(file)
        _sync(file.absolute().parent)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise NotAllowed("file", str(file), "备份没有写成", f"the backup was not written: {error}") from error
    return file


def restore_books(settings: Settings, config: Path, backup: Path, *, replace: bool = False) -> dict[str, Any]:
    """Put a backup in the books' place and begin RECONCILE. Books that are there are moved aside, never deleted."""
    target = _sqlite_file(settings, "restore", must_exist=False)
    if not backup.is_file():
        raise NotAllowed("backup", str(backup), "没有这个文件", "no such file")
    if target.exists() and not replace:
        raise NotAllowed(
            "database", str(target),
            "账本还在;加 --replace 会先把它移到一边", "there are books: --replace moves them aside first",
        )  # fmt: skip
    with Witness(config.absolute().parent).held(alone=True) as stopped:
        if not stopped:
            raise NotAllowed("office", "run", "总部程序正在运行,先停止", "head office is running: stop it first")
        fresh = target.with_name(f".{target.name}.restored")
        try:
            aside = _put_in_place(backup, fresh, target, timezone(timedelta(hours=settings.office.utc_offset_hours)))
        except (OSError, sqlite3.Error) as error:
            fresh.unlink(missing_ok=True)
            raise NotAllowed("backup", str(backup), "恢复没有完成", f"not restored: {error}") from error
        store = open_books(settings, config)
        try:
            return {"database": str(target), "aside": aside, **reconcile_status(store)}
        finally:
            store.close()


def _put_in_place(backup: Path, fresh: Path, target: Path, zone: timezone) -> str:
    """Check a copy of the backup, then swap; the old books' new name, with the time in `zone`, or ''."""
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_open(backup)) as source, closing(sqlite3.connect(fresh)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        _check(copy, backup)
        copy.execute("INSERT OR REPLACE INTO meta (name, number) VALUES (?, 1)", (identity.COPY,))
        copy.commit()
    _sync(fresh)
    aside = ""
    if target.exists():
        aside = f"{target.name}.{datetime.now(zone):%Y%m%dT%H%M%S%z}"
        for ending in ("-wal", "-shm", ""):
            old = target.with_name(target.name + ending)
            if old.exists():
                old.chmod(0o600)
                old.rename(target.with_name(aside + ending))
    fresh.replace(target)
    _sync(target.parent)
    return aside


def _sqlite_file(settings: Settings, command: str, must_exist: bool = True) -> Path:
    url = settings.database_url
    if not url.startswith("sqlite:///"):
        raise NotAllowed(
            "database", "postgresql",
            "PostgreSQL 请用 pg_dump 备份、pg_restore 恢复,恢复后执行 weighgate-office reconcile --begin",
            f"`{command}` is for SQLite; with PostgreSQL use pg_dump and pg_restore, then "
            "`weighgate-office reconcile --begin`",
        )  # fmt: skip
    file = Path(url.removeprefix("sqlite:///"))
    if must_exist and not file.is_file():
        raise NotAllowed("database", str(file), "还没有账本", "there are no books yet")
    return file


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def _check(copy: sqlite3.Connection, file: Path) -> None:
    """sqlite3.DatabaseError unless it is whole, and head office's books of a version that can be read."""
    said = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        raise sqlite3.DatabaseError(f"{file}: {said}")
    found = copy.execute("SELECT number FROM meta WHERE name = 'schema'").fetchone()
    if found is None or not 1 <= found[0] <= SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"{file}: not head office's books, or of a newer program")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
