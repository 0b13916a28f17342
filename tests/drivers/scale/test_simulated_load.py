"""What stands on the simulated deck, second by second on a clock of the test's own."""

from drivers.ports import CommandNo
from drivers.scale.simulated import SimulatedLoad

HOUR_MS = 3_600_000


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


def kg(load: SimulatedLoad) -> int:
    return load.shown().weight_kg


def test_a_ramp_goes_straight_to_its_end_and_moves_until_it_has_settled() -> None:
    clock = Clock()
    load = SimulatedLoad(1_000, settle_s=0.7, clock=clock)
    assert not load.shown().moving
    load.ramp_to(3_000, 2)
    seen = []
    for _ in range(4):
        clock.now_ms += 500
        seen.append(kg(load))
        assert load.shown().moving
    assert seen == [1_500, 2_000, 2_500, 3_000]
    clock.now_ms += 699
    assert load.shown().moving
    clock.now_ms += 1
    assert (kg(load), load.shown().moving) == (3_000, False)
    load.set_moving(True)
    assert load.shown().moving


def test_the_display_rounds_to_its_division() -> None:
    load = SimulatedLoad(division_kg=20)
    for true_kg, shown_kg in ((9, 0), (10, 20), (14_529, 14_520), (14_530, 14_540), (-9, 0), (-11, -20)):
        load.set_weight_kg(true_kg)
        assert kg(load) == shown_kg


def test_noise_stays_within_its_bound_and_is_the_same_for_the_same_seed() -> None:
    seen = []
    for seed in (1, 1, 2):
        load = SimulatedLoad(500, seed=seed)
        load.set_noise_kg(3)
        seen.append([kg(load) for _ in range(300)])
    assert set(seen[0]) == set(range(497, 504))
    assert seen[0] == seen[1] != seen[2]


def test_zero_drifts_steps_and_swings() -> None:
    clock = Clock()
    load = SimulatedLoad(clock=clock)
    load.set_drift(60)
    clock.now_ms += HOUR_MS // 2
    assert kg(load) == 30
    load.set_drift(-60)
    clock.now_ms += HOUR_MS // 6
    assert kg(load) == 20
    load.shift_zero(100)
    assert kg(load) == 120
    load.set_drift(0)
    load.set_swing(8, 3_600)
    seen = []
    for _ in range(60):
        clock.now_ms += 60_000
        seen.append(kg(load) - 120)
    assert (min(seen), max(seen)) in ((-8, 7), (-8, 8))
    assert not load.shown().moving, "the sun is no truck"


def test_vibration_of_more_than_a_division_is_motion() -> None:
    clock = Clock()
    load = SimulatedLoad(10_000, division_kg=20, clock=clock)
    load.set_vibration(20, 0.2)
    assert not load.shown().moving
    load.set_vibration(60, 0.2)
    seen = set()
    for _ in range(20):
        clock.now_ms += 10
        seen.add(kg(load))
    assert (min(seen), max(seen)) == (9_940, 10_060)
    assert load.shown().moving


def test_out_of_range_begins_nine_divisions_above_the_maximum_and_twenty_below_zero() -> None:
    load = SimulatedLoad(division_kg=20, capacity_kg=80_000)
    for weight_kg, over, under in (
        (80_180, False, False), (80_200, True, False), (-400, False, False), (-420, False, True),
    ):  # fmt: skip
        load.set_weight_kg(weight_kg)
        assert (load.shown().overload, load.shown().underload) == (over, under)


def test_zero_is_set_near_zero_and_at_rest_only() -> None:
    clock = Clock()
    load = SimulatedLoad(60, capacity_kg=80_000, clock=clock)
    assert load.zero() is None
    assert kg(load) == 0
    load.set_weight_kg(1_060)
    assert kg(load) == 1_000
    assert load.zero() is None
    load.set_weight_kg(3_201)
    assert load.zero() is CommandNo.ABOVE_RANGE, "4 % of the maximum, counted from the first zero and not the last"
    load.set_weight_kg(-3_201)
    assert load.zero() is CommandNo.BELOW_RANGE
    load.ramp_to(0, 1)
    assert load.zero() is CommandNo.MOVING


def test_tare_is_taken_at_rest_above_zero_and_cleared_at_any_time() -> None:
    load = SimulatedLoad(0)
    assert load.tare() is CommandNo.BELOW_RANGE
    load.set_weight_kg(9_000)
    load.set_moving(True)
    assert load.tare() is CommandNo.MOVING
    load.set_moving(None)
    assert load.tare() is None
    load.set_weight_kg(14_520)
    shown = load.shown()
    assert (shown.weight_kg, shown.displayed_kg, shown.net) == (14_520, 5_520, True)
    load.clear_tare()
    assert not load.shown().net
    load.set_overload(True)
    assert load.tare() is CommandNo.ABOVE_RANGE


def test_the_weighing_memory_counts_what_was_weighed_and_nothing_else() -> None:
    load = SimulatedLoad(9_000)
    load.set_alibi(41)
    assert load.keep().alibi == 42
    load.set_moving(True)
    assert load.keep().alibi is None
    load.set_moving(None)
    assert load.keep().alibi == 43


def test_a_value_of_the_converter_is_repeated_until_the_next() -> None:
    clock = Clock()
    load = SimulatedLoad(1_000, clock=clock)
    load.set_conversions(10)
    load.set_noise_kg(50)
    clock.now_ms += 50
    load.ramp_to(3_000, 1)
    seen = []
    for _ in range(40):
        seen.append(kg(load))
        clock.now_ms += 25
    assert len(set(seen[:2])) == 1 and all(len(set(seen[at : at + 4])) == 1 for at in range(2, 38, 4))
    assert len(set(seen)) == 11 and all(950 <= each <= 3_050 for each in seen)
