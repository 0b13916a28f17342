"""The system calls of a real process that touch one folder, recorded by strace and read back in their order."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_TRACED = (
    "openat,close,lseek,pwrite64,write,writev,pwritev,fdatasync,fsync,ftruncate,truncate,fallocate,unlink,unlinkat,"
    "rename,renameat,renameat2"
)
SYNCS = ("fsync", "fdatasync")
_QUIET = ("-f", "-qq", "-y", "-xx", "-s", "20000000", "--seccomp-bpf", "-e", "signal=none", "-e", f"trace={_TRACED}")
_ESCAPED = re.compile(rb"(?:\\x[0-9a-f]{2})+")
_UNFINISHED = b" <unfinished ...>"
_RESUMED = re.compile(rb"<\.\.\. \w+ resumed>")
_CALL = re.compile(rb"(\w+)\((.*)\)\s+= (-?\d+)(<.*?>)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """One finished system call. `path` is what it acts on; a write has `data` at `offset` (None: at the file's own
    position); a sync comes twice, first as `begin` when it was called, then under its own name when it returned.
    """

    name: str
    path: str
    data: bytes = b""
    offset: int | None = None
    flags: str = ""
    target: str = ""


def strace() -> str:
    """Where strace is; skips the test where there is none, or where the kernel forbids it."""
    program = shutil.which("strace")
    if program is None:
        pytest.skip("no strace on this machine (Debian: apt-get install strace)")
    tried = subprocess.run([program, "-f", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip().splitlines()[-1:]}")
    return program


def record(module: str, arguments: Sequence[str], trace: Path, cwd: Path) -> None:
    """Run a Python module to its end under strace; the raw trace is left in `trace`."""
    command = [strace(), *_QUIET, "-o", str(trace), sys.executable, "-m", module, *arguments]
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr


def calls(trace: Path, folder: Path) -> list[Call]:
    """Every successful call about a file below `folder`, and its syncs, in the order in which the kernel was asked.

    A write counts from the moment it was called: the disk may have it before the call returns. A sync counts from the
    moment it returned, for what was written before it was called.
    """
    found: list[tuple[int, Call]] = []
    for begun, ended, text in _whole_lines(trace):
        call = _parsed(text)
        if call is None or not (call.path == str(folder) or call.path.startswith(f"{folder}/")):
            continue
        if call.name in SYNCS:
            found.append((begun, Call("begin", call.path)))
            found.append((ended, call))
        else:
            found.append((begun, call))
    return [call for _, call in sorted(found, key=lambda each: each[0])]


def _whole_lines(trace: Path) -> Iterator[tuple[int, int, bytes]]:
    """The line where each call was begun and where it ended, and all of its text; threads interrupt each other."""
    waiting: dict[bytes, tuple[int, bytes]] = {}
    with trace.open("rb") as lines:
        for number, line in enumerate(lines):
            thread, _, text = line.rstrip(b"\n").partition(b" ")
            text = text.lstrip()
            if text.endswith(_UNFINISHED):
                waiting[thread] = (number, text.removesuffix(_UNFINISHED))
            elif resumed := _RESUMED.match(text):
                begun, first = waiting.pop(thread)
                yield begun, number, first + text[resumed.end() :]
            else:
                yield number, number, text


def _parsed(text: bytes) -> Call | None:
    found = _CALL.match(text)
    if found is None or int(found[3]) < 0:
        return None
    name, result = found[1].decode(), int(found[3])
    parts = [part.strip() for part in found[2].split(b", ")]
    if name in ("openat", "unlinkat"):
        return Call(name, _text(parts[1]), flags=parts[2].decode())
    if name == "unlink":
        return Call(name, _text(parts[0]))
    if name == "rename":
        return Call(name, _text(parts[0]), target=_text(parts[1]))
    if name in ("renameat", "renameat2"):
        return Call("rename", _text(parts[1]), target=_text(parts[3]))
    path = _descriptor(parts[0])
    if name in ("write", "pwrite64"):
        offset = int(parts[3]) if name == "pwrite64" else None
        return Call("write", path, data=_bytes(parts[1])[:result], offset=offset)
    if name in ("ftruncate", "truncate"):
        return Call("truncate", path, offset=int(parts[1]))
    if name == "lseek":
        return Call(name, path, offset=result)
    return Call(name, path)


def _bytes(part: bytes) -> bytes:
    return bytes.fromhex(part.strip(b'"').replace(b"\\x", b"").decode())


def _text(part: bytes) -> str:
    return _bytes(part).decode()


def _descriptor(part: bytes) -> str:
    """`3</the/path>` as -y shows it, with its path written in hexadecimal or not."""
    path = part.partition(b"<")[2].removesuffix(b">")
    path = _ESCAPED.sub(lambda found: bytes.fromhex(found[0].replace(b"\\x", b"").decode()), path)
    return path.decode(errors="replace").removesuffix(" (deleted)")
