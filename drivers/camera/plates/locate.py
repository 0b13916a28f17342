"""Finds the plates of a whole picture: corners, best first."""

from typing import TypeAlias

import numpy as np

from drivers.camera.plates.classical import find_by_contours
from drivers.camera.plates.found import Found, Image

MOST = 8
Region: TypeAlias = tuple[int, int, int, int]
"""Where to look: left, top, width and height in permille of the picture's width and height."""


class Locator:
    """Plates in a picture. One object belongs to one thread."""

    def find(self, image: Image, region: Region | None = None) -> tuple[Found, ...]:
        """At most `MOST` places in a BGR picture (HxWx3), best first; their corners lie in the whole picture.

        With `region` only that part is looked at. ValueError when the region does not lie in the picture.
        """
        left, top, right, bottom = _pixels(image, region)
        part = np.ascontiguousarray(image[top:bottom, left:right])
        if min(part.shape[:2]) < 1:
            return ()
        away = np.array([left, top], np.float32)
        return tuple(
            Found((one.corners + away).astype(np.float32), one.score, one.rows) for one in find_by_contours(part)[:MOST]
        )


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
