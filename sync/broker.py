"""A mosquitto of our own on the loopback, for `make demo` and tests. Production runs the same file under systemd."""

import os
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

from sync.certificates import TlsFiles

_CHECKOUT = Path(__file__).resolve().parents[1] / "config" / "mosquitto"
_INSTALLED = Path(sysconfig.get_path("data")) / "share" / "weighgate" / "mosquitto"
TEMPLATES = _CHECKOUT if _CHECKOUT.is_dir() else _INSTALLED
"""`weighgate.conf` and `acl`, valid as they stand."""
_ADDRESS = "127.0.0.1"
_PRODUCTION_DIRECTORY = "/etc/weighgate/mosquitto"
_PRODUCTION_LISTENER = "listener 8883"
_READY_S = 5.0
_STOP_S = 3.0
_ADMIN_PATHS = "/usr/sbin:/usr/local/sbin"
_holders: list[socket.socket] = []


class BrokerError(Exception):
    """mosquitto is missing, or did not start: says why and what to do."""


def find_mosquitto() -> Path:
    """The mosquitto program; BrokerError names the package if there is none."""
    # Debian puts it where ordinary users' PATH does not look.
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + os.pathsep + _ADMIN_PATHS)
    if found is None:
        raise BrokerError("mosquitto is not installed. Run: apt-get install mosquitto")
    return Path(found)


def free_port() -> int:
    """A TCP port on the loopback that nobody else is given as long as this process lives.

    It stays bound here, without listening: what sets SO_REUSEADDR, as mosquitto and PostgreSQL do, may listen on it.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((_ADDRESS, 0))
    _holders.append(holder)
    port: int = holder.getsockname()[1]
    return port


class Broker:
    """One mosquitto process. The port stays the same over `stop`, `kill` and `start`."""

    def __init__(
        self,
        directory: Path,
        tls: TlsFiles,
        port: int | None = None,
        templates: Path = TEMPLATES,
        launcher: Sequence[str] = (),
        host: str = _ADDRESS,
    ) -> None:
        """`tls` from `Authority.issue_server`. Configuration and log go into `directory`. `launcher` stands before the
        command, like `nice`, and must become it. Another `host` than the loopback is for network namespaces.
        """
        self.host = host
        self.port = port or free_port()
        self.log_file = directory / "mosquitto.log"
        self._config_file = directory / "mosquitto.conf"
        self._command = (*launcher, str(find_mosquitto()), "-c", str(self._config_file))
        self._process: subprocess.Popen[bytes] | None = None
        self._write(directory, tls, templates)

    def start(self) -> None:
        """Start, and return when the port accepts connections (a few tens of milliseconds)."""
        if self.running:
            return
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise BrokerError(f"mosquitto did not start on {self.host}:{self.port}: {self._last_words()}")
            time.sleep(0.01)

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.pid is not None

    @property
    def pid(self) -> int | None:
        """The process id while it lives."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def stop(self) -> None:
        """End it as systemd would (SIGTERM), then without asking."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL: everything it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_S)

    def _write(self, directory: Path, tls: TlsFiles, templates: Path) -> None:
        acl = directory / "acl"
        shutil.copyfile(templates / "acl", acl)
        # mosquitto warns about an ACL that others can read.
        acl.chmod(0o600)
        text = (templates / "weighgate.conf").read_text(encoding="utf-8")
        places = {
            _PRODUCTION_LISTENER: f"listener {self.port} {self.host}",
            f"{_PRODUCTION_DIRECTORY}/ca.crt": str(tls.authority),
            f"{_PRODUCTION_DIRECTORY}/server.crt": str(tls.certificate),
            f"{_PRODUCTION_DIRECTORY}/server.key": str(tls.key),
            f"{_PRODUCTION_DIRECTORY}/acl": str(acl),
        }
        for production, ours in places.items():
            if f"{production}\n" not in text:
                raise BrokerError(f"{templates / 'weighgate.conf'}: no line ends in {production!r}")
            text = text.replace(f"{production}\n", f"{ours}\n")
        if os.geteuid() == 0:
            # Started as root, mosquitto becomes the user "mosquitto" before it reads the keys, which are ours alone.
            # Only root on a demo machine gets here, and the listener is on the loopback.
            text += "\nuser root\n"
        self._config_file.write_text(text, encoding="utf-8")

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _last_words(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"no message within {_READY_S:g} s"
