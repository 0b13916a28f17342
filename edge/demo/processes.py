"""Programs that run beside the demo: started, heard once they are ready, ended without leaving anything behind."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

READY_S = 30.0
_COMMAND_S = 60.0
_LAST_BREATH_S = 2.0
_CALM = re.compile(r"level='(?:debug|info|warning)'")


class DemoFailed(Exception):
    """The demo cannot go on; `str()` says in one line which part failed and how."""


def find_program(name: str) -> str:
    """A command of this installation, also when its folder is not on PATH."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which(name, path=path)
    if found is None:
        raise DemoFailed(f"{name} is not installed beside {sys.executable}; run: make demo")
    return found


def ends_with_us() -> tuple[str, ...]:
    """What stands before a command so that it gets SIGTERM when we are gone, even by `kill -9`: setpriv of util-linux,
    which sets PR_SET_PDEATHSIG and becomes the command. It watches the thread that starts it: one that lives as long
    as we do. Nothing where setpriv is missing.
    """
    found = shutil.which("setpriv")
    return (found, "--pdeathsig", "TERM", "--") if found else ()


async def run_command(program: str, *arguments: str | Path) -> str:
    """Run one command to its end; its standard output. DemoFailed with its last words when it says no."""
    process = await asyncio.create_subprocess_exec(
        find_program(program), *map(str, arguments), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_COMMAND_S):
            output, errors = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        words = errors.decode(errors="replace").strip().splitlines() or ["no message"]
        raise DemoFailed(f"{program} {arguments[0]} ended with {process.returncode}: {words[-1]}")
    return output.decode()


class Program:
    """One long-running program whose first line on standard output is JSON: it is ready."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, Any]:
        """Start, and return what it said when it was ready. DemoFailed names the program and its last log line."""
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches us alone, and we end things in their order.
            self._process = await asyncio.create_subprocess_exec(
                *ends_with_us(), find_program(self._command[0]), *self._command[1:], stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_S):
                line = await self._process.stdout.readline()
            answer = json.loads(line)
        except (TimeoutError, ValueError):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_BREATH_S):
                    await self._process.wait()
            raise DemoFailed(f"{self.name} did not become ready: {self.last_words()} (log: {self.log})") from None
        if not isinstance(answer, dict):
            raise DemoFailed(f"{self.name} said {line!r} instead of its address")
        return answer

    @property
    def pid(self) -> int:
        """Its process number; DemoFailed before `start`."""
        if self._process is None:
            raise DemoFailed(f"{self.name} was not started")
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit status, None while it runs."""
        return None if self._process is None else self._process.returncode

    async def watch(self) -> None:
        """Return never while it runs; DemoFailed when it ends by itself."""
        assert self._process is not None
        status = await self._process.wait()
        if status < 0:
            raise DemoFailed(f"{self.name} was ended from outside by {_signal_name(-status)} (log: {self.log})")
        raise DemoFailed(f"{self.name} ended by itself with {status}: {self.last_words()} (log: {self.log})")

    async def stop(self, within_s: float) -> int | None:
        """SIGTERM, then SIGKILL; its exit status, None if it never ran."""
        process = self._process
        if process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                return await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return await process.wait()

    def last_words(self) -> str:
        """The last line of its log that tells of an error: what it said calmly before is not why it ended."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        errors = [line for line in text.splitlines() if line.strip() and not _CALM.search(line)]
        return errors[-1] if errors else "no error in its log"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
