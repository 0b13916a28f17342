"""The three answers, on lines made by hand: no net is needed to know what they must be."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from drivers.camera.plates.likelihood import Line
from drivers.camera.plates.match import Likelihoods, Sighting, describe, match, plates_beside
from drivers.camera.plates.thresholds import Thresholds, shipped
from drivers.readings import PlateAnswer, PlateColor, PlateMatch, PlateReading
from tests.drivers.camera.plates.lines import line_of

LIMITS = Thresholds(temperature=1.0, margin=-1.0, lead=3.0, plate=-1.0)
_line = partial(line_of, sure=0.998)
SEEN = PlateReading("晋B12345", PlateColor.YELLOW, 0, 1, (10, 20, 130, 40))
CORNERS = np.array([[10, 20], [140, 20], [140, 60], [10, 60]], np.float32)


def _sighting(line: Line, text: str) -> Sighting:
    return Sighting(replace(SEEN, text=text), (line,), CORNERS)


def _match(line: Line, text: str, *expected: str, limits: Thresholds = LIMITS) -> PlateMatch:
    return match([_sighting(line, text)], expected, limits)


def test_the_expected_plate_is_confirmed_and_the_free_reading_kept() -> None:
    seen = _match(_line("晋B12345"), "晋B12345", "晋B54321", "晋B·12345", "沪A99999")
    assert (seen.answer, seen.plate, seen.frames) == (PlateAnswer.CONFIRMED, "晋B·12345", 1)
    assert seen.nearest[0].plate == "晋B·12345"
    assert seen.nearest[0].behind_milli == 0
    assert seen.nearest[1].behind_milli > 10_000
    assert seen.free is not None
    assert (seen.free.text, seen.free.color, seen.free.box) == ("晋B12345", PlateColor.YELLOW, (10, 20, 130, 40))


def test_an_o_is_a_0_and_an_i_a_1() -> None:
    seen = _match(_line("晋B10345"), "晋B10345", "晋BIO345")
    assert (seen.answer, seen.plate) == (PlateAnswer.CONFIRMED, "晋BIO345")


@pytest.mark.parametrize("cloned", ["晋B12346", "晋BI2348", "粤B12345", "晋D12345", "晋B1Z345", "晋B1234挂"])
def test_a_plate_one_character_off_is_not_the_expected_one(cloned: str) -> None:
    """The attack: another truck comes with a plate that is nearly the one on the pass."""
    seen = _match(_line("晋B12345"), "晋B12345", cloned, "沪A99999")
    assert (seen.answer, seen.plate) == (PlateAnswer.ASK, None)
    assert seen.nearest[0].plate == cloned, "the guard is shown it"
    assert seen.free is not None
    assert seen.free.text == "晋B12345"


def test_without_the_margin_the_attack_would_pass() -> None:
    """The control: with the list alone the nearest plate wins, whatever was read."""
    careless = replace(LIMITS, margin=100.0)
    assert _match(_line("晋B12345"), "晋B12345", "晋B12346", "沪A99999", limits=careless).plate == "晋B12346"


@pytest.mark.parametrize("share", [0.4, 0.45, 0.49, 0.51, 0.6])
def test_a_tossed_coin_confirms_neither_plate(share: float) -> None:
    """B or 8: which of them stands on the pass must not decide, nor which is a hair likelier."""
    line = _line("晋B1B345", unsure={3: ("8", share)})
    free = Likelihoods([[line]]).best(["晋B1B345"])
    assert all(_match(line, free, plate).answer is PlateAnswer.ASK for plate in ("晋B1B345", "晋B18345"))
    careless = replace(LIMITS, margin=100.0)
    assert _match(line, free, "晋B18345", limits=careless).answer is PlateAnswer.CONFIRMED


def test_a_plate_less_likely_than_all_other_texts_together_is_asked_about() -> None:
    """Each character beats each of its rivals well, and yet the whole is more often wrong than right."""
    line = line_of("晋B12345", sure=0.9)
    free = Likelihoods([[line]])
    assert 0.001 < np.exp(free.of(["晋B12345"])["晋B12345"]) < 0.5
    assert _match(line, "晋B12345", "晋B12345").answer is PlateAnswer.ASK


def test_a_margin_below_zero_demands_that_it_leads() -> None:
    """It is read right, but not surely enough: a rival nobody expects is close."""
    line = _line("晋B1B345", unsure={3: ("8", 0.2)})
    assert _match(line, "晋B1B345", "晋B1B345", "沪A99999").answer is PlateAnswer.CONFIRMED
    demanding = replace(LIMITS, margin=-4.0)
    assert _match(line, "晋B1B345", "晋B1B345", "沪A99999", limits=demanding).answer is PlateAnswer.ASK


def test_two_expected_plates_too_close_to_tell_apart_are_asked() -> None:
    line = _line("晋B1B345", unsure={3: ("8", 0.4)})
    seen = _match(line, "晋B1B345", "晋B1B345", "晋B18345")
    assert (seen.answer, seen.plate) == (PlateAnswer.ASK, None)
    assert [each.plate for each in seen.nearest] == ["晋B1B345", "晋B18345"]


def test_several_pictures_decide_what_one_leaves_open() -> None:
    demanding = replace(LIMITS, margin=-2.0)
    bad = _sighting(_line("晋B12345", unsure={6: ("6", 0.4)}), "晋B12345")
    good = _sighting(_line("晋B12345"), "晋B12345")
    assert match([bad], ["晋B12345"], demanding).answer is PlateAnswer.ASK
    seen = match([bad, good, good], ["晋B12345"], demanding)
    assert (seen.answer, seen.plate, seen.frames) == (PlateAnswer.CONFIRMED, "晋B12345", 3)
    assert seen.free is not None
    assert seen.free.text == "晋B12345"
    alone = match([good], ["晋B12345"], demanding).free
    assert alone is not None
    assert seen.free.confidence_permille < alone.confidence_permille, "as sure as all pictures together"


@pytest.mark.parametrize("other", ["苏E6H369", "晋B12346"])
def test_pictures_that_read_differently_confirm_nothing(other: str) -> None:
    """One truck after another in one look: the smeared plate of the first must not vanish in the mean."""
    smeared, clear = _sighting(_line(other, sure=0.4), other), _sighting(_line("晋B12345"), "晋B12345")
    assert match([clear, clear], ["晋B12345"], LIMITS).answer is PlateAnswer.CONFIRMED
    for frames in ([smeared, clear], [clear, smeared], [smeared, clear, clear]):
        seen = match(frames, ["晋B12345"], LIMITS)
        assert (seen.answer, seen.plate) == (PlateAnswer.ASK, None)


def test_a_second_clear_plate_in_view_is_asked_about() -> None:
    """Another truck's plate on paper beside the true one."""
    paper, true = _sighting(_line("晋B12345"), "晋B12345"), _sighting(_line("苏E6H369"), "苏E6H369")
    true = replace(true, plate=replace(true.plate, confidence_permille=955))
    small = replace(true, corners=CORNERS[0] + (CORNERS - CORNERS[0]) * np.float32(0.3))
    unclear = replace(true, plate=replace(true.plate, confidence_permille=500))
    same = replace(true, plate=replace(true.plate, text="晋B12346"))
    beside = plates_beside([paper, small, unclear, same, true])
    assert [each.text for each in beside] == ["苏E6H369"]
    seen = match([paper], ["晋B12345"], LIMITS, beside=beside)
    assert (seen.answer, seen.plate, seen.beside) == (PlateAnswer.ASK, None, beside)
    assert match([paper], ["晋B12345"], LIMITS).answer is PlateAnswer.CONFIRMED


def test_pictures_of_two_trucks_confirm_neither() -> None:
    one, other = _sighting(_line("晋B12345"), "晋B12345"), _sighting(_line("沪A99998"), "沪A99998")
    assert match([one, other], ["晋B12345", "沪A99998"], LIMITS).answer is PlateAnswer.ASK


def test_nothing_seen_and_nobody_expected() -> None:
    assert match([], ["晋B12345"], LIMITS) == PlateMatch(PlateAnswer.NO_PLATE, None, (), None, 0)
    seen = _match(_line("晋B12345"), "晋B12345")
    assert (seen.answer, seen.nearest) == (PlateAnswer.ASK, ())
    assert seen.free is not None


def test_a_plate_nobody_could_read_is_still_compared() -> None:
    """What stands in a notice may be no plate at all: it is unlikely, and says so."""
    seen = _match(_line("晋B12345"), "晋B12345", "临时车牌", "A very long text that is no plate")
    assert seen.answer is PlateAnswer.ASK
    assert all(each.behind_milli > 20_000 for each in seen.nearest)


def test_the_confidence_is_the_probability_and_each_character_has_its_own() -> None:
    line = _line("晋B1B345", unsure={3: ("8", 0.4)})
    seen = describe(Likelihoods([[line]]), "晋B1B345", SEEN)
    doubtful = seen.characters_permille[3]
    assert 500 < doubtful < 800
    assert all(each > 950 for at, each in enumerate(seen.characters_permille) if at != 3)
    assert 0 < seen.confidence_permille <= doubtful


@pytest.mark.parametrize(
    "told",
    [
        b"\xff\x00",
        b"temperature = 1.0\nlead = 3.0\nplate = -1.2\n",
        b"temperature = 1.0\nmargin = inf\nlead = 3.0\nplate = -1.2\n",
        b"temperature = nan\nmargin = 0.0\nlead = 3.0\nplate = -1.2\n",
        b"temperature = 0.0\nmargin = 0.0\nlead = 3.0\nplate = -1.2\n",
        b"temperature = 1.0\nmargin = 0.0\nlead = -3.0\nplate = -1.2\n",
    ],
)
def test_damaged_thresholds_are_refused_with_their_place(tmp_path: Path, told: bytes) -> None:
    """With an infinite margin every foreign pass would be confirmed."""
    file = tmp_path / "thresholds.toml"
    file.write_bytes(told)
    with pytest.raises(ValueError, match=r"thresholds\.toml: "):
        shipped(file)


def test_the_shipped_thresholds_are_whole() -> None:
    limits = shipped()
    assert limits.temperature > 0
    assert limits.lead > 0
    assert limits.plate < 0


def test_no_reading_is_certain() -> None:
    """Rounded, this one would be 1000 and a screen would say 100 %."""
    assert describe(Likelihoods([[line_of("晋B12345", sure=0.9999999)]]), "晋B12345", SEEN).confidence_permille == 999
