"""Each rule of the scale watch on the smallest curve that shows it; figures are in tests/edge/watch."""

import dataclasses
import re

import pytest

from drivers.readings import WeightReading
from drivers.scale.frames import to_reading
from drivers.scale.register_words import read_registers
from drivers.scale.registers import load_register_map
from edge.domain import scale_watch_words
from edge.domain.scale_monitor import ScaleRules
from edge.domain.scale_watch import Finding, Role, ScaleWatch, WatchKind, WatchRules, Work
from edge.domain.scale_watch_rules import WATCH_CURVE_POINTS, Cause
from edge.domain.scale_watch_tare import judge_tare
from tests.edge.domain.scale_line import D_KG, STEP_MS, Line


def test_an_honest_visit_says_nothing() -> None:
    line = Line().arrive().capture(Role.TARE, 15_000, (15_100, 14_900, 15_060))
    line.work = Work.LOAD
    for kg in (19_000, 23_000, 27_000):
        line.roll(kg - 4000, kg, 1.5).hold(kg, 8)
    line.capture(Role.GROSS, 27_000)
    line.work = Work.NONE
    line.hold(27_000, 5).roll(27_000, 18_000, 0.6).hold(18_000, 1).roll(18_000, 0, 0.6).hold(0, 5)
    assert line.found == []


def test_a_weight_that_falls_at_once_while_the_loaded_truck_stands() -> None:
    line = Line()
    line.work = Work.LOAD
    line.arrive(40_000).hold(40_000, 3).hold(39_200, 3)
    [(kind, numbers)] = line.cases()
    assert kind is WatchKind.STEP
    assert (numbers["before_kg"], numbers["after_kg"], numbers["change_kg"]) == (40_000, 39_200, 800)


def test_a_drop_as_large_as_an_axle_waits_for_the_weighing() -> None:
    line = Line(WatchRules(off=frozenset({WatchKind.PROPPED})))
    line.work = Work.LOAD
    line.arrive(40_000).hold(40_000, 3).hold(37_000, 3)
    assert line.found == [], "an axle may have rolled off"
    line.capture(Role.GROSS, 37_000)
    assert [kind for kind, _ in line.cases()] == [WatchKind.STEP]


def test_the_same_drop_of_a_truck_that_unloads_or_leaves_is_none() -> None:
    unloading = Line()
    unloading.arrive(40_000)
    unloading.work = Work.UNLOAD
    assert unloading.hold(40_000, 3).hold(37_000, 5).hold(34_000, 5).found == []
    leaving = Line().arrive(15_000).hold(15_000, 3).hold(9_000, 3).hold(0, 3)
    assert leaving.found == []


def test_a_rise_before_the_tare_is_told_when_the_tare_is_taken() -> None:
    line = Line(WatchRules(off=frozenset({WatchKind.PROPPED})))
    line.arrive(15_000).hold(15_000, 3).hold(15_600, 3)
    assert line.found == [], "a wheel may have stood on the edge"
    assert [kind for kind, _ in line.capture(Role.TARE, 15_600).cases()] == [WatchKind.STEP]


def test_loading_begins_at_the_weight_of_the_tare() -> None:
    line = Line().arrive(15_000).capture(Role.TARE, 15_000).roll(15_000, 12_000, 2).hold(12_000, 3)
    line.work = Work.LOAD
    [(kind, numbers)] = line.hold(12_000, 1).cases()
    assert (kind, numbers["change_kg"]) == (WatchKind.STEP, 3000)


def test_water_that_runs_out_of_a_standing_truck() -> None:
    line = Line().arrive(15_000)
    for kg in range(15_000, 14_000, -D_KG):
        line.hold(kg, 5)
    [(kind, numbers)] = line.cases()
    assert kind is WatchKind.SLOPE
    assert numbers["fall_kg"] >= 300


def test_drips_and_persons_are_no_water() -> None:
    line = Line().arrive(15_000).hold(14_900, 20).hold(14_820, 20).hold(14_800, 60).hold(14_900, 10)
    assert line.found == []


def test_a_leap_no_axle_can_make() -> None:
    line = Line(WatchRules(off=frozenset({WatchKind.STEP}))).arrive(15_000).hold(45_000, 1)
    assert line.cases() == [(WatchKind.SLOPE, {"change_kg": 30_000})]


def test_one_damaged_frame_is_no_leap_and_no_other_indicator() -> None:
    def noisy(rules: WatchRules) -> list[Finding]:
        line = Line(rules)
        for truck in range(20):
            line.roll(0, 15_000 + 20 * truck, 2).hold(15_000 + 20 * truck, 4)
            line.hold(15_000 + 20 * truck, truck % 2 / 10).say(55_000)  # one bit of the ten thousands
            line.hold(15_000 + 20 * truck, 1).say(15_001 + 20 * truck)  # one bit of the last digit
            line.hold(15_000 + 20 * truck, 1).roll(15_000 + 20 * truck, 0, 2).hold(0, 4)
        return line.found

    off = frozenset(WatchKind) - {WatchKind.SLOPE, WatchKind.INDICATOR}
    assert noisy(WatchRules(off=off)) == []
    assert {each.kind for each in noisy(WatchRules(off=off, spike_kg=100_000))} == {WatchKind.SLOPE}


def test_another_division_is_another_indicator() -> None:
    line = Line(WatchRules(off=frozenset(WatchKind) - {WatchKind.INDICATOR}))
    for division_kg in (20, 20, 10):
        for step in range(400):
            line.say(1_000 + division_kg * step)
        assert [kind for kind, _ in line.cases()] == [WatchKind.INDICATOR] * (division_kg == 10)
    numbers = dict(line.found[0].numbers)
    assert (numbers["division_before_kg"], numbers["division_now_kg"]) == (20, 10)


def test_bytes_of_a_register_that_look_like_a_point_are_no_decimals() -> None:
    found = load_register_map("generic_transmitter").for_site(word_order="little", decimals=0)
    line = Line()
    for kg in (0, 11_830, 0):  # 0x2E36 is ".6"
        for _ in range(300):
            line.now_ms += STEP_MS
            words = [kg & 0xFFFF, kg >> 16]
            raw = b"\x01\x03\x04" + b"".join(word.to_bytes(2, "big") for word in words)
            line.found += line.watch.feed(to_reading(read_registers(found, words, raw), line.now_ms))
    assert [kind for kind, _ in line.cases() if kind is WatchKind.INDICATOR] == []
    assert line.watch.signature is not None and line.watch.signature.decimals == 0


def test_an_offset_that_is_turned_up_inside_one_rest() -> None:
    def crept(role: Role, sign: int, kg_per_s: int, seconds: int) -> list[Finding]:
        line = Line(WatchRules(off=frozenset(WatchKind) - {WatchKind.STEP})).arrive(15_000)
        for step in range(seconds * 10):
            line.say(15_000 + sign * kg_per_s * (step + 1) // 10)
        end_kg = 15_000 + sign * kg_per_s * seconds
        return line.hold(end_kg, 3).capture(role, end_kg).found

    for role, sign in ((Role.TARE, 1), (Role.GROSS, -1)):
        assert [each.kind for each in crept(role, sign, 80, 5)] == [WatchKind.STEP]
        assert crept(role, sign, 40, 5) == [], "as much as three persons"
    drips = Line(WatchRules(off=frozenset(WatchKind) - {WatchKind.STEP})).arrive(15_000)
    for kg in range(15_000, 14_700, -D_KG):
        drips.hold(kg, 60)
    assert drips.capture(Role.GROSS, 14_700).found == [], "wet sand"


def test_a_truck_that_gets_heavier_as_it_rolls_off() -> None:
    line = Line().arrive(15_000).capture(Role.GROSS, 15_000).roll(15_000, 9_000, 0.5)
    for kg in range(9_000, 11_000, 100):
        line.say(kg)
    assert [kind for kind, _ in line.cases()] == [WatchKind.PROPPED]


def test_zero_before_and_after_a_truck_is_told_once_until_zeroed() -> None:
    line = Line().arrive().hold(-100, 3)
    assert line.cases() == [(WatchKind.ZERO_DRIFT, {"before_kg": 0, "after_kg": -100, "change_kg": -100})]
    line.roll(-100, 15_000, 2).hold(15_000, 3).hold(-200, 3)
    assert len(line.found) == 1
    assert not line.watch.zeroed()
    line.hold(-200, 3).roll(-200, 15_000, 2).hold(15_000, 3)
    assert line.cases()[-1] == (WatchKind.ZERO_DRIFT, {"zero_kg": -200})


def test_small_changes_of_zero_add_up_though_tracking_hides_them() -> None:
    line = Line().hold(0, 3)
    for _ in range(12):
        line.roll(0, 15_000, 2).hold(15_000, 3).roll(15_000, 20, 1).hold(20, 3).hold(0, 3)
    assert line.cases() == [(WatchKind.ZERO_DRIFT, {"sum_kg": 200})]


def test_weight_without_a_vehicle_only_where_there_are_loops() -> None:
    line = Line()
    assert line.hold(0, 5).hold(500, 5).found == [], "no loops: nothing is known"
    line = Line()
    line.watch.loops(False, line.now_ms)
    line.hold(0, 5).hold(500, 5).hold(0, 5)
    assert line.cases() == [(WatchKind.NO_VEHICLE, {"before_kg": 0, "after_kg": 500})]
    line = Line()
    line.watch.loops(True, line.now_ms)
    assert line.hold(0, 5).hold(900, 5).found == []


@pytest.mark.parametrize("kg_per_s", [10, 60, 120])
def test_weight_that_creeps_up_without_a_vehicle(kg_per_s: int) -> None:
    line = Line(WatchRules(off=frozenset(WatchKind) - {WatchKind.NO_VEHICLE}))
    line.watch.loops(False, line.now_ms)
    line.hold(0, 5)
    for step in range(0, 30_000, kg_per_s):
        line.say(round(step / 10 / D_KG) * D_KG)
    [(kind, numbers)] = line.hold(3_000, 2).cases()
    assert kind is WatchKind.NO_VEHICLE and numbers["before_kg"] == 0 and numbers["after_kg"] >= 300


def test_an_operators_zero_moves_no_weight() -> None:
    line = Line(WatchRules(off=frozenset(WatchKind) - {WatchKind.NO_VEHICLE}))
    line.watch.loops(False, line.now_ms)
    line.hold(0, 5).hold(200, 5)
    assert not line.watch.zeroed()
    assert line.hold(0, 5).hold(-200, 5).found == []


def test_a_truck_that_the_loops_lose_while_it_stands_is_no_weight_from_nowhere() -> None:
    line = Line(WatchRules(off=frozenset(WatchKind) - {WatchKind.NO_VEHICLE}))
    line.watch.loops(True, line.now_ms)
    line.arrive(15_000)
    line.watch.loops(False, line.now_ms)
    assert line.hold(15_000, 10).found == []


def test_the_weighing_memory_goes_back_or_wraps() -> None:
    line = Line()
    for line.alibi in (7, 8, 0, None, 8, 9):
        line.hold(0, 1)
    assert line.found == []
    line.alibi = 5
    line.hold(0, 1)
    assert line.cases() == [(WatchKind.ALIBI, {"before": 9, "now": 5})]
    line = Line()
    for line.alibi in (99_999, 1):
        line.hold(0, 1)
    assert line.found == []


def test_two_weighings_with_one_number_only_where_numbers_used_to_grow() -> None:
    line = Line()
    for line.alibi in (5, 5, 6, 7, 8):
        line.hold(0, 1).capture(Role.TARE, 15_000)
    assert line.found == []
    line.capture(Role.TARE, 15_000)
    assert line.cases() == [(WatchKind.ALIBI, {"now": 8})]


def test_an_indicator_that_speaks_otherwise() -> None:
    line = Line()
    line.hold(0, 40)
    known = line.watch.signature
    assert known is not None
    assert (known.interval_ms, known.flagged, known.decimals) == (100, True, 0)
    line.stable = None
    line.hold(0, 40)
    assert [kind for kind, _ in line.cases()] == [WatchKind.INDICATOR]
    restarted = ScaleWatch(ScaleRules(D_KG, 100_000), known=dataclasses.replace(known, interval_ms=50))
    told = [restarted.feed(WeightReading(0, True, at_ms, b"+0")) for at_ms in range(0, 30_000, 100)]
    assert [finding.kind for found in told for finding in found] == [WatchKind.INDICATOR]


HONEST_TARES = (14_700, 14_980, 14_560, 15_100)


@pytest.mark.parametrize(
    ("tare_kg", "history", "case"),
    [
        (15_500, HONEST_TARES, None),
        (16_200, HONEST_TARES, "heavy"),
        (13_500, HONEST_TARES, "light"),
        (16_200, HONEST_TARES[:2], None),
        (16_200, (*HONEST_TARES, 20_000), "heavy"),
        (3_900, (3_000, 3_060, 3_020), "heavy"),
    ],
)
def test_the_band_of_tares(tare_kg: int, history: tuple[int, ...], case: str | None) -> None:
    cause = judge_tare(WatchRules(), D_KG, tare_kg, history)
    assert (cause.case if cause else None) == case


def test_a_finding_comes_once_for_a_truck_and_its_curve_is_bounded() -> None:
    line = Line()
    line.work = Work.LOAD
    line.arrive(40_000).hold(40_000, 200).hold(39_500, 10).hold(39_000, 10).hold(38_500, 10)
    assert len(line.found) == 1
    assert len(line.found[0].curve_kg) == WATCH_CURVE_POINTS
    assert 40_000 in line.found[0].curve_kg


def test_a_frame_without_a_weight_changes_nothing() -> None:
    line = Line().arrive()
    line.say(None)
    assert line.hold(15_000, 3).found == []


def test_every_case_has_words_in_both_languages() -> None:
    for (kind, case), template in scale_watch_words.SENTENCES.items():
        names = re.findall(r"\{(\w+)\}", template.zh)
        assert set(re.findall(r"\{(\w+)\}", template.en)) == set(names), (kind, case)
        words = scale_watch_words.words_of(Cause(kind, case, tuple((name, 1234) for name in names)))
        assert re.search(r"[\u4e00-\u9fff]", words.zh)
        assert not re.search(r"[\u4e00-\u9fff]", words.en)
    assert {kind for kind, _ in scale_watch_words.SENTENCES} == set(WatchKind)
