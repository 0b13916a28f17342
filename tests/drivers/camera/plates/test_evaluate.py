"""The figures of an evaluation, on cases made by hand."""

from pathlib import Path

import numpy as np
import pytest

from drivers.camera.plates.acceptance import PASSES, acceptance, against_passes, passes_for
from drivers.camera.plates.evaluate import Case, Label, calibration, confusions, median_ms, shares
from drivers.camera.plates.match import Likelihoods, Sighting, describe
from drivers.readings import PlateColor, PlateReading
from tests.drivers.camera.plates.lines import line_of

CORNERS = np.zeros((4, 2), np.float32)


def _case(truth: str, read: str | None, unsure: dict[int, tuple[str, float]] | None = None, trouble: str = "") -> Case:
    label = Label(Path(f"{truth}.jpg"), truth, PlateColor.BLUE, 1)
    if read is None:
        return Case(label, None, 5.0, trouble)
    line = line_of(read, sure=0.999, unsure=unsure)
    seen = describe(Likelihoods([[line]]), read, PlateReading(read, PlateColor.BLUE, 0))
    return Case(label, Sighting(seen, (line,), CORNERS), 10.0)


def test_confusions_name_the_pair_and_lost_characters() -> None:
    cases = [
        _case("皖A12345", "桂A12345"), _case("皖A12346", "桂A12348"), _case("皖A12345", "皖A12345"),
        _case("皖A1234", "皖A12345"), _case("皖AD12345", "皖A12345"), _case("皖A12345", None),
    ]  # fmt: skip
    assert confusions(cases) == {"皖>桂": 2, "6>8": 1, "+1": 1, "-1": 1}


def test_shares_and_times_count_what_was_not_seen() -> None:
    cases = [_case("皖A12345", "皖A12345"), _case("皖A12346", None), _case("晋B11111", None, trouble="cut short")]
    assert shares(cases, lambda label: label.plate[0]) == {"皖": (1, 2), "晋": (0, 1)}
    assert shares(cases, lambda label: None) == {}
    assert median_ms(cases) == 7.5
    assert median_ms(cases[2:]) == 0


def test_a_reader_that_is_too_sure_shows_in_the_calibration() -> None:
    honest = [_case("皖A12345", "皖A12345")] * 20
    assert calibration(honest)[1] < 0.1
    boaster = [_case("皖A54321", "皖A12345")] * 20
    lines, error = calibration(boaster)
    assert error == pytest.approx(boaster[0].confidence, abs=1e-6)
    assert sum(count for _, _, count in lines) == 20
    assert calibration([]) == ([], 0.0)


def test_the_passes_are_200_and_always_the_same() -> None:
    label = Label(Path("a"), "皖A12345", None, None)
    plates = ["皖A12345", "皖A99999", "沪B11111"]
    passes = passes_for(label, plates)
    assert len(set(passes)) == len(passes) == PASSES - 1
    assert {"皖A99999", "沪B11111"} <= set(passes)
    assert label.plate not in passes
    assert passes == passes_for(label, plates)
    assert sum(each.startswith("皖A") for each in passes) > 100, "mostly of its own office, which is harder"
    many = [f"皖A{number:05}" for number in range(500)]
    assert set(passes_for(label, many)) <= set(many)


def test_a_sure_reading_is_confirmed_and_none_of_its_clones() -> None:
    case = _case("皖A12345", "皖A12345")
    stand = against_passes(case, [case.label.plate])
    assert stand.first
    found = acceptance([stand], margin=2.0, lead=3.0)
    assert (found.right, found.one_off, found.look_alike, found.other) == (1, 0, 0, 0)


def test_a_misreading_lets_one_clone_through_and_is_counted() -> None:
    """The control: a camera that surely reads a 3 as an 8 confirms the clone that has the 8."""
    case = _case("皖A12345", "皖A12845")
    stand = against_passes(case, [case.label.plate])
    found = acceptance([stand], margin=0.0, lead=3.0)
    assert found.right == 0
    assert found.one_off == pytest.approx(1 / len(stand.clones))
    assert found.look_alike > found.one_off
    assert found.best_clone == 1, "whoever chooses that clone is let through"
    assert acceptance([stand], margin=100.0, lead=-100.0).one_off == 1


def test_doubt_moves_along_the_curve() -> None:
    stand = against_passes(_case("皖A1B345", "皖A18345", {3: ("B", 0.3)}), [])
    shares = [acceptance([stand], margin, 3.0) for margin in (4.0, -2.5)]
    assert [each.right for each in shares] == [1, 0]
    assert shares[0].one_off > shares[1].one_off == 0


def test_what_was_not_seen_is_never_confirmed_but_counted() -> None:
    stands = [against_passes(_case("皖A12345", None), []), against_passes(_case("皖A12345", "皖A12345"), [])]
    found = acceptance(stands, margin=8.0, lead=3.0)
    assert found.right == 0.5
    assert not stands[0].first


def test_the_halves_part_the_plates() -> None:
    halves = [Label(Path("x"), f"皖A{number:05}", None, None).half for number in range(200)]
    assert 70 < halves.count("a") < 130
    assert halves.count("a") + halves.count("b") == 200
