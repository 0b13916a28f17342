"""The small picture of a weight curve stays inside its frame, whatever the curve."""

from hypothesis import given
from hypothesis import strategies as st

from sync.sparkline import HEIGHT, WIDTH, sparkline


@given(st.lists(st.integers(-(10**6), 10**6), max_size=300))
def test_every_point_is_inside(curve_kg: list[int]) -> None:
    points = [tuple(map(int, point.split(","))) for point in sparkline(curve_kg).split()]
    assert len(points) == len(curve_kg)
    assert all(0 <= across <= WIDTH and 0 <= down <= HEIGHT for across, down in points)
    assert [across for across, _ in points] == sorted(across for across, _ in points)


def test_a_step_has_the_whole_height_and_a_quiet_scale_is_flat() -> None:
    assert sparkline((14_520, 14_520, 13_720)) == "0,3 150,3 300,57"
    assert sparkline((14_520, 14_540, 14_520)) == "0,57 150,47 300,57"
    assert sparkline(()) == ""
