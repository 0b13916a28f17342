"""The soak in a few seconds: the same days, the same checks; `make soak` runs it for minutes."""

import pytest

from tests.reliability import Run
from tests.world.soak import soak


@pytest.mark.timeout(180)
def test_days_with_every_fault_end_equal_to_the_fen() -> None:
    lines: list[str] = []
    result = soak(5, 7, lines.append)
    assert not result.problem, result
    assert lines and result.tickets > 2, result


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_an_hour_is_too_long_but_ten_minutes_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("soak")
    result = soak(600, run.seed, lambda line: None)
    run.tell(capfd, result.steps, result.line())
    assert not result.problem, result
    assert result.slope_kib_per_minute < 1_024, "memory grows"
