"""Sees the plates of a picture: finds them, lays them flat, reads them, and decides which of them are plates at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from drivers.camera.plates.found import Corners, Found, Image, grown, overlap
from drivers.camera.plates.likelihood import best_plate
from drivers.camera.plates.locate import Locator, Region
from drivers.camera.plates.match import Likelihoods, Sighting, describe
from drivers.camera.plates.read import Reader, Reading
from drivers.camera.plates.rectify import rectify, slanted
from drivers.camera.plates.thresholds import SHIPPED_READER, Thresholds, shipped
from drivers.readings import PlateReading

GROWTHS = ((1.0, 1.0), (1.1, 1.05))
"""Each plate is read at these sizes, along and across: a finder is some pixels too tight or too wide, and the mean of
two readings is better than either."""
CROP_GROWTHS = ((1.0, 1.0), (0.97, 0.92), (0.94, 0.97))
ONE_ROW_ASPECT, TWO_ROW_ASPECT = 2.6, 1.9
"""Width / height: above the one it has one row, below the other two; between them both are tried."""
FEWEST_READ, MOST_READ = 5, 10
"""Characters of a first glance that may be a plate, before the grammar mends lost and doubled ones."""
LEAST_PROMISE = -0.8
"""Mean logarithm of the confidence of a first glance's characters. Of 129 photos the worst plate had -0.3."""
MOST_JUDGED = 4
"""Of a picture's places; the rest is told from plates by the first glance."""
MOST_OVERLAP = 0.1
"""Of two plates' upright boxes, as intersection over union."""
EDGE_PX = 2.0
"""A plate that comes as near to the picture's edge is cut by it."""
CROP_ALONG, CROP_ACROSS = 1.25, 1.4
"""A crop for people is so many times as wide and as high as the plate."""
CROP_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True, eq=False)
class _Try:
    """One way to read one place."""

    corners: Corners
    rows: int
    readings: tuple[Reading, ...]
    text: str
    worth: float
    """Mean log-likelihood of a character of `text`."""


class PlateEye:
    """One object belongs to one thread. The nets are loaded with the first picture (OSError or ValueError when they are
    missing or damaged)."""

    def __init__(self, thresholds: Thresholds | None = None, model: Path = SHIPPED_READER) -> None:
        """`model` is the reading net: the shipped one, or one that was taught at the site."""
        self._limits = thresholds or shipped()
        self._model = model
        cv2.setNumThreads(1)

    def load(self) -> None:
        """Load the nets now. OSError or ValueError when they are missing or damaged."""
        _ = self._locator, self._reader

    @cached_property
    def _locator(self) -> Locator:
        return Locator()

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._model, self._limits.temperature)

    def see(self, image: Image, region: Region | None = None) -> tuple[Sighting, ...]:
        """The plates of a picture (HxWx3 BGR), the one that matters most first; empty when there is none.

        ValueError when the region does not lie in the picture.
        """
        size = (image.shape[1], image.shape[0])
        plates = _apart(self._judge(image, self._locator.find(image, region), GROWTHS))
        return tuple(_sighting(one) for one in sorted(plates, key=lambda one: _weight(one, size), reverse=True))

    def see_crop(self, image: Image) -> Sighting | None:
        """The picture is the plate itself, or the plate as `crop_jpeg` cuts it out; None when it is not."""
        height, width = image.shape[:2]
        whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        inner = grown(whole, 1 / CROP_ALONG, 1 / CROP_ACROSS)
        found = [Found(corners, 1.0) for corners in (*slanted(whole), inner)]
        plates = self._judge(image, found, CROP_GROWTHS)
        return _sighting(max(plates, key=lambda one: one.worth)) if plates else None

    def _judge(self, image: Image, found: Sequence[Found], growths: Sequence[tuple[float, float]]) -> list[_Try]:
        """Everything is read once; what may be a plate is read again at the other sizes, and judged by all of them."""
        places = [(one.corners, rows) for one in found for rows in _rows(one)]
        glances = self._read(image, places, growths[0])
        hopeful = sorted(
            ((*place, glance) for place, glance in zip(places, glances, strict=True) if _may_be(glance)),
            key=lambda each: -_promise(each[2]),
        )
        best: dict[int, _Try] = {}
        for corners, rows, glance in hopeful[:MOST_JUDGED]:
            others = [reading for growth in growths[1:] for reading in self._read(image, [(corners, rows)], growth)]
            one = _attempt(corners, rows, (glance, *others))
            if one is not None and one.worth >= self._limits.plate:
                better = best.get(id(corners))
                best[id(corners)] = one if better is None or one.worth > better.worth else better
        return list(best.values())

    def _read(
        self, image: Image, places: Sequence[tuple[Corners, int]], growth: tuple[float, float]
    ) -> tuple[Reading, ...]:
        return self._reader.read_all([rectify(image, grown(corners, *growth), rows) for corners, rows in places])


def crop_jpeg(image: Image, sighting: Sighting) -> bytes:
    """The plate as it was seen, for people: its upright surroundings a quarter wider than itself, as JPEG."""
    around = grown(sighting.corners, CROP_ALONG, CROP_ACROSS)
    left, top = np.maximum(np.floor(around.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(around.max(axis=0)).astype(int)
    done, data = cv2.imencode(".jpg", image[top:bottom, left:right], [cv2.IMWRITE_JPEG_QUALITY, CROP_JPEG_QUALITY])
    return data.tobytes() if done else b""


def _rows(found: Found) -> tuple[int, ...]:
    if found.rows is not None:
        return (found.rows,)
    aspect = _length(found.corners, 1, 0) / max(_length(found.corners, 3, 0), 1e-6)
    if aspect >= ONE_ROW_ASPECT:
        return (1,)
    return (1, 2) if aspect >= TWO_ROW_ASPECT else (2,)


def _length(corners: Corners, one: int, other: int) -> float:
    return float(np.linalg.norm(corners[one] - corners[other]))


def _may_be(glance: Reading) -> bool:
    """Whether it has about as many characters as a plate, and clear ones: this sorts most grilles and lamps out."""
    return FEWEST_READ <= len(glance.text) <= MOST_READ and _promise(glance) >= LEAST_PROMISE


def _promise(glance: Reading) -> float:
    return float(np.mean(np.log(glance.confidences)))


def _attempt(corners: Corners, rows: int, readings: tuple[Reading, ...]) -> _Try | None:
    texts = [text for reading in readings if (text := best_plate(reading.line)) is not None]
    if not texts:
        return None
    likelihoods = Likelihoods([[reading.line for reading in readings]])
    scores = likelihoods.of(texts)
    text = max(scores, key=lambda each: scores[each])
    return _Try(corners, rows, readings, text, scores[text] / len(text))


def _apart(plates: Sequence[_Try]) -> list[_Try]:
    """Of those that lie over each other the one that reads best: two places of one plate are no two plates."""
    kept: list[_Try] = []
    for one in sorted(plates, key=lambda one: -one.worth):
        if all(overlap(one.corners, better.corners) <= MOST_OVERLAP for better in kept):
            kept.append(one)
    return kept


def _weight(one: _Try, size: tuple[int, int]) -> float:
    """The truck at the camera has the plate that is large, reads well and is not cut by the picture's edge."""
    cut = bool((one.corners < EDGE_PX).any() or (one.corners > np.array(size) - 1 - EDGE_PX).any())
    return one.worth + float(np.log(max(_length(one.corners, 1, 0), 1.0))) - cut


def _sighting(one: _Try) -> Sighting:
    lines = tuple(reading.line for reading in one.readings)
    likelihoods = Likelihoods([lines])
    left, top = np.floor(one.corners.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(one.corners.max(axis=0)).astype(int).tolist()
    seen = PlateReading(one.text, one.readings[0].color, 0, one.rows, (left, top, right - left, bottom - top))
    return Sighting(describe(likelihoods, likelihoods.best([one.text]), seen), lines, one.corners)
