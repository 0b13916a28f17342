"""Drawn plates as a camera would show them to the reader: no photo takes part.

A plate is drawn by GA 36-2018, seen by a camera of low resolution through weather and light, found a little wrongly,
and laid flat by the very function that the product uses. One seed gives one row of samples.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.face import Bgr, Layout, Style, draw_face, layout_of
from drivers.camera.plates.rectify import line_position, rectify
from drivers.camera.plates_training import effects, framing
from drivers.camera.plates_training.glyph_pool import GlyphPool
from drivers.camera.plates_training.texts import Plate, random_plate
from drivers.readings import PlateColor

Picture = NDArray[np.uint8]
Rng = np.random.Generator

PX_PER_MM = 0.4
COLORS = tuple(PlateColor)
NO_COLOR = -1
"""Colour target of a picture that shows no colour (infrared)."""

_GROUND_HSV = {
    PlateColor.BLUE: ((99, 120), (120, 255), (80, 255)),
    PlateColor.YELLOW: ((14, 28), (120, 255), (120, 255)),
    PlateColor.GREEN: ((42, 78), (60, 200), (130, 240)),
    PlateColor.WHITE: ((0, 179), (0, 25), (190, 255)),
    PlateColor.BLACK: ((0, 179), (0, 80), (8, 60)),
}
"""Hue (0..179), saturation and value (0..255) between which a plate's ground lies."""


@dataclass(frozen=True)
class Sample:
    """`line`: 32x128x3 BGR; `columns`: where each character's middle lies in it, in pixels from its left edge."""

    line: Picture
    plate: Plate
    color: int
    columns: NDArray[np.float32]


class Generator:
    """An endless row of samples from one seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._glyphs = GlyphPool(self._rng)

    def sample(self, level: float = 1.0, kind: str | None = None) -> Sample:
        """One plate; `level` 0..1 is how hard the weather and the finder are on it."""
        rng = self._rng
        plate = random_plate(rng, kind)
        layout = layout_of(plate.text, plate.color, plate.rows)
        face, _ = draw_face(
            plate.text, plate.color, px_per_mm=PX_PER_MM, rows=plate.rows, style=self._style(plate.color)
        )
        _bolts(rng, face, layout)
        quad, ratio = self._frame(layout, level)
        raster, grey = self._weather(self._photograph(face, quad, ratio, level), level)
        height, width = raster.shape[:2]
        box = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        return Sample(
            line=rectify(raster, box, layout.rows),
            plate=plate,
            color=NO_COLOR if grey else COLORS.index(plate.color),
            columns=_columns(layout, quad),
        )

    def _style(self, color: PlateColor) -> Style:
        rng = self._rng
        dark_ink = color not in (PlateColor.BLUE, PlateColor.BLACK)
        value = int(rng.integers(8, 80)) if dark_ink else int(rng.integers(190, 256))
        return Style(
            glyph=self._glyphs,
            ground=_color_between(rng, _GROUND_HSV[color]),
            ink=_near(rng, (value, value, value), 14),
            top=_near(rng, (235, 240, 232), 20),
            frame_mm=float(rng.uniform(1.5, 4.5)) if rng.random() < 0.85 else 0.0,
            bolts=False,
            dot=bool(rng.random() < 0.9),
        )

    def _frame(self, layout: Layout, level: float) -> tuple[framing.Quad, float]:
        rng = self._rng
        ratio = layout.height / layout.width
        if rng.random() < 0.5:
            return framing.by_box(rng, ratio, layout.rows, level)
        return framing.by_corners(rng, layout.rows, level), ratio * rng.uniform(0.8, 1.25)

    def _photograph(self, face: Picture, quad: framing.Quad, ratio: float, level: float) -> effects.Light:
        """The plate before something, on a camera's few pixels."""
        rng = self._rng
        if rng.random() < 0.33:
            width, height = 94, 24
            if ratio > 0.5:
                height = 47
        else:
            width = int(np.exp(rng.uniform(np.log(140 - 85 * level), np.log(200))))
            height = int(np.clip(width * ratio, 18, 140))
        face_height, face_width = face.shape[:2]
        shrink = face_width / width
        if shrink > 1.2 and rng.random() < 0.8:
            face = np.asarray(cv2.GaussianBlur(face, (0, 0), 0.4 * shrink), np.uint8)
        if rng.random() < 0.3 * level:
            face = _bent(rng, face)
        face, left, top = _in_holder(rng, face)
        corners = np.array([[0, 0], [face_width, 0], [face_width, face_height], [0, face_height]], np.float32)
        corners += np.array([left, top], np.float32)
        transform = cv2.getPerspectiveTransform(corners, quad * np.array([width, height], np.float32))
        scene = _surroundings(rng, width, height)
        cv2.warpPerspective(
            face, transform, (width, height), dst=scene, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
        )
        return scene.astype(np.float32)

    def _weather(self, light: effects.Light, level: float) -> tuple[Picture, bool]:
        """(The picture as it leaves the camera, whether it shows no colour.)"""
        rng = self._rng
        if rng.random() < 0.12 * level:
            light = effects.dirt(rng, light)
        light = effects.uneven(rng, light, level)
        grey = bool(rng.random() < 0.08 * level)
        light = effects.infrared(rng, light) if grey else effects.exposure(rng, light, level)
        if rng.random() < 0.07 * level:
            light = effects.rain(rng, light)
        light = effects.blur(rng, light, level)
        light = effects.grain(rng, light, level)
        picture = np.clip(light, 0, 255).astype(np.uint8)
        if grey:
            picture[:] = picture[..., 1:2]
        return effects.jpeg(rng, picture) if rng.random() < 0.55 * level else picture, grey


def _columns(layout: Layout, quad: framing.Quad) -> NDArray[np.float32]:
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    centers = np.array([[(c.center[0] / layout.width, c.center[1] / layout.height) for c in layout.cells]], np.float32)
    seen = cv2.perspectiveTransform(centers, cv2.getPerspectiveTransform(unit, quad))[0]
    return np.array([line_position(float(x), float(y), layout.rows)[0] for x, y in seen], np.float32)


def _color_between(rng: Rng, bounds: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]) -> Bgr:
    low, high = np.array(bounds).T
    hsv = rng.integers(low, high + 1).astype(np.uint8).reshape(1, 1, 3)
    blue, green, red = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def _near(rng: Rng, color: Bgr, spread: int) -> Bgr:
    blue, green, red = (rng.integers(-spread, spread + 1, 3) + color).clip(0, 255).tolist()
    return blue, green, red


def _bolts(rng: Rng, face: Picture, layout: Layout) -> None:
    """None, two above, or two more below; bright caps or dark holes."""
    if rng.random() < 0.2:
        return
    rows = (11.0, layout.height - 11.0) if rng.random() < 0.6 else (11.0,)
    value = int(rng.integers(20, 250))
    radius = rng.uniform(4, 10) * PX_PER_MM
    for y in rows:
        for x in (110.0, layout.width - 110.0):
            center = (x + rng.normal(0, 5)) * PX_PER_MM, (y + rng.normal(0, 3)) * PX_PER_MM
            at = round(center[0] * 16), round(center[1] * 16)
            cv2.circle(face, at, round(radius * 16), _near(rng, (value, value, value), 25), -1, cv2.LINE_AA, 4)


def _bent(rng: Rng, face: Picture) -> Picture:
    """A plate that is no longer flat: its line a part of a bow, or one end knocked up or down."""
    height, width = face.shape[:2]
    along = np.linspace(-1, 1, width, dtype=np.float32)
    if rng.random() < 0.6:
        drop = along**2 - 0.33
    else:
        drop = np.maximum(0, along * rng.choice([-1, 1]) - np.float32(rng.uniform(0.2, 0.6))) * 1.5
    lines = np.arange(height, dtype=np.float32)[:, None] + (drop * rng.normal(0, 0.055) * height)[None].astype(
        np.float32
    )
    columns = np.broadcast_to(np.arange(width, dtype=np.float32), (height, width))
    moved = cv2.remap(face, np.ascontiguousarray(columns), lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _in_holder(rng: Rng, face: Picture) -> tuple[Picture, int, int]:
    """The plate in a holder that may carry a dealer's small print; and how far the plate moved right and down."""
    if rng.random() < 0.45:
        return face, 0, 0
    top, bottom, left, right = (int(v) for v in rng.uniform(1, (7, 14, 7, 7)))
    value = int(rng.choice([20, 60, 190, 240]))
    color = _near(rng, (value, value, value), 20)
    held = np.asarray(cv2.copyMakeBorder(face, top, bottom, left, right, cv2.BORDER_CONSTANT, value=color), np.uint8)
    if bottom > 6:
        height, width = held.shape[:2]
        other = 255 - value
        x = int(rng.uniform(0.1, 0.4) * width)
        while x < width * 0.85:
            step = int(rng.integers(2, 6))
            held[height - bottom + 2 : height - 2, x : x + max(1, step // 2)] = other
            x += step
    return held, left, top


def _surroundings(rng: Rng, width: int, height: int) -> Picture:
    """A car's body: one colour, a gradient, bars."""
    base = _paint(rng)
    scene = np.empty((height, width, 3), np.float32)
    scene[:] = base
    if rng.random() < 0.6:
        fade = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        scene = scene * (1 - fade) + _paint(rng) * fade
    for _ in range(int(rng.integers(0, 4))):
        y = int(rng.integers(height))
        scene[y : y + int(rng.integers(1, 5))] = rng.uniform(0, 255)
    return scene.astype(np.uint8)


def _paint(rng: Rng) -> NDArray[np.float32]:
    """A car's colour: mostly grey, black or white, now and then a bright one."""
    spread = 8 if rng.random() < 0.75 else 110
    return np.clip(rng.uniform(5, 230) + rng.uniform(-spread, spread, 3), 0, 255).astype(np.float32)
