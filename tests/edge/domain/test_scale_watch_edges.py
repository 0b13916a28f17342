"""What honest trucks and drivers do that looks like a fraud to the scale watch, and that it keeps silent about."""

import pytest

from edge.domain.scale_watch import Role, WatchKind, WatchRules, Work
from tests.edge.domain.scale_line import Line


def only(*kinds: WatchKind) -> WatchRules:
    return WatchRules(off=frozenset(WatchKind) - set(kinds))


def test_a_last_wheel_on_the_edge_is_no_change_of_zero_but_what_stays_is() -> None:
    line = Line(only(WatchKind.ZERO_DRIFT)).arrive()
    line.roll(15_000, 700, 0.5).hold(700, 15)
    assert line.found == [], "the truck has stopped with a wheel on the edge"
    assert line.roll(700, 0, 0.3).hold(0, 5).found == []
    line.arrive().roll(15_000, 700, 0.5).hold(700, 25)
    assert line.cases() == [(WatchKind.ZERO_DRIFT, {"before_kg": 0, "after_kg": 700, "change_kg": 700})]


def test_a_first_wheel_on_the_edge_is_no_zero() -> None:
    line = Line(only(WatchKind.ZERO_DRIFT)).hold(0, 5).roll(0, 700, 0.3).hold(700, 10)
    assert line.roll(700, 15_000, 2).hold(15_000, 5).roll(15_000, 0, 2).hold(0, 5).found == []


def test_what_is_zeroed_away_at_once_is_told_too() -> None:
    line = Line(only(WatchKind.ZERO_DRIFT)).arrive().roll(15_000, 700, 0.5).hold(700, 5)
    assert [dict(each.numbers)["after_kg"] for each in line.watch.zeroed()] == [700]


def test_the_rest_of_an_axle_is_told_from_a_radio_by_the_rolling_after_it() -> None:
    def risen(*after_kg: int) -> list[WatchKind]:
        line = Line(only(WatchKind.STEP)).arrive(15_000).hold(15_600, 1)
        for kg in after_kg:
            line.hold(kg, 0.3)
        last_kg = after_kg[-1] if after_kg else 15_600
        return [each.kind for each in line.hold(last_kg, 2).capture(Role.TARE, last_kg).found]

    assert risen(15_620, 15_560, 15_620, 15_560) == [], "it rolls"
    assert risen() == [WatchKind.STEP]
    assert risen(15_600, 15_540) == [WatchKind.STEP], "it stands, and the driver climbs out"


def test_a_rest_from_before_the_zero_is_no_level_after_it() -> None:
    line = Line(only(WatchKind.NO_VEHICLE))
    line.watch.loops(False, line.now_ms)
    line.hold(0, 5).hold(120, 5)
    assert not line.watch.zeroed()
    line.say(120)  # on its way while the command was carried out
    assert line.hold(0, 5).hold(-200, 5).found == [], "swept, not 320 kg"


def test_a_bucket_that_lets_go_and_two_persons_are_no_water() -> None:
    line = Line(only(WatchKind.SLOPE))
    line.work = Work.LOAD
    line.arrive(42_000).roll(42_000, 42_580, 0.5).hold(42_580, 3).hold(42_380, 10).hold(42_200, 30)
    assert line.found == []


@pytest.mark.parametrize(("seconds", "told"), [(0.8, False), (5.0, True)])
def test_a_truck_that_rolls_on_after_a_stop_on_the_edge_is_no_slide(seconds: float, told: bool) -> None:
    line = Line(only(WatchKind.PROPPED)).arrive(40_000).hold(40_000, 5)
    count = round(seconds * 10)
    for step in range(count):
        line.say(40_000 + 2_000 * (step + 1) // count)
    assert bool(line.hold(42_000, 5).found) is told
