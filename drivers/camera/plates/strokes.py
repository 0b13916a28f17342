"""The plate face's characters as pen strokes, drawn by ourselves: no free font has the shapes of GA 36-2018.

Each file of `glyphs/` is a TOML table per character: `strokes`, polylines in a box of 0..100 by 0..100 (y down) that is
the character's own cell, and optionally `pen`, the pen's width as a share of the pen of the digits.
"""

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Line = NDArray[np.float32]
"""Nx2 points in shares of the cell, 0..1."""

_ARC_STEP_DEG = 12.0
_OVERSAMPLING = 4
_SHIFT = 4
"""Fraction bits of the points given to OpenCV's line drawing."""


@dataclass(frozen=True)
class Strokes:
    """One character: its pen lines, and its pen as a share of the digits' pen."""

    lines: tuple[Line, ...]
    pen: float = 1.0


def parse_line(text: str) -> Line:
    """A stroke from its text: points `x,y` and arcs `@cx,cy,rx,ry,from,to` (degrees, 0 is right, 90 is down).

    ValueError names the token that is neither.
    """
    points: list[tuple[float, float]] = []
    for token in text.split():
        try:
            numbers = [float(number) for number in token.removeprefix("@").split(",")]
        except ValueError as error:
            raise ValueError(f"not a point or an arc: {token!r}") from error
        if token.startswith("@") and len(numbers) == 6:
            points += _arc(*numbers)
        elif not token.startswith("@") and len(numbers) == 2:
            points.append((numbers[0], numbers[1]))
        else:
            raise ValueError(f"not a point or an arc: {token!r}")
    return np.asarray(points, np.float32) / np.float32(100)


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> list[tuple[float, float]]:
    steps = max(2, math.ceil(abs(end - start) / _ARC_STEP_DEG))
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(cx + rx * math.cos(angle), cy + ry * math.sin(angle)) for angle in angles]


@cache
def all_strokes() -> dict[str, Strokes]:
    """Every character that is drawn, from all files of `glyphs/`. Read once."""
    found: dict[str, Strokes] = {}
    for file in sorted(files(__package__).joinpath("glyphs").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            for character, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
                lines = tuple(parse_line(line) for line in entry["strokes"])
                found[character] = Strokes(lines, float(entry.get("pen", 1.0)))
    return found


def ink(lines: Sequence[Line], width: int, height: int, pen_px: float) -> Mask:
    """Lines drawn with a pen `pen_px` wide into a cell of `width` x `height` pixels: 255 is ink, edges are smooth.

    The outer edge of the ink, not its middle, reaches the edge of the cell.
    """
    k = _OVERSAMPLING
    canvas = np.zeros((height * k, width * k), np.uint8)
    pen = max(1.0, pen_px * k)
    room = np.array([width * k - pen, height * k - pen], np.float32)
    for line in lines:
        points = (pen / 2 + line * room - 0.5) * (1 << _SHIFT)
        cv2.polylines(
            canvas, [np.round(points).astype(np.int32)], False, (255,), max(1, round(pen)), cv2.LINE_AA, _SHIFT
        )
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
