"""Whole pictures with number plates in them, drawn by ourselves: what the locator's nets are trained on.

A scene is a backdrop (`backdrops`), clutter, vehicle paint, and none to three plates laid in by perspective; then
weather, light, blur, noise and the camera's JPEG. Every scene follows from its random generator alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.face import GROUND, INK, Style, draw_face, stroke_glyph
from drivers.camera.plates.strokes import Mask
from drivers.camera.plates_training.backdrops import (
    Color,
    Picture,
    body_at,
    clutter,
    lay_ground,
    paint,
    stamp_time,
    tail_number,
    writing,
)
from drivers.camera.plates_training.texts import random_plate
from drivers.readings import PlateColor

FACE_PX_PER_MM = 0.6
NARROWEST_PX, WIDEST_PX = 20.0, 280.0
PLATE_FREE = 0.12
"""The share of scenes that have no plate."""
NIGHT = 0.17

_KINDS: dict[str, float] = {
    "blue": 0.35, "yellow": 0.17, "two_rows": 0.18, "green_small": 0.12, "green_large": 0.07, "white": 0.06,
    "black": 0.05,
}  # fmt: skip
"""Kinds of `texts` by how often they stand in scenes: the rare ones are found by their looks, so they come often."""


@dataclass(frozen=True, slots=True)
class Plate:
    """A clean plate seen straight on, 0.6 px per mm, and its rows."""

    face: Picture
    rows: int
    color: PlateColor


@dataclass(frozen=True, slots=True)
class Scene:
    """`image` HxWx3 BGR; `quads` Nx4x2 float32 in its pixels: tl, tr, br, bl of each plate; `rows` N of 1 or 2."""

    image: Picture
    quads: NDArray[np.float32]
    rows: NDArray[np.int64]


def make_plates(rng: np.random.Generator, count: int, kind: str | None = None) -> list[Plate]:
    """Plates of every kind, or of one kind of `texts`, to lay into scenes; about 1 ms and 70 KB each."""
    kinds, chances = ([kind], np.ones(1)) if kind else (list(_KINDS), np.array(list(_KINDS.values())))
    made = []
    for index in rng.choice(len(kinds), size=count, p=chances / chances.sum()):
        said = random_plate(rng, kinds[index])
        style = _style(rng, said.color)
        face, _ = draw_face(said.text, said.color, px_per_mm=FACE_PX_PER_MM, rows=said.rows, style=style)
        made.append(Plate(face, said.rows, said.color))
    return made


def _style(rng: np.random.Generator, color: PlateColor) -> Style:
    pen = float(rng.choice([0.75, 0.9, 1.05, 1.2, 1.35]))

    def glyph(character: str, width: int, height: int, px_per_mm: float) -> Mask:
        return stroke_glyph(character, width, height, px_per_mm * pen)

    return Style(
        glyph=glyph,
        ground=_like(rng, GROUND[color]),
        ink=_near(rng, INK[color], 25),
        frame_mm=float(rng.choice([0.0, 2.0, 3.0, 4.0])),
        bolts=bool(rng.random() < 0.7),
        bolt=_near(rng, (130, 130, 130), 80),
    )


def _like(rng: np.random.Generator, color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Another making, or another camera, of the same paint: hue, saturation and brightness moved."""
    hsv = cv2.cvtColor(np.array([[color]], np.uint8), cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv += rng.normal(0, (5, 6, 6)) if hsv[0, 0, 1] < 60 else rng.normal(0, (6, 0, 0))
    hsv *= (1, rng.uniform(0.5, 1.15), rng.uniform(0.6, 1.3))
    moved = cv2.cvtColor(hsv.clip(0, (179, 255, 255)).astype(np.uint8), cv2.COLOR_HSV2BGR)
    b, g, r = (int(channel) for channel in moved[0, 0])
    return b, g, r


def _near(rng: np.random.Generator, color: tuple[int, int, int], spread: int) -> tuple[int, int, int]:
    b, g, r = (int(np.clip(channel + rng.integers(-spread, spread + 1), 0, 255)) for channel in color)
    return b, g, r


def make_scene(
    rng: np.random.Generator, plates: Sequence[Plate], width: int = 320, height: int = 256, count: int | None = None
) -> Scene:
    """One scene. `count` None draws it: none in `PLATE_FREE` of the scenes, else one to three."""
    scene = np.empty((height, width, 3), np.uint8)
    lay_ground(rng, scene)
    clutter(rng, scene, int(rng.integers(2, 14)))
    if count is None:
        count = 0 if rng.random() < PLATE_FREE else int(rng.choice([1, 1, 1, 1, 2, 2, 3]))
    night = bool(rng.random() < NIGHT)
    quads: list[NDArray[np.float32]] = []
    rows: list[int] = []
    for _ in range(count):
        plate = plates[int(rng.integers(len(plates)))]
        quad = _lay_plate(rng, scene, plate, quads, night)
        if quad is not None:
            quads.append(quad)
            rows.append(plate.rows)
    if not quads:
        for _ in range(int(rng.integers(1, 4))):
            rng.choice(np.array([writing, tail_number], dtype=object))(rng, scene)
    if rng.random() < 0.25:
        stamp_time(rng, scene)
    image = camera(rng, weather(rng, scene, night))
    return Scene(image, np.array(quads, np.float32).reshape(-1, 4, 2), np.array(rows, np.int64))


def pose(rng: np.random.Generator, width: float, ratio: float) -> NDArray[np.float32]:
    """Corners (4x2, centred on 0) of a plate `width` px long seen from aside, from above and leaning."""
    steep = rng.random() < 0.35
    roll = np.radians(rng.uniform(-35, 35) if steep and rng.random() < 0.6 else rng.normal(0, 4))
    yaw = np.radians(rng.uniform(-55, 55) if steep else rng.normal(0, 15))
    pitch = np.radians(rng.uniform(-40, 40) if steep else rng.normal(0, 10))
    x, y = width / 2, width / ratio / 2
    corners = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]])
    turn_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turn_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    # a lens away from the plate's axis shears it, too: the roll may come before or after the other turns
    turned = corners @ (turn_z @ turn_y @ turn_x if rng.random() < 0.5 else turn_y @ turn_x @ turn_z).T
    away = width * rng.uniform(3, 10)
    return np.asarray(turned[:, :2] * (away / (away + turned[:, 2:])), np.float32)


def _lay_plate(
    rng: np.random.Generator, scene: Picture, plate: Plate, others: Sequence[NDArray[np.float32]], night: bool
) -> NDArray[np.float32] | None:
    """Lays the plate in, with vehicle paint around it, and gives its corners; None where there was no room."""
    height, width = scene.shape[:2]
    face_height, face_width = plate.face.shape[:2]
    long = float(np.exp(rng.uniform(np.log(NARROWEST_PX), np.log(min(WIDEST_PX, 0.85 * width)))))
    quad = pose(rng, long, face_width / face_height)
    low, high = quad.min(axis=0), quad.max(axis=0)
    if high[0] - low[0] > width or high[1] - low[1] > height or high[1] - low[1] < 5:
        return None
    move = np.array([rng.uniform(-low[0], width - high[0]), rng.uniform(-low[1], height - high[1])], np.float32)
    quad = quad + move
    box = np.concatenate([quad.min(axis=0), quad.max(axis=0)])
    for other in others:
        least, most = other.min(axis=0) - 4, other.max(axis=0) + 4
        if box[0] < most[0] and box[2] > least[0] and box[1] < most[1] and box[3] > least[1]:
            return None
    if not others and rng.random() < 0.75:
        _put_vehicle(rng, scene, plate, box)
    _paste(rng, scene, _worn(rng, plate.face, night), quad)
    return quad


def _put_vehicle(rng: np.random.Generator, scene: Picture, plate: Plate, box: NDArray[np.float32]) -> None:
    w, h = float(box[2] - box[0]), float(box[3] - box[1])
    left = int(box[0] - w * rng.uniform(0.05, 2))
    top = int(box[1] - h * rng.uniform(0.1, 5))
    right, bottom = int(box[2] + w * rng.uniform(0.05, 2)), int(box[3] + h * rng.uniform(0.1, 3))
    b, g, r = _near(rng, GROUND[plate.color], 45)
    color: Color = (float(b), float(g), float(r)) if rng.random() < 0.22 else paint(rng)
    body_at(rng, scene, (left, top, right - left, bottom - top), color)
    if rng.random() < 0.4:  # lettering or a badge on the same panel
        (writing if rng.random() < 0.5 else tail_number)(rng, scene)


def _worn(rng: np.random.Generator, face: Picture, night: bool) -> NDArray[np.float32]:
    """The face as light and dirt leave it: brighter or darker, paler, with a shadow from above, or spotted.

    At night a plate throws the lamps' light back and is brighter than what stands around it.
    """
    height, width = face.shape[:2]
    worn = face.astype(np.float32)
    if rng.random() < 0.3:
        worn += (worn.mean(axis=(0, 1)) - worn) * np.float32(rng.uniform(0.1, 0.6))
    if rng.random() < 0.2:  # bleached
        worn = worn + (np.float32(200) - worn) * np.float32(rng.uniform(0.1, 0.5))
    worn *= np.float32(rng.uniform(0.35, 1.5)) * np.float32(rng.uniform(1, 3) if night else 1)
    if rng.random() < 0.3:
        edge = int(rng.integers(1, height))
        worn[:edge] *= np.float32(rng.uniform(0.3, 0.9))
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 9))):
            center = (int(rng.integers(width)), int(rng.integers(height)))
            axes = (int(rng.integers(2, 30)), int(rng.integers(2, 14)))
            cv2.ellipse(worn, center, axes, float(rng.uniform(0, 180)), 0, 360, paint(rng), -1)
    return worn.clip(0, 255)


def _paste(rng: np.random.Generator, scene: Picture, face: NDArray[np.float32], quad: NDArray[np.float32]) -> None:
    """Warps the face, and often a holder round it, onto its four corners."""
    across = float(np.linalg.norm(quad[1] - quad[0]))
    scale = min(1.0, 1.4 * max(across, 8) / face.shape[1])
    small = np.asarray(cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = small.shape[:2]
    edge = 0
    if rng.random() < 0.45:
        edge = max(1, int(height * rng.uniform(0.02, 0.2)))
        small = np.asarray(cv2.copyMakeBorder(small, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=paint(rng)))
    start = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) + edge - 0.5
    warp = cv2.getPerspectiveTransform(start, quad - 0.5)
    cv2.warpPerspective(
        small, warp, scene.shape[1::-1], dst=scene, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )


def weather(rng: np.random.Generator, scene: Picture, night: bool) -> Picture:
    """Night with its lamps, haze, shadow, rain."""
    height, width = scene.shape[:2]
    kind = rng.random()
    if kind > 0.43 and not night:
        return scene
    light = scene.astype(np.float32)
    if night:  # all dark but for lamps
        light *= np.float32(rng.uniform(0.1, 0.5))
        for _ in range(int(rng.integers(0, 4))):
            _glow(rng, light)
    elif kind < 0.15:
        light += (np.float32(rng.uniform(120, 255)) - light) * np.float32(rng.uniform(0.1, 0.6))
    elif kind < 0.28:
        ramp = np.linspace(rng.uniform(0.4, 1.5), rng.uniform(0.4, 1.5), width, dtype=np.float32)
        light *= ramp[None, :, None]
    elif kind < 0.36:
        ends = rng.integers(0, width, 2)
        shadow = np.array([[int(ends[0]), 0], [width, 0], [width, height], [int(ends[1]), height]], np.int32)
        mask = np.ones((height, width), np.float32)
        cv2.fillConvexPoly(mask, shadow, float(rng.uniform(0.3, 0.7)))
        light *= mask[..., None]
    else:
        _rain(rng, light)
    return light.clip(0, 255).astype(np.uint8)


def _glow(rng: np.random.Generator, light: NDArray[np.float32]) -> None:
    """A lamp's light, worked out on a quarter of the pixels each way."""
    height, width = light.shape[:2]
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    reach = rng.uniform(0.02, 0.15) * width
    dx = ((np.arange(0, width, 4, dtype=np.float32) - np.float32(x)) / np.float32(reach))[None, :]
    dy = ((np.arange(0, height, 4, dtype=np.float32) - np.float32(y)) / np.float32(reach))[:, None]
    glow = np.float32(rng.uniform(100, 600)) / (1 + (dx * dx + dy * dy) ** 2)
    wide = np.asarray(cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    light += wide[..., None] * np.array([rng.uniform(0.7, 1), rng.uniform(0.85, 1), 1], np.float32)


def _rain(rng: np.random.Generator, light: NDArray[np.float32]) -> None:
    height, width = light.shape[:2]
    slant, long = int(rng.integers(-5, 6)), int(rng.integers(4, 16))
    tone = float(rng.uniform(120, 230))
    for x, y in zip(rng.integers(0, width, 70).tolist(), rng.integers(0, height, 70).tolist(), strict=True):
        cv2.line(light, (x, y), (x + slant, y + long), (tone, tone, tone), 1)


@cache
def _grain() -> Picture:
    """Noise about 128 with a deviation of 25, to cut pieces from."""
    noise = np.random.default_rng(6).normal(128, 25, (900, 900, 3))
    return noise.clip(0, 255).astype(np.uint8)


def camera(rng: np.random.Generator, image: Picture) -> Picture:
    """What a lens and a sensor make of it: colour cast, grey at night, blur, noise, JPEG."""
    gain = rng.uniform(0.75, 1.3) * rng.uniform(0.9, 1.1, 3)
    table = np.arange(256)[:, None] * gain + rng.uniform(-15, 20)
    image = np.asarray(cv2.LUT(image, table.clip(0, 255).astype(np.uint8)[None]), np.uint8)
    if rng.random() < 0.06:
        image = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    kind = rng.random()
    if kind < 0.45:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.1))), np.uint8)
    elif kind < 0.58:
        long = int(rng.integers(2, 6))
        image = np.asarray(cv2.blur(image, (long, 1) if rng.random() < 0.6 else (1, long)), np.uint8)
    if rng.random() < 0.5:
        height, width = image.shape[:2]
        y, x = int(rng.integers(0, 900 - min(height, 899))), int(rng.integers(0, 900 - min(width, 899)))
        grain = _grain()[y : y + height, x : x + width]
        share = float(rng.uniform(0.04, 0.5))
        image = np.asarray(cv2.addWeighted(image, 1.0, grain, share, -128 * share), np.uint8)
    if rng.random() < 0.3:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image
