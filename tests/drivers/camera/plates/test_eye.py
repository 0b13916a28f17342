"""The whole way with the shipped nets: a picture in, plates out. The pictures are our own drawings."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from drivers.camera.plates.eye import PlateEye, crop_jpeg
from drivers.camera.plates.images import decode_image
from drivers.camera.plates.match import match
from drivers.camera.plates.thresholds import shipped
from drivers.readings import PlateAnswer, PlateColor
from tests.drivers.camera.plates.pictures import HEIGHT, WIDTH, photo, yard


@pytest.fixture(scope="module")
def eye() -> PlateEye:
    return PlateEye()


PLATES = [
    ("晋B12345", PlateColor.YELLOW, 1),
    ("浙AK372M", PlateColor.BLUE, 1),
    ("冀C8F65挂", PlateColor.YELLOW, 2),
    ("苏E90718", PlateColor.YELLOW, 2),
    ("粤AD12345", PlateColor.GREEN, 1),
    ("沪A28764F", PlateColor.GREEN, 1),
    ("鲁Q1234警", PlateColor.WHITE, 1),
]


@pytest.mark.parametrize(("text", "color", "rows"), PLATES)
def test_every_kind_of_plate_is_seen(eye: PlateEye, text: str, color: PlateColor, rows: int) -> None:
    seen = eye.see(photo(text, color, rows=rows, width=170))
    assert [(each.plate.text, each.plate.color, each.plate.rows) for each in seen] == [(text, color, rows)]
    plate = seen[0].plate
    assert plate.confidence_permille > 500
    assert len(plate.characters_permille) == len(text)
    x, y, width, height = plate.box or (0, 0, 0, 0)
    assert abs(x + width / 2 - WIDTH / 2) < 15
    assert abs(y + height / 2 - 440) < 12
    assert 140 < width < 210


@pytest.mark.parametrize("change", [{"tilt": 12.0}, {"tilt": -12.0}, {"width": 90.0}, {"width": 260.0}, {"light": 0.3}])
def test_it_is_seen_leaning_far_near_and_in_the_dark(eye: PlateEye, change: dict[str, Any]) -> None:
    seen = eye.see(photo("晋B12345", PlateColor.BLUE, **change))
    assert [each.plate.text for each in seen] == ["晋B12345"]


def test_an_empty_lane_has_no_plate(eye: PlateEye) -> None:
    for seed in range(3):
        assert eye.see(yard(seed)) == ()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_covered_lens_has_no_plate(eye: PlateEye, level: int) -> None:
    assert eye.see(np.full((HEIGHT, WIDTH, 3), level, np.uint8)) == ()
    assert eye.see_crop(np.full((40, 130, 3), level, np.uint8)) is None


def test_the_floor_decides_what_is_a_plate(eye: PlateEye) -> None:
    """Ever more blurred, a plate is none in the end; a stricter floor gives up sooner."""
    crop = photo("晋B12345", PlateColor.BLUE, width=160)[412:468, 315:486]
    blurred = [np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.uint8) for sigma in np.linspace(1, 9, 17)]
    strict = PlateEye(replace(shipped(), plate=-0.02))
    seen, clear = ([one.see_crop(each) is not None for each in blurred] for one in (eye, strict))
    assert seen[0]
    assert not seen[-1]
    assert sum(clear) < sum(seen)


def test_only_the_region_is_looked_at(eye: PlateEye) -> None:
    picture = photo("晋B12345", PlateColor.BLUE)
    assert [each.plate.text for each in eye.see(picture, (200, 500, 600, 500))] == ["晋B12345"]
    assert eye.see(picture, (0, 0, 1000, 400)) == ()


def test_a_picture_that_is_the_plate_itself(eye: PlateEye) -> None:
    picture = photo("晋B12345", PlateColor.BLUE, width=160)
    seen = eye.see_crop(np.ascontiguousarray(picture[412:468, 315:486]))
    assert seen is not None
    assert (seen.plate.text, seen.plate.rows) == ("晋B12345", 1)
    two = photo("冀C8F65挂", PlateColor.YELLOW, rows=2, width=160)
    seen = eye.see_crop(np.ascontiguousarray(two[398:482, 318:482]))
    assert seen is not None
    assert (seen.plate.text, seen.plate.rows) == ("冀C8F65挂", 2)


def test_the_crop_for_people_shows_the_plate(eye: PlateEye) -> None:
    picture = photo("晋B12345", PlateColor.BLUE)
    seen = eye.see(picture)[0]
    crop = decode_image(crop_jpeg(picture, seen), "crop")
    assert 150 < crop.shape[1] < 230
    assert crop.shape[1] > 2 * crop.shape[0]


def test_a_plate_at_the_edge_and_a_tiny_picture_are_no_trouble(eye: PlateEye) -> None:
    picture = photo("晋B12345", PlateColor.BLUE)
    for part in (picture[:, 390:], picture[:445], picture[430:]):
        for each in eye.see(np.ascontiguousarray(part)):
            assert crop_jpeg(part, each).startswith(b"\xff\xd8")
    eye.see(np.ascontiguousarray(picture[430:440, 390:400]))


def test_the_right_truck_is_confirmed_and_its_clone_is_not(eye: PlateEye) -> None:
    """From pixels to the answer; the clone differs in one character that looks alike."""
    seen = eye.see(photo("晋B8C365", PlateColor.YELLOW, width=170))[:1]
    others = ["晋B54321", "晋B88888", "蒙K12345"]
    assert match(seen, ["晋B8C365", *others]).plate == "晋B8C365"
    cloned = match(seen, ["晋BBC365", *others])
    assert (cloned.answer, cloned.nearest[0].plate) == (PlateAnswer.ASK, "晋BBC365")
    assert match(seen, others).answer is PlateAnswer.ASK


def test_a_grey_picture_is_read_too(eye: PlateEye) -> None:
    grey = cv2.cvtColor(photo("晋B12345", PlateColor.BLUE, width=170), cv2.COLOR_BGR2GRAY)
    seen = eye.see(np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8))
    assert [each.plate.text for each in seen] == ["晋B12345"]
