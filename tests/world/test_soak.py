"""The soak in a few seconds: the same days, the same checks; `make soak` runs it for minutes."""

import pytest

from tests.reliability import Run
from tests.world.soak import soak


@pytest.mark.timeout(180)
def test_days_with_every_fault_end_equal_to_the_fen() -> None:
    lines: list[str] = []
    result = soak(0, 7, lines.append, least_steps=180)
    assert not result.problem, result
    assert lines and result.tickets > 2, result


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_ten_minutes_of_such_days_and_memory_does_not_grow(capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("soak")
    result = soak(600, run.seed, lambda line: None)
    run.tell(capfd, result.steps, result.line())
    assert not result.problem, result
    kib_a_step = result.slope_kib_per_minute * result.seconds / 60 / result.steps
    assert kib_a_step < 8, "memory grows: 2 to 4 KiB a step are what the world itself remembers"
