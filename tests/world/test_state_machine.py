"""Any story that people, networks and fires can write, over the real code of plants and head office on real files.

Hypothesis writes the stories. After each step: not one fen is dispatched beyond what was paid. At the end the weather
turns fair, and head office and the plants must hold the same. Single steps seldom reach a full balance, and a harness
that never gets there proves nothing: so some rules do in one go what a whole day does, and the run tells how often
everything that was paid had been dispatched.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from sync.allotment import Shortage
from tests.reliability import Run
from tests.world.mutants import MUTANTS
from tests.world.seams import Crash, virtual_time
from tests.world.world import World

_MEMORY = Path("/dev/shm")
PICK = strategies.integers(0, 999)
CUSTOMER = strategies.integers(0, 1)
PLANT = strategies.integers(0, 1)
AMOUNT = strategies.integers(1, 2_500)
"""Of one scale division's money each: up to ¥100,000, one truck and a half."""
WEATHER = strategies.integers(0, 9)
YEARS = strategies.integers(-10, 10)
_VERIFY_EVERY = 5
"""Both ends read all their books again in every fifth story: it takes as long as a story."""
_PEOPLE = ("load", "load", "press again", "void", "leave", "cancel", "refund", "bounce", "recall", "scan")
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
        world = self.world
        try:
            if self.sound:
                world.spend_everywhere()
                world.heal(verified=self.counts["examples"] % _VERIFY_EVERY == 0)
                world.sell_everything()
            self.counts.update(world.counts)
            self.counts["examples"] += 1
            self.counts["examples that ended at a full balance"] += bool(world.truth.full)
            self.counts["tickets"] += world.truth.tickets
            self.counts["crashes"] += world.crashes
        finally:
            world.close()
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

    @rule(plant=PLANT, customer=CUSTOMER, amount=AMOUNT, arrives=strategies.booleans())
    def pay_and_grant_everything(self, plant: int, customer: int, amount: int, arrives: bool) -> None:
        """All that is free goes to one plant, with a truck there to use it."""
        world = self.world
        self.step(lambda: world.pay(customer, amount), lambda: world.notice(plant, customer))
        self.step(lambda: world.grant_all(plant, customer), *([world.exchange] if arrives else []))

    @rule()
    def sell_everything(self) -> None:
        self.step(self.world.sell_everything)

    @rule(customer=CUSTOMER)
    def notice_everywhere(self, customer: int) -> None:
        """A truck for this customer at each plant."""
        world = self.world
        self.step(lambda: world.notice(0, customer), lambda: world.notice(1, customer), world.exchange)

    @rule()
    def spend_everything_everywhere(self) -> None:
        self.step(self.world.spend_everywhere)

    @rule(plant=PLANT, customer=CUSTOMER, amount=AMOUNT, share=strategies.integers(1, 2))
    def pay_and_carry_a_code(self, plant: int, customer: int, amount: int, share: int) -> None:
        """A truck stands there, the link is down, finance reads out a code."""
        world = self.world
        self.step(
            lambda: world.pay(customer, amount), lambda: world.carry(plant, customer, share),
            lambda: world.scan(plant, 0), lambda: world.spend_all(plant),
        )  # fmt: skip

    # Single steps.

    @rule(what=strategies.sampled_from(_PEOPLE), pick=PICK, other=PICK)
    def somebody(self, what: str, pick: int, other: int) -> None:
        """Does one thing, at any box or at head office."""
        world = self.world
        match what:
            case "load":
                self.step(lambda: world.load(pick, 1 + other % 3, (0, 20, 2_000)[other % 7 % 3]))
            case "press again":
                self.step(lambda: world.press_again(pick))
            case "void":
                self.step(lambda: world.void(pick))
            case "leave":
                self.step(lambda: world.leave(pick))
            case "cancel":
                self.step(lambda: world.cancel(pick))
            case "refund":
                self.step(lambda: world.refund(pick, 1 + other % 3))
            case "bounce":
                self.step(lambda: world.undo(pick % 3))
            case "recall":
                self.step(lambda: world.recall(pick, other, (0, 0, 500)[other % 3]))
            case "scan":
                self.step(lambda: world.scan(pick, other))

    @rule(weather=WEATHER)
    def exchange(self, weather: int) -> None:
        self.step(lambda: self.world.exchange(weather))

    @rule(picks=strategies.lists(PICK, min_size=2, max_size=8))
    def old_messages_come_back(self, picks: list[int]) -> None:
        """Whatever was sent, long ago or just now, to whom it concerns."""
        self.step(lambda: self.world.again(picks))

    # Plant epochs.

    @precondition(lambda self: len(self.world.all_boxes) < 4)
    @rule(plant=PLANT, closed=strategies.booleans(), served=strategies.booleans())
    def next_epoch(self, plant: int, closed: bool, served: bool) -> None:
        """A box is lost and replaced; or its epoch is closed, trucks in the yard are served, and it is replaced."""
        world = self.world
        if closed:
            self.step(lambda: world.close_epoch(plant), world.exchange)
        if closed and served:
            self.step(lambda: world.spend_all(plant, 3), world.exchange)
        self.step(lambda: world.replace_box(plant))

    @precondition(lambda self: self.world.zombies)
    @rule(pick=PICK, by_disk=strategies.booleans())
    def settle_an_old_box(self, pick: int, by_disk: bool) -> None:
        self.step(lambda: self.world.settle(pick, by_disk))

    # Faults.

    @rule(pick=PICK, commits=strategies.integers(1, 4), when=strategies.integers(0, 2))
    def crash(self, pick: int, commits: int, when: int) -> None:
        self.step(lambda: self.world.crash(pick, commits, when))

    @rule(what=strategies.sampled_from(["cut", "join", "lose", "clock", "night"]), pick=PICK, years=YEARS)
    def accident(self, what: str, pick: int, years: int) -> None:
        """A cable, everything on its way, a clock, or time that passes."""
        world = self.world
        match what:
            case "cut" | "join":
                self.step(lambda: world.cut(pick, what == "join"))
            case "lose":
                self.step(world.lose)
            case "clock":
                self.step(lambda: world.jump(pick, years))
            case "night":
                self.step(world.night)

    @rule(pick=PICK, backup=strategies.booleans())
    def copy(self, pick: int, backup: bool) -> None:
        """Of one box, or of head office."""
        if pick % 3:
            self.step(lambda: self.world.copy_box(pick, backup))
        else:
            self.step(self.world.copy_office)

    @precondition(lambda self: self.world.copies)
    @rule(pick=PICK)
    def restore_a_box(self, pick: int) -> None:
        """And it tries to sell at once."""
        self.step(lambda: self.world.restore_box(pick), lambda: self.world.spend_all(pick, 2))

    @precondition(lambda self: self.world.office_copy is not None and not self.world.office.mode)
    @rule(plant=PLANT, customer=CUSTOMER, arrives=strategies.booleans(), old_runs_on=strategies.booleans())
    def grant_everything_and_restore_head_office(
        self, plant: int, customer: int, arrives: bool, old_runs_on: bool
    ) -> None:
        """It forgets what it has just granted; that arrives before, or some day."""
        world = self.world
        self.step(lambda: world.notice(plant, customer), lambda: world.grant_all(plant, customer))
        self.step(world.exchange if arrives else world.office.look)
        self.step(lambda: world.restore_office(old_runs_on))

    @precondition(lambda self: self.world.old_office is not None)
    @rule(plant=PLANT, customer=CUSTOMER)
    def old_head_office_grants(self, plant: int, customer: int) -> None:
        self.step(lambda: self.world.old_office_grants(plant, customer))

    @precondition(lambda self: self.world.office.mode)
    @rule()
    def reconcile(self) -> None:
        self.step(self.world.reconcile)


@pytest.fixture
def stepped() -> Iterator[None]:
    """Virtual time for both ends."""
    with virtual_time():
        Days.counts.clear()
        yield


def tell(story: Callable[[World], None]) -> None:
    """One story that is known to its end."""
    with (
        tempfile.TemporaryDirectory(prefix="weighgate-") as folder,
        contextlib.closing(asyncio.new_event_loop()) as loop,
    ):
        world = World(Path(folder), loop)
        try:
            story(world)
        finally:
            world.close()


def play(examples: int, number: int, machine: type[Days] = Days) -> None:
    """So many stories from one seed, without a search for shorter ones."""
    phases = (Phase.generate,)
    run_state_machine_as_test(seed(number)(machine), settings=settings(_QUIET, max_examples=examples, phases=phases))


@pytest.mark.usefixtures("stepped")
def test_no_story_dispatches_more_than_was_paid() -> None:
    play(7, 3)
    counts = Days.counts
    assert counts["examples that ended at a full balance"] > 0, counts


@pytest.mark.usefixtures("stepped")
@pytest.mark.parametrize("name", MUTANTS)
def test_a_program_without_one_safeguard_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    tell(mutant.story)
    mutant.take_hold(monkeypatch)
    with pytest.raises((AssertionError, Shortage, Crash)):
        tell(mutant.story)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("stepped")
def test_five_thousand_stories(capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("any story over the real code of plants and head office")
    play(int(os.environ.get("WEIGHGATE_STORIES") or 5_000), run.seed)
    told = ", ".join(f"{name}: {count}" for name, count in sorted(Days.counts.items()))
    run.tell(capfd, Days.counts["steps"], f"0 fen beyond what was paid; {told}")
    assert Days.counts["examples that ended at a full balance"] > Days.counts["examples"] / 20
