"""A plate in a picture, laid flat into the one line of 32 x 128 pixels that the net reads.

The same function makes the training pictures, so the net sees at work what it saw at school.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 128, 32
"""Pixels of the line."""

UPPER_WIDTH = 44
"""Pixels of the line that the upper row of a two-row plate gets; the lower row gets the rest."""
UPPER = (0.17, 0.0, 0.83, 0.40)
LOWER = (0.0, 0.36, 1.0, 1.0)
"""Windows (x0, y0, x1, y1) of a two-row plate as shares of its width and height. They overlap a little: a plate found a
few per cent too high or too low loses no character."""

_FINEST = 4

Picture = NDArray[np.uint8]


def rectify(image: Picture, corners: NDArray[np.float32], rows: int = 1) -> Picture:
    """The plate as 32 x 128 x 3 BGR.

    `image` is HxWx3 BGR; `corners` 4x2 in its pixels: top left, top right, bottom right, bottom left. With `rows` 2 the
    upper row is laid to the left of the lower one. What lies outside the image repeats its edge.
    ValueError if `rows` is neither 1 nor 2 or the corners are not 4x2.
    """
    if corners.shape != (4, 2) or rows not in (1, 2):
        raise ValueError(f"want 4x2 corners and 1 or 2 rows, have {corners.shape} and {rows}")
    if rows == 1:
        return _window(image, corners, (0.0, 0.0, 1.0, 1.0), WIDTH)
    upper = _window(image, corners, UPPER, UPPER_WIDTH)
    lower = _window(image, corners, LOWER, WIDTH - UPPER_WIDTH)
    return np.hstack([upper, lower])


SLANTS = tuple((slope, lean) for slope in (-0.2, 0.0, 0.2) for lean in (-0.06, 0.0, 0.06))


def slanted(corners: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """The ways a plate may lie askew in an upright box: the nine of SLANTS, the box itself among them.

    Slope is how much lower the right end lies, as a share of the box's height; lean, how far the foot stands to the
    right of the top, as a share of its width. For crops whose corners nobody has found: read all, keep the likeliest.
    """
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    to_image = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    places = []
    for slope, lean in SLANTS:
        right, left = max(slope, 0), max(-slope, 0)
        foot, top = max(lean, 0), max(-lean, 0)
        askew = np.array([[[top, left], [1 - foot, right], [1 - top, 1 - left], [foot, 1 - right]]], np.float32)
        places.append(np.asarray(cv2.perspectiveTransform(askew, to_image)[0], np.float32))
    return tuple(places)


def line_position(x: float, y: float, rows: int = 1) -> tuple[float, float]:
    """Where a point of the plate (shares of its width and height) lies in the line, in pixels.

    A point that lies in both windows of a two-row plate is taken for the upper row above 0.38, else for the lower.
    """
    if rows == 1:
        return x * WIDTH, y * HEIGHT
    left, window, width = (0, UPPER, UPPER_WIDTH) if y < 0.38 else (UPPER_WIDTH, LOWER, WIDTH - UPPER_WIDTH)
    x0, y0, x1, y1 = window
    return left + (x - x0) / (x1 - x0) * width, (y - y0) / (y1 - y0) * HEIGHT


def _window(
    image: Picture, corners: NDArray[np.float32], window: tuple[float, float, float, float], width: int
) -> Picture:
    """One window of the plate, as HEIGHT x width.

    A plate larger than the line is sampled finer and averaged, since plain interpolation would skip pixels.
    """
    x0, y0, x1, y1 = window
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    to_image = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    inner = np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], np.float32)
    source = cv2.perspectiveTransform(inner, to_image)[0]
    across = float(np.linalg.norm(source[1] - source[0]) + np.linalg.norm(source[2] - source[3])) / 2
    fine = int(np.clip(round(across / width), 1, _FINEST))
    target = np.array([[0, 0], [width, 0], [width, HEIGHT], [0, HEIGHT]], np.float32) * fine - 0.5
    flat = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(source - 0.5, target),
        (width * fine, HEIGHT * fine),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if fine > 1:
        flat = cv2.resize(flat, (width, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(flat, np.uint8)
