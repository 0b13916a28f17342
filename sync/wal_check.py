"""The write-ahead log looked at from outside: is there more in it than SQLite reads?

SQLite reads a log up to the first frame whose check sum is wrong, and drops what follows without a word. That is right
for the one commit that a power cut tore, which nobody was answered. It is not right for a flipped bit in the middle:
commits behind it were answered, and their goods may be gone. Each commit syncs the log before it is answered and each
life begins with an empty one, so at most one commit can be torn: two behind the end are two that were lost.

The index file (-shm) would tell the end too, but closing it would give up this process's locks on it.
"""

import sqlite3
import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_PAGE_BYTES = 4096
_MAGIC = (0x377F0682, 0x377F0683)
TORN = 1
"""How many commits a power cut may leave behind the end of a sound log."""


def lost_commits(connection: sqlite3.Connection, path: Path) -> int:
    """How many commits stand in the log where SQLite does not read; `TORN` of them are nothing to worry about.

    `connection` must be in a transaction, so that the log does not begin anew under a reader of its frames.
    """
    connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    log = path.with_name(f"{path.name}-wal")
    try:
        content = log.read_bytes()
        lost = _behind_the_end(content)
        with log.open("rb") as again:
            return lost if again.read(_HEADER.size) == content[: _HEADER.size] else 0
    except FileNotFoundError:
        return 0


def _behind_the_end(content: bytes) -> int:
    if len(content) < _HEADER.size + _FRAME.size:
        return 0
    magic, _, page_bytes, _, *salts, first, second = _HEADER.unpack_from(content)
    sums = _sums(content[:24], magic, (0, 0)) if magic in _MAGIC else None
    sound = sums == (first, second)
    if not sound:  # no frame is written before the header is on the disk: the first frame tells what it said
        _, _, *salts = _FRAME.unpack_from(content, _HEADER.size)[:4]
        page_bytes = _PAGE_BYTES
    behind = 0
    for at in range(_HEADER.size, len(content) - _FRAME.size + 1, _FRAME.size + page_bytes):
        _, pages, *salt, first, second = _FRAME.unpack_from(content, at)
        if sound and sums is not None:
            data = content[at : at + 8] + content[at + _FRAME.size : at + _FRAME.size + page_bytes]
            sums = _sums(data, magic, sums) if len(data) == 8 + page_bytes else None
            sound = salt == salts and sums == (first, second)
        behind += pages > 0 and salt == salts and not sound
    return behind


def _sums(content: bytes, magic: int, before: tuple[int, int]) -> tuple[int, int]:
    """SQLite's running sums of a log (https://sqlite.org/fileformat2.html, 4.2)."""
    first, second = before
    words = iter(struct.unpack(f"{'>' if magic & 1 else '<'}{len(content) // 4}I", content))
    for one, two in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
