"""Pictures without a plate, to count false readings on: drawn scenes, and parts of photos beside their plates."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from drivers.camera.plates.found import Image
from drivers.camera.plates.images import read_image
from drivers.camera.plates_training.scenes import make_scene

WIDTH, HEIGHT = 800, 600
LEAST_SIDE = 120
"""Pixels of a part of a photo; smaller ones show nothing."""
_ROOM = 0.25
"""The plate's surroundings that are left out, as a share of its height."""


def drawn(count: int, seed: int) -> Iterator[Image]:
    """Scenes of an empty yard, with lettering, lamps, grilles and numbers painted on tailboards."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield make_scene(rng, (), WIDTH, HEIGHT, count=0).image


def beside_plates(labels: Path) -> Iterator[tuple[str, Image]]:
    """The largest part of each photo that its plate does not touch: above, below, left or right of it. Photos that show
    other plates are left out. Needs the corners in `quads.json` beside the labels."""
    quads = json.loads((labels.parent / "quads.json").read_text("utf-8"))
    with labels.open(encoding="utf-8", newline="") as file:
        photos = [line for line in csv.DictReader(file) if line["file"] in quads and not line["other_plates"]]
    for line in photos:
        image = read_image(labels.parent / line["file"])
        corners = np.array(quads[line["file"]])
        room = np.ptp(corners[:, 1]) * _ROOM
        (left, top), (right, bottom) = corners.min(axis=0) - room, corners.max(axis=0) + room
        left, top, right, bottom = (max(0, int(each)) for each in (left, top, right, bottom))
        parts = (image[:top], image[bottom:], image[:, :left], image[:, right:])
        largest = max(parts, key=lambda part: part.shape[0] * part.shape[1])
        if min(largest.shape[:2]) >= LEAST_SIDE:
            yield line["file"], np.ascontiguousarray(largest)
