"""The allotment protocol, checked by visiting every state of small worlds and by long random walks through large ones.

Both call `sync.allotment` and `sync.terms` for every step. Each broken variant of the protocol must be caught, or this
proves nothing.
"""

import time

import pytest

from sync.allotment import Shortage
from tests.reliability import Run
from tests.sync.model.broken import (
    COMMON,
    RECOVERY,
    AsksSomePlants,
    Control,
    CopyCountsAsTold,
    OldStateCounts,
    PlantTakesOlderTerms,
    RestoreWithoutFence,
    RestoreWithoutReconcile,
)
from tests.sync.model.checker import Found, Search
from tests.sync.model.protocol import Protocol
from tests.sync.model.values import Bounds, Plant
from tests.sync.model.walk import Walk
from tests.sync.model.worlds import LONG, SHORT

MOST = 12_000_000
WALK_STEPS = 10_000
CONTROLS = COMMON + RECOVERY


def search(bounds: Bounds) -> Found:
    """Every world of the protocol within bounds; nothing may be broken in any, and money must have run out in some."""
    found = Search(Protocol(bounds), MOST).run()
    assert not found.broken, (found.broken, found.story)
    assert found.exhausted, "every state, not only the nearest"
    assert found.fullest, "no world in which all that was paid has left: it could not show more"
    return found


@pytest.mark.timeout(300)
def test_no_state_of_the_small_worlds_dispatches_more_than_was_paid() -> None:
    states = 0
    for name, bounds in SHORT.items():
        found = search(bounds)
        states += found.states
        print(f"{name}: {found.states} states, {found.transitions} transitions")  # noqa: T201 - shown when it fails
    assert states >= 100_000


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", LONG)
def test_no_state_of_the_large_worlds_dispatches_more_than_was_paid(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(f"protocol model, every state: {name}", seed=0)
    found = search(LONG[name])
    run.tell(
        capfd, found.states, f"0 broken in {found.transitions} transitions; all money gone in {found.fullest} states"
    )


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.broken.__name__)
def test_a_broken_protocol_is_caught(control: Control) -> None:
    search_broken = Search(control.broken(control.bounds), 200_000, promise_only=control.promise_only)
    found = search_broken.run(control.after)
    print(f"{control.broken.__name__}: " + ", ".join(found.story))  # noqa: T201 - the story, `pytest -rP` shows it
    assert found.broken, "not caught"
    assert len(found.story) == control.steps, found.story


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.broken.__name__)
def test_the_right_protocol_holds_where_the_broken_one_fails(control: Control) -> None:
    found = Search(Protocol(control.bounds), 5_000).run(control.after)
    assert not found.broken, (found.broken, found.story)


def walk(seed: int, worlds: int, seconds: float = 600) -> list[float]:
    """So many worlds of `WALK_STEPS` steps, or what fits in the time; the share of the fund dispatched in each."""
    shares: list[float] = []
    began = time.monotonic()
    for number in range(worlds):
        if time.monotonic() - began > seconds:
            break
        walked = Walk(Protocol, seed + number)
        walked.run(WALK_STEPS)
        assert not walked.broken, f"WEIGHGATE_SEED={seed + number}: {walked.broken}"
        shares.append(walked.share)
    return shares


@pytest.mark.timeout(300)
def test_walks_with_large_amounts_never_dispatch_more_than_was_paid() -> None:
    shares = walk(seed=1, worlds=20)
    print(f"{sum(shares) / len(shares):.0%} of what was paid was dispatched")  # noqa: T201 - shown when it fails
    assert sum(shares) / len(shares) > 0.5, "most of the money must move, or the walks prove nothing"


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_long_walks_never_dispatch_more_than_was_paid(capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("protocol model, random walks: 5 plants, up to 30 plant epochs")
    shares = walk(run.seed, worlds=1_000, seconds=180)
    share = sum(shares) / len(shares)
    assert share > 0.5
    run.tell(capfd, len(shares) * WALK_STEPS, f"0 broken; {share:.0%} of what was paid was dispatched")


@pytest.mark.parametrize(
    "broken",
    [
        RestoreWithoutFence,
        RestoreWithoutReconcile,
        PlantTakesOlderTerms,
        OldStateCounts,
        AsksSomePlants,
        CopyCountsAsTold,
    ],
)
def test_walks_catch_a_broken_protocol(broken: type[Protocol]) -> None:
    for seed in range(1, 21):
        walked = Walk(broken, seed)
        walked.run(WALK_STEPS)
        if walked.broken:
            return
    pytest.fail("not caught in 20 worlds")


def test_a_walk_is_repeated_by_its_seed() -> None:
    first, again = Walk(Protocol, 7), Walk(Protocol, 7)
    first.run(2_000)
    again.run(2_000)
    assert first.dispatched_fen == again.dispatched_fen > 0


def test_the_checker_itself_refuses_an_impossible_sale() -> None:
    with pytest.raises(Shortage):
        Protocol(Bounds()).sells(Plant())
