"""Finds plates without a network: plate colours, dense upright edges, contours; answers corners, best first.

It is the fallback of `drivers.camera.plates.locate`. Colours are those of GA 36-2018 as cameras see them (OpenCV's HSV,
hue 0..179); a plate is told from other coloured or striped things by its shape and by the strokes on it.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.found import Corners, Found, Image, best_apart, grown, in_order

MOST = 12
_LONGER_SIDE_PX = 800
_BLUE = ((97, 55, 35), (130, 255, 255))
_YELLOW = ((11, 75, 60), (36, 255, 255))
_GREEN = ((36, 32, 60), (95, 255, 255))
_COLOR_CLOSINGS = ((7, 5), (17, 9))
_EDGE_CLOSINGS = ((15, 3), (27, 5))
_STRIP_PX = (132, 42)
_ONE_ROW_RATIO = 440 / 140


def find_by_contours(image: Image) -> tuple[Found, ...]:
    """At most `MOST` places that may be plates in a BGR picture, best first; the score is 0..1 and only ranks."""
    height, width = image.shape[:2]
    if min(height, width) < 12:
        return ()
    scale = min(1.0, _LONGER_SIDE_PX / max(height, width))
    small = image
    if scale < 1.0:
        small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    if min(small.shape[:2]) < 12:
        return ()
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    found = []
    for corners, colored in _quadrilaterals(small, grey):
        score = _score(grey, corners, colored)
        if score > 0:
            found.append(Found((corners / np.float32(scale)).astype(np.float32), score))
    return best_apart(found, MOST, 0.6)


def _quadrilaterals(small: Image, grey: Image) -> Iterator[tuple[Corners, bool]]:
    """Corners of plate-like blobs, and whether the blob has a plate's colour (its rim is then the plate's)."""
    edges = _upright_edges(grey)
    busy = np.asarray(cv2.dilate(edges, np.ones((9, 25), np.uint8)), np.uint8)
    hsv = cv2.cvtColor(small, cv2.COLOR_BGR2HSV)
    for low, high in (_BLUE, _YELLOW, _GREEN):
        mask = np.asarray(cv2.inRange(hsv, np.array(low, np.uint8), np.array(high, np.uint8)), np.uint8) & busy
        for closing in _COLOR_CLOSINGS:
            for corners in _blobs(mask, closing):
                yield corners, True
    for closing in _EDGE_CLOSINGS:
        for corners in _blobs(edges, closing):
            # The strokes reach over 92 % of the plate's length and 64 % of its height.
            yield grown(corners, 1.05, 1.32), False


def _upright_edges(grey: Image) -> Image:
    """255 where brightness changes sideways, more than it does on average around there."""
    change = np.abs(cv2.Sobel(cv2.GaussianBlur(grey, (3, 3), 0), cv2.CV_32F, 1, 0))
    around = cv2.boxFilter(change, -1, (41, 21))
    return ((change > 1.4 * around + 14) & (change > 26)).astype(np.uint8) * 255


def _blobs(mask: Image, closing: tuple[int, int]) -> Iterator[Corners]:
    """Quadrilaterals about the closed mask's contours that have a plate's size and proportions."""
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones(closing[::-1], np.uint8))
    closed = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((5, 9), np.uint8))
    for contour in cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        area = cv2.contourArea(contour)
        if area < 250:
            continue
        hull = np.asarray(cv2.convexHull(contour), np.int32)
        corners = _four_corners(hull)
        long, high = _size(corners)
        lean = abs(np.degrees(np.arctan2(*(corners[1] + corners[2] - corners[0] - corners[3])[::-1])))
        if high < 8 or long < 28 or not 1.4 <= long / high <= 7 or lean > 48:
            continue
        if area < 0.5 * cv2.contourArea(corners):
            continue
        yield corners


def _four_corners(hull: NDArray[np.int32]) -> Corners:
    """The smallest quadrilateral about a hull where it is not absurd, else the smallest turned rectangle."""
    box = in_order(np.asarray(cv2.boxPoints(cv2.minAreaRect(hull)), np.float32))
    if len(hull) <= 4:
        return box
    four = in_order(np.asarray(cv2.approxPolyN(hull, 4, ensure_convex=True), np.float32).reshape(-1, 2))
    top, bottom = np.hypot(*(four[1] - four[0])), np.hypot(*(four[2] - four[3]))
    left, right = np.hypot(*(four[3] - four[0])), np.hypot(*(four[2] - four[1]))
    tapers = max(top, bottom) > 1.25 * min(top, bottom) or max(left, right) > 1.5 * min(left, right)
    return box if tapers else four


def _size(corners: Corners) -> tuple[float, float]:
    """Mean length of the two long sides and of the two short ones, in pixels."""
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    return float(lengths[0] + lengths[2]) / 2, float(lengths[1] + lengths[3]) / 2


def _score(grey: Image, corners: Corners, colored: bool) -> float:
    """How much the place looks like a plate, 0..1: strokes, characters, contrast, proportions, colour."""
    wide, high = _STRIP_PX
    goal = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    reach = grown(corners, 1.04, 1.1)
    flatten = cv2.getPerspectiveTransform(reach, goal)
    strip = np.asarray(cv2.warpPerspective(grey, flatten, (wide, high)), np.uint8)
    body = strip[high // 5 : -high // 5, 4:-4].astype(np.float32)
    contrast = float(body.std())
    if contrast < 9:
        return 0.0
    changes = np.count_nonzero(np.diff(body > body.mean(axis=1, keepdims=True), axis=1), axis=1)
    strokes = float(np.median(changes))
    if strokes < 6:
        return 0.0
    long, short = _size(corners)
    ratio = long / short
    shape = 1 - min(abs(ratio - _ONE_ROW_RATIO) / _ONE_ROW_RATIO, 1) if ratio > 2.4 else 0.72
    points = 0.9 * shape + 0.5 * min(strokes, 16) / 16 + 0.4 * min(contrast, 45) / 45 + (0.5 if colored else 0.0)
    points += 0.3 * min(_characters(strip), 7) + 0.1 * min(long / 120, 1)
    return float(np.clip(points / 4.5, 0.0, 1.0))


def _characters(strip: Image) -> int:
    """How many connected strokes of one height stand in one row, in the better of the two polarities."""
    high = strip.shape[0]
    best = 0
    _, bright = cv2.threshold(strip, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    for ink in (bright, cv2.bitwise_not(bright)):
        boxes = cv2.connectedComponentsWithStats(ink, connectivity=4)[2][1:]
        tall = boxes[(boxes[:, 3] > 0.33 * high) & (boxes[:, 3] < 0.9 * high) & (boxes[:, 2] < 0.62 * high)]
        if len(tall) > best:
            middle = tall[:, 1] + tall[:, 3] / 2
            alike = (np.abs(tall[:, 3] - np.median(tall[:, 3])) < 0.13 * high) & (
                np.abs(middle - np.median(middle)) < 0.14 * high
            )
            best = max(best, int(np.count_nonzero(alike)))
    return best
