"""A plate found in a picture: four corners, how sure, how many rows."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Corners: TypeAlias = NDArray[np.float32]
"""4x2: x and y in pixels of the whole picture, in the order top left, top right, bottom right, bottom left."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One place that may be a plate. `score` is 0..1; `rows` is 1 or 2, None where the finder cannot tell."""

    corners: Corners
    score: float
    rows: int | None = None


def in_order(points: NDArray[np.float32]) -> Corners:
    """The four corners of a convex quadrilateral, in any order, as tl, tr, br, bl.

    The first corner is the upper end of the left one of the two short sides, so a plate that leans by less than 45
    degrees keeps its reading direction.
    """
    centre = points.mean(axis=0)
    around = points[np.argsort(np.arctan2(points[:, 1] - centre[1], points[:, 0] - centre[0]))]
    sides = np.roll(around, -1, axis=0) - around
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    # The two long sides run along the text; with y down the angles grow clockwise, so the upper one runs to the right.
    first = 0 if lengths[0] + lengths[2] >= lengths[1] + lengths[3] else 1
    if sides[first][0] < 0:
        first = (first + 2) % 4
    return np.roll(around, -first, axis=0).astype(np.float32)


def overlap(one: Corners, other: Corners) -> float:
    """Intersection over union of the two upright boxes, 0..1."""
    low = np.maximum(one.min(axis=0), other.min(axis=0))
    high = np.minimum(one.max(axis=0), other.max(axis=0))
    both = float(np.prod(np.maximum(high - low, 0)))
    either = float(np.prod(np.ptp(one, axis=0)) + np.prod(np.ptp(other, axis=0))) - both
    return both / either if either > 0 else 0.0


def best_apart(found: list[Found], most: int, largest_overlap: float = 0.5) -> tuple[Found, ...]:
    """At most `most` of them, best first, none overlapping a better one by more than `largest_overlap`."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: -f.score):
        if len(kept) == most:
            break
        if all(overlap(one.corners, better.corners) <= largest_overlap for better in kept):
            kept.append(one)
    return tuple(kept)


def grown(corners: Corners, along: float, across: float) -> Corners:
    """The quadrilateral about its centre, `along` times as long and `across` times as high."""
    top_left, top_right, bottom_right, bottom_left = corners
    centre = corners.mean(axis=0)
    right = (top_right + bottom_right - top_left - bottom_left) / 4
    down = (bottom_left + bottom_right - top_left - top_right) / 4
    away = np.array([[-along, -across], [along, -across], [along, across], [-along, across]], np.float32)
    twist = (top_left + bottom_right - top_right - bottom_left) / 4
    signs = np.array([[1], [-1], [1], [-1]], np.float32)
    return np.asarray(centre + away[:, :1] * right + away[:, 1:] * down + signs * twist, np.float32)
