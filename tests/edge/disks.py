"""Folders for tests: one on a disk small enough to fill, one in memory."""

import contextlib
import ctypes
import os
import tempfile
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


@contextlib.contextmanager
def in_memory(otherwise: Path, name: str) -> Iterator[Path]:
    """A folder in memory where there is one, whose fsync costs nothing; else the one given."""
    parent = Path("/dev/shm")
    if not os.access(parent, os.W_OK):
        yield otherwise
        return
    with tempfile.TemporaryDirectory(dir=parent, prefix=f"weighgate-{name}-") as folder:
        yield Path(folder)
