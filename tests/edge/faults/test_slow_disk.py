"""F9: a disk that takes 0.3 s for every sync under `weighgate run`. The pages do not wait for it."""

import contextlib
import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Client

from tests.edge.faults.recording import strace
from tests.edge.one_lane import PIN, write_config

WEIGHGATE = Path(sys.executable).with_name("weighgate")
JSON = {"Accept": "application/json"}
DELAY_S = 0.3
SCANS = 8


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[tuple[int, Client]]:
    """A running plant with simulated devices: its process number, and somebody logged in at its pages."""
    subprocess.run([WEIGHGATE, "keygen", tmp_path / "keys", "--plant", "HX01"], check=True, capture_output=True)
    config = write_config(tmp_path, 1, "dispatcher", "guard")
    with subprocess.Popen([WEIGHGATE, "run", config, "--json"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            pages = json.loads(process.stdout.readline())["pages"]
            with Client(base_url=pages, trust_env=False, timeout=30) as client:
                client.post("/login", data={"person": "A01", "pin": PIN}, headers=JSON).raise_for_status()
                yield process.pid, client
        finally:
            process.terminate()


@contextlib.contextmanager
def slow_syncs(pid: int) -> Iterator[None]:
    """From now on each sync of this process takes `DELAY_S` longer."""
    delay_us = int(DELAY_S * 1_000_000)
    command = [strace(), "-f", "-o", "/dev/null", "-p", str(pid), "-e", "trace=fdatasync,fsync"]
    command += ["-e", f"inject=fdatasync,fsync:delay_enter={delay_us}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        try:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                pytest.skip(f"strace may not attach here: {said}")
            yield
        finally:
            tracer.send_signal(signal.SIGINT)


def test_pages_stay_alive(plant: tuple[int, Client]) -> None:
    """A guard scans one unreadable pass after the other, each a commit; the lane's page is looked at meanwhile."""
    pid, client = plant
    commits: list[float] = []

    def scan() -> None:
        for _ in range(SCANS):
            started = time.monotonic()
            answer = client.post("/gate/south/scan", data={"code": "noise"}, headers=JSON)
            assert answer.json()["verdict"]["verdict"] == "refuse", answer.text
            commits.append(time.monotonic() - started)

    pages: list[float] = []
    with slow_syncs(pid):
        guard = threading.Thread(target=scan)
        guard.start()
        while guard.is_alive():
            started = time.monotonic()
            client.get("/lane/1/view.json", headers=JSON).raise_for_status()
            pages.append(time.monotonic() - started)
            time.sleep(0.01)
        guard.join()
    assert len(commits) == SCANS and min(commits) >= DELAY_S, "control: commits did wait for the disk"
    assert len(pages) > SCANS * 2 and statistics.median(pages) < DELAY_S / 3 and max(pages) < 5
