"""Plates cut out of pictures, with what a person said they are: what a site's reader can learn from. Kept only where
the configuration says so (`[plates] keep_crops`), within a budget, and erased by `weighgate plate crops erase`.

A folder of JPEG files and `labels.csv`, one line a file, in the columns that `weighgate plate eval` reads.
"""

import asyncio
import csv
import fcntl
import hashlib
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import IO

from drivers.readings import PlateReading

LABELS = "labels.csv"
_LOCK = ".lock"
_LOCK_S, _LOCK_EVERY_S = 1.0, 0.02
_MIB = 1024 * 1024


class CropsDamaged(OSError):
    """labels.csv is no text, or no table."""


@dataclass(frozen=True, slots=True)
class CropLabel:
    """One line of labels.csv. `plate` is what a person confirmed; `source` says where, and when."""

    file: str
    plate: str
    color: str
    rows: str
    kind: str = "crop"
    bbox: str = ""
    other_plates: str = ""
    source: str = ""


_COLUMNS = tuple(field.name for field in fields(CropLabel))


class CropStore:
    """The folder. Safe between the running plant and the command that erases: both lock it."""

    def __init__(self, folder: Path, budget_mib: int) -> None:
        """`budget_mib`: so much room all crops may take; the oldest make way."""
        self._folder = folder
        self._budget_bytes = budget_mib * _MIB

    async def keep(self, crop: bytes | None, plate: str, free: PlateReading | None, where: str, at: datetime) -> bool:
        """Keep a crop that a person has compared; False when there was none, or no room on the disk."""
        if not crop or free is None:
            return False
        name = f"{hashlib.sha256(crop).hexdigest()[:32]}.jpg"
        color = free.color.value if free.color else ""
        label = CropLabel(name, plate, color, str(free.rows), source=f"{where} {at.date().isoformat()}")
        return await asyncio.to_thread(self._keep, crop, label)

    def labels(self) -> list[CropLabel]:
        """What is kept, the oldest first. Raises OSError: CropsDamaged, TimeoutError when another process holds it."""
        if not self._folder.is_dir():
            return []
        with self._locked():
            return self._read()

    def erase(self, wanted: Callable[[CropLabel], bool]) -> list[CropLabel]:
        """Delete the crops that are wanted gone, files and lines; says which. Raises OSError like `labels`."""
        if not self._folder.is_dir():
            return []
        with self._locked():
            known = self._read()
            gone = [each for each in known if wanted(each)]
            self._drop(gone, [each for each in known if each not in gone])
            return gone

    def erase_all(self) -> list[CropLabel]:
        """Delete every picture there is, also one that has no line, and a damaged list; says what the list named."""
        if not self._folder.is_dir():
            return []
        with self._locked():
            try:
                gone = self._read()
            except CropsDamaged:
                gone = []
            files = [file for what in ("*.jpg", "*.part") for file in self._folder.glob(what)]
            for file in files:
                file.unlink(missing_ok=True)
            self._write([])
            named = {each.file for each in gone}
            return gone + [CropLabel(file.name, "", "", "") for file in files if file.name not in named]

    def path(self, label: CropLabel) -> Path:
        """Where a crop's file lies."""
        return self._folder / label.file

    def total_bytes(self) -> int:
        """How much room the crops take."""
        return sum(file.stat().st_size for file in self._folder.glob("*.jpg"))

    def _keep(self, crop: bytes, label: CropLabel) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._locked():
                known = [each for each in self._read() if each.file != label.file]
                path = self._folder / label.file
                partial = path.with_suffix(".part")
                partial.write_bytes(crop)
                partial.replace(path)
                kept = [*known, label]
                self._write(kept)
                self._make_room(kept)
        except OSError:
            return False  # nothing is sold or let through by a crop
        return True

    def _make_room(self, kept: list[CropLabel]) -> None:
        sizes = {each.file: (self._folder / each.file).stat().st_size for each in kept}
        total, oldest = sum(sizes.values()), 0
        while total > self._budget_bytes and oldest < len(kept):
            total -= sizes[kept[oldest].file]
            oldest += 1
        if oldest:
            self._drop(kept[:oldest], kept[oldest:])

    def _drop(self, gone: list[CropLabel], kept: list[CropLabel]) -> None:
        for each in gone:
            (self._folder / each.file).unlink(missing_ok=True)
        self._write(kept)

    def _read(self) -> list[CropLabel]:
        """The lines whose file is there and a plain name of ours."""
        try:
            text = (self._folder / LABELS).read_text("utf-8")
            rows = list(csv.DictReader(io.StringIO(text)))
        except FileNotFoundError:
            return []
        except (ValueError, csv.Error) as error:
            raise CropsDamaged(f"{self._folder / LABELS} is damaged ({error}); mend it, or erase --all") from error
        labels = [CropLabel(**{name: row.get(name) or "" for name in _COLUMNS}) for row in rows]
        return [each for each in labels if Path(each.file).name == each.file and (self._folder / each.file).is_file()]

    def _write(self, labels: list[CropLabel]) -> None:
        out = io.StringIO()
        writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(each) for each in labels)
        partial = self._folder / f"{LABELS}.part"
        partial.write_text(out.getvalue(), "utf-8")
        partial.replace(self._folder / LABELS)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Raises TimeoutError when another process does not let go of it."""
        with (self._folder / _LOCK).open("w") as lock:
            ends = time.monotonic() + _LOCK_S
            while not _taken(lock):
                if time.monotonic() > ends:
                    raise TimeoutError(f"{self._folder / _LOCK} is held by another process")
                time.sleep(_LOCK_EVERY_S)
            yield


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
