"""A disk small enough to fill: a real file system in memory, mounted for one test."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(parent: Path, megabytes: int) -> Iterator[Path]:
    """The folder of a file system of this size; skips the test where mounting is not allowed."""
    folder = parent / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, f"size={megabytes}m".encode()) != 0:
        pytest.skip(f"cannot mount a small disk: {os.strerror(ctypes.get_errno())}")
    try:
        yield folder
    finally:
        libc.umount2(str(folder).encode(), 2)
