"""Starting the demo as a newcomer would, and looking for what it leaves behind."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

WEIGHGATE = Path(sys.executable).with_name("weighgate")


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that name this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(str(folder).encode() in word for word in words):
            found.append(b" ".join(words).decode(errors="replace"))
    return found


class WatchedDemo:
    """`weighgate demo` without --headless in a process group of its own, as from a terminal."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [WEIGHGATE, "demo", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        self._reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def output(self) -> str:
        """Everything it has said so far."""
        return "".join(self._lines)

    def wait_for(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """The first match in what it says."""
        ends = time.monotonic() + timeout_s
        while time.monotonic() < ends:
            if (match := re.search(pattern, self.output)) is not None:
                return match
            assert self.process.poll() is None, f"the demo ended:\n{self.output}"
            time.sleep(0.05)
        raise AssertionError(f"no {pattern!r} within {timeout_s} s in:\n{self.output}")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)
