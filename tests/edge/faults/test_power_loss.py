"""F2: the power goes at every system call of the real plant; what was answered is in the books that are found."""

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database, StoreBroken, connect
from edge.store.tail_check import BooksTorn
from edge.store.verify import verify
from edge.store.witness import START, Place, WitnessBroken, judge, read_witness
from tests.edge.disks import in_memory
from tests.edge.faults.power_child import INSTANCE, WITNESS
from tests.edge.faults.power_loss import Disk
from tests.edge.faults.recording import Call, calls, record
from tests.edge.store.books import order
from tests.reliability import Run

SHORT, LONG = 200, 10_000
GOES_ON_EVERY = 25
"""Every so many images the plant found there takes a notice, to show that work goes on."""


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: images are many, and what is tested is not this machine's disk."""
    with in_memory(tmp_path, "power") as folder:
        yield folder


def recorded(memory: Path, repository: Path, synchronous: str, lives: tuple[int, ...]) -> tuple[Path, list[Call]]:
    """The system calls of a plant that lived these lives, with so many visits each."""
    folder, trace = memory / "plant", memory / "trace"
    folder.mkdir()
    arguments = (str(folder), synchronous, *(str(visits) for visits in lives))
    record("tests.edge.faults.power_child", arguments, trace, repository)
    return folder, calls(trace, folder)


def found(folder: Path, said: list[dict[str, object]], goes_on: bool) -> str:
    """What is wrong with the books in a folder, '' when all is well: 'corrupt: …', 'lost: …', 'fenced: …', or 'torn: …'
    when the plant itself notices that commits are missing, and does not start.
    """
    path = folder / "plant.db"
    try:
        database = Database(path, Clock())
        fenced = database.transact_now(partial(unwitnessed, folder / WITNESS))
        if goes_on:
            database.transact_now(lambda books: order(books, 90_000))
        database.close()
    except BooksTorn as error:
        return f"torn: {error}"
    except (StoreBroken, sqlite3.Error) as error:
        return f"corrupt: {error}"
    if fenced:
        return f"fenced: {fenced}"
    report = verify(path)
    for check in report.checks:
        if not check.ok:
            return f"corrupt: {check.name}: {check.problem}"
    return lost(path, said)


def unwitnessed(path: Path, books: Books) -> str:
    """Why the plant would be fenced by the witness that was found beside its books; '' when it would not."""
    try:
        seen = read_witness(path) if path.exists() else None
    except WitnessBroken as error:
        return str(error)
    place = Place(seen.machine, seen.file) if seen is not None else Place("", "")
    return judge(seen, books.number(START), INSTANCE, place, books.ledger.hash_of)


def lost(path: Path, said: list[dict[str, object]]) -> str:
    """The first thing that was answered, begun on paper or let out, and is not in the books."""
    connection = connect(path, writable=False)
    papers = dict(connection.execute("SELECT visit, ticket FROM tickets UNION SELECT visit, visit FROM empty_slips"))
    used = {row[0] for row in connection.execute("SELECT ticket FROM passes_used")}
    queued = {row[0] for row in connection.execute("SELECT ticket FROM print_jobs WHERE state = 'queued'")}
    connection.close()
    for line in said:
        if "visit" in line and papers.get(str(line["visit"])) != line["ticket"]:
            return f"lost: {line}"
        if "left" in line and line["left"] not in used:
            return f"lost: {line}"
        if line["from"] == "paper" and not line["marked"] and line["ticket"] in queued:
            return f"lost: {line} would be printed again as an original"
    pulses = sum("pulse" in line for line in said)
    return f"lost: {pulses} pulses, {len(used)} used passes" if pulses > len(used) else ""


def lose_power(
    memory: Path, recording: tuple[Path, list[Call]], images: int, dice: random.Random, stop_at: str = ""
) -> tuple[int, Counter[str]]:
    """Images of this many different disks, spread over every call; how many, and how many of each kind were bad.

    `stop_at` ends the search at the first image that is found so; it begins where something was answered.
    """
    folder, trace = recording
    disk = Disk(folder)
    moments = sum([disk.feed(call) for call in trace])
    bad: Counter[str] = Counter()
    seen: set[object] = set()
    disk = Disk(folder)
    moment = 0
    for call in trace:
        if not disk.feed(call):
            continue
        moment += 1
        if stop_at and not disk.said:
            continue
        # Quiet moments have one disk only; what they leave of their share goes to those that follow.
        lacking = (images + images // 50) * moment // moments - len(seen)
        for _ in range(max(images > moments, 2 * lacking)):
            image = disk.image(dice)
            if image.key in seen:
                continue
            seen.add(image.key)
            place = memory / "image"
            image.write(place, dice)
            wrong = found(place, disk.said, len(seen) % GOES_ON_EVERY == 0)
            shutil.rmtree(place)
            if wrong:
                bad[wrong.partition(":")[0]] += 1
                bad[wrong] += 1
                if wrong.startswith(stop_at or "-"):
                    return len(seen), bad
    return len(seen), bad


def test_nothing_answered_is_lost(memory: Path, repository: Path) -> None:
    run = Run("power loss")
    print(f"WEIGHGATE_SEED={run.seed}")  # noqa: T201 - a failure is repeated with it
    recording = recorded(memory, repository, "FULL", (1, 1))
    count, bad = lose_power(memory, recording, SHORT, random.Random(run.seed))
    assert count >= SHORT and not bad, json.dumps(bad, ensure_ascii=False)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_ten_thousand_images(memory: Path, repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Three lives: the books are made, the log is folded in by SQLite itself in the second, by the end of each."""
    run = Run("power loss")
    recording = recorded(memory, repository, "FULL", (1, 16, 2))
    count, bad = lose_power(memory, recording, LONG, random.Random(run.seed))
    moments = sum(1 for call in recording[1] if call.name == "write")
    result = f"{moments} writes: {bad['lost']} images lost something, {bad['corrupt']} corrupt, {bad['fenced']} fenced"
    run.tell(capfd, count, result)
    assert count >= LONG and not bad, json.dumps(bad, ensure_ascii=False)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_control_counted(memory: Path, repository: Path, capfd: pytest.CaptureFixture[str], synchronous: str) -> None:
    run = Run(f"power loss, control: synchronous={synchronous}")
    recording = recorded(memory, repository, synchronous, (1, 4, 1))
    count, bad = lose_power(memory, recording, LONG // 5, random.Random(run.seed))
    result = f"{bad['lost']} images lost something, {bad['torn']} did not start for it, {bad['corrupt']} corrupt"
    run.tell(capfd, count, result)
    assert bad["lost"] and bad["lost"] + bad["torn"] + bad["corrupt"] > count / 10


@pytest.mark.parametrize(("synchronous", "kind"), [("NORMAL", "lost"), ("OFF", "torn")])
def test_control_less_syncing_loses(memory: Path, repository: Path, synchronous: str, kind: str) -> None:
    run = Run("power loss")
    print(f"WEIGHGATE_SEED={run.seed}")  # noqa: T201 - a failure is repeated with it
    recording = recorded(memory, repository, synchronous, (1, 1))
    _, bad = lose_power(memory, recording, 600, random.Random(run.seed), stop_at=kind)
    assert bad[kind]
