"""Pictures taken at weighings and exits, kept by their SHA-256. They age out before records do: a filling disk stops
pictures first, tickets last."""

import asyncio
import hashlib
import shutil
from pathlib import Path

_KEEP_FREE_SHARE = 20  # one part in twenty of the disk stays free of pictures


class PictureStore:
    """A folder of JPEG files named by their hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def keep(self, jpeg: bytes) -> str:
        """Store a picture and return its SHA-256 (hex); '' when there is no room for pictures."""
        return await asyncio.to_thread(self._keep, jpeg)

    def _keep(self, jpeg: bytes) -> str:
        usage = shutil.disk_usage(self._folder)
        if usage.free * _KEEP_FREE_SHARE < usage.total:
            return ""
        digest = hashlib.sha256(jpeg).hexdigest()
        path = self._path(digest)
        try:
            path.parent.mkdir(exist_ok=True)
            partial = path.with_suffix(".part")
            partial.write_bytes(jpeg)
            partial.replace(path)
        except OSError:
            return ""  # the weighing stands without its picture
        return digest

    def get(self, digest: str) -> bytes | None:
        """A stored picture by its hash; None for anything else."""
        if len(digest) != 64 or not all(char in "0123456789abcdef" for char in digest):
            return None
        try:
            return self._path(digest).read_bytes()
        except OSError:
            return None

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.jpg"
