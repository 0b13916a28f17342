"""Glyphs that are never twice the same: our own strokes drawn by an unsteady hand, and free fonts pulled into the cell.

A net that has seen one drawing of a character learns that drawing. So each character of each cell size has a pool of
variants that is filled while training runs and slowly replaced.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from drivers.camera.plates.alphabet import DIGITS, LETTERS
from drivers.camera.plates.face import PEN_MM
from drivers.camera.plates.strokes import Line, Mask, all_strokes, ink

_FONT_ROOT = Path("/usr/share/fonts")
HANZI_FONTS = (
    ("opentype/noto/NotoSansCJK-Medium.ttc", 2),
    ("opentype/noto/NotoSansCJK-Bold.ttc", 2),
    ("opentype/noto/NotoSansCJK-Black.ttc", 2),
    ("opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("truetype/wqy/wqy-microhei.ttc", 0),
    ("truetype/wqy/wqy-zenhei.ttc", 0),
    ("truetype/droid/DroidSansFallbackFull.ttf", 0),
)
"""Fonts (Debian's path, face in the collection) tried in turn; those that are not installed are left out."""
LATIN_FONTS = (
    ("opentype/noto/NotoSansCJK-Bold.ttc", 2),
    ("truetype/liberation/LiberationSansNarrow-Bold.ttf", 0),
)
_LATIN = frozenset(DIGITS + LETTERS)
_FONT_SHARE_HANZI = 0.3
_FONT_SHARE_LATIN = 0.15
_POOL = 64
_REPLACED = 0.01


@cache
def installed(latin: bool) -> tuple[tuple[str, int], ...]:
    """The fonts this machine has, for letters and digits or for hanzi."""
    return tuple(font for font in (LATIN_FONTS if latin else HANZI_FONTS) if (_FONT_ROOT / font[0]).exists())


@cache
def _font_ink(font: tuple[str, int], character: str) -> Mask:
    """The character's tight box of ink at 150 px."""
    face = ImageFont.truetype(str(_FONT_ROOT / font[0]), 150, index=font[1])
    canvas = Image.new("L", (420, 420))
    ImageDraw.Draw(canvas).text((110, 90), character, 255, font=face)
    drawn = np.asarray(canvas, np.uint8)
    ys, xs = np.where(drawn > 60)
    return drawn[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].copy()


class GlyphPool:
    """Variants of every glyph. Call it as `draw_face` wants it; all chance comes from the generator given."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._variants: dict[tuple[str, int, int], list[Mask]] = {}

    def __call__(self, character: str, width: int, height: int, px_per_mm: float) -> Mask:
        rng = self._rng
        pool = self._variants.setdefault((character, width, height), [])
        wanted = _POOL if character not in _LATIN else _POOL // 2
        if len(pool) < wanted:
            pool.append(self._fresh(character, width, height, px_per_mm))
            return pool[-1]
        pick = int(rng.integers(wanted))
        if rng.random() < _REPLACED:
            pool[pick] = self._fresh(character, width, height, px_per_mm)
        return pool[pick]

    def _fresh(self, character: str, width: int, height: int, px_per_mm: float) -> Mask:
        rng = self._rng
        latin = character in _LATIN
        fonts = installed(latin)
        drawn = character in all_strokes()
        share = _FONT_SHARE_LATIN if latin else _FONT_SHARE_HANZI
        if fonts and (not drawn or rng.random() < share):
            glyph = _from_font(rng, fonts[int(rng.integers(len(fonts)))], character, width, height)
        elif drawn:
            glyph = _from_strokes(rng, character, width, height, px_per_mm)
        else:
            raise LookupError(f"{character}: neither strokes in glyphs/ nor an installed font draws it")
        return _weathered(rng, glyph, latin)


def _from_strokes(rng: np.random.Generator, character: str, width: int, height: int, px_per_mm: float) -> Mask:
    strokes = all_strokes()[character]
    shake = 0.012 if character in _LATIN else 0.03
    thick = rng.uniform(0.75, 1.25) if character in _LATIN else rng.uniform(0.68, 1.18)
    pen_mm = PEN_MM * strokes.pen * thick * max(0.75, min(width / 45, height / 90) / px_per_mm)
    waves = rng.normal(0, shake, (2, 3))
    lines = [_bent(line, waves) + rng.normal(0, shake / 3, line.shape).astype(np.float32) for line in strokes.lines]
    if character not in _LATIN and rng.random() < 0.15:  # a character of the plate is not always as wide as its cell
        lines = [0.5 + (line - 0.5) * rng.uniform(0.86, 1, 2).astype(np.float32) for line in lines]
    return ink([np.clip(line, 0, 1) for line in lines], width, height, pen_mm * px_per_mm)


def _bent(line: Line, waves: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Line:
    """The whole character bent alike: each axis moved by slow waves of both."""
    x, y = line[:, 0], line[:, 1]
    dx = waves[0, 0] * np.sin(np.pi * x) + waves[0, 1] * np.sin(2 * np.pi * x) + waves[0, 2] * np.sin(np.pi * y)
    dy = waves[1, 0] * np.sin(np.pi * y) + waves[1, 1] * np.sin(2 * np.pi * y) + waves[1, 2] * np.sin(np.pi * x)
    return np.stack([x + dx, y + dy], axis=1).astype(np.float32)


def _from_font(rng: np.random.Generator, font: tuple[str, int], character: str, width: int, height: int) -> Mask:
    source = _font_ink(font, character)
    if character == "1":  # a bare bar is never pulled wide
        narrow = min(width, max(3, round(source.shape[1] * height / source.shape[0] * 0.8)))
        glyph = np.zeros((height, width), np.uint8)
        left = (width - narrow) // 2
        glyph[:, left : left + narrow] = cv2.resize(source, (narrow, height), interpolation=cv2.INTER_AREA)
        return glyph
    glyph = np.asarray(cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if character not in _LATIN and rng.random() < 0.7:
        glyph = _resplit(
            _resplit(glyph, rng.uniform(0.3, 0.65), rng.uniform(-0.13, 0.13)).T, 0.5, rng.uniform(-0.1, 0.1)
        ).T
    return np.ascontiguousarray(glyph)


def _resplit(glyph: Mask, at: float, move: float) -> Mask:
    """The split between a character's left and right half moved by `move` of its width."""
    height, width = glyph.shape
    old = int(width * at)
    new = min(width - 2, max(2, old + round(width * move)))
    left = cv2.resize(np.ascontiguousarray(glyph[:, :old]), (new, height))
    right = cv2.resize(np.ascontiguousarray(glyph[:, old:]), (width - new, height))
    return np.hstack([left, right])


_KERNEL = np.ones((2, 2), np.uint8)


def _weathered(rng: np.random.Generator, glyph: Mask, latin: bool) -> Mask:
    """Thicker or thinner by a pixel; a hanzi's fine strokes would not survive the latter."""
    draw = rng.random()
    if draw < (0.12 if latin else 0.06):
        return np.asarray(cv2.dilate(glyph, _KERNEL), np.uint8)
    if latin and draw > 0.94:
        return np.asarray(cv2.erode(glyph, _KERNEL), np.uint8)
    return glyph
