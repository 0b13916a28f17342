"""Days of three plants, all faults at random from one seed, for so many minutes: `python -m tests.world.soak`.

Ends with every invariant, and tells how the memory of the process went.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.world.seams import TIME, virtual_time
from tests.world.world import World

_MEMORY = Path("/dev/shm")
_HEAL_EVERY = 400
_STEPS_A_DAY = 60
_TELL_EVERY_S = 10.0
_MOST_BOXES = 5


@dataclass(frozen=True)
class Result:
    """What a soak came to. `slope_kib_per_minute` is of the resident memory, over the second half."""

    seed: int
    seconds: float
    steps: int
    days: int
    tickets: int
    crashes: int
    full: int
    slope_kib_per_minute: float
    rss_mib: float
    problem: str

    def line(self) -> str:
        """For docs/reliability.md."""
        result = self.problem or (
            f"0 fen beyond what was paid, both ends equal to the fen; {self.days} days, {self.tickets} tickets, "
            f"{self.crashes} crashes, {self.full} steps at a full balance, {self.rss_mib:.0f} MiB, "
            f"{self.slope_kib_per_minute:+.0f} KiB/min"
        )
        fields = {"fault": "soak", "count": self.steps, "result": result, "seed": self.seed, "seconds": self.seconds}
        return "RELIABILITY " + json.dumps(fields, ensure_ascii=False)


class Soak:
    """One world and the dice. `say` gets a line every ten seconds."""

    def __init__(self, world: World, seed: int, say: Callable[[str], None]) -> None:
        self.world = world
        self.dice = Random(seed)
        self.steps = 0
        self.rss: list[tuple[float, int]] = []
        self._say = say
        self._began = time.monotonic()

    def run(self, seconds: float, least_steps: int) -> None:
        """Until the time is over and so many steps are done, then fair weather and every check there is."""
        told = self._began
        while (now := time.monotonic()) - self._began < seconds or self.steps < least_steps:
            self._step()
            if self.steps % _HEAL_EVERY == 0:
                self.world.heal(verified=False)
                self.world.sell_everything()
            if now - told >= min(_TELL_EVERY_S, seconds / 20):
                told = now
                self._tell(now)
        self.world.heal()
        self.world.sell_everything()
        self.world.heal()

    def _step(self) -> None:
        self.steps += 1
        TIME.ms += 24 * 3_600_000 // _STEPS_A_DAY
        chosen = self.dice.choices(_STEPS, _WEIGHTS)[0]
        chosen(self.world, self.dice)
        self.world.check()

    def _tell(self, now: float) -> None:
        self.rss.append((now, _rss_kib()))
        world = self.world
        self._say(
            f"{now - self._began:6.0f} s  day {self.steps // _STEPS_A_DAY:4}  {world.truth.tickets:6} tickets  "
            f"{world.crashes:5} crashes  {self.rss[-1][1] / 1024:6.1f} MiB"
        )

    def slope(self) -> float:
        """KiB per minute of resident memory over the second half: the median slope between its halves. One leap of the
        allocator does not move it.
        """
        points = self.rss[len(self.rss) // 2 :]
        half = len(points) // 2
        slopes = [60 * (m - m0) / (t - t0) for (t0, m0), (t, m) in zip(points, points[-half:], strict=False) if t > t0]
        return statistics.median(slopes) if slopes else 0.0


def _sell(world: World, dice: Random) -> None:
    plant, customer = dice.randrange(3), dice.randrange(2)
    world.pay(customer, dice.randrange(1, 2_500))
    world.notice(plant, customer)
    world.exchange(dice.randrange(4))
    world.spend_all(plant)
    world.leave(plant)


def _grant_ahead(world: World, dice: Random) -> None:
    world.pay(dice.randrange(2), dice.randrange(1, 2_500))
    world.grant_all(dice.randrange(3), dice.randrange(2))


def _carry(world: World, dice: Random) -> None:
    plant, customer = dice.randrange(3), dice.randrange(2)
    world.pay(customer, dice.randrange(1, 2_500))
    world.carry(plant, customer, dice.randrange(1, 3))
    world.scan(dice.choice((plant, dice.randrange(9))), dice.choice((0, dice.randrange(99))))


def _somebody(world: World, dice: Random) -> None:
    pick, other = dice.randrange(1_000), dice.randrange(1_000)
    match dice.randrange(8):
        case 0:
            world.press_again(pick)
        case 1:
            world.void(pick)
        case 2:
            world.leave(pick)
        case 3:
            world.cancel(pick)
        case 4:
            world.refund(pick, 1 + other % 3)
        case 5:
            world.undo(pick % 5)
        case 6:
            world.recall(pick, other, (0, 0, 500)[other % 3])
        case _:
            world.load(pick, 1 + other % 3, (0, 20, 2_000)[other % 3])


def _epoch(world: World, dice: Random) -> None:
    plant = dice.randrange(3)
    if world.zombies and (len(world.all_boxes) >= _MOST_BOXES or dice.random() < 0.5):
        world.settle(dice.randrange(9), by_disk=dice.random() < 0.5)
        return
    if dice.random() < 0.5:
        world.close_epoch(plant)
        world.exchange()
    world.replace_box(plant)


def _copy(world: World, dice: Random) -> None:
    if dice.random() < 0.7:
        world.copy_box(dice.randrange(9), backup=dice.random() < 0.3)
    else:
        world.copy_office()


def _restore(world: World, dice: Random) -> None:
    if dice.random() < 0.7:
        pick = dice.randrange(9)
        world.restore_box(pick)
        world.spend_all(pick)
        return
    world.restore_office(old_runs_on=dice.random() < 0.5)
    world.old_office_grants(dice.randrange(3), dice.randrange(2))
    world.exchange(dice.randrange(4))
    world.settle_down()
    world.reconcile()


def _accident(world: World, dice: Random) -> None:
    pick = dice.randrange(9)
    match dice.randrange(5):
        case 0:
            world.cut(pick, up=False)
        case 1:
            world.lose()
        case 2:
            world.jump(pick, dice.randrange(-10, 11))
        case 3:
            world.night()
        case _:
            for each in range(9):
                world.cut(each, up=True)
                world.jump(each, 0)


_CHOICES: tuple[tuple[int, Callable[[World, Random], None]], ...] = (
    (30, _sell),
    (8, _grant_ahead),
    (6, _carry),
    (14, _somebody),
    (8, lambda world, dice: world.exchange(dice.randrange(10))),
    (8, lambda world, dice: world.again([dice.randrange(1_000) for _ in range(6)])),
    (4, lambda world, _dice: world.spend_everywhere()),
    (8, lambda world, dice: world.crash(dice.randrange(9), dice.randrange(1, 5), dice.randrange(3))),
    (8, _accident),
    (2, _copy),
    (1, _restore),
    (1, _epoch),
)
_WEIGHTS, _STEPS = zip(*_CHOICES, strict=True)


def _rss_kib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def soak(seconds: float, seed: int, say: Callable[[str], None], least_steps: int = 0) -> Result:
    """One soak; what broke stands in `problem`."""
    folder = Path(tempfile.mkdtemp(prefix="weighgate-soak-", dir=_MEMORY if _MEMORY.is_dir() else None))
    loop = asyncio.new_event_loop()
    began = time.monotonic()
    try:
        with virtual_time():
            world = World(folder, loop, plants=3)
            running = Soak(world, seed, say)
            problem = ""
            try:
                running.run(seconds, least_steps)
            except AssertionError as error:
                problem = f"step {running.steps}: {error}"
            finally:
                world.close()
    finally:
        loop.close()
        shutil.rmtree(folder)
    rss_mib = running.rss[-1][1] / 1024 if running.rss else 0.0
    full = world.counts["step at a full balance"]
    return Result(
        seed, round(time.monotonic() - began, 1), running.steps, running.steps // _STEPS_A_DAY, world.truth.tickets,
        world.crashes, full, round(running.slope(), 1), rss_mib, problem,
    )  # fmt: skip


def main() -> int:
    """`--minutes`, `--seed`; 1 when something that must hold did not."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else Random().randrange(2**32)

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    say(f"3 plants, one head office, every fault at random, {chosen.minutes:g} minutes; again with --seed {seed}")
    result = soak(chosen.minutes * 60, seed, say)
    say(result.line())
    say(f"FAILED: {result.problem}" if result.problem else "every invariant holds")
    return 1 if result.problem else 0


if __name__ == "__main__":
    sys.exit(main())
