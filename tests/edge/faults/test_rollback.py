"""F13: the data folder is copied at random moments while a plant writes, or after it stopped, and put back later.

It must come up fenced, or not at all, or as exactly the books that there were. `WEIGHGATE_ROLLBACKS` sets how many;
`WEIGHGATE_SEED` repeats a run. The control takes the witness's rule away and must sell from an old copy.
"""

import contextlib
import os
import random
import shutil
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from edge.store import witness as rule
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database, StoreBroken
from edge.store.ledger import LedgerRow
from edge.store.tail_check import BooksTorn
from edge.store.witness import Witness
from tests.edge.station.rig import make_plant
from tests.edge.store.books import leave, load, order, print_all
from tests.reliability import Run, choose_seed

INSTANCE = "HX01/3/9f86d081884c7d65"
PLANT = make_plant()
DEFAULT_ROUNDS, LONG_ROUNDS = 25, 1_000
FORCED = {0: True, 1: False}
"""Of eight rounds one surely works on after the copy, and one surely does not: no run is vacuous by chance."""


class Plant:
    """The real books with their witness: `live` trucks go through, one commit after the other."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.witness = folder / "data.witness" / "plant.json"
        self.head = LedgerRow(0, "")
        self.trucks = 0

    def live(self, trucks: int, work: threading.Event | None = None) -> str:
        """Start, serve so many trucks, stop. Returns why it was fenced; fenced books serve nobody."""
        database = Database(self.data / "plant.db", Clock())
        witness = Witness(self.witness, INSTANCE)
        try:
            why = witness.begin(database)
            if work is not None:
                work.set()
            for _ in range(0 if why else trucks):
                self.trucks += 1
                number = self.trucks
                name = database.transact_now(lambda books, number=number: order(books, number))  # type: ignore[misc]
                ticket = database.transact_now(lambda books, name=name: load(books, PLANT, name))  # type: ignore[misc]
                database.transact_now(print_all)
                database.transact_now(lambda books, ticket=ticket: leave(books, PLANT, ticket))  # type: ignore[misc]
            self.head = database.transact_now(lambda books: books.ledger.head())
        finally:
            witness.close()
            database.close()
        return why


def money(books: Books) -> object:
    """What a copy must not have otherwise: the ledger's end, the accounts, the next ticket."""
    return books.ledger.head(), books.accounts.all(), books.tickets.next_number()


def read(path: Path) -> object:
    database = Database(path, Clock())
    try:
        return database.transact_now(money)
    finally:
        database.close()


def copy_as_it_stands(data: Path, saved: Path) -> None:
    """File by file, as cp does it, while the writer goes on: torn, and without what vanished meanwhile."""
    saved.mkdir()
    for file in data.iterdir():
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(file, saved)


def one_round(folder: Path, dice: random.Random, works_on: bool | None = None) -> str:
    """Live, be copied, live on, be put back: what came of it. Unless `works_on` says it, the dice do."""
    plant = Plant(folder)
    plant.live(dice.randint(0, 2))
    saved = folder / "saved"
    if works_on is None and dice.random() < 0.6:
        started = threading.Event()
        writer = threading.Thread(target=plant.live, args=(dice.randint(3, 8), started))
        writer.start()
        started.wait(10)
        time.sleep(dice.uniform(0, 0.03))
        copy_as_it_stands(plant.data, saved)
        writer.join(30)
    else:
        shutil.copytree(plant.data, saved)
    lives = [1] if works_on else []
    if works_on is None:
        lives = [dice.randint(0, 2) for _ in range(dice.randint(0, 2))]
    for trucks in lives:
        plant.live(trucks)
    true = read(plant.data / "plant.db")
    shutil.rmtree(plant.data)
    shutil.copytree(saved, plant.data)
    try:
        before = read(plant.data / "plant.db")
        why = plant.live(0)
    except (StoreBroken, BooksTorn):
        return "not opened"
    if why:
        return "fenced"
    return "the same books" if before == true else "SOLD FROM AN OLD COPY"


def rounds(folder: Path, count: int, seed: int) -> list[str]:
    """So many rounds; what came of each."""
    dice, results = random.Random(seed), []
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        results.append(one_round(place, dice, FORCED.get(number % 8)))
        shutil.rmtree(place)
    return results


def check(folder: Path, count: int, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("F13 rollback")
    results = rounds(folder, count, run.seed)
    counts = Counter(results)
    run.tell(capfd, count, ", ".join(f"{number} {what}" for what, number in counts.most_common()))
    assert counts["SOLD FROM AN OLD COPY"] == 0, counts
    assert set(results[0::8]) == {"fenced"} and set(results[1::8]) == {"the same books"}, results


@pytest.mark.timeout(120)
def test_a_copy_never_comes_up_as_the_original(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, int(os.environ.get("WEIGHGATE_ROLLBACKS") or DEFAULT_ROUNDS), capfd)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_a_copy_never_comes_up_as_the_original_a_thousand_times(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, int(os.environ.get("WEIGHGATE_ROLLBACKS") or LONG_ROUNDS), capfd)


@pytest.mark.timeout(120)
def test_without_the_rule_an_old_copy_sells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the first round catches a program that asks no witness."""
    monkeypatch.setattr(rule, "judge", lambda *given: "")
    assert rounds(tmp_path, 1, choose_seed()) == ["SOLD FROM AN OLD COPY"]
