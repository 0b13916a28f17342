"""F12: the computer's clock jumps while the plant works: order, numbers, money and every decision stay the same.

The same seeded life of a plant is lived twice, with restarts at the same places: once by a true clock, once by one that
jumps ten years either way, starts in 1970, is set by an hour for summer time, or repeats a second. What is left out of
the comparison is what a clock is for: the times themselves and the business date. Nothing runs out within a life, so
nothing may be told to have run out. While the clock is wrong by more than minutes, every record is marked.
"""

import os
import random
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.domain.exit_pass import GateDecision, Verdict
from edge.domain.refusal import Reason
from edge.station import passage
from edge.station.passage import Scan
from edge.store.books import Books
from edge.store.database import Database
from edge.store.verify import verify
from tests.edge.faults.lives import DAY, LEAST_TICKETS, STARTS, YEARS, Life, Time, WrongClock, jumps, steady
from tests.edge.looks import seen
from tests.edge.station.rig import make_plant, notice
from tests.edge.store.books import document, leave_empty, load, order
from tests.reliability import Run

SHORT, LONG = 1, 60
VISITS = 25


def two_lives(folder: Path, seed: int, start: datetime) -> tuple[Life, Life]:
    """The same life by a true clock and by one that jumps."""
    lives = []
    for name, jump in (("steady", steady), ("jumps", jumps)):
        (folder / name).mkdir(parents=True)
        plant = make_plant(timezone=ZoneInfo("Europe/Berlin"))
        time, dice = Time(start), random.Random(seed)
        life = Life(folder / name / "plant.db", plant, time, dice, jump, random.Random(seed + 1))
        life.live(VISITS)
        lives.append(life)
    return lives[0], lives[1]


def compare(by_true: Life, by_wrong: Life) -> None:
    """Everything but time is the same, and what was written by a wrong clock says so."""
    assert by_wrong.told == by_true.told
    assert by_wrong.records() == by_true.records()
    accounts = "SELECT * FROM accounts ORDER BY account"
    assert by_wrong.rows(accounts) == by_true.rows(accounts)
    for life in (by_true, by_wrong):
        numbers = [number for (number,) in life.rows("SELECT number FROM tickets ORDER BY number")]
        assert numbers == list(range(1, len(numbers) + 1))
        report = verify(life.path)
        assert report.ok, [check.problem for check in report.checks if not check.ok]
    assert by_true.rows("SELECT COUNT(*) FROM ledger WHERE clock = 'bad'") == [(0,)]
    bad = {seq for (seq,) in by_wrong.rows("SELECT seq FROM ledger WHERE clock = 'bad'")}
    assert by_wrong.wrong_rows and by_wrong.wrong_rows <= bad, sorted(by_wrong.wrong_rows - bad)[:5]


def run_lives(folder: Path, lives: int, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("clock jumps: +-10 years, 1970, 2107, an hour, a second, restarts with them")
    decisions, marked, tickets = 0, 0, 0
    for number in range(lives):
        for name, start in STARTS.items():
            place = folder / f"{number}-{name.replace(' ', '-').replace('^', '')}"
            by_true, by_wrong = two_lives(place, run.seed + number, start)
            try:
                compare(by_true, by_wrong)
            except AssertionError as error:
                raise AssertionError(f"seed {run.seed + number}, {name}: {error}") from error
            decisions, marked = decisions + len(by_wrong.told), marked + len(by_wrong.wrong_rows)
            tickets += by_wrong.rows("SELECT COUNT(*) FROM tickets")[0][0]
            shutil.rmtree(place)
    assert tickets >= LEAST_TICKETS * lives * len(STARTS)
    run.tell(capfd, decisions, f"0 decisions differ, {tickets} tickets, all {marked} records of a wrong clock marked")


def test_every_decision_is_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_lives(tmp_path, SHORT, capfd)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_every_decision_is_the_same_in_many_lives(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_lives(tmp_path, int(os.environ.get("WEIGHGATE_CLOCKS") or LONG), capfd)


def test_control_a_clock_that_is_always_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WrongClock, "trusted", lambda self: True)
    with pytest.raises(AssertionError, match="run out|arrive|told"):
        compare(*two_lives(tmp_path, 1, STARTS["an ordinary day"]))


@pytest.mark.parametrize("wrong", [YEARS, -YEARS])
def test_an_empty_slip_is_void_once_its_truck_comes_again(tmp_path: Path, wrong: timedelta) -> None:
    """Also when the clock that stamped the slip was ahead, and is right again when the truck comes back."""
    time = Time(STARTS["an ordinary day"])
    database = Database(tmp_path / "plant.db", WrongClock(time))
    plant = make_plant()
    database.transact_now(lambda books: order(books, 1))
    time.error = wrong
    database.transact_now(lambda books: leave_empty(books, plant, "N1"))
    time.error = timedelta(0)
    time.goes_on(timedelta(hours=1))

    def load_again(books: Books) -> GateDecision:
        wire = notice("N2", plate="浙A00001", issued_at=time.true, expires_at=time.true + DAY)
        document(books, "notice", wire.model_dump(mode="json"))
        load(books, plant, "N2")
        slip = books.slips.get("N1")
        assert slip is not None
        read = passage.read_code(plant, slip.pass_code)
        return passage.pass_gate(books, plant, Scan("south", read, seen("浙A00001", "浙A00001"), "门")).decision

    decision = database.transact_now(load_again)
    database.close()
    assert decision.verdict is Verdict.REFUSE, "a loaded truck would leave as empty"
    assert decision.why is not None and decision.why.reason is Reason.PASS_VOIDED


def test_a_start_years_ahead_poisons_nothing_and_head_offices_word_ends_the_doubt(tmp_path: Path) -> None:
    """Between two starts nothing tells a long rest from a wrong clock; the next notice does."""
    time = Time(STARTS["an ordinary day"])
    life = Life(tmp_path / "plant.db", make_plant(), time, random.Random(1), steady, random.Random(1))
    life.start()
    life.order(1)
    life.database.close()
    time.error = YEARS
    life.start()
    assert not life.database.clock.trusted()
    life.order(2)
    assert not life.database.clock.trusted(), "head office knows better"
    time.error = timedelta(0)
    assert life.database.clock.trusted(), "set right while it runs"
    life.database.close()
    time.goes_on(400 * DAY)
    life.start()
    assert not life.database.clock.trusted(), "shut for more than a year, or the clock is wrong?"
    life.order(3)
    assert life.database.clock.trusted(), "a notice was signed a moment ago"
    life.database.close()
