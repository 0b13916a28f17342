"""Backups of a plant's books: made beside a running plant, checked before they count, and fenced from the beginning.

What happened after a backup is not in it, so books that come from one may be read, printed from and may open the gate,
but never sell: `fenced` is written into the copy, before it gets its name.
"""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database, StoreBroken, StoreFull, connect, take_lock
from edge.store.tail_check import BooksTorn
from edge.store.verify import NotBooks, VerifyReport, verify

_BESIDE = ("", "-wal", "-shm")
COPIED = "copied"
"""The kept text of books that come from a backup; head office settles no epoch from such (sync.office.old_disk)."""


class BackupFailed(Exception):
    """No backup was made, or nothing was restored; says why and what to do. Nothing was changed."""


def back_up(books: Path, target: Path) -> VerifyReport:
    """Write a checked and fenced copy of `books`, whether a plant has them open or not, to the new file `target`."""
    if not books.is_file():
        raise BackupFailed(f"{books}: no books here yet; run the plant first")
    if target.exists():
        raise BackupFailed(f"{target}: exists already; choose another name")
    if not target.absolute().parent.is_dir():
        raise BackupFailed(f"{target}: there is no such folder; nothing was written")
    with _prepared(target) as copy:
        _copy(books, copy)
        report = _fenced(copy, f"a backup of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        _give_name(copy, target)
    return report


def restore(
    backup: Path, books: Path, instance: str, *, replace: bool, zone: tzinfo = UTC
) -> tuple[VerifyReport, Path | None]:
    """Put a backup in the place of `books`, fenced. Books that are there are moved aside with `replace`, else refused;
    their new name tells when, in `zone`.

    Returns what the check of the restored books said, and where the old ones are now. StoreBusy while a plant runs.
    """
    if (there := _instance_of(backup)) != instance:
        raise BackupFailed(f"{backup}: belongs to {there or 'no plant'}, the configuration and its key are {instance}")
    lock = take_lock(books)
    try:
        if any(_beside(books, each).exists() for each in _BESIDE) and not replace:
            raise BackupFailed(f"{books}: there are books already; --replace moves them aside and keeps them")
        with _prepared(books) as copy:
            _copy(backup, copy)
            report = _fenced(copy, f"restored on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC from {backup.name}")
            aside = _move_aside(books, zone)
            copy.replace(books)
            _sync_folder(books.parent)
        _same_owner(books, books.with_suffix(".lock"))
        return report, aside
    finally:
        os.close(lock)


@contextlib.contextmanager
def _prepared(named: Path) -> Iterator[Path]:
    """A place for a copy that is not yet what it claims to be; gone afterwards. Words for what goes wrong with it, by
    the name that the copy will have.
    """
    try:
        with tempfile.TemporaryDirectory(dir=named.parent, prefix=".weighgate-copy-") as place:
            yield Path(place) / "plant.db"
    except (sqlite3.Error, StoreFull, StoreBroken, BooksTorn, NotBooks) as error:
        raise BackupFailed(f"{named}: nothing was written: {error}") from error
    except OSError as error:
        raise BackupFailed(f"{named}: {error.strerror}; nothing was written") from error


def _copy(books: Path, copy: Path) -> None:
    """All pages as of one moment, by SQLite itself: a writer goes on meanwhile, and is not in it."""
    source = connect(books, writable=False)
    try:
        drain = sqlite3.connect(copy)
        try:
            source.backup(drain)
        finally:
            drain.close()
    finally:
        source.close()


def _fenced(copy: Path, why: str) -> VerifyReport:
    """Fence a copy, make it one single file, and check all of it."""
    os.chmod(copy, 0o600)  # noqa: PTH101 - the mode before anything else is done with it
    database = Database(copy, Clock())
    try:
        database.transact_now(lambda books: _mark(books, why))
    finally:
        database.close()
    connection = sqlite3.connect(copy)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    report = verify(copy)
    if not report.ok:
        first = next(check for check in report.checks if not check.ok)
        raise BackupFailed(f"the copy does not pass the check “{first.name}”: {first.problem}; nothing was written")
    with copy.open("rb+") as file:
        os.fsync(file.fileno())
    return report


def _mark(books: Books, why: str) -> None:
    """Never to be sold from, and never to be settled from: what came after the backup is in neither."""
    books.keep(COPIED, why)
    if not books.fenced:
        books.fence(why)


def _give_name(copy: Path, target: Path) -> None:
    try:
        os.link(copy, target)  # unlike a rename, it never replaces another file
    except FileExistsError:
        raise BackupFailed(f"{target}: exists already; choose another name") from None
    except OSError:
        copy.replace(target)  # a memory stick's file system has no links
    _sync_folder(target.parent)


def _instance_of(backup: Path) -> str:
    if not backup.is_file():
        raise BackupFailed(f"{backup}: no such file")
    try:
        connection = sqlite3.connect(f"{backup.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            row = connection.execute("SELECT value FROM meta WHERE key = 'instance'").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise BackupFailed(f"{backup}: not a plant's books: {error}") from None
    return str(row[0]) if row else ""


def _move_aside(books: Path, zone: tzinfo) -> Path | None:
    """The old books under another name, with what belongs to them, readable by their owner alone as a backup is; None
    when there are none."""
    stamp = f"{datetime.now(zone):%Y%m%d-%H%M%S%z}"
    aside = books.with_name(f"{books.name}.replaced-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = books.with_name(f"{books.name}.replaced-{stamp}-{number}")
    moved = None
    for each in _BESIDE:
        if (old := _beside(books, each)).exists():
            old.chmod(0o600)
            old.rename(_beside(aside, each))
            moved = aside
    return moved


def _beside(books: Path, ending: str) -> Path:
    return books.with_name(books.name + ending)


def _same_owner(*files: Path) -> None:
    """Restored by root, the files belong to whom the folder belongs to: the plant does not run as root."""
    if os.geteuid() == 0:
        folder = files[0].parent.stat()
        for file in files:
            os.chown(file, folder.st_uid, folder.st_gid)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
