"""When a weight counts: fresh, k in a row, within one division, not moving, zero seen since the last truck."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.readings import WeightFault, WeightReading
from edge.domain.refusal import Reason, Refusal
from edge.domain.scale_monitor import Capture, ScaleMonitor, ScaleRules, ScaleState

TIMED = ScaleRules(division_kg=20, maximum_kg=60_000)
RULES = replace(TIMED, still_ms=0)
"""Most tests here look at the rules of frames alone."""
PERIOD_MS = 100


class Feeder:
    """A monitor and the time; each `show` is one frame 100 ms after the last."""

    def __init__(self, rules: ScaleRules = RULES) -> None:
        self.monitor = ScaleMonitor(rules)
        self.now_ms = 5_000

    def show(self, *weights: int | None, stable: bool | None = True, fault: WeightFault | None = None) -> "Feeder":
        for weight in weights:
            self.now_ms += PERIOD_MS
            raw = f"{weight}".encode()
            self.monitor.feed(WeightReading(weight, stable, self.now_ms, raw, fault))
        return self

    def truck(self, weight_kg: int = 30_000) -> "Feeder":
        """Zero, then a truck that stands still."""
        return self.show(*[0] * 5).show(*[weight_kg] * 5)

    @property
    def state(self) -> ScaleState:
        return self.monitor.state(self.now_ms)

    def capture(self, *, same_truck: bool = False) -> Capture | Refusal:
        return self.monitor.capture(self.now_ms, same_truck=same_truck)

    def why(self) -> Reason:
        outcome = self.capture()
        assert isinstance(outcome, Refusal)
        assert outcome.words.zh and outcome.words.en
        return outcome.reason


def test_nothing_is_lost_at_the_start() -> None:
    feeder = Feeder()
    assert feeder.state is ScaleState.LOST and feeder.monitor.shown_kg(feeder.now_ms) is None
    assert feeder.why() is Reason.SCALE_LOST


def test_a_truck_is_captured_with_its_evidence() -> None:
    capture = Feeder().truck(30_000).capture()
    assert isinstance(capture, Capture)
    assert (capture.gross_kg, capture.frames) == (30_000, (b"30000",) * 5)
    assert capture.curve_kg[-1] == 30_000


@pytest.mark.parametrize("frames", range(5))
def test_k_in_a_row_are_needed(frames: int) -> None:
    feeder = Feeder().show(*[0] * 5).show(15_000, *[30_000] * frames)
    assert feeder.state is ScaleState.MOVING and feeder.why() is Reason.SCALE_MOVING
    assert feeder.show(*[30_000] * (5 - frames)).state is ScaleState.STABLE


def booked(
    rules: ScaleRules, kg_at: Callable[[float], float], frames_hz: float, values_hz: float, seconds: float = 6.0
) -> set[int]:
    """Weights that could be booked of a load `kg_at(s)` after zero; each of the converter's values fills frames."""
    monitor, found = ScaleMonitor(rules), set[int]()
    for frame in range(round((3 + seconds) * frames_hz)):
        now_s = frame / frames_hz - 3
        value_s = math.floor(now_s * values_hz) / values_hz
        kg = round(kg_at(value_s) / 20) * 20 if now_s >= 0 else 0
        now_ms = 10_000 + round(1000 * now_s)
        monitor.feed(WeightReading(kg, None, now_ms, b"x"))
        outcome = monitor.capture(now_ms, same_truck=False)
        if isinstance(outcome, Capture):
            found.add(outcome.gross_kg)
    assert monitor.zero_seen
    return found


MOTIONS: dict[str, tuple[Callable[[float], float], float, float]] = {
    "rolls on at 8 t/s, 80 frames of 10 values": (lambda s: 8_000 * s, 80, 10),
    "rolls on at 5 t/s, 20 frames of 4 values": (lambda s: 5_000 * s, 20, 4),
    "a register of 2 values, asked 50 times": (lambda s: 5_000 * s, 50, 2),
    "a chute of 250 kg/s, 50 frames of 10 values": (lambda s: 14_720 + 250 * s, 50, 10),
    "bounces by 60 kg at 2 Hz, 50 values": (lambda s: 30_000 + 60 * math.sin(4 * math.pi * s), 50, 50),
    "bounces by 60 kg at 1.5 Hz, 80 values": (lambda s: 30_000 + 60 * math.sin(3 * math.pi * s), 80, 80),
}


@pytest.mark.parametrize("motion", MOTIONS)
def test_what_moves_has_no_weight_however_often_each_value_comes(motion: str) -> None:
    assert booked(TIMED, *MOTIONS[motion]) == set()
    assert booked(RULES, *MOTIONS[motion]), "five equal frames alone book it"


@pytest.mark.parametrize("frames_hz", [2, 5, 10, 80])
def test_a_truck_that_stands_has_its_weight_after_a_second(frames_hz: int) -> None:
    assert booked(TIMED, lambda _: 30_000, frames_hz, frames_hz) == {30_000}
    after_s = max(TIMED.still_ms / 1000, 4 / frames_hz)
    assert booked(TIMED, lambda _: 30_000, frames_hz, frames_hz, after_s) == set()
    assert booked(TIMED, lambda _: 30_000, frames_hz, frames_hz, after_s + 1 / frames_hz) == {30_000}


def test_a_division_of_flicker_may_last_and_two_begin_the_second_anew() -> None:
    feeder = Feeder(TIMED).show(*[0] * 11).show(*[30_000, 30_020] * 4, *[30_000] * 6)
    assert isinstance(feeder.capture(), Capture)
    assert feeder.show(30_040, *[30_000] * 10).why() is Reason.SCALE_MOVING
    assert isinstance(feeder.show(30_000).capture(), Capture)


def test_zero_and_what_may_be_set_to_zero_last_a_second_too() -> None:
    feeder = Feeder(TIMED).show(*[0] * 10)
    assert not feeder.monitor.zero_seen and isinstance(feeder.monitor.resting_kg(feeder.now_ms), Refusal)
    assert feeder.show(0).monitor.zero_seen and feeder.monitor.resting_kg(feeder.now_ms) == 0


def test_the_spread_is_one_division_at_most() -> None:
    flickering = Feeder().truck(30_000).show(30_020, 30_000, 30_020, 30_020)
    assert isinstance(flickering.capture(), Capture)
    assert flickering.show(30_040).why() is Reason.SCALE_MOVING
    assert Feeder().show(*[0] * 5).show(30_000, 30_020, 30_040, 30_020, 30_020).why() is Reason.SCALE_MOVING


def test_five_equal_frames_in_a_row_are_the_weight_until_five_others_are() -> None:
    feeder = Feeder().truck(30_000).show(30_020, 30_020, 30_020, 30_020)
    captured = [feeder.capture(), feeder.show(30_020).capture(), feeder.show(30_000).capture()]
    assert [each.gross_kg for each in captured if isinstance(each, Capture)] == [30_000, 30_020, 30_020]
    assert all(len(each.frames) == 5 and len(set(each.frames)) == 1 for each in captured if isinstance(each, Capture))


def test_the_screen_shows_what_would_be_booked() -> None:
    feeder = Feeder().truck(30_000)
    assert feeder.show(30_020).monitor.shown_kg(feeder.now_ms) == 30_000
    assert feeder.show(30_060).monitor.shown_kg(feeder.now_ms) == 30_060, "moving: the last frame"


def test_between_two_divisions_the_more_frequent_is_captured_after_a_while() -> None:
    feeder = Feeder().show(*[0] * 5).show(30_020, *[30_000, 30_020] * 9)
    assert feeder.why() is Reason.SCALE_MOVING
    capture = feeder.show(30_020).capture()
    assert isinstance(capture, Capture)
    assert (capture.gross_kg, capture.frames) == (30_020, (b"30020",) * 5)


def test_frames_damaged_within_a_division_change_nothing() -> None:
    """Two digits changed places, and the checksum did not see it."""
    feeder = Feeder().truck(45_120)
    for wrong in (*[45_102] * 4, 45_120, *[45_102] * 4):
        capture = feeder.show(wrong).capture()
        assert isinstance(capture, Capture) and capture.gross_kg == 45_120
    assert Feeder().show(*[0] * 5).show(45_120, *[45_102] * 4, 45_120).why() is Reason.SCALE_MOVING


def test_frames_with_a_damaged_one_between_them_are_not_in_a_row() -> None:
    feeder = Feeder().truck()
    feeder.monitor.feed(WeightReading(30_000, None, feeder.now_ms, b"30000", after_damage=True))
    assert feeder.why() is Reason.SCALE_MOVING
    assert feeder.show(*[30_000] * 4).state is ScaleState.STABLE


def test_a_display_finer_than_the_division_is_stable_after_a_while() -> None:
    feeder = Feeder().show(*[0] * 5).show(*[30_001, 30_002, 30_003] * 6, 30_001)
    assert feeder.why() is Reason.SCALE_MOVING
    capture = feeder.show(30_001).capture()
    assert isinstance(capture, Capture) and capture.gross_kg == 30_001


@pytest.mark.parametrize("rules", [RULES, TIMED])
def test_no_weight_that_fewer_than_five_frames_showed(rules: ScaleRules) -> None:
    """A creep that a finer display shows, and five weights of one division, each in four of twenty frames."""
    creeps = Feeder(rules).show(*[0] * 20)
    for kg in range(14_520, 14_600):
        assert creeps.show(kg).why() is Reason.SCALE_MOVING, kg
    flickers = Feeder(rules).show(*[0] * 20).show(*[30_000, 30_005, 30_010, 30_015, 30_020] * 8)
    assert flickers.why() is Reason.SCALE_MOVING
    capture = flickers.show(*[30_000, 30_005, 30_010, 30_015] * 5).capture()
    assert isinstance(capture, Capture) and len(capture.frames) == 5, "the control: each in five of twenty"


def test_a_weight_above_the_maximum_is_not_booked_because_the_last_frame_was_below() -> None:
    assert Feeder().truck(60_020).show(60_000).why() is Reason.SCALE_OVERLOAD


def test_the_indicators_motion_flag_counts_and_its_absence_does_not() -> None:
    feeder = Feeder().truck().show(30_000, stable=False)
    assert feeder.why() is Reason.SCALE_MOVING
    assert feeder.show(*[30_000] * 5, stable=None).state is ScaleState.STABLE


def test_lost_within_one_second_and_never_an_old_weight() -> None:
    feeder = Feeder().truck()
    for age_ms in range(0, 3_000, 50):
        late_ms = feeder.now_ms + age_ms
        if age_ms <= 900:
            assert feeder.monitor.state(late_ms) is ScaleState.STABLE
        else:
            assert feeder.monitor.state(late_ms) is ScaleState.LOST
            assert feeder.monitor.shown_kg(late_ms) is None
            assert isinstance(feeder.monitor.capture(late_ms, same_truck=True), Refusal)


def test_after_a_gap_the_row_starts_anew_and_zero_must_be_seen_again() -> None:
    feeder = Feeder().truck()
    feeder.now_ms += 1_000
    feeder.show(30_000)
    assert feeder.state is ScaleState.MOVING
    assert feeder.show(*[30_000] * 4).why() is Reason.NOT_ZEROED
    assert isinstance(feeder.capture(same_truck=True), Capture)


def test_the_next_truck_needs_a_zero() -> None:
    feeder = Feeder().truck()
    feeder.monitor.captured()
    assert feeder.why() is Reason.NOT_ZEROED
    assert isinstance(feeder.capture(same_truck=True), Capture), "the same truck may be weighed again"
    assert feeder.show(*[40] * 5, *[30_000] * 5).why() is Reason.NOT_ZEROED, "40 kg is not zero"
    assert isinstance(feeder.show(*[20] * 5, *[30_000] * 5).capture(), Capture)


@pytest.mark.parametrize("fault", WeightFault)
def test_a_fault_is_no_weight(fault: WeightFault) -> None:
    feeder = Feeder().truck().show(None, fault=fault)
    assert feeder.monitor.shown_kg(feeder.now_ms) is None
    assert feeder.monitor.fault() is fault
    assert not isinstance(feeder.capture(same_truck=True), Capture)
    assert feeder.show(*[30_000] * 4).state is ScaleState.MOVING, "the row starts anew"
    assert feeder.show(30_000).state is ScaleState.STABLE


def test_overload_by_flag_and_by_number() -> None:
    assert Feeder().truck().show(None, fault=WeightFault.OVERLOAD).why() is Reason.SCALE_OVERLOAD
    assert Feeder().truck(60_000).state is ScaleState.STABLE
    feeder = Feeder().truck(60_020)
    assert (feeder.state, feeder.why()) == (ScaleState.OVERLOAD, Reason.SCALE_OVERLOAD)


def test_negative_by_flag_and_by_number() -> None:
    assert Feeder().truck().show(None, fault=WeightFault.UNDERLOAD).why() is Reason.SCALE_NEGATIVE
    assert Feeder().show(*[-20] * 5).state is ScaleState.EMPTY
    assert Feeder().show(*[-40] * 5).why() is Reason.SCALE_NEGATIVE


def test_an_empty_scale_is_no_truck() -> None:
    assert Feeder().show(*[0] * 5).why() is Reason.SCALE_EMPTY
    assert Feeder().show(*[0] * 5).show(*[980] * 5).state is ScaleState.EMPTY


def test_a_device_that_went_away_leaves_nothing() -> None:
    feeder = Feeder().truck()
    feeder.monitor.lose()
    assert feeder.state is ScaleState.LOST and not feeder.monitor.zero_seen


FRAMES = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from([0, 20, 29_980, 30_000, 30_020, 59_980, 61_000, -60])),
        st.sampled_from([True, False, None]),
        st.sampled_from([50, 100, 100, 100, 100, 900, 901, 2_000]),
    ),
    max_size=40,
)


@given(FRAMES, st.integers(0, 1_500))
def test_a_capture_is_always_five_fresh_agreeing_frames(
    frames: list[tuple[int | None, bool | None, int]], wait_ms: int
) -> None:
    monitor, now_ms, history = ScaleMonitor(RULES), 0, []
    for weight, stable, gap_ms in frames:
        now_ms += gap_ms
        monitor.feed(WeightReading(weight, stable, now_ms, b"x", None if weight is not None else WeightFault.BAD_UNIT))
        history.append((weight, stable, gap_ms))
    outcome = monitor.capture(now_ms + wait_ms, same_truck=True)
    if isinstance(outcome, Refusal):
        return
    last = history[-5:]
    weights = [weight for weight, _, _ in last if weight is not None]
    assert len(weights) == 5 and max(weights) - min(weights) <= 20
    assert all(stable is not False for _, stable, _ in last)
    assert all(gap_ms <= 900 for _, _, gap_ms in last[1:]) and wait_ms <= 900
    assert outcome.gross_kg >= RULES.truck_kg
    shown = [weight for weight, _, _ in history]
    assert outcome.gross_kg in shown[-20:] and abs(outcome.gross_kg - weights[-1]) <= 20
    rows = [shown[at : at + 5] for at in range(len(shown) - 4)]
    often = max(shown[-20:], key=shown[-20:].count)
    assert [outcome.gross_kg] * 5 in rows or (often == outcome.gross_kg and shown[-20:].count(often) >= 5)


@given(st.lists(st.integers(30_000, 30_020), min_size=20, max_size=60))
def test_fuzz_of_a_display_finer_than_the_division(shown: list[int]) -> None:
    feeder = Feeder().show(*[0] * 5)
    for at, kg in enumerate(shown, 1):
        outcome = feeder.show(kg).capture()
        if isinstance(outcome, Capture):
            windows = (shown[max(0, end - 20) : end] for end in range(at + 1))
            assert max(window.count(outcome.gross_kg) for window in windows) >= 5
