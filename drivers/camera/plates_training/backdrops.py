"""Procedural things that stand around number plates, and things that only look like one. No photograph is used."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.alphabet import CHARACTERS, DIGITS, LETTERS
from drivers.camera.plates.face import stroke_glyph

Picture = NDArray[np.uint8]
Color = tuple[float, float, float]
Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""

_TEXTURE_PX = 512
_TEXTURES = 24
_PAINTS: tuple[Color, ...] = (
    (160, 70, 15), (200, 120, 40), (120, 40, 20), (30, 170, 230), (20, 130, 210), (60, 200, 245), (90, 170, 80),
    (60, 110, 40), (30, 30, 170), (40, 40, 110), (235, 235, 235), (200, 200, 200), (150, 150, 150), (90, 90, 90),
    (30, 30, 30), (15, 15, 15), (120, 140, 160), (190, 180, 120),
)  # fmt: skip
"""BGR: blue, yellow, green, red, white, greys, black, sand, turquoise."""
_LATIN = DIGITS + LETTERS
_PENS = (0.45, 0.7, 1.0, 1.5)
_HAN = "".join(one for one in CHARACTERS if one and one not in _LATIN)


def paint(rng: np.random.Generator, spread: int = 25) -> Color:
    """A colour as vehicles, boards and halls have it."""
    if rng.random() < 0.8:
        b, g, r = _PAINTS[rng.integers(len(_PAINTS))]
    else:
        b, g, r = rng.uniform(0, 255, 3).tolist()
    db, dg, dr = rng.uniform(-spread, spread, 3).tolist()
    return min(max(b + db, 0.0), 255.0), min(max(g + dg, 0.0), 255.0), min(max(r + dr, 0.0), 255.0)


@cache
def _textures() -> NDArray[np.uint8]:
    """Cloudy grey pictures, from smooth to grainy: foliage, road, rust, clouds."""
    rng = np.random.default_rng(5)
    made = []
    for index in range(_TEXTURES):
        cloud = np.zeros((_TEXTURE_PX, _TEXTURE_PX), np.float32)
        steepness = 0.5 + 0.7 * index / _TEXTURES
        for octave in range(2, 9):
            cells = 2**octave
            noise = rng.standard_normal((cells, cells)).astype(np.float32)
            grown = cv2.resize(noise, (_TEXTURE_PX, _TEXTURE_PX), interpolation=cv2.INTER_LINEAR)
            cloud += np.asarray(grown, np.float32) * steepness**octave
        low, high = np.quantile(cloud, (0.01, 0.99))
        made.append(((cloud - low) / (high - low) * 255).clip(0, 255).astype(np.uint8))
    return np.stack(made)


def texture(rng: np.random.Generator, width: int, height: int, dark: Color, light: Color) -> Picture:
    """A cloudy patch between two colours."""
    cloud = _textures()[rng.integers(_TEXTURES)]
    across, down = rng.uniform(0.25, 1.0, 2)
    if rng.random() < 0.6:
        down = across
    w = max(2, int(min(width * across, _TEXTURE_PX)))
    h = max(2, int(min(height * down, _TEXTURE_PX)))
    x, y = int(rng.integers(_TEXTURE_PX - w + 1)), int(rng.integers(_TEXTURE_PX - h + 1))
    patch = cv2.resize(cloud[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_LINEAR)
    harsh = float(rng.uniform(1.0, 3.0)) if rng.random() < 0.4 else 1.0
    ramp = ((np.linspace(0, 1, 256, dtype=np.float32)[:, None] - 0.5) * np.float32(harsh) + 0.5).clip(0, 1)
    table = (np.asarray(dark, np.float32) * (1 - ramp) + np.asarray(light, np.float32) * ramp).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(np.asarray(patch, np.uint8), table[:, None]), np.uint8)


def _gradient(rng: np.random.Generator, scene: Picture, box: Box, first: Color, last: Color) -> None:
    """A face of sheet metal or glass: the colour runs down or across."""
    x, y, w, h = box
    part = scene[y : y + h, x : x + w]
    down = rng.random() < 0.7
    ramp = np.linspace(0, 1, part.shape[0 if down else 1], dtype=np.float32)[:, None]
    line = (np.asarray(first, np.float32) * (1 - ramp) + np.asarray(last, np.float32) * ramp).astype(np.uint8)
    part[:] = line[:, None] if down else line[None]


def _clip(scene: Picture, box: Box) -> Box:
    x, y, w, h = box
    left, top = max(0, x), max(0, y)
    return left, top, max(0, min(scene.shape[1], x + w) - left), max(0, min(scene.shape[0], y + h) - top)


def _any_box(rng: np.random.Generator, scene: Picture, least: float, most: float) -> Box:
    height, width = scene.shape[:2]
    w, h = int(rng.uniform(least, most) * width), int(rng.uniform(least, most) * height)
    return int(rng.uniform(-0.2, 1) * width), int(rng.uniform(-0.2, 1) * height), max(4, w), max(4, h)


def lay_ground(rng: np.random.Generator, scene: Picture) -> None:
    """Sky, hall front or foliage above, road below; or one texture all over."""
    height, width = scene.shape[:2]
    if rng.random() < 0.25:
        scene[:] = texture(rng, width, height, paint(rng), paint(rng))
        return
    horizon = int(rng.uniform(0.15, 0.8) * height)
    if rng.random() < 0.5:
        green = rng.random() < 0.6
        dark, light = ((10, 35, 20), (110, 190, 150)) if green else (paint(rng), paint(rng))
        scene[:horizon] = texture(rng, width, horizon, dark, light)
    else:
        _gradient(rng, scene, (0, 0, width, horizon), paint(rng), paint(rng))
    grey = float(rng.uniform(30, 190))
    scene[horizon:] = texture(
        rng, width, height - horizon, (grey * 0.7, grey * 0.7, grey * 0.7), (grey * 1.2, grey * 1.2, grey * 1.25)
    )


def _stripes(rng: np.random.Generator, scene: Picture) -> None:
    """A grille, a fence, a roller door, a crossing: parallel bars, upright, level or slanting."""
    x, y, w, h = _clip(scene, _any_box(rng, scene, 0.08, 0.6))
    if w < 4 or h < 4:
        return
    patch = np.empty((h, w, 3), np.uint8)
    patch[:] = paint(rng)
    bar = paint(rng)
    pitch = int(rng.integers(3, 18))
    thick = max(1, int(pitch * rng.uniform(0.2, 0.7)))
    slant = int(rng.integers(-h, h + 1)) if rng.random() < 0.3 else 0
    if rng.random() < 0.5:
        for at in range(-abs(slant), w + abs(slant), pitch):
            cv2.line(patch, (at, 0), (at + slant, h), bar, thick, cv2.LINE_AA)
    else:
        for at in range(0, h, pitch):
            cv2.line(patch, (0, at), (w, at + slant // 4), bar, thick, cv2.LINE_AA)
    if rng.random() < 0.4:
        cv2.rectangle(patch, (0, 0), (w - 1, h - 1), paint(rng), int(rng.integers(1, 5)))
    scene[y : y + h, x : x + w] = patch


def _panel(rng: np.random.Generator, scene: Picture) -> None:
    box = _clip(scene, _any_box(rng, scene, 0.05, 0.5))
    if box[2] > 1 and box[3] > 1:
        _gradient(rng, scene, box, paint(rng), paint(rng))
        if rng.random() < 0.5:
            x, y, w, h = box
            cv2.rectangle(scene, (x, y), (x + w, y + h), paint(rng), int(rng.integers(1, 4)), cv2.LINE_AA)


def _glass(rng: np.random.Generator, scene: Picture) -> None:
    """A windscreen: a dark trapezoid with a slanting reflection and a few bright things behind it."""
    x, y, w, h = _any_box(rng, scene, 0.15, 0.7)
    inset = int(w * rng.uniform(0, 0.25))
    corners = np.array([[x + inset, y], [x + w - inset, y], [x + w, y + h], [x, y + h]], np.int32)
    shade = float(rng.uniform(5, 140))
    cv2.fillConvexPoly(scene, corners, (shade * 1.1, shade, shade * 0.9), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 4))):
        at = x + int(rng.uniform(0, 1) * w)
        tone = float(min(255, shade + rng.uniform(10, 120)))
        cv2.line(scene, (at, y), (at - h // 2, y + h), (tone, tone, tone), int(rng.integers(1, 8)), cv2.LINE_AA)


def _lamps(rng: np.random.Generator, scene: Picture) -> None:
    """A pair of head or tail lamps."""
    x, y, w, h = _any_box(rng, scene, 0.2, 0.8)
    size = (max(2, int(w * rng.uniform(0.05, 0.2))), max(2, int(w * rng.uniform(0.03, 0.1))))
    rim = (60.0, 60.0, 60.0)
    color: Color = (250, 250, 250) if rng.random() < 0.6 else (30, 40, float(rng.uniform(120, 255)))
    for at in (x, x + w):
        cv2.ellipse(scene, (at, y), (size[0] + 2, size[1] + 2), 0, 0, 360, rim, -1, cv2.LINE_AA)
        cv2.ellipse(scene, (at, y), size, 0, 0, 360, color, -1, cv2.LINE_AA)
        cv2.ellipse(scene, (at, y), (size[0] // 2, size[1] // 2), 0, 0, 360, paint(rng), 1, cv2.LINE_AA)


def _badge(rng: np.random.Generator, scene: Picture) -> None:
    height, width = scene.shape[:2]
    center = (int(rng.integers(width)), int(rng.integers(height)))
    for _ in range(int(rng.integers(1, 5))):
        axes = (int(rng.integers(2, 26)), int(rng.integers(2, 20)))
        cv2.ellipse(scene, center, axes, float(rng.uniform(0, 180)), 0, 360, paint(rng), int(rng.integers(1, 5)), 16)
        center = (center[0] + axes[0], center[1])


def _line(rng: np.random.Generator, scene: Picture) -> None:
    height, width = scene.shape[:2]
    ends = rng.integers(-20, max(height, width), 4)
    start, end = (int(ends[0]), int(ends[1])), (int(ends[2]), int(ends[3]))
    cv2.line(scene, start, end, paint(rng), int(rng.integers(1, 14)), cv2.LINE_AA)


def _line_of(text: str, width: float, gap: float, pen: float) -> Picture:
    """Characters in a row, 64 px high, each `width` of that wide, `gap` of that apart: 255 is ink."""
    wide, apart = round(64 * width), round(64 * gap)
    mask = np.zeros((72, len(text) * (wide + apart) + 8), np.uint8)
    for index, character in enumerate(text):
        left = 4 + index * (wide + apart)
        mask[4:68, left : left + wide] = stroke_glyph(character, wide, 64, pen)
    return mask


def _any_of(rng: np.random.Generator, values: tuple[float, ...]) -> float:
    return values[rng.integers(len(values))]


def writing(rng: np.random.Generator, scene: Picture) -> None:
    """Signs, adverts, phone numbers, container letters: our glyphs in a row, with or without a board behind them."""
    alphabet = _HAN if rng.random() < 0.45 else _LATIN if rng.random() < 0.7 else DIGITS
    text = "".join(alphabet[index] for index in rng.integers(len(alphabet), size=int(rng.integers(2, 16))))
    mask = _line_of(text, _any_of(rng, (0.5, 0.6, 0.8, 1.0)), float(rng.uniform(0.05, 0.6)), _any_of(rng, _PENS))
    cell = float(np.exp(rng.uniform(np.log(6), np.log(50))))
    _stamp(
        rng, scene, np.asarray(cv2.resize(mask, None, fx=cell / 64, fy=cell / 64, interpolation=cv2.INTER_AREA)), 0.55
    )


def _stamp(rng: np.random.Generator, scene: Picture, mask: Picture, board: float) -> None:
    """Lays written ink into the scene, leaning a little; `board` is the chance that something is behind it."""
    height, width = scene.shape[:2]
    x, y = rng.uniform(-0.2, 0.95) * width, rng.uniform(-0.05, 0.95) * height
    turned = np.asarray(cv2.getRotationMatrix2D((0, 0), float(rng.normal(0, 6)), 1), np.float64)
    if rng.random() < 0.3:
        turned[0, 1] += rng.uniform(-0.5, 0.5)
    w, h = mask.shape[1], mask.shape[0]
    reach = np.array([[0, 0, 1], [w, 0, 1], [w, h, 1], [0, h, 1]]) @ turned.T + (x, y)
    left, top = np.maximum(np.floor(reach.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(reach.max(axis=0)), (width, height)).astype(int)
    if right <= left or bottom <= top:
        return
    turned[:, 2] += (x - left, y - top)
    part, size = scene[top:bottom, left:right], (int(right - left), int(bottom - top))
    if rng.random() < board:
        back = cv2.warpAffine(np.full_like(mask, 255), turned, size, flags=cv2.INTER_LINEAR)
        part[np.asarray(back) > 127] = paint(rng)
    share = np.asarray(cv2.warpAffine(mask, turned, size, flags=cv2.INTER_LINEAR), np.float32)[..., None] / 255
    part[:] = (part * (1 - share) + np.asarray(paint(rng), np.float32) * share).astype(np.uint8)


def tail_number(rng: np.random.Generator, scene: Picture) -> None:
    """The number painted large on a truck's tail: a plate's text without a plate."""
    text = _HAN[rng.integers(31)] + "".join(_LATIN[index] for index in rng.integers(len(_LATIN), size=6))
    mask = _line_of(text, _any_of(rng, (0.5, 0.6, 0.8)), float(rng.uniform(0.05, 0.4)), _any_of(rng, _PENS))
    cell = float(rng.uniform(14, 60))
    _stamp(
        rng, scene, np.asarray(cv2.resize(mask, None, fx=cell / 64, fy=cell / 64, interpolation=cv2.INTER_AREA)), 0.0
    )


def stamp_time(rng: np.random.Generator, scene: Picture) -> None:
    """The recorder's date, time and place in a corner: bright pixels with a dark edge."""
    digits = rng.integers(0, 10, 14)
    text = "20{}{}-{}{}-{}{} {}{}:{}{}:{}{}".format(*digits[:12])
    x, y = int(rng.integers(0, 60)), int(rng.choice([rng.integers(10, 30), scene.shape[0] - rng.integers(4, 20)]))
    font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX]))
    size = float(rng.uniform(0.35, 1.1))
    if rng.random() < 0.5:
        cv2.putText(scene, text, (x, y), font, size, (10, 10, 10), 3, cv2.LINE_AA)
    light = (255.0, 255.0, 255.0) if rng.random() < 0.7 else paint(rng)
    cv2.putText(scene, text, (x, y), font, size, light, 1, cv2.LINE_AA)


def body_at(rng: np.random.Generator, scene: Picture, box: Box, color: Color) -> None:
    """Vehicle paint behind a plate: a panel of one colour with seams, a bumper and a recess."""
    x, y, w, h = _clip(scene, box)
    if w < 2 or h < 2:
        return
    other = tuple(float(np.clip(channel * rng.uniform(0.6, 1.4), 0, 255)) for channel in color)
    _gradient(rng, scene, (x, y, w, h), color, (other[0], other[1], other[2]))
    for _ in range(int(rng.integers(0, 4))):
        at = y + int(rng.integers(h))
        tone = paint(rng) if rng.random() < 0.4 else (other[0] * 0.5, other[1] * 0.5, other[2] * 0.5)
        cv2.line(scene, (x, at), (x + w, at + int(rng.integers(-4, 5))), tone, int(rng.integers(1, 7)), cv2.LINE_AA)


_CLUTTER: tuple[tuple[Callable[[np.random.Generator, Picture], None], float], ...] = (
    (_stripes, 0.24), (_panel, 0.2), (_glass, 0.14), (_lamps, 0.1), (_badge, 0.08), (_line, 0.1), (writing, 0.14),
)  # fmt: skip


def clutter(rng: np.random.Generator, scene: Picture, things: int) -> None:
    """Puts `things` of everything above into the scene, in random order."""
    chances = np.array([chance for _, chance in _CLUTTER])
    for index in rng.choice(len(_CLUTTER), size=things, p=chances / chances.sum()):
        _CLUTTER[index][0](rng, scene)
