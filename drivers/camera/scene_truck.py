"""A lorry from the front, or a trailer from behind, drawn in millimetres: what drives up to the virtual camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from drivers.camera.plates.face import draw_face
from drivers.camera.plates.found import Image
from drivers.camera.scene_yard import Plane, clouds, pixels, tone
from drivers.readings import PlateColor

if TYPE_CHECKING:
    pass

PX_PER_MM = 0.35
LEFT_MM, TOP_MM = -1600, 3500
"""The sprite's left and upper edge; x is 0 in the middle of the truck, y is 0 on the ground and grows upwards."""
_SIZE = (round(3200 * PX_PER_MM), round(3500 * PX_PER_MM))
PLATE_Y_MM = {"front": 640.0, "rear": 900.0}
_PAINTS = ((166, 34, 30), (20, 78, 140), (208, 208, 200), (206, 128, 24), (34, 100, 74), (120, 20, 30), (60, 66, 74))
_CHROME, _BLACK, _RUBBER = (150, 152, 154), (24, 25, 27), (16, 16, 17)
Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """Colours multiplied by their cover, and the cover (both HxWx3), the lamps, and the plate's corners; in pixels."""

    paint: Image
    cover: Image
    lamps: tuple[tuple[float, float], ...]
    plate: Plane


@lru_cache(maxsize=4)
def truck(text: str, color: PlateColor) -> Sprite:
    """The truck with this plate; its paint, dirt and the plate's dirt follow from the plate."""
    seed = sum((at + 1) * each for at, each in enumerate(text.encode("utf-8")))
    rear = text.endswith("挂")
    body, cover = _rear() if rear else _front(seed % len(_PAINTS))
    body = body.copy()
    covers = np.asarray(cv2.cvtColor(cover, cv2.COLOR_GRAY2BGR), np.uint8)
    corners = _mount(body, _plate(text, color, seed), PLATE_Y_MM["rear" if rear else "front"])
    paint = pixels(cv2.multiply(body, covers, scale=1 / 255))
    lamps = ((-1010.0, 760.0), (1010.0, 760.0)) if not rear else ((-1000.0, 930.0), (1000.0, 930.0))
    places = tuple((float(x), float(y)) for x, y in (_px(*each) for each in lamps))
    return Sprite(paint, covers, places, corners)


def _px(x_mm: float, y_mm: float) -> tuple[float, float]:
    return (x_mm - LEFT_MM) * PX_PER_MM, (TOP_MM - y_mm) * PX_PER_MM


def _plate(text: str, color: PlateColor, seed: int) -> Image:
    """The plate's face with the dirt of the road on it, at the sprite's scale."""
    face, _ = draw_face(text, color, px_per_mm=1.6)
    height, width = face.shape[:2]
    dirt = clouds(seed, width, height, 8, 256)[..., None]
    low = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    share = ((dirt + 0.2).clip(0, 1) * 0.35 + low * 0.12 + 0.05) * (0.5 + seed % 7 / 8)
    random = np.random.default_rng(seed)
    splash = np.zeros((height, width), np.float32)
    for _ in range(seed % 5):
        x, y = random.integers(width), random.integers(height)
        cv2.circle(splash, (int(x), int(y)), int(random.integers(6, 26)), float(random.uniform(0.2, 0.55)), -1)
    share = np.maximum(share, cv2.GaussianBlur(splash, (0, 0), 4)[..., None])
    dirty = face * (1 - share) + tone(104, 124, 136) * share
    size = (round(width / 1.6 * PX_PER_MM), round(height / 1.6 * PX_PER_MM))
    return pixels(cv2.resize(dirty, size, interpolation=cv2.INTER_AREA))


def _mount(body: Image, plate: Image, y_mm: float) -> Plane:
    """Put it on its black holder; returns its corners tl, tr, br, bl in the sprite's pixels."""
    height, width = plate.shape[:2]
    centre_x, centre_y = _px(0, y_mm)
    x, y = round(centre_x - width / 2), round(centre_y - height / 2)
    cv2.rectangle(body, (x - 5, y - 5), (x + width + 4, y + height + 4), (22, 22, 22), -1)
    body[y : y + height, x : x + width] = plate
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float32)


@lru_cache(maxsize=4)
def _front(paint: int) -> tuple[Image, Image]:
    """The cab of a lorry: (BGR, cover)."""
    sheet = _Sheet()
    color = _PAINTS[paint]
    _load_bed(sheet)
    for side in (-1, 1):
        sheet.box(side * 1000, 230, 300, 470, _RUBBER, 60)
        sheet.box(side * 1365, 2120, 190, 620, _BLACK, 50)
        sheet.box(side * 1365, 2120, 140, 540, (58, 66, 74), 40)
        sheet.line([(side * 1210, 2380), (side * 1340, 2380)], _BLACK, 40)
        sheet.line([(side * 1210, 1850), (side * 1340, 1880)], _BLACK, 34)
    sheet.box(0, 1860, 2440, 2480, color, 130)
    sheet.box(0, 2900, 2300, 360, _shade(color, 0.82), 90)  # sun visor and roof
    sheet.box(0, 2660, 2360, 90, _shade(color, 0.45), 40)
    _windscreen(sheet)
    sheet.box(0, 1440, 2380, 90, _shade(color, 1.15), 30)
    sheet.box(0, 1180, 1500, 400, _BLACK, 60)
    for y in range(1040, 1360, 62):
        sheet.box(0, y, 1420, 30, (66, 68, 70), 12)
    sheet.box(0, 1195, 1440, 26, _CHROME, 10)
    sheet.box(0, 1200, 210, 150, (128, 130, 132), 60)
    sheet.box(0, 1200, 150, 96, (44, 46, 50), 40)
    _bumper(sheet, color)
    return sheet.shaded(paint + 70)


def _load_bed(sheet: "_Sheet") -> None:
    sheet.box(0, 2350, 2560, 1900, (70, 74, 80), 30)
    heap = [(-1200, 3280), (-820, 3390), (-400, 3350), (120, 3440), (600, 3380), (1180, 3280)]
    sheet.shape([*heap, (1240, 3100), (-1240, 3100)], (38, 38, 40))
    for x in (-1240, 1240):
        sheet.box(x, 2350, 70, 1900, (92, 96, 102), 20)


def _windscreen(sheet: "_Sheet") -> None:
    sheet.shape([(-1100, 2580), (1100, 2580), (1130, 1560), (-1130, 1560)], (26, 34, 40))
    sheet.shape([(-1060, 2540), (-380, 2540), (-700, 1600), (-1090, 1600)], (56, 74, 86))
    sheet.shape([(300, 2540), (520, 2540), (180, 1600), (20, 1600)], (44, 58, 68))
    sheet.box(560, 1900, 340, 420, (18, 22, 26), 150)  # the driver
    sheet.box(560, 2200, 190, 230, (70, 66, 66), 90)
    sheet.line([(360, 1700), (760, 1700)], (12, 14, 16), 40)
    sheet.box(-560, 1720, 420, 170, (20, 24, 28), 60)
    sheet.box(-760, 2440, 260, 120, (150, 40, 36), 10)  # stickers
    for x in (-820, -80):
        sheet.line([(x, 1570), (x + 640, 1690)], (10, 11, 12), 22)


def _bumper(sheet: "_Sheet", color: Color) -> None:
    sheet.box(0, 690, 2480, 560, _shade(color, 0.62), 90)
    sheet.box(0, 690, 1240, 480, (40, 42, 45), 40)
    sheet.box(0, 870, 1180, 60, (20, 21, 23), 12)
    for side in (-1, 1):
        sheet.box(side * 1010, 760, 380, 250, (28, 30, 32), 60)
        sheet.ellipse(side * 1080, 770, 170, 180, (214, 216, 210))
        sheet.ellipse(side * 1080, 770, 100, 110, (246, 246, 240))
        sheet.ellipse(side * 910, 770, 130, 150, (190, 194, 190))
        sheet.box(side * 1190, 660, 60, 90, (226, 130, 30), 20)
        sheet.ellipse(side * 860, 520, 130, 90, (200, 204, 200))
        sheet.box(side * 430, 520, 120, 90, (26, 27, 29), 20)
    sheet.box(0, 430, 2300, 70, (26, 27, 29), 20)


@lru_cache(maxsize=1)
def _rear() -> tuple[Image, Image]:
    """A trailer from behind: tailgate, lamps, under-run bar."""
    sheet = _Sheet()
    for side in (-1, 1):
        for x in (790, 1080):
            sheet.box(side * x, 480, 270, 950, _RUBBER, 60)
    sheet.box(0, 2250, 2520, 2300, (92, 98, 106), 24)
    for x in range(-1050, 1100, 350):
        sheet.box(x, 2280, 60, 2160, (112, 118, 126), 10)
    for y in (1300, 2300, 3300):
        sheet.box(0, y, 2480, 90, (74, 78, 84), 14)
    for x in range(-1150, 1200, 200):
        sheet.box(x, 1190, 100, 55, (196, 34, 30) if x // 200 % 2 else (226, 226, 222), 6)
    sheet.box(0, 900, 2460, 330, (52, 54, 58), 20)
    for side in (-1, 1):
        sheet.box(side * 1000, 930, 330, 150, (150, 20, 22), 20)
        sheet.box(side * 800, 930, 90, 150, (214, 128, 30), 14)
    sheet.box(0, 560, 2300, 130, (120, 122, 126), 14)
    return sheet.shaded(90)


class _Sheet:
    """Shapes in millimetres on a transparent ground."""

    def __init__(self) -> None:
        from PIL import Image as Pil
        from PIL import ImageDraw

        self._pil = Pil.new("RGBA", _SIZE, (0, 0, 0, 0))
        self._draw: ImageDraw.ImageDraw = ImageDraw.Draw(self._pil)

    def box(self, x: float, y: float, width: float, height: float, color: Color, round_mm: float) -> None:
        """A rounded rectangle around its centre."""
        (left, top), (right, low) = _px(x - width / 2, y + height / 2), _px(x + width / 2, y - height / 2)
        self._draw.rounded_rectangle((left, top, right, low), round_mm * PX_PER_MM, fill=(*color, 255))

    def ellipse(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """Around its centre."""
        (left, top), (right, low) = _px(x - width / 2, y + height / 2), _px(x + width / 2, y - height / 2)
        self._draw.ellipse((left, top, right, low), fill=(*color, 255))

    def shape(self, points: Sequence[tuple[float, float]], color: Color) -> None:
        """A polygon."""
        self._draw.polygon([_px(*point) for point in points], fill=(*color, 255))

    def line(self, points: Sequence[tuple[float, float]], color: Color, width_mm: float) -> None:
        """Straight strokes."""
        self._draw.line(
            [_px(*point) for point in points], fill=(*color, 255), width=max(1, round(width_mm * PX_PER_MM))
        )

    def shaded(self, seed: int) -> tuple[Image, Image]:
        """Light from above, darker edges, road dust from below; soft outlines."""
        drawn = np.asarray(cv2.GaussianBlur(np.asarray(self._pil), (0, 0), 1.1), np.float32)
        color, cover = drawn[..., 2::-1], drawn[..., 3:]
        width, height = _SIZE
        color = np.asarray(color / np.maximum(cover / 255, 0.02), np.float32)
        across = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
        down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        light = (1.14 - 0.34 * down) * (1 - 0.3 * np.abs(across + 0.12) ** 3)
        gloss = np.exp(-(((across + 0.35) / 0.1) ** 2)) * 22 * (1 - down)
        dust = ((clouds(seed, width, height, 4, 128)[..., None] + 0.5) * (down - 0.35)).clip(0, 0.42)
        return pixels((color * light + gloss) * (1 - dust) + tone(112, 130, 142) * dust), pixels(cover[..., 0])


def _shade(color: Color, factor: float) -> Color:
    red, green, blue = (min(255, round(each * factor)) for each in color)
    return red, green, blue
