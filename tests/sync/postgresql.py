"""A PostgreSQL server of our own: a new cluster in a folder, on 127.0.0.1, killed and started again at will."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from sync.broker import free_port

_DATABASE_USER = "postgres"
_READY_S, _STOP_S = 15.0, 20.0
_FORGETFUL = ("fsync=off", "full_page_writes=off")


def server_binaries() -> Path | None:
    """The folder with initdb and postgres: the newest Debian version, what pg_config names, or PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    if config := shutil.which("pg_config"):
        said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        folders.append(Path(said))
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    return next((path for path in folders if (path / "initdb").exists() and (path / "postgres").exists()), None)


class PostgreSql:
    """One server. The port stays the same over `kill` and `start`."""

    def __init__(self, binaries: Path, *, durable: bool) -> None:
        """Make the cluster. `durable` as in production; without, a killed server may lose its last commits."""
        self.port = free_port()
        self._binaries = binaries
        self._settings = () if durable else _FORGETFUL
        self._folder = Path(tempfile.mkdtemp(prefix="weighgate-pg-"))
        self._data = self._folder / "data"
        self._log = (self._folder / "log").open("wb")
        self._server: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self._folder, _DATABASE_USER)
        made = [str(binaries / "initdb"), "-D", str(self._data), "-U", "weighgate", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            _as_database_user([*made, "--locale=C", "-N"]), check=True, capture_output=True, cwd=self._folder
        )

    def start(self) -> None:
        """Start, and return when it answers; RuntimeError with its log if it does not."""
        settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}", *self._settings]
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        for setting in settings:
            command += ["-c", setting]
        self._server = subprocess.Popen(
            _as_database_user(command), stdout=self._log, stderr=self._log, cwd=self._folder
        )
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                psycopg.connect(self.address("postgres")).close()
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "log").read_text(encoding="utf-8")) from None
                time.sleep(0.05)

    def address(self, database: str) -> str:
        """As it stands in a configuration."""
        return f"postgresql://weighgate@127.0.0.1:{self.port}/{database}"

    def make_database(self) -> str:
        """A new empty database's address."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.address(name)

    def stop(self) -> None:
        """Immediate shutdown: no checkpoint, so the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL to the server's first process; the others end when they see that it is gone."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Stop it, and take its files away."""
        self.stop()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        # By the server's own process id: a signal to `runuser` would not reach it in time.
        pid_file = self._data / "postmaster.pid"
        if self._server is None or self._server.poll() is not None or not pid_file.exists():
            return
        pid = int(pid_file.read_text(encoding="ascii").splitlines()[0])
        os.kill(pid, how)
        self._server.wait(timeout=_STOP_S)
        if how == signal.SIGKILL:
            self._wait_for_orphans()

    def _wait_for_orphans(self) -> None:
        """A new server refuses to start while processes of the old one hold its shared memory."""
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline and _uses(self._data):
            time.sleep(0.02)
        (self._data / "postmaster.pid").unlink(missing_ok=True)


def _uses(data: Path) -> bool:
    """Whether any process works in this cluster: PostgreSQL's processes stand in their data folder."""
    for process in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if process.readlink() == data:
                return True
        except OSError:
            continue
    return False


def databases() -> Iterator[Callable[[], str]]:
    """For a fixture: a function that makes an empty database and names it; skips when no server is installed."""
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server on this machine (Debian: apt-get install postgresql)")
    server = PostgreSql(binaries, durable=False)
    try:
        server.start()
        yield server.make_database
    finally:
        server.remove()


def _as_database_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as its own user."""
    return ["runuser", "-u", _DATABASE_USER, "--", *command] if os.geteuid() == 0 else command
