"""The witness: books that come up with less than it saw, elsewhere, or without it, are fenced; a crash never is."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.store import witness as under_test
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database, StoreBusy
from edge.store.ledger import LedgerRow
from edge.store.witness import Place, Seen, Witness, WitnessBroken, WitnessUnwritable, judge
from sync.records import Returned

INSTANCE, OTHER = "HX01/1/9f86d081884c7d65", "HX01/2/9f86d081884c7d65"


class Box:
    """A plant's folders: the books in one, the witness in another."""

    def __init__(self, folder: Path) -> None:
        self.data, self.witness = folder / "data", folder / "data.witness" / "plant.json"

    def start(self, work: Callable[[Database], None] = lambda database: None, instance: str = INSTANCE) -> str:
        """One life: opened, judged, some work, closed. Returns why it was fenced."""
        database = Database(self.data / "plant.db", Clock())
        witness = Witness(self.witness, instance)
        try:
            why = witness.begin(database)
            assert bool(why) == bool(database.transact_now(lambda books: books.fenced))
            work(database)
        finally:
            try:
                witness.close()
            finally:
                database.close()
        return why

    def copy(self, target: Path) -> Path:
        """The data folder as somebody saves it."""
        return Path(shutil.copytree(self.data, target))

    def put_back(self, saved: Path) -> None:
        """The data folder replaced by a saved one."""
        shutil.rmtree(self.data)
        shutil.copytree(saved, self.data)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def add(count: int = 1) -> Callable[[Database], None]:
    """So many transactions with a record each."""

    def work(database: Database) -> None:
        for _ in range(count):
            database.transact_now(lambda books: books.ledger.append(Returned(account="a", returned_fen=0)))

    return work


def test_a_plant_that_only_goes_on_is_never_fenced(box: Box) -> None:
    for _ in range(4):
        assert box.start(add(3)) == ""
        assert box.start() == ""


def test_a_copy_made_before_the_last_record_is_fenced_for_ever(box: Box, tmp_path: Path) -> None:
    box.start(add())
    saved = box.copy(tmp_path / "saved")
    box.start(add())
    box.put_back(saved)
    assert "start 1" in box.start(add())
    assert "start 1" in box.start(), "it remembers"


def test_a_copy_from_the_same_life_is_told_by_its_rows(box: Box, tmp_path: Path) -> None:
    saved: list[Path] = []

    def work(database: Database) -> None:
        add(2)(database)
        saved.append(box.copy(tmp_path / "saved"))
        add()(database)

    box.start(work)
    box.put_back(saved[0])
    assert "row 3" in box.start()


def test_true_books_put_back_after_a_copy_was_tried_go_on(box: Box, tmp_path: Path) -> None:
    """The copy came up fenced and left the witness alone."""
    box.start(add())
    old = box.copy(tmp_path / "old")
    box.start(add())
    true = box.copy(tmp_path / "true")
    box.put_back(old)
    assert box.start(add(5))
    box.put_back(true)
    assert box.start(add()) == ""


def test_another_ledger_of_the_same_length_is_fenced(box: Box, tmp_path: Path) -> None:
    box.start(add())
    saved = box.copy(tmp_path / "saved")
    box.start(add())
    stranger = Box(tmp_path / "b")
    shutil.copytree(saved, stranger.data)
    box.witness.parent.rename(stranger.witness.parent)
    database = Database(stranger.data / "plant.db", Clock())
    database.transact_now(lambda books: books.ledger.append(Returned(account="b", returned_fen=0)))
    database.transact_now(lambda books: books.keep("start", 2))
    database.close()
    assert "row 2" in stranger.start()


@pytest.mark.parametrize("how", ["missing", "torn", "empty", "other machine", "copied", "copied in its place"])
def test_without_its_own_witness_there_is_no_selling(box: Box, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    box.start(add())
    match how:
        case "missing":
            shutil.rmtree(box.witness.parent)
        case "torn":
            content = bytearray(box.witness.read_bytes())
            content[20] ^= 1
            content[4096 + 20] ^= 1
            box.witness.write_bytes(content)
        case "empty":
            box.witness.write_bytes(b"")
        case "copied":
            shutil.copytree(box.witness.parent, box.witness.parent.with_name("saved"))
            shutil.rmtree(box.witness.parent)
            box.witness.parent.with_name("saved").rename(box.witness.parent)
        case "copied in its place":
            # The file system gives the number of the deleted file to the next one.
            known = box.witness.read_bytes()
            box.witness.unlink()
            box.witness.write_bytes(known)
        case _:
            monkeypatch.setattr(under_test, "machine_id", lambda: "another")
    before = box.witness.read_bytes() if box.witness.exists() else b""
    assert box.start()
    assert (box.witness.read_bytes() if box.witness.exists() else b"") == before


def test_books_and_witness_copied_over_themselves_after_a_clean_end_are_fenced(box: Box, tmp_path: Path) -> None:
    """`cp -r` of both folders, made while the plant ran, put back into the files that are there: same inodes."""
    saved, seen = tmp_path / "saved", tmp_path / "seen"

    def work(database: Database) -> None:
        add()(database)
        box.copy(saved)
        seen.write_bytes(box.witness.read_bytes())
        add()(database)

    box.start(work)
    for file in saved.iterdir():
        (box.data / file.name).write_bytes(file.read_bytes())
    box.witness.write_bytes(seen.read_bytes())
    assert "copy" in box.start()


def test_a_witness_copied_over_itself_after_a_crash_is_told_by_its_mark(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = tmp_path / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.weighgate", b"1")
    except OSError:
        pytest.skip("this file system keeps no attributes")
    monkeypatch.setattr(under_test, "_SYNC_EVERY_S", 0.0)
    database = Database(box.data / "plant.db", Clock())
    witness = Witness(box.witness, INSTANCE)
    assert witness.begin(database) == ""
    add(2)(database)
    saved, seen = box.copy(tmp_path / "saved"), box.witness.read_bytes()
    add(2)(database)
    monkeypatch.setattr(witness, "_create", lambda *told: None)  # the process is killed: no new file
    witness.close()
    database.close()
    box.put_back(saved)
    box.witness.write_bytes(seen)
    assert "over itself" in box.start()


def test_one_torn_record_leaves_the_other(box: Box) -> None:
    """A power cut in the middle of a write: the record before it still counts."""
    box.start(add(2))
    content = bytearray(box.witness.read_bytes())
    content[20] ^= 1
    box.witness.write_bytes(content)
    assert box.start() == ""


def test_a_new_epoch_on_the_same_box_is_adopted_and_the_old_one_then_fenced(box: Box, tmp_path: Path) -> None:
    box.start(add())
    old = box.copy(tmp_path / "old")
    shutil.rmtree(box.data)
    assert box.start(add(), instance=OTHER) == ""
    box.put_back(old)
    assert OTHER in box.start()


def test_empty_books_in_the_place_of_old_ones_are_fenced(box: Box) -> None:
    """The data folder was lost, the key was not: ticket 1 would be sold again."""
    box.start(add())
    shutil.rmtree(box.data)
    assert box.start()


def test_books_from_before_there_were_witnesses_are_adopted(box: Box) -> None:
    database = Database(box.data / "plant.db", Clock())
    add(3)(database)
    database.close()
    assert box.start() == ""


class Died(Exception):
    """The process was killed here."""


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("step", range(6))
def test_killed_while_starting_over_and_over(box: Box, first: bool, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after each write of books and witness; three times in a row at the same place."""
    if not first:
        box.start(add())
    calls = iter(range(10))

    def deadly(real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object) -> object:
            if next(calls) == step:
                raise Died
            return real(*given)

        return call

    for _ in range(3):
        calls = iter(range(10))
        with monkeypatch.context() as patched:
            patched.setattr(Witness, "_create", deadly(Witness._create))  # noqa: SLF001 - a kill between two writes
            patched.setattr(Database, "transact_now", deadly(Database.transact_now))
            with contextlib.suppress(Died):
                box.start()
    assert box.start(add()) == ""
    assert box.start() == ""


def test_a_row_that_is_rolled_back_is_not_told(box: Box) -> None:
    told: list[LedgerRow] = []

    def work(database: Database) -> None:
        database.on_row = told.append

        def fails(books: Books) -> None:
            books.ledger.append(Returned(account="a", returned_fen=0))
            raise Died

        with pytest.raises(Died):
            database.transact_now(fails)
        database.transact_now(lambda books: books.keep("queue_number", 1))
        add()(database)

    box.start(work)
    assert [row.seq for row in told] == [1]


def test_the_file_follows_every_commit(box: Box) -> None:
    def work(database: Database) -> None:
        for seq in range(1, 6):
            add()(database)
            reading = Witness.__new__(Witness)
            reading.path, reading._known = box.witness, True  # noqa: SLF001 - a second reader without the lock
            seen = reading.read()
            assert seen is not None and seen.seq == seq

    box.start(work)


def test_a_witness_that_cannot_be_written_any_more_does_not_stop_the_scale(box: Box) -> None:
    def work(database: Database) -> None:
        (handle,) = (int(each.name) for each in Path("/proc/self/fd").iterdir() if each.resolve() == box.witness)
        spare = os.open(box.witness, os.O_RDONLY)
        os.dup2(spare, handle)
        os.close(spare)
        add(3)(database)

    assert box.start(work) == ""
    assert box.start() == "", "it only lags"


def test_no_place_for_it(box: Box, tmp_path: Path) -> None:
    box.witness.parent.parent.mkdir(exist_ok=True)
    box.witness.parent.write_text("a file where the folder should be")
    with pytest.raises(WitnessUnwritable, match="plant.witness: .*plant.json"):
        box.start()


@pytest.fixture
def held(box: Box) -> Iterator[Box]:
    """A box whose witness another process holds."""
    box.start()
    program = "import sys; from pathlib import Path; from edge.store.witness import Witness\n"
    program += f"w = Witness(Path(sys.argv[1]), {INSTANCE!r}); print('held', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", program, box.witness], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    yield box
    child.communicate("")


def test_two_copies_of_the_books_cannot_share_a_witness(held: Box, tmp_path: Path) -> None:
    """The lock beside the books does not tell two folders apart; the one beside the witness does."""
    held.put_back(held.copy(tmp_path / "twin"))
    with pytest.raises(StoreBusy, match="another weighgate process"):
        held.start()


def test_the_rule() -> None:
    seen, here = Seen(INSTANCE, "m", "f", 3, 7, "hash7"), Place("m", "f")

    def rule(start: int, *, instance: str = INSTANCE, place: Place = here, row: str = "hash7") -> str:
        return judge(seen, start, instance, place, lambda seq: row if seq == 7 else "")

    assert (rule(3), rule(4)) == ("", "")
    for bad in (rule(2), rule(5), rule(0), rule(3, instance=OTHER), rule(3, row="")):
        assert bad
    for elsewhere in (Place("n", "f"), Place("m", "g")):
        assert rule(3, place=elsewhere)
    assert rule(0, instance=OTHER, place=Place("n", "g")) == "", "a new epoch"
    assert judge(None, 0, INSTANCE, Place("m", ""), lambda seq: "") == ""
    assert judge(None, 1, INSTANCE, Place("m", ""), lambda seq: "")


def test_a_record_that_is_no_record(box: Box) -> None:
    box.start()
    box.witness.write_bytes(b'{"start": 1}\t0000\n' + b" " * 6000)
    witness = Witness(box.witness, INSTANCE)
    with pytest.raises(WitnessBroken):
        witness.read()
    witness.close()
