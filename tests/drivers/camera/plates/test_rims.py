"""A place laid flat for the second look, and corners from the net's maps."""

import cv2
import numpy as np

from drivers.camera.plates.rims import ACROSS, ALONG, HEIGHT, WIDTH, flatten, mean_positions

PLACE = np.array([[110, 90], [290, 120], [285, 190], [105, 155]], np.float32)


def test_the_place_stands_in_the_middle_and_its_surroundings_around_it() -> None:
    flat, to_flat = flatten(np.zeros((300, 400, 3), np.uint8), PLACE)
    assert flat.shape == (HEIGHT, WIDTH, 3)
    corners = cv2.perspectiveTransform(PLACE[None], to_flat)[0]
    margin_x, margin_y = WIDTH * (1 - 1 / ALONG) / 2, HEIGHT * (1 - 1 / ACROSS) / 2
    expected = [
        [margin_x, margin_y],
        [WIDTH - margin_x, margin_y],
        [WIDTH - margin_x, HEIGHT - margin_y],
        [margin_x, HEIGHT - margin_y],
    ]
    assert np.abs(corners - expected).max() < 1.5


def test_the_matrix_tells_where_a_pixel_went() -> None:
    """Seen with a fine and with a coarse raster: a bright spot lies where the matrix says, to half a pixel."""
    for scale in (1, 4):
        image = np.zeros((300 * scale, 400 * scale, 3), np.uint8)
        spot = (200.0 * scale, 140.0 * scale)
        cv2.circle(image, (int(spot[0]), int(spot[1])), 5 * scale, (255, 255, 255), -1)
        flat, to_flat = flatten(image, (PLACE * scale).astype(np.float32))
        y, x = np.nonzero(flat[..., 0] > 127)
        expected = cv2.perspectiveTransform(np.array([[spot]], np.float32), to_flat)[0, 0]
        assert np.abs(np.array([x.mean() + 0.5, y.mean() + 0.5]) - expected).max() < 0.7


def test_a_hot_cell_is_the_corner_and_two_equal_ones_meet_in_the_middle() -> None:
    maps = np.full((2, 4, 16, 32), -20, np.float32)
    maps[0, :, 3, 5] = 20
    maps[1, :, 3, 5] = maps[1, :, 7, 5] = 20
    found = mean_positions(maps)
    cell = WIDTH / 32
    assert np.allclose(found[0], [5.5 * cell, 3.5 * cell], atol=1e-3)
    assert np.allclose(found[1], [5.5 * cell, 5.5 * cell], atol=1e-3)
