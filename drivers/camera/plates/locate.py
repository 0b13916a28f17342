"""Finds the plates of a whole picture: corners, best first.

A net that sees the whole picture says where plates may be; a second net looks at each place again, laid flat, and says
where its rim is, whether it is a plate at all, and how many rows it has. Where they are sure of nothing, the picture is
seen once more at half the size, for very large plates, and the places of `classical` are shown to the second net too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates import rims
from drivers.camera.plates.classical import find_by_contours
from drivers.camera.plates.found import Found, Image, best_apart

MOST = 8
MODEL = Path(__file__).with_name("models") / "locator.onnx"
RIM_MODEL = Path(__file__).with_name("models") / "rims.onnx"
Region: TypeAlias = tuple[int, int, int, int]
"""Where to look: left, top, width and height in permille of the picture's width and height."""

WIDTH, HEIGHT = 512, 384
"""Pixels of the picture that the first net takes."""
_STRIDE = 8
_REACH_PX = 32.0
_BLANK = 114
_LEAST_HEAT = 0.05
_SECOND_LOOKS, _THIRD_LOOKS = 5, 3
"""So many places of the first net are looked at again, and so many of these once more: each costs a millisecond."""
_HEAT_OF_CONTOURS = 0.5
_LEAST_SCORE = 0.2
NOT_TOO_LARGE = 0.85
"""Below this score of the best place the picture is seen again at half the size: of a plate too large for the first net
only a part is found, and not surely."""
SURE = 0.5
"""Below this score of the best place the picture is searched by contours, too."""


class Locator:
    """Plates in a picture. One object belongs to one thread; building one loads both nets."""

    def __init__(self, model: Path = MODEL, rim_model: Path = RIM_MODEL) -> None:
        """OSError or ValueError when a file is missing or is no net."""
        self._finder = _net(model)
        self._rims = _net(rim_model)

    def find(self, image: Image, region: Region | None = None) -> tuple[Found, ...]:
        """At most `MOST` places in a BGR picture (HxWx3), best first; their corners lie in the whole picture.

        With `region` only that part is looked at. ValueError when the region does not lie in the picture.
        """
        left, top, right, bottom = _pixels(image, region)
        part = np.ascontiguousarray(image[top:bottom, left:right])
        if min(part.shape[:2]) < 2:
            return ()
        found = self._look_twice(part, self._whole(part, 1.0))
        if not found or found[0].score < NOT_TOO_LARGE:
            found += self._look_twice(part, self._whole(part, 0.5))
        if max((one.score for one in found), default=0.0) < SURE:
            places = [Found(one.corners, _HEAT_OF_CONTOURS) for one in find_by_contours(part)[:MOST]]
            found += self._look_twice(part, places)
        away = np.array([left, top], np.float32)
        best = best_apart([one for one in found if one.score >= _LEAST_SCORE], MOST)
        return tuple(Found((one.corners + away).astype(np.float32), one.score, one.rows) for one in best)

    def _whole(self, part: Image, size: float) -> list[Found]:
        """What the first net finds in the picture made to fit its input times `size`, the hottest first."""
        height, width = part.shape[:2]
        scale = size * min(1.0, WIDTH / width, HEIGHT / height)
        fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
        canvas = np.full((HEIGHT, WIDTH, 3), _BLANK, np.uint8)
        canvas[: fitted[1], : fitted[0]] = cv2.resize(part, fitted, interpolation=cv2.INTER_AREA)
        self._finder.setInput(cv2.dnn.blobFromImage(canvas, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True))
        output = np.asarray(self._finder.forward(), np.float32)[0]
        back = np.array([width / fitted[0], height / fitted[1]], np.float32)
        return [Found((one.corners * back).astype(np.float32), one.score) for one in _peaks(output)]

    def _look_twice(self, part: Image, places: Sequence[Found]) -> list[Found]:
        """The second net's opinion of every place, best first; of the best also what it says once it lies straight."""
        first = best_apart(self._look(part, places), MOST)
        again = self._look(part, first[:_THIRD_LOOKS])
        return sorted([*again, *first[_THIRD_LOOKS:]], key=lambda one: -one.score)

    def _look(self, part: Image, places: Sequence[Found]) -> list[Found]:
        """The second net's opinion of every place: better corners, rows, and a score that keeps half of the old one."""
        if not places:
            return []
        flat, back = zip(*(rims.flatten(part, place.corners) for place in places), strict=True)
        self._rims.setInput(cv2.dnn.blobFromImages(flat, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True))
        kinds, maps = (np.asarray(output, np.float32) for output in self._rims.forward(["kind", "corners"]))
        inside = rims.mean_positions(maps)
        found = []
        for place, to_flat, (plate, two_rows), flat_corners in zip(places, back, kinds, inside, strict=True):
            corners = cv2.perspectiveTransform(flat_corners[None], np.linalg.inv(to_flat))[0]
            score = float(np.sqrt(place.score / (1 + np.exp(-plate))))
            found.append(Found(np.asarray(corners, np.float32), score, 2 if two_rows > 0 else 1))
        return found


def _peaks(output: NDArray[np.float32]) -> tuple[Found, ...]:
    """The hottest cells (local maxima, `_SECOND_LOOKS` at most), corners in pixels of the net's input."""
    heat = 1 / (1 + np.exp(-output[0]))
    tops = (heat >= np.asarray(cv2.dilate(heat, np.ones((3, 3), np.uint8)))) & (heat > _LEAST_HEAT)
    cells = sorted(np.argwhere(tops).tolist(), key=lambda cell: -heat[cell[0], cell[1]])
    candidates = []
    for row, column in cells[: 2 * MOST]:
        middle = np.array([column, row], np.float32) * _STRIDE + _STRIDE / 2
        corners = (middle + output[2:, row, column].reshape(4, 2) * _REACH_PX).astype(np.float32)
        if np.ptp(corners, axis=0).min() >= 3:
            candidates.append(Found(corners, float(heat[row, column])))
    return best_apart(candidates, _SECOND_LOOKS)


def _net(model: Path) -> cv2.dnn.Net:
    try:
        return cv2.dnn.readNetFromONNX(np.frombuffer(model.read_bytes(), np.uint8))
    except cv2.error as error:
        raise ValueError(f"{model}: not a net that can be read ({error.err})") from None


def _pixels(image: Image, region: Region | None) -> tuple[int, int, int, int]:
    height, width = image.shape[:2]
    if region is None:
        return 0, 0, width, height
    x, y, w, h = region
    if not (0 <= x < x + w <= 1000 and 0 <= y < y + h <= 1000):
        raise ValueError(
            f"region {region} is not inside the picture; allowed: x, y, w, h in permille, each side <= 1000"
        )
    return x * width // 1000, y * height // 1000, -(-(x + w) * width // 1000), -(-(y + h) * height // 1000)
