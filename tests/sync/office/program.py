"""The real program as a process, on a directory made by its own `init`, with nobody at the broker's port."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from sync.broker import free_port
from sync.certificates import make_request
from sync.keys import generate, save_public
from sync.office.cli import main
from sync.office.store.database import Store
from tests.sync.office.plant import FakePlant

COMMAND = [sys.executable, "-c", "from sync.office.cli import main; main()"]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def call(*arguments: object) -> Done:
    """One command to its end, in this process: a second of imports a command would be most of the tests' time."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def told(*arguments: object) -> dict[str, Any]:
    """One command that must do it, with `--json`."""
    done = call(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@dataclass
class Office:
    """An initialised head office, and its process while it runs."""

    config: Path
    pins: dict[str, str]
    token: str
    plant: FakePlant
    process: "subprocess.Popen[str] | None" = None
    address: str = ""

    @classmethod
    def make(cls, directory: Path) -> "Office":
        """`init`, and a plant enrolled with real files."""
        made = told("init", directory / "office", "--broker-port", free_port(), "--web-port", 0)
        box = directory / "HX01"
        box.mkdir()
        key = generate(box / "sign.key")
        save_public(box / "sign.pub", key)
        (box / "tls.csr").write_bytes(make_request(box / "tls.key", "HX01"))
        enrolled = told(
            "enrol", made["config"], "HX01", "--name", "一厂", "--public-key", box / "sign.pub", "--csr",
            box / "tls.csr", "--out", box,
        )  # fmt: skip
        plant = FakePlant(key=key)
        assert enrolled["instance"] == plant.instance.wire_id
        return cls(Path(made["config"]), made["pins"], made["token"], plant)

    def start(self) -> None:
        """Run it; returns when the pages answer."""
        self.process = subprocess.Popen(
            [*COMMAND, "run", str(self.config), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.address = json.loads(line)["address"]

    def stop(self) -> tuple[int, float, str]:
        """SIGTERM; exit code, seconds it took, and what it logged."""
        assert self.process is not None
        since = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=15)
        return self.process.returncode, time.monotonic() - since, log

    def books(self) -> Store:
        """The same books, opened by this test's process."""
        return Store(f"sqlite:///{self.config.parent / 'office.sqlite3'}")
