"""见证文件: what this machine last saw of its books, in a folder of its own beside that of the configuration, so that a
backup of one folder never has both.

Books that are older than their witness were put back from a copy: they must not grant before the plants have told what
they hold. It is written after each commit it tells of, so it may lag and never leads. It names the file it stands in,
which is a new one whenever books are opened and when head office ends: a copy of the witness is no witness.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sync.file_identity import file_id, mark_of, own_as_folder, set_mark
from sync.settings_errors import SettingsError

FILE = "office.witness"
_SIZE = 512
"""One sector, overwritten in place: a power cut leaves the old line or the new one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A moment of the books: how often head office was started on them, and the number of their last change."""

    books: str
    """Which books: the id of their first term."""
    start: int
    change: int
    machine: str
    foreign: str = ""
    """Why the file that this was read from is no witness of ours; never written."""


def older_than(witness: Seen | None, books: Seen) -> str:
    """Why these books may be a copy, for people, as "中文 / English"; '' when they are the ones last seen here. Books
    that were never started are new, or were made by a program without witness."""
    if witness is None:
        return "" if not books.start else "见证文件不见了 / the witness file is missing"
    if witness.foreign:
        return witness.foreign
    if witness.books != books.books:
        return "见证文件见过的是另一套账本 / the witness saw other books here"
    if witness.machine and books.machine and witness.machine != books.machine:
        return "见证文件是另一台机器的 / the witness is another machine's"
    if books.start < witness.start:
        return (
            f"账本启动过 {books.start} 次,见证见过 {witness.start} 次 / "
            f"the books were started {books.start} times, the witness saw {witness.start}"
        )
    if books.change < witness.change:
        return (
            f"账本止于第 {books.change} 次变更,见证见过第 {witness.change} 次 / "
            f"the books end at change {books.change}, the witness saw {witness.change}"
        )
    return ""


class Witness:
    """The file. Several processes may write it; each writes what it has just read from committed books."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where the configuration lies. The witness has another one, beside it."""
        self.path = folder.with_name(f"{folder.name}.witness") / FILE

    def read(self) -> Seen | None:
        """What was seen; None when there is no file, or no line in it that can be read."""
        try:
            with self.path.open("rb") as file:
                fcntl.lockf(file, fcntl.LOCK_SH)  # half of one line and half of the next would be another number
                told = json.loads(file.read())
                own, mark = file_id(file.fileno()), mark_of(file.fileno())
            written_to = told.pop("file", own)
            seen = Seen(**told)
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        if written_to != own:
            return replace(seen, foreign="见证文件是副本 / the witness file is a copy")
        if (seen.start, seen.change) < mark:
            why = f"见证文件被旧副本覆盖,它见过第 {mark[1]} 次变更 / "
            return replace(
                seen, foreign=f"{why}the witness file is a copy, put back over itself: it saw change {mark[1]}"
            )
        return seen

    def write(self, seen: Seen, *, safe: bool) -> None:
        """Overwrite the line; `safe` waits until it is on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            new = not self.path.exists()
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX)
                if not self._stands(descriptor):
                    continue  # another process has put a new file here meanwhile
                if (seen.start, seen.change) < mark_of(descriptor):
                    return  # read before another process wrote what it had read later
                os.pwrite(descriptor, _line(seen, descriptor), 0)
                if safe or new:
                    os.fsync(descriptor)
                    set_mark(descriptor, seen.start, seen.change)
                return
            finally:
                os.close(descriptor)

    def renew(self, seen: Seen) -> None:
        """The line in a new file, on the disk when this returns: what was copied before fits no more."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.path.with_name(f".{FILE}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            own_as_folder(descriptor, self.path.parent)
            os.pwrite(descriptor, _line(seen, descriptor), 0)
            os.fsync(descriptor)
            set_mark(descriptor, seen.start, seen.change)
        finally:
            os.close(descriptor)
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def held(self, *, alone: bool) -> Iterator[bool]:
        """Hold the witness while a head office runs (`alone` False), or find out that none does; whether it was got."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = self.path.with_suffix(".lock").open("ab")
            own_as_folder(file.fileno(), self.path.parent)
        except OSError as error:
            raise SettingsError(
                f"{self.path.parent}: {error.strerror}; allowed: a folder that this user may write, for the witness"
            ) from None
        with file:
            try:
                fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True

    def _stands(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def _line(seen: Seen, descriptor: int) -> bytes:
    told = {**asdict(seen), "file": file_id(descriptor)}
    del told["foreign"]
    return json.dumps(told).encode().ljust(_SIZE - 1) + b"\n"
