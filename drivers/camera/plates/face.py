"""Draws a clean number plate by the geometry of GA 36-2018, all measures in millimetres.

Plates of 440 x 140 mm: seven characters of 45 x 90, 12 apart, 34 (with the dot) after the second.
New energy, 480 x 140: the first character 45 x 90, the others 43 x 90, 9 apart, 49 (with the mark) after the second.
Two rows, 440 x 220 (rear of large lorries, trailers): above two of 80 x 60, below five of 65 x 110, 15 apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.strokes import Mask, all_strokes, ink
from drivers.readings import PlateColor

Bgr = tuple[int, int, int]
DrawGlyph = Callable[[str, int, int, float], Mask]
"""(character, width px, height px, pixels per mm) -> mask of height x width, 255 where there is ink."""

PEN_MM = 10.0
"""Width of the digits' strokes on a car's plate."""

GROUND: dict[PlateColor, Bgr] = {
    PlateColor.BLUE: (165, 70, 12),
    PlateColor.YELLOW: (25, 175, 240),
    PlateColor.GREEN: (110, 205, 90),
    PlateColor.WHITE: (238, 238, 238),
    PlateColor.BLACK: (22, 22, 22),
}
INK: dict[PlateColor, Bgr] = {
    PlateColor.BLUE: (245, 245, 245),
    PlateColor.YELLOW: (22, 22, 22),
    PlateColor.GREEN: (22, 24, 22),
    PlateColor.WHITE: (22, 22, 22),
    PlateColor.BLACK: (240, 240, 240),
}
RED: Bgr = (40, 30, 200)
"""警 on a white plate; the same character elsewhere has the colour of the others."""
PALE: Bgr = (242, 248, 240)
"""Top of a small new-energy plate, where its green fades."""
TOP_GREEN_MM = 150.0
"""Width of the yellow field of a large new-energy plate."""


@dataclass(frozen=True)
class Cell:
    """Where a character stands on the plate, in mm from its top left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def center(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Layout:
    """One kind of plate: its size, its cells in reading order, and the dot (x, y, diameter) or None; in mm."""

    width: float
    height: float
    cells: tuple[Cell, ...]
    dot: tuple[float, float, float] | None
    rows: int = 1


ONE_ROW = Layout(
    440,
    140,
    (Cell(15.5, 25, 45, 90), Cell(72.5, 25, 45, 90), *(Cell(151.5 + 57 * i, 25, 45, 90) for i in range(5))),
    (134.5, 70, 10),
)
TWO_ROWS = Layout(
    440,
    220,
    (Cell(110, 15, 80, 60), Cell(250, 15, 80, 60), *(Cell(27.5 + 80 * i, 90, 65, 110) for i in range(5))),
    (220, 45, 10),
    rows=2,
)
NEW_ENERGY = Layout(
    480,
    140,
    (Cell(15.5, 25, 45, 90), Cell(69.5, 25, 43, 90), *(Cell(161.5 + 52 * i, 25, 43, 90) for i in range(6))),
    None,
)


def layout_of(text: str, color: PlateColor, rows: int | None = None) -> Layout:
    """The layout of a plate: eight characters are new energy; `rows` None means two for a trailer (挂), else one."""
    if len(text) == 8:
        return NEW_ENERGY
    if rows is None:
        rows = 2 if color is PlateColor.YELLOW and text.endswith("挂") else 1
    return TWO_ROWS if rows == 2 else ONE_ROW


@lru_cache(maxsize=4096)
def stroke_glyph(character: str, width: int, height: int, px_per_mm: float) -> Mask:
    """The character in our own strokes, with the pen of the standard: the pen grows with the cell (45 mm is 10 mm)."""
    strokes = all_strokes()[character]
    cell_mm = min(width / px_per_mm / 45, height / px_per_mm / 90)
    return ink(strokes.lines, width, height, PEN_MM * max(cell_mm, 0.7) * strokes.pen * px_per_mm)


@dataclass(frozen=True)
class Style:
    """What may differ between two plates of one text. `ground` and `ink` None: the colours of the standard."""

    glyph: DrawGlyph = stroke_glyph
    ground: Bgr | None = None
    ink: Bgr | None = None
    top: Bgr = PALE
    frame_mm: float = 3.0
    bolts: bool = True
    dot: bool = True
    bolt: Bgr = (150, 150, 150)


def draw_face(
    text: str, color: PlateColor, *, px_per_mm: float = 1.0, rows: int | None = None, style: Style | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A plate seen straight on: (BGR picture, Nx2 centres of the characters in its pixels).

    `text` is canonical and 7 or 8 characters long (ValueError otherwise; KeyError for a character nobody has drawn).
    """
    if len(text) not in (7, 8):
        raise ValueError(f"a plate has 7 or 8 characters, not {len(text)}: {text!r}")
    style = style or Style()
    layout = layout_of(text, color, rows)
    mask, special = _masks(text, layout, style, px_per_mm)
    foot = style.ink or INK[color]
    face = _ground(text, color, layout, style, px_per_mm)
    _furniture(face, color, layout, style, px_per_mm, foot)
    _lay(face, mask, foot)
    if special is not None:
        _lay(face, special, RED if color is PlateColor.WHITE else foot)
    centres = np.array([cell.center for cell in layout.cells], np.float32) * px_per_mm
    return face, centres


def _masks(text: str, layout: Layout, style: Style, px_per_mm: float) -> tuple[Mask, Mask | None]:
    """Ink of all characters and the dot, and of the one that is red on a white plate apart."""
    shape = (round(layout.height * px_per_mm), round(layout.width * px_per_mm))
    mask = np.zeros(shape, np.uint8)
    special = np.zeros(shape, np.uint8) if text[-1] in "警领使" or text[0] == "使" else None
    for character, cell in zip(text, layout.cells, strict=True):
        x, y = round(cell.x * px_per_mm), round(cell.y * px_per_mm)
        width, height = round(cell.width * px_per_mm), round(cell.height * px_per_mm)
        into = special if special is not None and character in "警领使" else mask
        into[y : y + height, x : x + width] = style.glyph(character, width, height, px_per_mm)
    if layout.dot is not None and style.dot:
        x_mm, y_mm, diameter = layout.dot
        cv2.circle(
            mask, _px(x_mm, y_mm, px_per_mm), max(1, round(diameter * px_per_mm * 8)), (255,), -1, cv2.LINE_AA, 4
        )
    return mask, special


def _px(x_mm: float, y_mm: float, px_per_mm: float) -> tuple[int, int]:
    """A point for OpenCV's drawing with 4 fraction bits."""
    return round(x_mm * px_per_mm * 16), round(y_mm * px_per_mm * 16)


def _ground(text: str, color: PlateColor, layout: Layout, style: Style, px_per_mm: float) -> NDArray[np.uint8]:
    height, width = round(layout.height * px_per_mm), round(layout.width * px_per_mm)
    ground = style.ground or GROUND[color]
    face = np.empty((height, width, 3), np.uint8)
    face[:] = ground
    if color is PlateColor.GREEN and text[2:7].isdigit():  # large: a yellow field on the left
        face[:, : round(TOP_GREEN_MM * px_per_mm)] = GROUND[PlateColor.YELLOW]
    elif color is PlateColor.GREEN:  # small: the green fades towards the top
        fade = np.linspace(1, 0, height, dtype=np.float32)[:, None]
        column = np.asarray(style.top, np.float32) * fade + np.asarray(ground, np.float32) * (1 - fade)
        face[:] = column.astype(np.uint8)[:, None]
    return face


def _furniture(
    face: NDArray[np.uint8], color: PlateColor, layout: Layout, style: Style, px_per_mm: float, foot: Bgr
) -> None:
    """Frame line, bolts, and the mark of new energy."""
    height, width = face.shape[:2]
    if style.frame_mm > 0:
        inset = round(6 * px_per_mm)
        thick = max(1, round(style.frame_mm * px_per_mm))
        cv2.rectangle(face, (inset, inset), (width - 1 - inset, height - 1 - inset), foot, thick, cv2.LINE_AA)
    if style.bolts:
        for x_mm in (110.0, layout.width - 110.0):
            cv2.circle(
                face, _px(x_mm, 11, px_per_mm), max(1, round(7 * px_per_mm * 16)), style.bolt, -1, cv2.LINE_AA, 4
            )
    if color is PlateColor.GREEN:
        axes = round(14 * px_per_mm * 16), round(12 * px_per_mm * 16)
        cv2.ellipse(face, _px(137, 70, px_per_mm), axes, 0, 0, 360, (90, 150, 70), max(1, round(3 * px_per_mm)), 16, 4)


def _lay(face: NDArray[np.uint8], mask: Mask, foot: Bgr) -> None:
    share = mask.astype(np.float32) * np.float32(1 / 255)
    full = np.empty_like(face)
    full[:] = foot
    face[:] = cv2.blendLinear(full, face, share, 1 - share)
