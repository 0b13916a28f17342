"""The ledger on a lost box's disk: rows that head office never got, read from a copy of the plant's books."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sync.messages import WireRecord
from sync.office.old_witness import find_witness, read_known
from sync.office.reading import read_row
from sync.office.refusal import NotAllowed
from sync.records import Ticketed
from sync.wal_check import TORN, lost_commits

_AT_ONCE = 500
_BOOKS = "plant.db"


@dataclass(frozen=True, slots=True)
class DiskRead:
    """What stands on a lost box's disk, for two persons to hold against the last stub."""

    tickets: int
    last_ticket: str
    """'' while it sold nothing."""
    last_at: str
    witness: str
    """The witness file that agrees; '' when none was found: then only the last stub tells whether rows are missing."""


def books_in(place: Path) -> Path:
    """The books in the data folder of a box; a file is taken as it is."""
    return place / _BOOKS if place.is_dir() else place


@contextmanager
def old_ledger(file: Path, instance: str) -> Iterator[sqlite3.Connection]:
    """The books of a plant epoch, opened on a copy beside which SQLite may write: the disk itself may be read-only.

    NotAllowed when it is no such file, another plant epoch's, or not the last word of that epoch: fenced books, a
    backup, a damaged log, fewer rows or starts than the box's witness knows.
    """
    if not file.is_file():
        raise _no(file, "没有这个文件", "no such file")
    with tempfile.TemporaryDirectory(prefix="weighgate-disk-") as folder:
        copy = Path(folder) / _BOOKS
        try:
            shutil.copyfile(file, copy)
            wal = file.with_name(f"{file.name}-wal")  # what was committed last may be only there
            if wal.is_file():
                shutil.copyfile(wal, copy.with_name(f"{_BOOKS}-wal"))
            connection = sqlite3.connect(copy)
            try:
                _check_log(connection, copy, file)
                _check_books(connection, file, instance)
                _check_witness(connection, file, instance)
                yield connection
            finally:
                connection.close()
        except OSError as error:
            raise _no(file, "读不出", f"cannot be read: {error.strerror}") from error
        except sqlite3.DatabaseError as error:
            raise _no(file, "数据库已损坏,请用存根结算 (--paper)", f"{error}; settle by paper instead") from error


def _check_log(connection: sqlite3.Connection, copy: Path, file: Path) -> None:
    """What SQLite drops from a damaged log without a word are commits that were answered: their goods have left."""
    connection.execute("BEGIN")
    lost = lost_commits(connection, copy)
    connection.execute("ROLLBACK")
    if lost > TORN:
        raise _no(
            file,
            f"预写日志已损坏,丢了 {lost} 次提交,请用存根结算 (--paper)",
            f"the write-ahead log is damaged, {lost} commits are lost in it; settle by paper instead",
        )


def _check_books(connection: sqlite3.Connection, file: Path, instance: str) -> None:
    owner = _kept(connection, "instance") or "-"
    if owner != instance:
        raise _no(file, f"这是 {owner} 的账本", f"these are the books of {owner}")
    # The plant's `edge.store.backup.COPIED`.
    if copied := _kept(connection, "copied"):
        raise _no(
            file,
            f"是备份,不是原盘 ({copied});其后的出库单不在其中,请用存根结算 (--paper)",
            f"is a backup, not the disk itself ({copied}): tickets since then are not in it; settle by paper",
        )
    if fenced := _kept(connection, "fenced"):
        raise _no(
            file,
            f"账本已被本机隔离 ({fenced});可能缺出库单,请用存根结算 (--paper)",
            f"these books were fenced by their plant ({fenced}): tickets may be missing; settle by paper",
        )


def _check_witness(connection: sqlite3.Connection, file: Path, instance: str) -> None:
    """The witness lags behind the true books and never leads: what it knows and they lack is missing."""
    path = find_witness(file)
    if path is None:
        return
    known = read_known(path)
    if known is None or known.instance != instance:
        of = known.instance if known else "-"
        raise _no(
            path, f"见证文件属于 {of},请移开或换成本机的", f"this witness is of {of}: take the box's own, or none"
        )
    row = connection.execute("SELECT hash FROM ledger WHERE seq = ?", (known.seq,)).fetchone()
    if int(_kept(connection, "start") or 0) < known.start or (known.seq and (row is None or row[0] != known.hash)):
        raise _no(
            file,
            f"缺出库单:见证见过第 {known.seq} 行、第 {known.start} 次启动;缺 plant.db-wal?否则请用存根结算 (--paper)",
            f"rows are missing: the witness saw row {known.seq} and start {known.start}. Was plant.db-wal left behind? "
            "Else settle by paper",
        )


def _kept(connection: sqlite3.Connection, name: str) -> str:
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    return str(found[0]) if found else ""


def what_was_read(connection: sqlite3.Connection, file: Path) -> DiskRead:
    """The tickets on this disk, and the last of them."""
    tickets = connection.execute("SELECT COUNT(*) FROM ledger WHERE kind = ?", (Ticketed.KIND,)).fetchone()[0]
    rows = connection.execute("SELECT body, at FROM ledger WHERE kind = ? ORDER BY seq DESC", (Ticketed.KIND,))
    body, at = rows.fetchone() or ("", "")
    record = read_row(Ticketed.KIND, body) if body else None
    witness = find_witness(file)
    return DiskRead(
        int(tickets), record.ticket if isinstance(record, Ticketed) else "", str(at), str(witness) if witness else ""
    )


def rows_behind(
    connection: sqlite3.Connection, file: Path, last_seq: int, last_hash: str
) -> Iterator[list[WireRecord]]:
    """The rows that follow those head office has, in order; NotAllowed unless they continue exactly those."""
    if last_seq:
        mine = connection.execute("SELECT hash FROM ledger WHERE seq = ?", (last_seq,)).fetchone()
        if mine is None:
            raise _no(file, f"没有第 {last_seq} 行:是更早的副本", f"lacks row {last_seq}: it is an older copy")
        if mine[0] != last_hash:
            raise _no(file, f"第 {last_seq} 行与总部不同", f"row {last_seq} is another one than head office has")
    rows = connection.execute("SELECT seq, kind, body, at, hash FROM ledger WHERE seq > ? ORDER BY seq", (last_seq,))
    while piece := rows.fetchmany(_AT_ONCE):
        yield [WireRecord(seq=seq, kind=kind, body=body, at=at, hash=digest) for seq, kind, body, at, digest in piece]


def _no(file: Path, zh: str, en: str) -> NotAllowed:
    return NotAllowed("disk", str(file), zh, en)
