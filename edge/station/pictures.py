"""Pictures taken of trucks, kept by their SHA-256 with what was known then. They age out before records do: a filling
disk stops pictures first, tickets last, and there is a budget for all of them."""

import asyncio
import hashlib
import shutil
import sqlite3
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from edge.store.picture_index import Look, PictureIndex

_KEEP_FREE_SHARE = 20  # one part in twenty of the disk stays free of pictures
_MIB = 1024 * 1024
DEFAULT_BUDGET_MIB = 8192


class PictureStore:
    """A folder of JPEG files named by their hash, and an index of the looks they come from.

    No call fails for the disk's sake: the weighing stands without its picture.
    """

    def __init__(self, folder: Path, budget_mib: int = DEFAULT_BUDGET_MIB) -> None:
        """`budget_mib`: so much room all pictures may take; the oldest make way for new ones."""
        self._folder = folder
        self._budget_bytes = budget_mib * _MIB
        self._lock = threading.Lock()
        self._index: PictureIndex | None = None
        self._held: dict[str, frozenset[str]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    async def keep(
        self,
        jpeg: bytes,
        *,
        what: str,
        at: datetime,
        visit: str = "",
        plate: str = "",
        weight_kg: int | None = None,
    ) -> str:
        """Store a picture and return its SHA-256 (hex); '' when there is no room for pictures.

        `what` names the look ("tare 1", "gate south"), `plate` is what was read, `weight_kg` what the scale showed.
        """
        look = Look(hashlib.sha256(jpeg).hexdigest(), at, what, visit, plate, weight_kg)
        return await asyncio.to_thread(self._keep, jpeg, look)

    def hold(self, holder: str, digests: Iterable[str]) -> None:
        """These pictures, of an open question, do not make way until the same holder names others or none."""
        self._held = {**self._held, holder: frozenset(digests)}

    async def of_visit(self, visit: str) -> tuple[Look, ...]:
        """All looks at one truck whose pictures are still there, oldest first."""
        return await asyncio.to_thread(self._of_visit, visit)

    def get(self, digest: str) -> bytes | None:
        """A stored picture by its hash; None for anything else, also for one that was erased."""
        if len(digest) != 64 or not all(char in "0123456789abcdef" for char in digest):
            return None
        try:
            return self._path(digest).read_bytes()
        except OSError:
            return None

    def _keep(self, jpeg: bytes, look: Look) -> str:
        path = self._path(look.sha256)
        with self._lock:
            try:
                usage = shutil.disk_usage(self._folder)
                if usage.free * _KEEP_FREE_SHARE < usage.total or len(jpeg) > self._budget_bytes:
                    return ""
                index = self._opened()
                path.parent.mkdir(exist_ok=True)
                partial = path.with_suffix(".part")
                partial.write_bytes(jpeg)
                partial.replace(path)
                index.add(look, len(jpeg))
                self._make_room(index)
            except (OSError, sqlite3.Error):
                self._let_go()
                return ""
        return look.sha256

    def _of_visit(self, visit: str) -> tuple[Look, ...]:
        with self._lock:
            try:
                return self._opened().of_visit(visit)
            except (OSError, sqlite3.Error):
                self._let_go()
                return ()

    def _make_room(self, index: PictureIndex) -> None:
        held = frozenset[str]().union(*self._held.values())
        while index.total_bytes > self._budget_bytes and (oldest := index.oldest(held)) is not None:
            self._path(oldest).unlink(missing_ok=True)
            index.drop(oldest)

    def _opened(self) -> PictureIndex:
        if self._index is None:
            index = PictureIndex(self._folder / "index.db")
            index.agree_with(self._files())
            self._index = index
        return self._index

    def _let_go(self) -> None:
        """After a failure: the index is opened, and if need be made, anew with the next picture."""
        index, self._index = self._index, None
        if index is not None:
            index.close()

    def _files(self) -> list[tuple[str, int]]:
        """Hash and size of all pictures there are, oldest first."""
        found = [(file.stat(), file.stem) for file in self._folder.glob("??/*.jpg")]
        return [(stem, stat.st_size) for stat, stem in sorted(found, key=lambda each: each[0].st_mtime)]

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.jpg"
