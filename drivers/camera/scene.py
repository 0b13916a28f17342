"""The virtual camera's picture: a truck at the gate by day, its plate, or the empty lane. Drawn with PIL, as JPEG."""

from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

from drivers.camera.jpeg_comment import plate_comment
from drivers.printer.render import chinese_font
from drivers.readings import PlateColor, PlateReading

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

WIDTH, HEIGHT = 960, 540
_HORIZON = 250
_PLATE_BOX = (386, 404, 574, 452)
_TRUCKS = ((176, 42, 38), (24, 92, 150), (222, 222, 216), (228, 150, 32), (46, 120, 84))
_PLATE_LOOKS = {
    PlateColor.BLUE: ((20, 72, 160), (255, 255, 255)),
    PlateColor.YELLOW: ((246, 190, 20), (20, 20, 20)),
    PlateColor.GREEN: ((120, 200, 130), (16, 16, 16)),
    PlateColor.WHITE: ((245, 245, 245), (20, 20, 20)),
    PlateColor.BLACK: ((20, 20, 24), (255, 255, 255)),
}
Color = tuple[int, int, int]


def plate_color(text: str) -> PlateColor:
    """The usual colour of a goods vehicle's plate: eight characters are new energy (green), seven are yellow."""
    return PlateColor.GREEN if len(text.replace("·", "")) == 8 else PlateColor.YELLOW


@lru_cache(maxsize=64)
def picture(plate: PlateReading | None, reads: str | None = None) -> bytes:
    """The scene as JPEG; the plate stands in the picture and, for the driver to read, in its comment: as it is, or as
    a camera `reads` it that is not sure of it, with the place to look at.
    """
    image = _yard().copy()
    if plate is not None:
        _draw_truck(image, plate)
    out = BytesIO()
    left, top, right, bottom = _PLATE_BOX
    box = (left, top, right - left, bottom - top)
    read = plate if plate is None or reads is None else replace(plate, text=reads, box=box)
    comment = b"" if read is None else plate_comment(read, unsure=reads is not None)
    image.save(out, "JPEG", quality=82, comment=comment or None)
    return out.getvalue()


@lru_cache(maxsize=1)
def _yard() -> "Image.Image":
    """Sky, hall, coke heap, silos, and a concrete lane with a kerb."""
    from PIL import Image, ImageDraw, ImageFilter

    image = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    for y in range(_HORIZON):
        draw.line((0, y, WIDTH, y), fill=_mix((126, 168, 205), (214, 226, 232), y / _HORIZON))
    draw.rectangle((560, 118, 900, _HORIZON), fill=(158, 166, 172))
    for x in range(560, 900, 17):
        draw.line((x, 118, x, _HORIZON), fill=(143, 152, 158))
    draw.polygon([(545, 118), (915, 118), (880, 84), (580, 84)], fill=(118, 84, 76))
    for x in (70, 150):
        draw.rectangle((x, 70, x + 62, _HORIZON), fill=(186, 190, 190))
        draw.ellipse((x, 52, x + 62, 88), fill=(200, 204, 203))
        draw.rectangle((x + 44, 76, x + 62, _HORIZON), fill=(164, 168, 169))
    draw.polygon([(215, _HORIZON), (300, 178), (352, 160), (420, 196), (500, _HORIZON)], fill=(66, 66, 68))
    draw.polygon([(352, 160), (420, 196), (500, _HORIZON), (390, _HORIZON)], fill=(54, 54, 57))
    image = image.filter(ImageFilter.GaussianBlur(1.6))
    draw = ImageDraw.Draw(image)
    for y in range(_HORIZON, HEIGHT):
        draw.line((0, y, WIDTH, y), fill=_mix((150, 152, 148), (112, 114, 112), (y - _HORIZON) / (HEIGHT - _HORIZON)))
    draw.polygon([(0, 330), (0, 304), (250, _HORIZON), (300, _HORIZON)], fill=(128, 132, 110))
    draw.polygon([(WIDTH, 330), (WIDTH, 304), (710, _HORIZON), (660, _HORIZON)], fill=(128, 132, 110))
    for left, right in (((150, HEIGHT), (362, _HORIZON)), ((810, HEIGHT), (598, _HORIZON))):
        draw.line((left, right), fill=(228, 196, 70), width=7)
    noise = Image.effect_noise((WIDTH, HEIGHT), 22).convert("RGB")
    return Image.blend(image, noise, 0.05)


def _draw_truck(image: "Image.Image", plate: PlateReading) -> None:
    """A cab from the front, its load bed behind, shadow below."""
    from PIL import Image, ImageDraw, ImageFilter

    body = _TRUCKS[sum(plate.text.encode("utf-8")) % len(_TRUCKS)]
    shadow = Image.new("L", image.size, 0)
    ImageDraw.Draw(shadow).ellipse((236, 438, 760, 526), fill=190)
    image.paste((40, 42, 44), (0, 0), shadow.filter(ImageFilter.GaussianBlur(14)))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((282, 96, 678, 330), 10, fill=_shade(body, 0.62))
    draw.polygon([(292, 96), (340, 70), (420, 78), (500, 60), (590, 76), (668, 96)], fill=(58, 58, 60))
    for x in (312, 610):
        draw.rounded_rectangle((x, 400, x + 58, 506), 14, fill=(26, 27, 29))
    draw.rounded_rectangle((300, 132, 660, 452), 26, fill=body)
    draw.rounded_rectangle((300, 132, 660, 176), 20, fill=_shade(body, 1.12))
    _draw_cab(draw, body)
    _draw_plate(image, plate, _PLATE_BOX)


def _draw_cab(draw: "ImageDraw.ImageDraw", body: Color) -> None:
    draw.rounded_rectangle((322, 172, 638, 288), 16, fill=(38, 50, 58))
    draw.polygon([(340, 180), (430, 180), (370, 282), (332, 282)], fill=(72, 92, 104))
    draw.line((480, 176, 480, 286), fill=(28, 36, 42), width=4)
    for x in (276, 662):
        draw.rounded_rectangle((x, 186, x + 24, 262), 8, fill=(34, 36, 38))
        draw.line((x + 12, 262, x + 12, 276), fill=(34, 36, 38), width=6)
    for y in range(304, 360, 13):
        draw.rounded_rectangle((392, y, 568, y + 7), 3, fill=_shade(body, 0.55))
    draw.rounded_rectangle((290, 372, 670, 470), 14, fill=_shade(body, 0.78))
    for x in (314, 590):
        draw.rounded_rectangle((x, 386, x + 56, 422), 10, fill=(248, 244, 220), outline=(90, 92, 94), width=3)
    draw.rectangle((304, 462, 656, 476), fill=(40, 42, 44))


def _draw_plate(image: "Image.Image", plate: PlateReading, box: tuple[int, int, int, int]) -> None:
    """The plate at four times its size, then reduced, so that the characters stay crisp."""
    from PIL import Image, ImageDraw

    ground, ink = _PLATE_LOOKS[plate.color or plate_color(plate.text)]
    width, height = (box[2] - box[0]) * 4, (box[3] - box[1]) * 4
    tile = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(tile)
    if plate.color is PlateColor.GREEN:
        for y in range(height):
            draw.line((0, y, width, y), fill=_mix((232, 244, 236), (96, 190, 116), y / height))
    draw.rounded_rectangle((8, 8, width - 9, height - 9), 18, outline=ink, width=6)
    text = plate.text.replace("·", "")
    shown = f"{text[:2]}·{text[2:]}"
    font = chinese_font(int(height * (0.62 if len(text) < 8 else 0.56)))
    draw.text((width / 2, height / 2 - height * 0.03), shown, font=font, fill=ink, anchor="mm", stroke_width=3)
    image.paste(tile.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.LANCZOS), box[:2])


def _mix(start: Color, end: Color, part: float) -> Color:
    return (
        round(start[0] + (end[0] - start[0]) * part),
        round(start[1] + (end[1] - start[1]) * part),
        round(start[2] + (end[2] - start[2]) * part),
    )


def _shade(color: Color, factor: float) -> Color:
    return (min(255, round(color[0] * factor)), min(255, round(color[1] * factor)), min(255, round(color[2] * factor)))
