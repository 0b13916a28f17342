"""Any story that people, networks and fires can write, over the real code of plants and head office on real files.

Hypothesis writes the stories. After each step: not one fen is dispatched beyond what was paid. At the end the weather
turns fair, and head office and the plants must hold the same. Single steps seldom reach a full balance, and a harness
that never gets there proves nothing: so some rules do in one go what a whole day does, and the run tells how often
everything that was paid had been dispatched.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.reliability import Run
from tests.world.seams import virtual_time
from tests.world.world import World

_MEMORY = Path("/dev/shm")
PICK = strategies.integers(0, 999)
CUSTOMER = strategies.integers(0, 1)
PLANT = strategies.integers(0, 1)
AMOUNT = strategies.integers(1, 2_500)
"""Of one scale division's money each: up to ¥100,000, one truck and a half."""
WEATHER = strategies.integers(0, 9)
_QUIET = settings(
    stateful_step_count=50, derandomize=False, database=None, deadline=None, print_blob=False,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


class Days(RuleBasedStateMachine):
    """Two plants, two customers, one head office."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="weighgate-", dir=_MEMORY if _MEMORY.is_dir() else None))
        self.loop = asyncio.new_event_loop()
        self.world = World(self.folder, self.loop)
        self.sound = True

    def step(self, *works: Callable[[], object]) -> None:
        """Do it, then look whether everything holds."""
        self.sound = False
        for work in works:
            work()
            self.world.check()
        self.counts["steps"] += 1
        self.sound = True

    def teardown(self) -> None:
        try:
            if self.sound:
                self.world.heal()
            self.counts.update(self.world.counts)
            self.counts["examples"] += 1
            self.counts["examples that ended at a full balance"] += bool(self.world.truth.full)
            self.counts["tickets"] += self.world.truth.tickets
            self.counts["crashes"] += self.world.crashes
        finally:
            self.world.close()
            self.loop.close()
            shutil.rmtree(self.folder)

    # Whole days in one step.

    @rule(plant=PLANT, customer=CUSTOMER, amount=AMOUNT)
    def sell(self, plant: int, customer: int, amount: int) -> None:
        """Paid, noticed, loaded with all the money, gone."""
        world = self.world
        self.step(
            lambda: world.pay(customer, amount), lambda: world.notice(plant, customer), world.exchange,
            lambda: world.spend_all(plant), lambda: world.leave(plant),
        )  # fmt: skip

    @rule(plant=PLANT, customer=CUSTOMER, amount=AMOUNT)
    def pay_and_grant_everything(self, plant: int, customer: int, amount: int) -> None:
        """All that is free goes to one plant, with a truck there to use it."""
        world = self.world
        self.step(
            lambda: world.pay(customer, amount), lambda: world.notice(plant, customer),
            lambda: world.grant_all(plant, customer),
        )  # fmt: skip

    @rule(customer=CUSTOMER)
    def grant_everything(self, customer: int) -> None:
        self.step(lambda: self.world.grant_all(0, customer), lambda: self.world.grant_all(1, customer))

    @rule(customer=CUSTOMER)
    def notice_everywhere(self, customer: int) -> None:
        """A truck for this customer at each plant."""
        world = self.world
        self.step(lambda: world.notice(0, customer), lambda: world.notice(1, customer), world.exchange)

    @rule()
    def spend_everything_everywhere(self) -> None:
        """Every box, copies and zombies too, loads all that it thinks it has."""
        world = self.world
        self.step(*(lambda pick=pick: world.spend_all(pick, 2) for pick in range(len(world.all_boxes))))

    @rule(picks=strategies.lists(PICK, min_size=3, max_size=12))
    def old_messages_come_back(self, picks: list[int]) -> None:
        """Whatever was sent, long ago or just now, to whom it concerns."""
        world = self.world
        for pick in picks:
            self.step(lambda: world.again_up(pick), lambda: world.again_down(pick, pick // 2))  # noqa: B023

    # Single steps.

    @rule(weather=WEATHER)
    def exchange(self, weather: int) -> None:
        self.step(lambda: self.world.exchange(weather))

    @rule()
    def lose_all_on_its_way(self) -> None:
        self.step(self.world.lose)

    @rule(pick=PICK, share=strategies.integers(1, 3), more_kg=strategies.sampled_from([0, 0, 20, 2_000]))
    def load(self, pick: int, share: int, more_kg: int) -> None:
        self.step(lambda: self.world.load(pick, share, more_kg))

    @rule(pick=PICK)
    def press_again(self, pick: int) -> None:
        self.step(lambda: self.world.press_again(pick))

    @rule(pick=PICK)
    def void(self, pick: int) -> None:
        self.step(lambda: self.world.void(pick))

    @rule(pick=PICK)
    def leave(self, pick: int) -> None:
        self.step(lambda: self.world.leave(pick))

    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        self.step(lambda: self.world.cancel(pick))

    @rule(customer=CUSTOMER, share=strategies.integers(1, 3))
    def refund(self, customer: int, share: int) -> None:
        self.step(lambda: self.world.refund(customer, share))

    @rule(pick=PICK)
    def cheque_bounces(self, pick: int) -> None:
        self.step(lambda: self.world.undo(pick))

    @rule(plant=PLANT, customer=CUSTOMER, keep=strategies.sampled_from([0, 0, 500]))
    def recall(self, plant: int, customer: int, keep: int) -> None:
        self.step(lambda: self.world.recall(plant, customer, keep))

    @rule(plant=PLANT, customer=CUSTOMER, share=strategies.integers(1, 3), scanned=strategies.booleans())
    def carry_a_code(self, plant: int, customer: int, share: int, scanned: bool) -> None:
        self.step(lambda: self.world.carry(plant, customer, share))
        if scanned:
            self.step(lambda: self.world.scan(plant, 0))

    @rule(pick=PICK, code=PICK)
    def scan_a_code(self, pick: int, code: int) -> None:
        self.step(lambda: self.world.scan(pick, code))

    # Faults.

    @rule(pick=PICK, commits=strategies.integers(1, 4), after=strategies.booleans())
    def crash(self, pick: int, commits: int, after: bool) -> None:
        self.step(lambda: self.world.crash(pick, commits, after))

    @rule(pick=PICK, up=strategies.booleans())
    def cut(self, pick: int, up: bool) -> None:
        self.step(lambda: self.world.cut(pick, up))

    @rule(pick=PICK, years=strategies.integers(-10, 10))
    def clock_jumps(self, pick: int, years: int) -> None:
        self.step(lambda: self.world.jump(pick, years))

    @precondition(lambda self: len(self.world.all_boxes) < 4)
    @rule(plant=PLANT)
    def replace_box(self, plant: int) -> None:
        self.step(lambda: self.world.replace_box(plant))


@pytest.fixture
def stepped() -> Iterator[None]:
    """Virtual time for both ends."""
    with virtual_time():
        Days.counts.clear()
        yield


def play(examples: int, number: int, machine: type[Days] = Days) -> None:
    """So many stories from one seed, without a search for shorter ones."""
    phases = (Phase.generate,)
    run_state_machine_as_test(seed(number)(machine), settings=settings(_QUIET, max_examples=examples, phases=phases))


@pytest.mark.usefixtures("stepped")
def test_no_story_dispatches_more_than_was_paid() -> None:
    play(12, 3)
    counts = Days.counts
    assert counts["examples that ended at a full balance"] > 0, counts


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("stepped")
def test_five_thousand_stories(capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("any story over the real code of plants and head office")
    play(5_000, run.seed)
    told = ", ".join(f"{name}: {count}" for name, count in sorted(Days.counts.items()))
    run.tell(capfd, Days.counts["steps"], f"0 fen beyond what was paid; {told}")
    assert Days.counts["examples that ended at a full balance"] > 250
