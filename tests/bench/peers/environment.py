"""The environments of the peers: .venv-peers/NAME, from the hashed NAME.txt beside this file."""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
HOME = HERE.parents[2] / ".venv-peers"
_LONGEST_S = 900


@dataclass(frozen=True, slots=True)
class Environment:
    """Where one peer lives. It is made when the user asks for it and never by a measurement."""

    name: str
    home: Path = HOME
    requirements: Path = HERE

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.home / self.name / "bin" / "python"

    @property
    def missing(self) -> str:
        """Why it cannot be used, in a few words; empty when it can."""
        if self._stamp.is_file() and self._stamp.read_text() == self._wanted():
            return ""
        if not self._log.is_file() or self._stamp.is_file():
            return "not installed; make peers installs it"
        said = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        worst = [line for line in said if line.startswith("ERROR")] or said or ["without a word"]
        return f"could not be installed: {worst[-1]}"[:160]

    def install(self) -> None:
        """Make it ready; costs nothing when it is. Afterwards `missing` says whether that worked, its log why not."""
        if not self.missing:
            return
        folder = self.home / self.name
        folder.mkdir(parents=True, exist_ok=True)
        self._stamp.unlink(missing_ok=True)
        with self._log.open("w") as log:
            for command in (
                [sys.executable, "-m", "venv", "--without-pip", str(folder)],
                [sys.executable, "-m", "pip", "--python", str(self.python), "--disable-pip-version-check", "install",
                 "--no-input", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(self._list)],
            ):  # fmt: skip
                try:
                    subprocess.run(command, stdout=log, stderr=log, check=True, timeout=_LONGEST_S)
                except subprocess.TimeoutExpired:
                    log.write(f"took longer than {_LONGEST_S} s\n")
                    return
                except subprocess.CalledProcessError:
                    return
        self._stamp.write_text(self._wanted())

    @property
    def _list(self) -> Path:
        return self.requirements / f"{self.name}.txt"

    @property
    def _log(self) -> Path:
        return self.home / self.name / "install.log"

    @property
    def _stamp(self) -> Path:
        return self.home / self.name / "installed"

    def _wanted(self) -> str:
        return hashlib.sha256(self._list.read_bytes()).hexdigest()
