"""The witness 见证: a small file outside the data folder, and outside every backup of it, that knows how far the books
have come. Books that come up with less are a copy, and are fenced: they would sell a second time what was sold since.

After each commit it is told the ledger's newest row. That write is not synced each time, so the file may lag behind the
books, but never runs ahead of them: what it knows was on disk before. It also counts the starts, which the books count
too, and names the plant epoch, the machine and itself, so that a witness copied with the books is no witness. It is a
new file at each start and each clean end, so one copied over itself is told too; after an end that was not clean, an
attribute that plain copies leave where it is tells how far it was at its last sync. A whole disk put back is not
noticed here but by head office (docs/security.md).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from edge.store.books import Books
from edge.store.database import Database, StoreBusy
from edge.store.ledger import LedgerRow
from sync import file_identity
from sync.file_identity import file_id, mark_of, own_as_folder, set_mark

START = "start"
_SLOT_BYTES = 4096
_RECORD_BYTES = 512
_SYNC_EVERY_S = 60.0
_UNWRITABLE = "plant.witness: {path}: {why}: give it a folder outside plant.data that this user may write"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the witness knows: of which books, where, in which file; their last start, and their newest row."""

    instance: str
    machine: str
    file: str
    """Which file this was written into: what was copied together with the books stands in another one."""
    start: int
    seq: int
    hash: str

    def packed(self) -> bytes:
        """As it stands in the file: one line of JSON with a check sum, padded."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{text}\t{_check(text)}\n".encode().ljust(_RECORD_BYTES)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the witness is read now: on which machine, from which file."""

    machine: str
    file: str
    mark: tuple[int, int] = (0, 0)
    """The start and the row that this file surely told once; zeros where the file system keeps no attributes."""


class WitnessBroken(Exception):
    """The file exists, but nothing in it can be read."""


class WitnessUnwritable(Exception):
    """The file cannot be made or opened; says where and what to do."""


def judge(seen: Seen | None, start: int, instance: str, place: Place, hash_of: Callable[[int], str]) -> str:
    """Why books that were started `start` times under a witness may not sell, '' when they may. Pure.

    `hash_of` gives the hash of a ledger row, '' for a row that is not there. Books that never met a witness are
    adopted, unless this very witness knows them as older than they look.
    """
    if seen is None:
        return "the witness file is missing" if start else ""
    if seen.instance != instance:
        return f"the witness file belongs to {seen.instance}" if start else ""
    if seen.machine != place.machine:
        return "the witness file was written on another machine"
    if seen.file != place.file:
        return "the witness file is a copy"
    if (seen.start, seen.seq) < place.mark:
        return (
            f"the witness file is a copy, put back over itself: it ends at row {seen.seq}, it saw row {place.mark[1]}"
        )
    if start < seen.start:
        return f"these books end at start {start}, the witness saw start {seen.start}"
    if start > seen.start + 1:
        return f"the witness ends at start {seen.start}, these books say {start}"
    if seen.seq and hash_of(seen.seq) != seen.hash:
        return f"the witness saw ledger row {seen.seq}, which these books lack or tell otherwise"
    return ""


class Witness:
    """The open file. `begin` once before anything is sold; the database then tells it each commit."""

    def __init__(self, path: Path, instance: str) -> None:
        """Open or prepare the file. StoreBusy when another process holds it, WitnessUnwritable when it cannot be."""
        self.path = path
        self._instance = instance
        self._machine = machine_id()
        self._written_to = ""
        self._start = 0
        self._last: LedgerRow | None = None
        """The newest row; None until this start is counted in books and witness."""
        self._writes = 0
        self._synced_at = time.monotonic()
        self._failed = False
        self._known = path.exists()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            own_as_folder(self._lock, path.parent)
        except OSError as error:
            raise WitnessUnwritable(_UNWRITABLE.format(path=path, why=error.strerror)) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise StoreBusy(f"{path}: another weighgate process has it open; stop that one first") from error
        self._file: int | None = None

    def read(self) -> Seen | None:
        """The newest record that is whole; None when there is no file. WitnessBroken when none is whole."""
        return read_witness(self.path) if self._known else None

    def begin(self, database: Database) -> str:
        """Judge the books; fence them, or count this start in them first and then here. Returns why they are fenced.

        A fenced copy does not touch the witness: the true books may still be put back.
        """
        why = database.transact_now(self._judged)
        if why:
            return why
        seen = self.read()
        if seen is None or seen.instance != self._instance:
            # First a witness of no start: killed between the two, the books find one that is not ahead of them.
            self._create(0, database.transact_now(lambda books: books.ledger.head()))
            self._start = 1
        else:
            self._start = seen.start + 1
        head = database.transact_now(self._count_start)
        self._create(self._start, head)
        self._last = head
        database.on_row = self.saw
        return ""

    def saw(self, row: LedgerRow) -> None:
        """The books' newest row, committed. On the writer's thread; a failing file only makes the witness older."""
        if self._file is None:
            return
        self._last = row
        try:
            self._write(self._seen(self._start, row))
            if time.monotonic() - self._synced_at > _SYNC_EVERY_S:
                self._sync()
        except OSError as error:
            if not self._failed:
                _log.error("the witness file cannot be written", file=str(self.path), detail=str(error))
            self._failed = True

    def close(self) -> None:
        """Everything on disk, in a new file, so that no copy made in this life fits over it; the file free."""
        try:
            if self._file is not None:
                with contextlib.suppress(OSError, WitnessUnwritable):
                    self._sync()
                    if self._last is not None:
                        self._create(self._start, self._last)
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            os.close(self._lock)

    def _judged(self, books: Books) -> str:
        if books.fenced:
            return books.fenced
        try:
            seen = self.read()
            there = seen is not None
            place = Place(self._machine, _file_of(self.path) if there else "", mark_of(self.path) if there else (0, 0))
            why = judge(seen, books.number(START), self._instance, place, books.ledger.hash_of)
        except (WitnessBroken, OSError) as error:
            why = f"the witness file cannot be read: {error}"
        if why:
            books.fence(f"{why} ({self.path})")
        return books.fenced

    def _count_start(self, books: Books) -> LedgerRow:
        books.keep(START, self._start)
        return books.ledger.head()

    def _create(self, start: int, head: LedgerRow) -> None:
        """A whole new file in the place of the old one, on disk when this returns."""
        new = self.path.with_suffix(".new")
        try:
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            own_as_folder(descriptor, self.path.parent)
            self._written_to = file_id(descriptor)
            record = self._seen(start, head)
            os.pwrite(descriptor, record.packed(), 0)
            os.pwrite(descriptor, record.packed(), _SLOT_BYTES)
            os.fsync(descriptor)
            set_mark(descriptor, record.start, record.seq)
            new.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            raise WitnessUnwritable(_UNWRITABLE.format(path=self.path, why=error.strerror)) from None
        if self._file is not None:
            os.close(self._file)
        self._file, self._known = descriptor, True

    def _seen(self, start: int, row: LedgerRow) -> Seen:
        return Seen(self._instance, self._machine, self._written_to, start, row.seq, row.hash)

    def _write(self, record: Seen) -> None:
        """The two places take turns, so that a write torn by a power cut leaves the one before."""
        assert self._file is not None
        self._writes += 1
        os.pwrite(self._file, record.packed(), _SLOT_BYTES * (self._writes % 2))

    def _sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file)
        if self._last is not None:
            set_mark(self._file, self._start, self._last.seq)
        self._synced_at = time.monotonic()


def read_witness(path: Path) -> Seen:
    """The newest record in a witness file that is whole. WitnessBroken when none is; OSError."""
    content = path.read_bytes()
    records = [_unpacked(content[at : at + _RECORD_BYTES]) for at in (0, _SLOT_BYTES)]
    whole = [record for record in records if record is not None]
    if not whole:
        raise WitnessBroken(f"{path} cannot be read")
    return max(whole, key=lambda record: (record.start, record.seq))


def machine_id() -> str:
    """This machine, told apart from others without giving its id away; '' where it has none."""
    told = file_identity.machine_id()
    return hashlib.sha256(f"weighgate witness {told}".encode()).hexdigest()[:32] if told else ""


def _file_of(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return file_id(descriptor)
    finally:
        os.close(descriptor)


def _check(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unpacked(content: bytes) -> Seen | None:
    try:
        text, _, check = content.decode("ascii").strip().partition("\t")
        return Seen(**json.loads(text)) if check == _check(text) else None
    except (ValueError, TypeError):
        return None
