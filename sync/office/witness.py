"""见证文件: what this machine last saw of its books, kept beside the configuration and outside every backup of them.

Books that are older than their witness were put back from a copy: they must not grant before the plants have told what
they hold. It is written after each commit it tells of, so it may lag and never leads. Keep it out of backups.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "office.witness"
_SIZE = 512
"""One sector, overwritten in place: a power cut leaves the old line or the new one."""
_MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Seen:
    """A moment of the books: how often head office was started on them, and the number of their last change."""

    books: str
    """Which books: the id of their first term."""
    start: int
    change: int
    machine: str


def older_than(witness: Seen | None, books: Seen) -> str:
    """Why these books may be a copy, for people; '' when they are the ones last seen here. Books that were never
    started are new, or were made by a program without witness."""
    if witness is None:
        return "" if not books.start else "the witness file is missing"
    if witness.books != books.books:
        return "the witness saw other books here"
    if witness.machine and books.machine and witness.machine != books.machine:
        return "the witness is another machine's"
    if books.start < witness.start:
        return f"the books were started {books.start} times, the witness saw {witness.start}"
    if books.change < witness.change:
        return f"the books end at change {books.change}, the witness saw {witness.change}"
    return ""


def machine_id() -> str:
    """This machine's name for itself; '' where it has none."""
    try:
        return _MACHINE_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


class Witness:
    """The file. Several processes may write it; each writes what it has just read from committed books."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self) -> Seen | None:
        """What was seen; None when there is no file, or no line in it that can be read."""
        try:
            with self.path.open("rb") as file:
                fcntl.lockf(file, fcntl.LOCK_SH)  # half of one line and half of the next would be another number
                return Seen(**json.loads(file.read()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, seen: Seen, *, safe: bool) -> None:
        """Overwrite the line; `safe` waits until it is on the disk."""
        line = json.dumps(asdict(seen)).encode().ljust(_SIZE - 1) + b"\n"
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
            os.pwrite(descriptor, line, 0)
            if safe or new:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def held(self, *, alone: bool) -> Iterator[bool]:
        """Hold the file while a head office runs (`alone` False), or find out that none does; whether it was got."""
        with self.path.open("ab") as file:
            try:
                fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True
