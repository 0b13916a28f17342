"""Pictures without a plate, to count false readings on: drawn scenes, and parts of photos beside their plates."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from drivers.camera.plates.found import Image
from drivers.camera.plates.images import read_image
from drivers.camera.plates_training.backdrops import clutter, lay_ground, stamp_time, tail_number, writing
from drivers.camera.plates_training.scenes import NIGHT, camera, weather

WIDTH, HEIGHT = 800, 600
LEAST_SIDE = 120
"""Pixels of a part of a photo; smaller ones show nothing."""
_ROOM = 0.25
"""The plate's surroundings that are left out, as a share of its height."""


def drawn(count: int, seed: int, *, tail_numbers: bool = False) -> Iterator[Image]:
    """Scenes of an empty yard: halls, grilles, lamps, signs and lettering by day, by night and in the rain.

    With `tail_numbers` each has a plate's text painted on it without a plate, as lorries have it on their tailboards.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        scene = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        lay_ground(rng, scene)
        clutter(rng, scene, int(rng.integers(4, 25)))
        for _ in range(int(rng.integers(1, 4))):
            (tail_number if tail_numbers else writing)(rng, scene)
        if rng.random() < 0.25:
            stamp_time(rng, scene)
        yield camera(rng, weather(rng, scene, bool(rng.random() < NIGHT)))


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
