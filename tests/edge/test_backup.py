"""Backup beside a running plant and restore, by the real commands: what comes back reads and opens the gate, and never
sells.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from httpx import Client

from edge.cli.books import ticket as cli_ticket
from edge.store.backup import BackupFailed, back_up, restore
from edge.store.clock import Clock
from edge.store.database import Database, StoreBusy
from edge.store.verify import verify
from sync.keys import Instance, load_private
from sync.records import Returned
from sync.secrets import hash_secret
from tests.edge.disks import mounted
from tests.edge.one_lane import PIN, write_config
from tests.edge.station.rig import make_plant
from tests.edge.store.books import load, make_books, order

WEIGHGATE = Path(sys.executable).with_name("weighgate")
JSON = {"Accept": "application/json"}
INSTANCE = "HX01/3/9f86d081884c7d65"


def owned(path: Path, instance: str = INSTANCE) -> Path:
    """Books with a little of everything, of a plant epoch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    make_books(path)
    change(path, lambda books: books.keep("instance", instance))
    return path


def change(path: Path, work: object) -> None:
    database = Database(path, Clock())
    database.transact_now(work)  # type: ignore[arg-type]
    database.close()


def fenced(path: Path) -> str:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    row = connection.execute("SELECT value FROM meta WHERE key = 'fenced'").fetchone()
    connection.close()
    return str(row[0]) if row else ""


def test_a_backup_is_one_private_file_that_is_fenced_and_whole(tmp_path: Path) -> None:
    books = owned(tmp_path / "data" / "plant.db")
    target = tmp_path / "stick" / "monday.db"
    target.parent.mkdir()
    report = back_up(books, target)
    assert report.ok and report.tickets == 4 and verify(target).head_hash == verify(books).head_hash
    assert fenced(target).startswith("a backup of 20") and not fenced(books)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [each.name for each in target.parent.iterdir()] == ["monday.db"]
    with pytest.raises(BackupFailed, match="exists already"):
        back_up(books, target)


def test_a_backup_beside_a_writer_is_one_moment_of_its_books(tmp_path: Path) -> None:
    """Twenty copies while another thread writes: each whole, each at least as far as its predecessor."""
    books = tmp_path / "plant.db"
    stop, plant = threading.Event(), make_plant()
    opened = Database(books, Clock())

    def write() -> None:
        number = 100
        while not stop.is_set():
            number += 1
            name = opened.transact_now(lambda each, number=number: order(each, number))  # type: ignore[misc]
            opened.transact_now(lambda each, name=name: load(each, plant, name))  # type: ignore[misc]

    writer = threading.Thread(target=write)
    writer.start()
    try:
        records = [back_up(books, tmp_path / f"{number}.db").records for number in range(8)]
    finally:
        stop.set()
        writer.join()
        opened.close()
    assert records == sorted(records) and records[0] < records[-1]


def test_damaged_books_are_no_backup(tmp_path: Path) -> None:
    books = owned(tmp_path / "plant.db")
    connection = sqlite3.connect(books)
    connection.execute("UPDATE accounts SET granted_fen = granted_fen + 1")
    connection.commit()
    connection.close()
    with pytest.raises(BackupFailed, match="does not pass the check"):
        back_up(books, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    with pytest.raises(BackupFailed, match="no books here yet"):
        back_up(tmp_path / "nothing.db", tmp_path / "copy.db")
    with pytest.raises(BackupFailed, match=r"no folder/copy\.db: there is no such folder; nothing was written"):
        back_up(books, tmp_path / "no folder" / "copy.db")


def test_a_full_stick_leaves_nothing_behind(tmp_path: Path) -> None:
    books = owned(tmp_path / "plant.db")
    with mounted(tmp_path, 1) as stick:
        (stick / "pictures").write_bytes(bytes(900 * 1024))
        with pytest.raises(BackupFailed, match=r"full|space"):
            back_up(books, stick / "copy.db")
        assert [each.name for each in stick.iterdir()] == ["pictures"]


def test_restore_refuses_moves_aside_and_fences(tmp_path: Path) -> None:
    books = owned(tmp_path / "data" / "plant.db")
    copy = tmp_path / "copy.db"
    back_up(books, copy)
    change(books, lambda each: each.ledger.append(Returned(account="C1/coke", returned_fen=0)))
    records = verify(books).records
    with pytest.raises(BackupFailed, match="--replace"):
        restore(copy, books, INSTANCE, replace=False)
    with pytest.raises(BackupFailed, match="HX01/4"):
        restore(copy, books, INSTANCE.replace("/3/", "/4/"), replace=True)
    assert verify(books).records == records and not fenced(books)
    books.chmod(0o644)
    report, aside = restore(copy, books, INSTANCE, replace=True, zone=ZoneInfo("Asia/Shanghai"))
    assert report.records == records - 1 == verify(books).records
    assert fenced(books).startswith("a backup of 20")
    assert aside is not None and verify(aside).records == records, "the newest rows are kept"
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600 and aside.name.endswith("+0800")


def test_a_plain_copy_of_the_file_is_fenced_when_it_is_restored(tmp_path: Path) -> None:
    books = owned(tmp_path / "data" / "plant.db")
    plain = Path(shutil.copy(books, tmp_path / "plain.db"))
    shutil.rmtree(books.parent)
    books.parent.mkdir()
    restore(plain, books, INSTANCE, replace=False)
    assert fenced(books).startswith("restored on 20")
    assert stat.S_IMODE(books.stat().st_mode) == 0o600


def test_what_cannot_be_restored(tmp_path: Path) -> None:
    books = owned(tmp_path / "data" / "plant.db")
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(BackupFailed, match="not a plant's books"):
        restore(tmp_path / "text.db", books, INSTANCE, replace=True)
    with pytest.raises(BackupFailed, match="no such file"):
        restore(tmp_path / "nothing.db", books, INSTANCE, replace=True)
    copy = tmp_path / "copy.db"
    back_up(books, copy)
    running = Database(books, Clock())
    with pytest.raises(StoreBusy):
        restore(copy, books, INSTANCE, replace=True)
    running.close()


# With real processes from here on.

PERSON = """
[[person]]
id = "A02"
name = "第二人"
roles = ["admin"]
pin_hash = "{pin_hash}"
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """A configured plant without head office; returns its configuration."""
    run("keygen", tmp_path / "keys", "--plant", "HX01")
    return write_config(tmp_path, 3, "admin")


def run(*words: object, status: int = 0) -> str:
    """A command; its standard output and errors."""
    done = subprocess.run([WEIGHGATE, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


class Running:
    """`weighgate run` until the test lets go."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [WEIGHGATE, "run", str(config), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        self.client = Client(base_url=json.loads(line)["pages"], trust_env=False, timeout=10)
        assert self.client.post("/login", data={"person": "A01", "pin": PIN}, headers=JSON).status_code == 200

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.client.close()
        self.process.send_signal(how)
        self.process.communicate(timeout=15)


@pytest.fixture
def started(plant: Path) -> Iterator[list[Running]]:
    """What runs; ended with the test."""
    running: list[Running] = []
    yield running
    for each in running:
        if each.process.poll() is None:
            each.stop()


def sell(plant: Path, number: int) -> str:
    """A truck with its ticket, by the real transactions; returns its pass code."""
    database = Database(plant.parent / "data" / "plant.db", Clock())
    key = load_private(plant.parent / "keys" / "plant.key")
    from edge.signing import PassKey

    here = make_plant(pass_key=PassKey(key))
    name = database.transact_now(lambda books: order(books, number))
    ticket = database.transact_now(lambda books: load(books, here, name))
    code = database.transact_now(lambda books: books.tickets.get(ticket))
    database.close()
    assert code is not None
    return code.pass_code


def lane(running: Running) -> dict[str, object]:
    answer: dict[str, object] = running.client.get("/lane/1/view.json", headers=JSON).json()
    return answer


@pytest.mark.timeout(120)
def test_a_restored_plant_opens_the_gate_and_sells_nothing(plant: Path, started: list[Running]) -> None:
    started.append(Running(plant))
    started[-1].stop()
    code = sell(plant, 1)
    started.append(Running(plant))
    assert "已核对" in run("backup", plant, plant.parent / "night.db"), "beside the running plant"
    assert "the plant is running" in run("restore", plant.parent / "night.db", plant, "--replace", status=2)
    started[-1].stop()
    sell(plant, 2)
    assert "--replace" in run("restore", plant.parent / "night.db", plant, status=2)
    said = run("restore", plant.parent / "night.db", plant, "--replace")
    assert "隔离" in said and "fenced" in said
    assert re.search(r"The old books are kept as .*plant\.db\.replaced-\d{8}-\d{6}\+0800\n", said)
    started.append(Running(plant))
    client = started[-1].client
    view = lane(started[-1])
    assert "旧副本" in view["barred"]["zh"] and "old copy" in view["barred"]["en"]  # type: ignore[index]
    tickets = client.get("/tickets").text
    assert "HX01-03-0000001" in tickets and "HX01-03-0000002" not in tickets
    no = client.post("/lane/1/topup", data={"code": "x"}, headers=JSON)
    assert no.status_code == 409
    scan = client.post("/gate/south/scan", data={"code": code}, headers=JSON)
    assert scan.json()["why"]["reason"] == "plate_not_read", "there is no camera: a person compares"
    form = {"name": "赵强", "reason": "人工核对一致", "paper": "HX01-03-0000001"}
    assert client.post("/gate/south/override", data=form, headers=JSON).json()["verdict"]["barrier"] == "opened"
    reprint = client.post("/tickets/HX01-03-0000001/reprint", headers=JSON)
    assert reprint.status_code in (200, 409) and "旧副本" not in reprint.text
    started[-1].stop(signal.SIGKILL)
    started.append(Running(plant))
    assert lane(started[-1])["barred"]["en"], "it stays so"  # type: ignore[index]


@pytest.mark.timeout(120)
def test_a_data_folder_put_back_by_hand_is_fenced_too(plant: Path, started: list[Running]) -> None:
    started.append(Running(plant))
    started[-1].stop()
    saved = shutil.copytree(plant.parent / "data", plant.parent / "saved")
    started.append(Running(plant))
    assert not lane(started[-1])["barred"]["zh"]  # type: ignore[index]
    second = subprocess.run([WEIGHGATE, "run", plant], capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 2 and "another weighgate process has it open" in second.stderr, "F15"
    started[-1].stop()
    shutil.rmtree(plant.parent / "data")
    shutil.copytree(saved, plant.parent / "data")
    started.append(Running(plant))
    assert lane(started[-1])["barred"]["zh"]  # type: ignore[index]


def put_back(plant: Path, saved: Path) -> None:
    shutil.rmtree(plant.parent / "data")
    shutil.copytree(saved, plant.parent / "data")


def void(plant: Path, ticket: str) -> Result:
    words = ["void", str(plant), ticket, "--first", "A01", "--second", "A02", "--reason", "装错货"]
    return CliRunner().invoke(cli_ticket, words, input="4711\n4711\n")


@pytest.mark.timeout(120)
def test_the_commands_write_as_the_plant_does_with_its_witness(plant: Path, started: list[Running]) -> None:
    """A void by the command is known to the witness; on a copy the commands write nothing."""
    two = plant.read_text("utf-8") + PERSON.format(pin_hash=hash_secret(PIN))
    plant.write_text(two, "utf-8")
    started.append(Running(plant))
    started[-1].stop()
    sell(plant, 1)
    sell(plant, 2)
    first = shutil.copytree(plant.parent / "data", plant.parent / "first")
    ticket = "HX01-03-0000001"
    done = void(plant, ticket)
    assert (done.exit_code, "is void" in done.output) == (0, True), done.output
    true = shutil.copytree(plant.parent / "data", plant.parent / "true")
    put_back(plant, first)
    for refused in (
        void(plant, "HX01-03-0000002"),
        CliRunner().invoke(cli_ticket, ["reprint", str(plant), ticket, "--by", "A01"]),
    ):
        assert refused.exit_code == 2 and "fenced" in refused.output
    put_back(plant, true)
    again = void(plant, ticket)
    assert again.exit_code == 1 and "已作废" in again.output, "the true books, put back, go on"


def test_the_backup_of_another_plant_is_refused(plant: Path, tmp_path: Path) -> None:
    own = Instance.of("HX01", 3, load_private(plant.parent / "keys" / "plant.key")).wire_id
    owned(tmp_path / "other" / "plant.db")
    back_up(tmp_path / "other" / "plant.db", tmp_path / "other.db")
    said = run("restore", tmp_path / "other.db", plant, status=2)
    assert INSTANCE in said and own in said
    assert not (tmp_path / "data").exists() or not (tmp_path / "data" / "plant.db").exists()
    assert os.listdir(tmp_path / "other")  # noqa: PTH208 - the backup's source is untouched
