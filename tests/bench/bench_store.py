"""Load complete → durable beside a bare commit of the same rows, and with a million tickets; start-up after a kill.

`WEIGHGATE_BENCH_TICKETS` sets the size of the big ledger (1 000 000), `WEIGHGATE_BENCH_FOLDER` where the books lie: the
figures are those of that disk.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from edge.domain.visit import Visit, VisitEvent
from edge.station import moves, weighing
from edge.station.yard import arrive
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database, connect
from edge.store.tickets import StoredTicket
from sync.allotment import PlantCounters
from sync.chain import row_hash
from sync.keys import generate
from sync.records import RECORDS, Record
from sync.secrets import hash_secret
from tests.bench.rows import Row, percentile
from tests.edge.station.rig import TARE_KG, make_plant
from tests.edge.store.books import complete, done, load, order, press, print_all

BIG = int(os.environ.get("WEIGHGATE_BENCH_TICKETS") or 1_000_000)
SMALL, STARTED_WITH = 1_000, 100_000
SAMPLES, WARM_UP = 300, 20
PLANT = make_plant()
_BATCH = 10_000
_START_S = 60

CONFIG = """
[plant]
code = "HX01"
number = 1
epoch = 3
name = "bench"
data = "."
[keys]
directory = "keys"
[web]
port = 0
[[lane]]
id = "1"
name = "一号磅"
name_en = "lane 1"
[lane.scale]
division_kg = 20
maximum_kg = 100000
[lane.watch]
on = false
[lane.indicator]
type = "simulated"
rate_hz = 50
[lane.printer]
type = "simulated"
folder = "papers"
[[person]]
id = "D01"
name = "调度"
roles = ["dispatcher"]
pin_hash = "{pin}"
"""


def run() -> list[Row]:
    """All figures of the store."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("WEIGHGATE_BENCH_FOLDER")) as root:
        folder = Path(root)
        small, big, ledger, bare = load_completes(history(folder / "small", SMALL), history(folder / "big", BIG))
        start_s = start_after_kill(history(folder / "start", STARTED_WITH))
    few = f"{SMALL:,} tickets"
    return [
        Row("ledger commit of a load, p50", _ms(ledger, 50), "ms", _ms(bare, 50), "bare commit", max_ratio=1.5),
        Row("load complete → durable, p50", _ms(small, 50), "ms", _ms(bare, 50), "bare commit"),
        Row("load complete → durable, p99", _ms(small, 99), "ms", _ms(bare, 99), "bare commit", 20, 3),
        Row(f"load complete, {BIG:,} tickets, p50", _ms(big, 50), "ms", _ms(small, 50), few, max_ratio=1.2),
        Row(f"load complete, {BIG:,} tickets, p99", _ms(big, 99), "ms", _ms(small, 99), few),
        Row(f"SIGKILL → weighing again, {STARTED_WITH:,} tickets", start_s, "s", max_value=3),
    ]  # fmt: skip


def _ms(samples_s: list[float], percent: int) -> float:
    return percentile(samples_s, percent) * 1000


def history(folder: Path, tickets: int) -> Path:
    """Books with so many finished visits, made by SQL from one true visit; the chain is true, the rest is bulk, its
    check sums left out."""
    folder.mkdir()
    path = folder / "plant.db"
    database = Database(path, Clock())
    database.transact_now(_one_visit)
    database.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-200000")
    for first in range(2, tickets + 1, _BATCH):
        connection.execute("BEGIN")
        _copy_visits(connection, range(first, min(first + _BATCH, tickets + 1)))
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def _one_visit(books: Books) -> None:
    load(books, PLANT, order(books, 1))
    print_all(books)
    visit = moves.fresh(books, "N1")
    done(moves.park(books, visit))


def _copy_visits(connection: sqlite3.Connection, numbers: range) -> None:
    """Weighment, ticket and print records, and the rows beside them, of the first visit once more for each number."""
    kinds = ("weighment", "ticket", "print")
    bodies = [_one(connection, "SELECT body FROM ledger WHERE kind = ? ORDER BY seq", kind) for kind in kinds]
    ticket_body = _one(connection, "SELECT body FROM tickets WHERE number = ?", 1)
    seq, before = connection.execute("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
    ledger: list[tuple[object, ...]] = []
    for number in numbers:
        for kind, body in zip(kinds, bodies, strict=True):
            seq, own = seq + 1, _renamed(body, number)
            digest = row_hash(before, seq, kind, own)
            ledger.append((seq, kind, own, before, digest))
            before = digest
    connection.executemany(
        "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, '2026-11-23T08:00:00+00:00', 'b', 1, 'ok', 0)", ledger
    )
    rows = [(number, f"{number:07}", f"N-{number}", _renamed(ticket_body, number)) for number in numbers]
    connection.executemany(
        "INSERT INTO tickets SELECT ?1, 'HX01-03-' || ?2, ?3, 'pass' || ?2, pass_code, business_date, ?4, ledger_mark,"
        " net_kg, amount_fen, NULL, enterprise_seal, enterprise_at, finance_seal, finance_at, 0 FROM tickets"
        " WHERE number = 1",
        rows,
    )
    connection.executemany(
        "INSERT INTO visits SELECT ?3, ?3, version, order_body, 'P' || ?2, account, 'released', 0, 0, 1, arrived_at,"
        " tare_kg, tare_at, '', '', NULL, 'HX01-03-' || ?2, 0 FROM visits WHERE visit = 'N1' AND ?1 AND ?4 <> ''",
        rows,
    )
    connection.executemany(
        "INSERT INTO print_jobs SELECT ?1, 'HX01-03-' || ?2, '1', 0, 'sent', '', '', 0 WHERE ?3 <> ?4", rows
    )


def _renamed(body: str, number: int) -> str:
    return body.replace('"number":1,', f'"number":{number},').replace("HX01-03-0000001", f"HX01-03-{number:07}")


def _one(connection: sqlite3.Connection, query: str, argument: object) -> str:
    return str(connection.execute(query, (argument,)).fetchone()[0])


def load_completes(small: Path, big: Path) -> Iterator[list[float]]:
    """Seconds of each load complete in the small and in the big ledger; of the ledger's commit alone, and of a bare
    commit of the same rows, into copies of the small one. Taken turn by turn: whatever else the machine does, it does
    to all four.

    The ledger's commit is what the store does of a load complete, with its record bodies, chain, check sums and
    tables, once the domain has decided, priced and signed.
    """
    plants = [Prepared(small), Prepared(big)]
    twin_path, bare_path = small.with_name("twin.db"), small.with_name("bare.db")
    _copy(small, twin_path)
    _copy(small, bare_path)
    twin, bare = Database(twin_path, Clock()), connect(bare_path, writable=True)
    taken: tuple[list[float], ...] = ([], [], [], [])
    for each in plants:
        each.open()
    for turn in range(SAMPLES + WARM_UP):
        for plant, samples in zip(plants, taken, strict=False):
            samples.append(plant.complete(turn))
        taken[2].append(_timed(partial(twin.transact_now, plants[0].told(turn).book)))
        taken[3].append(_timed(partial(_bare_commit, bare, plants[0].written)))
    bare.close()
    twin.close()
    for each in plants:
        each.close()
    return (samples[WARM_UP:] for samples in taken)


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class Prepared:
    """Books in which many trucks stand loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = Database(path, Clock())
        numbers = range(5_000_000, 5_000_000 + SAMPLES + WARM_UP)
        self._names = [self._database.transact_now(partial(_loading, number=number)) for number in numbers]
        self._database.close()
        self.written: list[tuple[str, tuple[object, ...]]] = []
        self._seq = 0

    def open(self) -> None:
        """After a copy was made."""
        self._database = Database(self._path, Clock())
        self._reader = connect(self._path, writable=False)

    def complete(self, turn: int) -> float:
        """Seconds of one load complete; the rows it wrote are in `written`."""
        name = self._names[turn]
        self._seq = self._reader.execute("SELECT MAX(seq) FROM ledger").fetchone()[0]
        taken_s = _timed(partial(self._database.transact_now, partial(complete, plant=PLANT, name=name)))
        self.written = list(_rows_of(self._reader, self._seq, name))
        return taken_s

    def told(self, turn: int) -> "Told":
        """What that load complete gave to the store."""
        books = Books(self._reader, Clock())
        visit = books.visits.get(self._names[turn])
        assert visit is not None
        stored = books.tickets.get(visit.ticket)
        assert stored is not None
        records = [RECORDS[row.kind].model_validate_json(row.body) for row in books.ledger.rows_after(self._seq, 10)]
        return Told(visit, stored, records, books.accounts.get(stored.ticket.account))

    def close(self) -> None:
        self._reader.close()
        self._database.close()


@dataclass(frozen=True)
class Told:
    """What the domain hands to the store when a load is complete: all that is decided, nothing written."""

    visit: Visit
    stored: StoredTicket
    records: list[Record]
    counters: PlantCounters

    def book(self, books: Books) -> None:
        """In the order of `edge.station.weighing`."""
        ticket = self.stored.ticket
        books.accounts.put(ticket.account, self.counters)
        weighed, ticketed, *sealed = self.records
        books.ledger.append(weighed)
        mark = books.ledger.append(ticketed).mark
        books.tickets.add(ticket, self.stored.pass_code, mark, self.stored.seals)
        for record in sealed:
            books.ledger.append(record)
        books.print_jobs.add(ticket.ticket, ticket.lane, ticket.operator)
        books.visits.put(self.visit)
        books.captured(ticket.lane, self.visit.visit)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("wb") as new:
        while part := old.read(1 << 24):
            new.write(part)


def _loading(books: Books, number: int) -> str:
    name = order(books, number)
    plate = moves.fresh(books, name).plate
    done(arrive(books, PLANT.local, plate, "调度"))
    done(moves.call_to_lane(books, "1", name, "调度"))
    done(weighing.weigh_tare(books, PLANT, moves.fresh(books, name), press(TARE_KG)))
    done(moves.step(books, "1", name, VisitEvent.START_LOADING, "调度"))
    done(moves.park(books, moves.fresh(books, name)))
    return name


_TOUCHED = {
    "ledger": "seq > :seq",
    "tickets": "visit = :visit",
    "print_jobs": "ticket = (SELECT ticket FROM visits WHERE visit = :visit)",
    "accounts": "account = 'C1/coke'",
    "visits": "visit = :visit",
    "lanes": "lane = '1'",
}
"""The rows that one load complete writes."""


def _rows_of(reader: sqlite3.Connection, seq: int, visit: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    for table, where in _TOUCHED.items():
        for row in reader.execute(f"SELECT * FROM {table} WHERE {where}", {"seq": seq, "visit": visit}):
            marks = ",".join("?" * len(row))
            yield f"INSERT OR REPLACE INTO {table} VALUES ({marks})", tuple(row)


def _bare_commit(twin: sqlite3.Connection, writes: list[tuple[str, tuple[object, ...]]]) -> None:
    twin.execute("BEGIN IMMEDIATE")
    for statement, row in writes:
        twin.execute(statement, row)
    twin.execute("COMMIT")


def start_after_kill(path: Path) -> float:
    """Seconds from the SIGKILL of `weighgate run` to the first stable weight on its successor's lane page."""
    config = path.parent / "plant.toml"
    config.write_text(CONFIG.format(pin=hash_secret("0000")), encoding="utf-8")
    (path.parent / "keys").mkdir()
    generate(path.parent / "keys" / "plant.key")
    first, _ = _run(config)
    begin = time.perf_counter()
    first.send_signal(signal.SIGKILL)
    first.wait()
    second, pages = _run(config)
    _wait_for_weight(pages)
    taken_s = time.perf_counter() - begin
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=_START_S)
    return taken_s


def _run(config: Path) -> tuple[subprocess.Popen[str], str]:
    """A running plant, and the address of its pages as it told it."""
    command = [sys.executable, "-c", "from edge.cli import main; main()", "run", str(config), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["pages"]


def _wait_for_weight(pages: str) -> None:
    """Log in as a dispatcher would, and look until the scale stands at a stable zero."""
    with httpx.Client(
        base_url=pages, headers={"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    ) as client:
        client.post("/login", data={"person": "D01", "pin": "0000"}).raise_for_status()
        for _ in range(500):
            if client.get("/lane/1/view.json").raise_for_status().json()["scale"]["zero_seen"]:
                return
            time.sleep(0.01)
    raise TimeoutError("no stable weight on lane 1")
