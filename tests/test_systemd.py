"""The units under systemd/, judged by systemd itself.

`systemd-analyze verify` wants the program to exist, and it does not stand in /opt/weighgate on this machine: so a copy
is verified in which ExecStart names this checkout's own program. An unknown key is only a warning to it, with exit
status 0, so the test fails on any word on standard error.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.settings import load_settings
from sync.office.witness import Witness as OfficeWitness

UNITS = Path(__file__).resolve().parents[1] / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
PROGRAMS = "/opt/weighgate/.venv/bin/"
EXPOSURE_AT_MOST = 20
"""Tenths of systemd's exposure level: 2.0 of 10 is "OK"."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def rendered(folder: Path) -> list[Path]:
    """Copies of all units whose programs are this environment's."""
    here = f"{Path(sys.executable).parent}/"
    copies = []
    for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
        copy = folder / unit.name
        copy.write_text(unit.read_text("utf-8").replace(PROGRAMS, here), "utf-8")
        copies.append(copy)
    return copies


@needs_systemd
def test_units_verify_without_a_word(tmp_path: Path) -> None:
    result = analyze("verify", *rendered(tmp_path))
    assert (result.stderr, result.returncode) == ("", 0)


@needs_systemd
def test_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    unit = next(copy for copy in rendered(tmp_path) if copy.name == "weighgate.service")
    unit.write_text(unit.read_text("utf-8").replace("WatchdogSec=", "WatchDogSecs="), "utf-8")
    assert "WatchDogSecs" in analyze("verify", unit).stderr


@needs_systemd
@pytest.mark.parametrize("service", SERVICES)
def test_services_are_shut_in(service: str) -> None:
    result = analyze("security", "--offline=true", f"--threshold={EXPOSURE_AT_MOST}", UNITS / service)
    assert result.returncode == 0, result.stdout.splitlines()[-1]


@pytest.mark.parametrize("service", SERVICES)
def test_services_start_programs_that_exist(service: str) -> None:
    command = re.search(r"^ExecStart=(.+)$", (UNITS / service).read_text("utf-8"), re.MULTILINE)
    assert command is not None
    program, *_ = command[1].split()
    assert program.startswith(PROGRAMS)
    assert (Path(sys.executable).parent / Path(program).name).is_file()


def test_every_timer_has_its_service() -> None:
    for timer in UNITS.glob("*.timer"):
        assert timer.with_suffix(".service").is_file()


def test_udev_rules_name_devices_and_nothing_else() -> None:
    """The rules give names; they never change owner or mode, nor run a program."""
    rules = [
        line for line in (UNITS / "70-weighgate.rules").read_text("utf-8").splitlines() if line[:1] not in ("", "#")
    ]
    assert rules
    for rule in rules:
        assert 'SYMLINK+="weighgate/' in rule
        assert not re.search(r"RUN|PROGRAM|OWNER|GROUP|MODE", rule)


def test_the_plants_unit_may_write_where_the_witness_stands_by_default(tmp_path: Path) -> None:
    """Beside the data folder of docs/operating.md, in a state directory of its own."""
    example = (UNITS.parent / "config" / "plant.example.toml").read_text("utf-8")
    config = tmp_path / "plant.toml"
    text = example.replace('data = "data"', 'data = "/var/lib/weighgate"').replace("witness = ", "# witness = ")
    config.write_text(text, "utf-8")
    unit = (UNITS / "weighgate.service").read_text("utf-8")
    folders = re.findall(r"^StateDirectory=(.+)$", unit, re.MULTILINE)[0].split()
    assert load_settings(config).witness_file.parent in {Path("/var/lib") / folder for folder in folders}


def test_head_offices_unit_may_write_where_its_witness_stands() -> None:
    unit = (UNITS / "weighgate-office.service").read_text("utf-8")
    config = re.findall(r"^ExecStart=.* (\S+)$", unit, re.MULTILINE)[0]
    folders = re.findall(r"^StateDirectory=(.+)$", unit, re.MULTILINE)[0].split()
    assert OfficeWitness(Path(config).parent).path.parent in {Path("/var/lib") / folder for folder in folders}
