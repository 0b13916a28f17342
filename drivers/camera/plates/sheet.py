"""A contact sheet: the worst cases of an evaluation side by side, for the eye."""

from collections.abc import Sequence
from io import BytesIO

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from drivers.camera.plates.evaluate import Case
from drivers.camera.plates.found import Image, grown
from drivers.camera.plates.images import NotAnImage, read_image
from drivers.camera.plates.rectify import HEIGHT, WIDTH, rectify
from drivers.printer.render import chinese_font

COLUMNS, MOST = 4, 48
_SCALE = 2
_LINE = WIDTH * _SCALE, HEIGHT * _SCALE
_VIEW = WIDTH * _SCALE, 90
_TEXT = 44
_CELL = _LINE[0] + 16, _VIEW[1] + _LINE[1] + _TEXT + 12
_WRONG, _RIGHT, _GROUND = (190, 30, 30), (20, 110, 40), (245, 245, 242)


def worst(cases: Sequence[Case], most: int = MOST) -> list[Case]:
    """The surest mistakes first, then pictures in which nothing was seen, then what was right but least sure."""
    rank = {True: 2, False: 0}
    return sorted(
        cases,
        key=lambda case: (
            (1, 0.0) if case.sighting is None else (rank[case.exact], -case.confidence * (1 - 2 * case.exact))
        ),
    )[:most]


def contact_sheet(cases: Sequence[Case]) -> bytes:
    """A PNG with a cell for each case: its surroundings, the line the net was given, the truth and what was read."""
    rows = -(-len(cases) // COLUMNS) or 1
    sheet = Pillow.new("RGB", (COLUMNS * _CELL[0], rows * _CELL[1]), _GROUND)
    draw = ImageDraw.Draw(sheet)
    for at, case in enumerate(cases):
        x, y = at % COLUMNS * _CELL[0] + 8, at // COLUMNS * _CELL[1] + 6
        for picture, down in _pictures(case):
            sheet.paste(picture, (x, y + down))
        words = case.text or "没有车牌 no plate"
        top = y + _VIEW[1] + _LINE[1]
        draw.text((x, top), f"{case.label.plate}  {case.label.file.name}"[:34], font=chinese_font(16), fill=(0, 0, 0))
        draw.text(
            (x, top + 20),
            f"{words}  {case.confidence:.2f}",
            font=chinese_font(18),
            fill=_RIGHT if case.exact else _WRONG,
        )
    held = BytesIO()
    sheet.save(held, "PNG")
    return held.getvalue()


def _pictures(case: Case) -> list[tuple[Pillow.Image, int]]:
    """What to paste, and how far down."""
    try:
        image = read_image(case.label.file)
    except NotAnImage:
        return []
    if case.sighting is None:
        return [(_fitted(image, (_VIEW[0], _VIEW[1] + _LINE[1])), 0)]
    around = grown(case.sighting.corners, 1.6, 2.2)
    left, top = np.maximum(np.floor(around.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(around.max(axis=0)).astype(int)
    line = rectify(image, case.sighting.corners, case.sighting.plate.rows)
    return [(_fitted(image[top:bottom, left:right], _VIEW), 0), (_fitted(line, _LINE), _VIEW[1])]


def _fitted(image: Image, size: tuple[int, int]) -> Pillow.Image:
    """As large as fits, with its own proportions."""
    scale = min(size[0] / image.shape[1], size[1] / image.shape[0])
    width, height = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    fitted = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return Pillow.fromarray(cv2.cvtColor(fitted, cv2.COLOR_BGR2RGB))
