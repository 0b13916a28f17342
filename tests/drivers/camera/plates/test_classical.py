"""Finding plates by colour, edges and contours: the fallback that needs no weights."""

import numpy as np
import pytest

from drivers.camera.plates.classical import MOST, find_by_contours
from drivers.camera.plates.face import draw_face
from drivers.camera.plates.found import Corners, Found, Image, best_apart, grown, in_order, overlap
from drivers.readings import PlateColor

PLATES = [
    ("苏B12345", PlateColor.BLUE, 1),
    ("鲁H7A612", PlateColor.YELLOW, 1),
    ("冀A5512挂", PlateColor.YELLOW, 2),
    ("粤BD12345", PlateColor.GREEN, 1),
]


def on_a_wall(text: str, color: PlateColor, rows: int) -> tuple[Image, Corners]:
    """A plate of 150 px on grey sheet metal, and its corners."""
    rng = np.random.default_rng(1)
    face, _ = draw_face(text, color, px_per_mm=0.34, rows=rows)
    picture = np.clip(rng.normal(120, 4, (360, 480, 3)), 0, 255).astype(np.uint8)
    high, long = face.shape[:2]
    picture[200 : 200 + high, 140 : 140 + long] = face
    corners = np.array([[140, 200], [140 + long, 200], [140 + long, 200 + high], [140, 200 + high]], np.float32)
    return picture, corners


@pytest.mark.parametrize(("text", "color", "rows"), PLATES)
def test_a_plain_plate_is_the_best_find(text: str, color: PlateColor, rows: int) -> None:
    picture, corners = on_a_wall(text, color, rows)
    found = find_by_contours(picture)
    assert found
    assert overlap(found[0].corners, corners) > 0.6
    assert 0 < found[0].score <= 1


def test_a_blank_wall_and_a_blue_board_hold_no_plate() -> None:
    wall = np.full((360, 480, 3), 120, np.uint8)
    assert find_by_contours(wall) == ()
    wall[200:250, 140:290] = (165, 70, 12)
    assert find_by_contours(wall) == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (2, 3000), (13, 5000), (4000, 12)])
def test_odd_pictures_are_looked_at_without_harm(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert len(find_by_contours(noise)) <= MOST


def test_corners_come_in_order_whatever_order_they_had() -> None:
    plate = np.array([[10, 30], [200, 10], [205, 70], [15, 95]], np.float32)
    for shuffle in ([0, 1, 2, 3], [2, 3, 0, 1], [3, 1, 0, 2], [1, 0, 3, 2]):
        assert in_order(plate[shuffle]).tolist() == plate.tolist()


def test_a_steep_plate_keeps_its_reading_direction() -> None:
    angle = np.radians(40)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for way in (turn, turn.T):
        plate = (np.array([[-100, -30], [100, -30], [100, 30], [-100, 30]]) @ way + 300).astype(np.float32)
        assert np.allclose(in_order(plate[::-1]), plate)


def test_grown_keeps_the_middle_and_the_lean() -> None:
    plate = np.array([[10, 30], [200, 10], [205, 70], [15, 95]], np.float32)
    assert np.allclose(grown(plate, 1, 1), plate, atol=1e-4)
    twice = grown(plate, 2, 2)
    assert np.allclose(twice.mean(axis=0), plate.mean(axis=0), atol=1e-4)
    assert np.allclose(twice[1] - twice[0] + twice[2] - twice[3], 2 * (plate[1] - plate[0] + plate[2] - plate[3]))


def test_of_two_finds_of_one_plate_the_better_stays() -> None:
    plate = np.array([[0, 0], [100, 0], [100, 30], [0, 30]], np.float32)
    finds = [Found(plate, 0.4), Found(plate + 3, 0.9), Found(plate + 200, 0.1)]
    assert [one.score for one in best_apart(finds, 8)] == [0.9, 0.1]
    assert [one.score for one in best_apart(finds, 1)] == [0.9]
