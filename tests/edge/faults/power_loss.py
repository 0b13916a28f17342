"""What a disk may hold when the power goes: images built from the recorded system calls of the real plant.

The model, harsher than ext4 with its defaults, and what POSIX leaves open:
- Written bytes are on the disk for certain only after fsync or fdatasync of their file returned. Until then each piece
  of 512 bytes of each write may be there or not, independently of all others, so writes reach the disk reordered and
  torn. A change of length is one more such piece. A hole that was never written reads as zeros.
- A name that was made, changed or removed is on the disk for certain only after fsync of its folder. Until then changes
  of names are on the disk up to any one of them, in their order, as in the journal of a file system.
- A sector of 512 bytes is written whole or not at all, and disks do what fsync asks. No test can answer for a drive
  that lies about it.
- `-shm` files are rebuilt by SQLite and mean nothing: images carry noise in their place.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.edge.faults.recording import SYNCS, Call

SECTOR = 512
OBSERVED = ("acked", "paper", "pulses")
"""Files of the test's own, which say what people and devices had got by then; they are not part of an image."""


@dataclass(eq=False)
class Inode:
    """A file's bytes that are surely on the disk, and what was written since; `version` counts what was synced."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(offset, bytes), or (length, None) for a file made shorter or longer."""
    begun: int = 0
    version: int = 0
    position: int = 0

    def flush(self) -> None:
        """A sync returned."""
        for offset, data in self.pending[: self.begun]:
            _apply(self.synced, offset, data)
        del self.pending[: self.begun]
        self.version += self.begun
        self.begun = 0

    @property
    def length(self) -> int:
        """As the running process sees it."""
        length = len(self.synced)
        for offset, data in self.pending:
            length = offset if data is None else max(length, offset + len(data))
        return length


@dataclass(frozen=True, slots=True)
class Image:
    """The files of one disk after power came back. Equal keys mean equal files."""

    files: dict[str, bytes]
    key: tuple[object, ...]

    def write(self, folder: Path, dice: random.Random) -> None:
        """Make the files."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if name.endswith("-wal"):
                path.with_name(name.removesuffix("-wal") + "-shm").write_bytes(dice.randbytes(4096))


class Disk:
    """The disk under a recorded process. `feed` it the calls; `image` at any moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, Inode] = {}
        self._certain: dict[str, Inode] = {}
        self._names: list[tuple[str, str, Inode | None]] = []
        self.said: list[dict[str, object]] = []
        """What was answered, printed and opened so far."""

    def feed(self, call: Call) -> bool:
        """One call; True when it changed what a disk may hold or what was said."""
        name = str(Path(call.path).relative_to(self._folder))
        if name in OBSERVED:
            if call.name != "write":
                return False
            self.said += [{"from": name, **json.loads(line)} for line in call.data.splitlines()]
            return True
        if name.endswith("-shm"):
            return False
        if call.name in ("openat", "unlink", "unlinkat", "rename"):
            return self._name(call, name)
        if name in self._seen:
            return self._content(self._seen[name], call)
        if call.name in SYNCS:  # a folder: all of its names so far are on the disk
            for change in self._names:
                if str(Path(change[0]).parent) == name:
                    _rename(self._certain, change)
            self._names = [change for change in self._names if str(Path(change[0]).parent) != name]
            return True
        return False

    def _name(self, call: Call, name: str) -> bool:
        change: tuple[str, str, Inode | None]
        if call.name == "openat":
            if name in self._seen:
                self._seen[name].position = 0
                if "O_TRUNC" not in call.flags:
                    return False
                self._seen[name].pending.append((0, None))
                return True
            if "O_CREAT" not in call.flags:
                return False
            change = (name, name, Inode())
        elif call.name == "rename":
            change = (name, str(Path(call.target).relative_to(self._folder)), self._seen[name])
        else:
            change = (name, name, None)
        self._names.append(change)
        _rename(self._seen, change)
        return True

    @staticmethod
    def _content(inode: Inode, call: Call) -> bool:
        if call.name == "begin":
            inode.begun = len(inode.pending)
            return False
        if call.name in SYNCS:
            inode.flush()
        elif call.name == "truncate":
            inode.pending.append((call.offset or 0, None))
        elif call.name == "lseek":
            inode.position = call.offset or 0
            return False
        elif call.name == "write":
            offset = inode.position if call.offset is None else call.offset
            inode.pending.append((offset, call.data))
            if call.offset is None:
                inode.position += len(call.data)
        else:
            assert call.name == "close", f"{call.name} of {call.path}: this model does not know what it does"
            return False
        return True

    def image(self, dice: random.Random) -> Image:
        """One of the disks that could be found now."""
        names = dict(self._certain)
        changes = dice.choice((0, len(self._names), dice.randint(0, len(self._names))))
        for change in self._names[:changes]:
            _rename(names, change)
        files, keys = {}, []
        for name, inode in sorted(names.items()):
            kept = tuple(_survivors(inode, dice))
            files[name] = _content(inode, kept)
            keys.append((name, id(inode), inode.version, kept))
        return Image(files, (len(self.said), *keys))


def _rename(names: dict[str, Inode], change: tuple[str, str, Inode | None]) -> None:
    before, after, inode = change
    names.pop(before, None)
    if inode is not None:
        names[after] = inode


def _survivors(inode: Inode, dice: random.Random) -> Iterator[tuple[int, int]]:
    """Which pieces reached the disk: (number of the write, number of its piece)."""
    pieces = [
        (number, piece)
        for number, (offset, data) in enumerate(inode.pending)
        for piece in range(1 if data is None else (offset + len(data) - 1) // SECTOR - offset // SECTOR + 1)
    ]
    how = dice.choice(("none", "all", "first", "random", "random", "all but one"))
    if how == "all":
        yield from pieces
    elif how == "first":
        yield from pieces[: dice.randint(0, len(pieces))]
    elif how == "random":
        chance = dice.choice((0.1, 0.5, 0.9, 0.99))
        yield from (piece for piece in pieces if dice.random() < chance)
    elif how == "all but one" and pieces:
        lost = dice.randrange(len(pieces))
        yield from (*pieces[:lost], *pieces[lost + 1 :])


def _content(inode: Inode, kept: tuple[tuple[int, int], ...]) -> bytes:
    content = bytearray(inode.synced)
    for number, piece in kept:
        offset, data = inode.pending[number]
        if data is None:
            _apply(content, offset, None)
            continue
        begin = max(0, (offset // SECTOR + piece) * SECTOR - offset)
        end = min(len(data), (offset // SECTOR + piece + 1) * SECTOR - offset)
        _apply(content, offset + begin, data[begin:end])
    return bytes(content)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data
