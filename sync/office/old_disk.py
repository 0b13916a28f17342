"""The ledger on a lost box's disk: rows that head office never got, read from a copy of the plant's books."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.messages import WireRecord
from sync.office.refusal import NotAllowed

_AT_ONCE = 500


@contextmanager
def old_ledger(file: Path, instance: str) -> Iterator[sqlite3.Connection]:
    """The books of a plant epoch, opened on a copy beside which SQLite may write: the disk itself may be read-only.

    NotAllowed when it is no such file, or another plant epoch's.
    """
    if not file.is_file():
        raise _no(file, "没有这个文件", "no such file")
    with tempfile.TemporaryDirectory(prefix="weighgate-disk-") as folder:
        copy = Path(folder) / "plant.db"
        try:
            shutil.copyfile(file, copy)
            wal = file.with_name(f"{file.name}-wal")  # what was committed last may be only there
            if wal.is_file():
                shutil.copyfile(wal, copy.with_name("plant.db-wal"))
            connection = sqlite3.connect(copy)
            try:
                found = connection.execute("SELECT value FROM meta WHERE key = 'instance'").fetchone()
                owner = found[0] if found else "-"
                if owner != instance:
                    raise _no(file, f"这是 {owner} 的账本", f"these are the books of {owner}")
                # The plant's `edge.store.backup.COPIED`.
                copied = connection.execute("SELECT value FROM meta WHERE key = 'copied'").fetchone()
                if copied:
                    raise _no(
                        file,
                        f"是备份,不是原盘 ({copied[0]});其后的出库单不在其中,请用存根结算 (--paper)",
                        f"is a backup, not the disk itself ({copied[0]}): tickets since then are not in it; "
                        "settle by paper",
                    )
                yield connection
            finally:
                connection.close()
        except OSError as error:
            raise _no(file, "读不出", f"cannot be read: {error.strerror}") from error
        except sqlite3.DatabaseError as error:
            raise _no(file, "数据库已损坏,请用存根结算 (--paper)", f"{error}; settle by paper instead") from error


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
