"""What a file has that a copy of it has not: its own number, and an attribute that plain copies leave where it is. And
whose it is, and on which machine.

For the witnesses of both ends. Linux only; where a file system keeps less, less is told.
"""

import contextlib
import fcntl
import os
from pathlib import Path

_GET_GENERATION = 0x80087601  # FS_IOC_GETVERSION of linux/fs.h, on 64 bits
_MARK = "user.weighgate.synced"
_MACHINE_ID = Path("/etc/machine-id")


def machine_id() -> str:
    """This machine's name for itself; '' where it has none."""
    try:
        return _MACHINE_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def file_id(descriptor: int) -> str:
    """Which file this is on its file system: its number, and the generation of that number where there is one, since
    the number of a deleted file is given away again. A copy put in its place has another.
    """
    generation = bytearray(8)
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, _GET_GENERATION, generation)
    return f"{os.fstat(descriptor).st_ino}.{int.from_bytes(generation[:4], 'little')}"


def set_mark(descriptor: int, start: int, number: int) -> None:
    """Say beside the content how far it goes. After a sync only: a power cut may keep the attribute and lose what was
    written after the sync. Nothing happens where the file system keeps no attributes.
    """
    with contextlib.suppress(OSError):
        os.setxattr(descriptor, _MARK, f"{start} {number}".encode())


def mark_of(file: int | Path) -> tuple[int, int]:
    """What was marked last, (0, 0) when nothing was."""
    try:
        start, number = os.getxattr(file, _MARK).split()
        return int(start), int(number)
    except (OSError, ValueError):
        return 0, 0


def own_as_folder(descriptor: int, folder: Path) -> None:
    """Made by root, a file belongs to whom its folder belongs to: the programs do not run as root."""
    if os.geteuid() == 0:
        told = folder.stat()
        os.fchown(descriptor, told.st_uid, told.st_gid)
