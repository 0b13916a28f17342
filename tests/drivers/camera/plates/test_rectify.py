"""A plate drawn into a picture at known corners comes out flat."""

import cv2
import numpy as np
import pytest

from drivers.camera.plates.face import draw_face, layout_of
from drivers.camera.plates.rectify import HEIGHT, SLANTS, WIDTH, line_position, rectify, slanted
from drivers.readings import PlateColor

TILTED = np.array([[200, 150], [500, 190], [495, 300], [190, 255]], np.float32)


def photographed(face: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], corners: np.ndarray) -> np.ndarray:
    height, width = face.shape[:2]
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    scene = np.full((480, 720, 3), 90, np.uint8)
    transform = cv2.getPerspectiveTransform(flat, corners)
    cv2.warpPerspective(face, transform, (720, 480), dst=scene, borderMode=cv2.BORDER_TRANSPARENT)
    return scene


@pytest.mark.parametrize(("scale", "move"), [(1.0, 0.0), (0.35, 40.0), (1.3, -140.0)])
def test_a_tilted_plate_comes_out_as_it_was_drawn(scale: float, move: float) -> None:
    face, _ = draw_face("皖AD2345", PlateColor.BLUE)
    corners = TILTED * scale + np.float32(move)
    line = rectify(photographed(face, corners), corners)
    assert line.shape == (HEIGHT, WIDTH, 3)
    wanted = cv2.resize(face, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    right = np.corrcoef(line.ravel(), wanted.ravel())[0, 1]
    moved = np.corrcoef(line.ravel(), np.roll(wanted, 4, axis=1).ravel())[0, 1]
    assert right > 0.85 > moved, (right, moved)


def test_two_rows_stand_side_by_side_with_every_character_whole() -> None:
    text = "皖B1234挂"
    face, centres = draw_face(text, PlateColor.YELLOW)
    height, width = face.shape[:2]
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    line = rectify(face, whole, rows=2)
    assert line.shape == (HEIGHT, WIDTH, 3)
    places = [line_position(x / width, y / height, rows=2) for x, y in centres]
    assert [x for x, _ in places] == sorted(x for x, _ in places), "read from left to right"
    for cell, (x, y) in zip(layout_of(text, PlateColor.YELLOW).cells, places, strict=True):
        left, _ = line_position(cell.x / 440, cell.center[1] / 220, rows=2)
        right, _ = line_position((cell.x + cell.width) / 440, cell.center[1] / 220, rows=2)
        assert 0 <= left < x < right <= WIDTH
        assert right - left > 10, "wide enough to be read"
        assert 8 < y < 24
        dark = line[:, int(left) : int(right) + 1].mean(axis=2) < 110
        assert dark.any(), "there is ink where the character stands"


def test_corners_beyond_the_picture() -> None:
    line = rectify(np.full((20, 60, 3), 77, np.uint8), np.array([[-10, -5], [70, -5], [70, 25], [-10, 25]], np.float32))
    assert (line == 77).all()


def test_what_it_refuses() -> None:
    image = np.zeros((20, 60, 3), np.uint8)
    with pytest.raises(ValueError, match="corners"):
        rectify(image, np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="rows"):
        rectify(image, TILTED, rows=3)


def test_a_plate_askew_in_its_box_is_among_the_slants() -> None:
    box = np.array([[10, 20], [210, 20], [210, 100], [10, 100]], np.float32)
    places = slanted(box)
    assert len(places) == len(SLANTS) == 9
    assert places[SLANTS.index((0.0, 0.0))] == pytest.approx(box)
    for (slope, lean), place in zip(SLANTS, places, strict=True):
        assert place.min(axis=0) == pytest.approx(box.min(axis=0), abs=1e-3), "it fills its box"
        assert place.max(axis=0) == pytest.approx(box.max(axis=0), abs=1e-3)
        assert place[1, 1] - place[0, 1] == pytest.approx(slope * 80, abs=1e-3)
        assert place[3, 0] - place[0, 0] == pytest.approx(lean * 200, abs=1e-3)
    face, _ = draw_face("皖AD2345", PlateColor.BLUE)
    wanted = cv2.resize(face, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).ravel()
    scene = photographed(face, places[SLANTS.index((0.2, 0.06))])
    alike = [np.corrcoef(rectify(scene, place).ravel(), wanted)[0, 1] for place in places]
    assert int(np.argmax(alike)) == SLANTS.index((0.2, 0.06))
