"""F10: a bit flips on the disk. `weighgate ledger verify` finds it, or no row of the books was in it."""

import json
import multiprocessing
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.disks import in_memory
from tests.edge.faults.flips import Flipper, at_the_first, fill, flips
from tests.reliability import Run

SHORT, LONG = 100, 10_000
SHORT_VISITS, LONG_VISITS = 20, 340
PROCESSES = 2


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one."""
    with in_memory(tmp_path, "bits") as folder:
        yield folder


def flipper(memory: Path, name: str = "place") -> Flipper:
    """Books to spoil, beside those in `memory`."""
    place = memory / name
    place.mkdir()
    return Flipper(memory / "books", place)


def silent(found: Counter[str]) -> list[str]:
    """The flips that must not be."""
    return [how for how in found if how.startswith("SILENT")]


def test_flips_are_found_or_touch_no_row(memory: Path) -> None:
    run = Run("bit flips")
    print(f"WEIGHGATE_SEED={run.seed}")  # noqa: T201 - a failure is repeated with it
    (memory / "books").mkdir()
    fill(memory / "books", SHORT_VISITS)
    found = flips(flipper(memory), SHORT, random.Random(run.seed))
    assert not silent(found), found
    # Three of eight touch no row, a third are found in the log, a fifth by rows: each bound fails once in 10^9 runs.
    assert found["by rows"] and found["by log"] and found["harmless"] < SHORT * 2 / 3


def test_control_sqlite_alone_misses_most(memory: Path) -> None:
    run = Run("bit flips, control")
    (memory / "books").mkdir()
    fill(memory / "books", SHORT_VISITS)
    found = flips(flipper(memory), SHORT, random.Random(run.seed), blind=True)
    assert len(silent(found)) > SHORT / 10, found


def _share(memory: str, number: int, seed: int, count: int) -> Counter[str]:
    with at_the_first():
        return flips(flipper(Path(memory), f"place{number}"), count, random.Random(seed + number))


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_ten_thousand_flips(memory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Books of more than 300 tickets, their newest in the log."""
    run = Run("bit flips")
    (memory / "books").mkdir()
    fill(memory / "books", LONG_VISITS)
    shares = [(str(memory), number, run.seed, LONG // PROCESSES) for number in range(PROCESSES)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        found = sum(pool.starmap(_share, shares), Counter[str]())
    counts = {how: count for how, count in found.most_common() if not how.startswith("SILENT")}
    silently = silent(found)
    run.tell(capfd, found.total(), f"{len(silently)} silently wrong; {json.dumps(counts)}")
    assert not silently and found.total() == LONG, silently
