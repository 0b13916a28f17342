"""The write-ahead log looked at from outside: is there more in it than SQLite reads?

SQLite reads a log up to the first frame whose check sum is wrong, and drops what follows without a word. That is right
for the one commit that a power cut tore, which nobody was answered. It is not right for a flipped bit in the middle:
commits behind it were answered, and their goods may be gone. Each commit syncs the log before it is answered and each
life begins with an empty one, so at most one commit can be torn: two behind the end are two that were lost.
"""

import sqlite3
import struct
import sys
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">4I")
_FRAME_HEADER_BYTES = 24
_MAGIC = (0x377F0682, 0x377F0683)
_MOST_FRAME_AT = 16
TORN = 1
"""How many commits a power cut may leave behind the end of a sound log."""


def lost_commits(connection: sqlite3.Connection, path: Path) -> int:
    """How many commits stand in the log where SQLite does not read; `TORN` of them are nothing to worry about.

    `connection` must be in a read transaction, so that the log cannot begin anew meanwhile.
    """
    connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    try:
        with path.with_name(f"{path.name}-wal").open("rb") as log:
            salts, page_bytes = _beginning(log.read(_HEADER.size + _FRAME.size))
            commits = _commits(log, salts, page_bytes) if page_bytes else []
        with path.with_name(f"{path.name}-shm").open("rb") as index:
            index.seek(_MOST_FRAME_AT)
            most = int.from_bytes(index.read(4), sys.byteorder)
    except FileNotFoundError:
        return 0
    return sum(commit > most for commit in commits)


def _beginning(content: bytes) -> tuple[tuple[int, int], int]:
    """The salts of the present log and its page size, 0 when it is empty. A damaged header is told by the first frame,
    for no frame is written before the header is on the disk.
    """
    if len(content) < _HEADER.size + _FRAME.size:
        return (0, 0), 0
    magic, _, page_bytes, _, *salts, first, second = _HEADER.unpack_from(content)
    if magic in _MAGIC and _check_sum(content[:24], magic) == (first, second):
        return (salts[0], salts[1]), page_bytes
    _, _, *salts = _FRAME.unpack_from(content, _HEADER.size)
    return (salts[0], salts[1]), page_bytes if page_bytes in (512, 1024, 2048, 4096, 8192, 16384, 32768) else 4096


def _commits(log: BinaryIO, salts: tuple[int, int], page_bytes: int) -> list[int]:
    """The numbers of the frames, from 1, that end a commit of this log."""
    found: list[int] = []
    number = 0
    while True:
        number += 1
        log.seek(_HEADER.size + (number - 1) * (_FRAME_HEADER_BYTES + page_bytes))
        header = log.read(_FRAME.size)
        if len(header) < _FRAME.size:
            return found
        _, pages, *salt = _FRAME.unpack(header)
        if pages and tuple(salt) == salts:
            found.append(number)


def _check_sum(content: bytes, magic: int) -> tuple[int, int]:
    """SQLite's own sum of a log's header (https://sqlite.org/fileformat2.html, 4.2)."""
    first = second = 0
    words = struct.unpack(f"{'>' if magic & 1 else '<'}{len(content) // 4}I", content)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
