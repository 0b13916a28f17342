"""What a site's crops are worth: the split, the labels that are left out, and what keeps a worse net away."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera.plates.evaluate import Case, Label
from drivers.camera.plates.eye import PlateEye
from drivers.camera.plates.face import draw_face
from drivers.camera.plates.likelihood import one_off
from drivers.camera.plates.match import Sighting
from drivers.camera.plates.thresholds import SHIPPED_READER
from drivers.camera.plates_training.site import (
    Exam,
    TooFew,
    compare,
    doubtful,
    drawn_plates,
    examine,
    objections,
    study,
)
from drivers.readings import PlateColor, PlateReading
from tests.drivers.camera.plates.lines import line_of

CORNERS = np.array([[0, 0], [128, 0], [128, 32], [0, 32]], np.float32)


def label(folder: Path, plate: str, shows: str = "") -> Label:
    """A crop in a file that shows `shows` and is said to be `plate`."""
    face, _ = draw_face(shows or plate, PlateColor.BLUE, px_per_mm=0.4)
    path = folder / f"{plate}-{shows}.jpg"
    cv2.imwrite(str(path), cv2.GaussianBlur(face, (3, 3), 0))
    return Label(path, plate, PlateColor.BLUE, 1)


def plates(count: int) -> list[str]:
    dice = np.random.default_rng(count)
    return [f"晋B{number}" for number in dice.choice(np.arange(10_000, 99_999), count, replace=False)]


def case(plate: str, read: str, unsure: tuple[str, float] = ("", 0.0)) -> Case:
    """What a net made of a crop of `plate`; read "" is nothing. `unsure`: what else its third character may be."""
    told = Label(Path(f"{plate}.jpg"), plate, None, None)
    if not read:
        return Case(told, None, 1.0)
    seen = Sighting(PlateReading(read, PlateColor.BLUE, 900), (line_of(read, sure=0.998, unsure={2: unsure}),), CORNERS)
    return Case(told, seen, 1.0)


def test_no_truck_is_in_both_halves(tmp_path: Path) -> None:
    labels = [label(tmp_path, plate) for plate in plates(14)]
    crops = study(PlateEye(), [*labels, *labels], fewest=10)
    learn, check = ({each.label.plate for each in half} for half in (crops.learn, crops.check))
    assert learn and check
    assert not learn & check
    assert len(crops.learn) + len(crops.check) + len(crops.left_out) == 28
    assert crops.plates == (len(learn), len(check))


def test_too_few_plates_are_a_no_with_their_number(tmp_path: Path) -> None:
    """Plates count, not crops: one truck a hundred times teaches nothing of the others."""
    labels = [label(tmp_path, plate) for plate in plates(6)] * 2
    with pytest.raises(TooFew, match=r"6 different plates \(\d to learn from, \d to check\); wants 50"):
        study(PlateEye(), labels)


def test_what_cannot_be_learned_from_is_listed_with_the_reason(tmp_path: Path) -> None:
    good = [label(tmp_path, plate) for plate in plates(14)]
    learned = next(each for each in good if each.half == "a")
    other = label(tmp_path, learned.plate, shows="粤KH762Z")
    broken = replace(learned, file=tmp_path / "gone.jpg")
    no_plate = replace(learned, plate="晋B1234")
    crops = study(PlateEye(), [*good, other, broken, no_plate], fewest=10)
    why = {each.file: reason for each, reason in crops.left_out}
    assert why[other.file] == "reads 粤KH762Z"
    assert why[broken.file] == "unreadable"
    assert (no_plate, "no plate has this text") in crops.left_out
    assert learned in [each.label for each in crops.learn]


def test_a_label_is_doubted_only_where_both_nets_surely_read_the_same_other_plate() -> None:
    before = [case("晋B12345", "晋B72345"), case("晋B22345", "晋B72245"), case("晋B32345", "晋B72345", ("3", 0.3)),
              case("晋B42345", ""), case("晋B52345", "晋B52345")]  # fmt: skip
    after = [case("晋B12345", "晋B72345"), case("晋B22345", "晋B22345"), case("晋B32345", "晋B72345", ("3", 0.3)),
             case("晋B42345", ""), case("晋B52345", "晋B52345")]  # fmt: skip
    assert [(each.plate, why) for each, why in doubtful(before, after)] == [("晋B12345", "reads 晋B72345")]


def exam(cases: Sequence[Case]) -> Exam:
    return examine(cases, [], SHIPPED_READER)


def test_an_exam_counts_what_is_right_and_the_clones_that_pass() -> None:
    right, misread = case("晋B12345", "晋B12345"), case("晋B12345", "晋B12845")
    clones = len(one_off("晋B12345"))
    assert exam([right, right, case("晋B54321", "")]) == Exam(3, 2 / 3, 2 / 3, 0, 3 * clones, 0, 0)
    assert exam([misread]) == Exam(1, 0, 0, 1, clones, 0, 0)


def test_two_nets_are_compared_without_the_crops_left_out() -> None:
    before = [case("晋B12345", "晋B12345"), case("晋B54321", "晋B74321")]
    after = [case("晋B12345", "晋B12345"), case("晋B54321", "晋B74321")]
    one, other = compare(before, after, doubtful(before, after), (SHIPPED_READER, SHIPPED_READER), drawn=4)
    assert (one.crops, one.exact, one.clones_confirmed, one.drawn) == (1, 1, 0, 4)
    assert one == other


def test_the_drawn_plates_are_the_same_each_time_and_of_many_provinces() -> None:
    first, again = drawn_plates(40), drawn_plates(40)
    assert [plate for plate, _ in first] == [plate for plate, _ in again]
    assert all((one == other).all() for (_, one), (_, other) in zip(first, again, strict=True))
    assert len({plate.text[0] for plate, _ in first}) > 15


BEFORE = Exam(crops=200, exact=0.9, confirmed=0.95, clones_confirmed=12, clones=45_000, drawn=1984, drawn_exact=0.95)


def test_a_net_that_is_no_worse_meets_no_objection() -> None:
    assert list(objections(BEFORE, BEFORE)) == []
    assert list(objections(BEFORE, replace(BEFORE, exact=0.97, clones_confirmed=3, drawn_exact=0.941))) == []


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({"exact": 0.895}, "reads the site's unseen crops worse: exact 90.0% -> 89.5% of 200"),
        (
            {"drawn_exact": 0.939},
            "forgets other provinces: drawn plates exact 95.0% -> 93.9% of 1984, more than 1 point",
        ),
        ({"clones_confirmed": 13}, "lets more clones pass: of 45000 plates one character off, confirmed 12 -> 13"),
    ],
)
def test_each_way_to_be_worse_is_an_objection_with_its_numbers(worse: dict[str, float], said: str) -> None:
    better = replace(BEFORE, exact=0.99, clones_confirmed=0, drawn_exact=0.99)
    assert list(objections(BEFORE, replace(better, **worse))) == [said]  # type: ignore[arg-type]
