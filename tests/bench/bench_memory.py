"""Memory of the plant's and of head office's process over a few thousand visits: where it ends, and its slope.

Both are the real programs, joined by a real broker; somebody looks at their pages all the time. The slope is fitted
over the last third: until then caches fill that have a limit (SQLite's pages, parsed notices, compiled statements).
`WEIGHGATE_BENCH_VISITS` sets how many visits.
"""

import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from drivers.printer.simulated import VirtualPrinter
from sync.office import requests
from sync.office.store.database import Store
from sync.secrets import hash_secret
from tests.bench.rows import Row
from tests.sync.headquarters import Box, Headquarters

VISITS = int(os.environ.get("WEIGHGATE_BENCH_VISITS") or 2_400)
_AHEAD, _STALLED_S, _LOOK_EVERY_S, _SAMPLE_EVERY_S = 40, 60.0, 0.5, 0.5
_PIN, _LANES = "0000", 2
_LANE = """
[[lane]]
id = "{lane}"
name = "{lane}号磅"
name_en = "lane {lane}"
[lane.scale]
division_kg = 20
maximum_kg = 100000
frames_in_a_row = 5
[lane.indicator]
type = "simulated"
rate_hz = 100
[lane.printer]
type = "escpos"
target = "{printer}"
qr = "native"
"""
_CONFIG = """
[plant]
code = "HX01"
number = 1
epoch = 1
name = "bench"
data = "data"
[keys]
directory = "{keys}"
[head_office]
host = "127.0.0.1"
port = {port}
[web]
port = 0
{lanes}
[[gate]]
id = "south"
name = "南门岗"
name_en = "south gate"
[gate.barrier]
type = "simulated"
rise_ms = 0
pass_ms = 0
[[person]]
id = "D01"
name = "李调度"
roles = ["dispatcher", "guard"]
pin_hash = "{pin}"
"""


@dataclass
class Memory:
    """Resident kilobytes (1024 bytes) of one process by visits done."""

    pid: int
    samples: list[tuple[int, int]] = field(default_factory=list)

    def sample(self, visits: int) -> None:
        """VmRSS of proc(5)."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        self.samples.append((visits, next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))))

    @property
    def last_mb(self) -> float:
        """MB of 10⁶ bytes at the end."""
        return self.samples[-1][1] * 1024 / 1e6

    @property
    def slope_kb(self) -> float:
        """KB for each 1,000 visits, over the last third."""
        last = self.samples[-1][0]
        late = [(visits, kb) for visits, kb in self.samples if visits >= last * 2 // 3]
        return statistics.linear_regression([v for v, _ in late], [kb for _, kb in late]).slope * 1000


def run() -> list[Row]:
    """Megabytes at the end, and growth."""
    plant, office, visits = measure(VISITS)
    rows = []
    for name, memory, most_mb in (("plant", plant, 120.0), ("head office", office, None)):
        rows += [
            Row(f"{name}: memory after {visits:,} visits", memory.last_mb, "MB", max_value=most_mb),
            Row(f"{name}: memory growth in 1,000 visits", memory.slope_kb, "KB", max_value=300),
        ]
    return rows


def measure(visits: int) -> tuple[Memory, Memory, int]:
    """Both processes over so many visits."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weighgate-bench-")))
        printers = [stack.enter_context(VirtualPrinter()) for _ in range(_LANES)]
        office = Headquarters.make(folder, "sqlite:///office.sqlite3")
        box = office.enrol("HX01")
        office.broker.start()
        office.start()
        plant, pages = _start_plant(folder, box, office.broker.port, [each.target for each in printers])
        try:
            assert office.process is not None
            return _watch(visits, folder / "data" / "plant.db", office, plant, pages)
        finally:
            plant.terminate()
            plant.wait(10)
            assert plant.stdout is not None
            plant.stdout.close()
            office.stop()
            office.broker.kill()


def _start_plant(folder: Path, box: Box, port: int, printers: list[str]) -> tuple["subprocess.Popen[str]", str]:
    keys = folder / "HX01"
    shutil.copyfile(keys / "sign.key", keys / "plant.key")
    (keys / "plant.key").chmod(0o600)
    lanes = "".join(_LANE.format(lane=lane, printer=printer) for lane, printer in enumerate(printers, 1))
    config = folder / "plant.toml"
    config.write_text(_CONFIG.format(keys=keys, port=port, lanes=lanes, pin=hash_secret(_PIN)), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.busy_plant", str(config)], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["pages"]


def _watch(
    visits: int, books: Path, office: Headquarters, plant: "subprocess.Popen[str]", pages: str
) -> tuple[Memory, Memory, int]:
    assert office.process is not None
    memories = Memory(plant.pid), Memory(office.process.pid)
    stop = threading.Event()
    people = [
        threading.Thread(target=_look, args=(pages, ("lane/1", "queue", "gate/south", "notices"), stop)),
        threading.Thread(target=_look_at_office, args=(office, stop)),
    ]
    for each in people:
        each.start()
    try:
        done, ordered, moved_at = 0, 0, time.monotonic()
        with office.books() as store:
            _pay(store)
            while done < visits:
                while ordered < min(visits, done + _AHEAD):
                    ordered += 1
                    _order(store, ordered)
                time.sleep(_SAMPLE_EVERY_S)
                before, done = done, _tickets(books)
                moved_at = time.monotonic() if done > before else moved_at
                if time.monotonic() - moved_at > _STALLED_S:
                    raise TimeoutError(f"no visit finished in {_STALLED_S:g} s; {done} were")
                for memory in memories:
                    memory.sample(done)
    finally:
        stop.set()
        for each in people:
            each.join(10)
    return *memories, done


def _pay(store: Store) -> None:
    for customer in range(5):
        payment = requests.PaymentIn(
            reference=f"TT-{customer}", customer_id=f"C{customer}", customer_name="示例客户", amount_fen=10**13
        )
        requests.book_payment(store, payment, "bench")


def _order(store: Store, number: int) -> None:
    expires = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    notice = requests.NoticeIn(
        plant="HX01", customer_id=f"C{number % 5}", plate=f"浙A{number % 100_000:05}", product="焦炭",
        price_fen_per_t=198_033, notice=f"FH-{number:06}", expires_at=expires,
    )  # fmt: skip
    requests.book_notice(store, notice, "bench", 8)


def _tickets(books: Path) -> int:
    connection = sqlite3.connect(f"file:{books}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT COUNT(*) FROM passes_used").fetchone()[0])
    finally:
        connection.close()


def _look(url: str, paths: tuple[str, ...], stop: threading.Event) -> None:
    """Somebody who opens one page after the other."""
    with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
        client.post("/login", data={"person": "D01", "pin": _PIN}, headers={"Accept": "application/json"})
        while not stop.is_set():
            for path in paths:
                client.get(path)
                stop.wait(_LOOK_EVERY_S)


def _look_at_office(office: Headquarters, stop: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {office.token}"}
    with httpx.Client(base_url=office.address, trust_env=False, timeout=20, headers=headers) as client:
        while not stop.is_set():
            for path in ("/api/balances", "/api/plants", "/api/totals"):
                client.get(path).raise_for_status()
                stop.wait(_LOOK_EVERY_S)
