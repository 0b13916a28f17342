"""Printer bytes as a picture of the paper, for the virtual printer, tests and people. Raises on unknown bytes."""

import subprocess
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.printer.document import Align
from drivers.printer.escpos_reader import CutMark, Feed, Line, NativeQr, Operation, Raster, read
from drivers.printer.escpos_writer import DOTS_PER_COLUMN
from drivers.printer.qr_modules import raster_rows

if TYPE_CHECKING:
    from PIL import Image, ImageFont

LINE_DOTS = 30
GLYPH_DOTS = 24
_FONT_PX, _BASELINE_DOTS, _DESCENT_DOTS = 22, 20, 4
_MARGIN_DOTS = 32
_CUT_DOTS = 36
_PAPER, _INK, _DESK = 252, 24, 208
_FONTS = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/wenquanyi/wqy-microhei/wqy-microhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
)


class FontMissingError(RuntimeError):
    """No Chinese font on this machine; names the package to install."""


@lru_cache(maxsize=1)
def chinese_font_path() -> str:
    """A font file with Chinese characters; FontMissingError says how to get one."""
    for path in _FONTS:
        if Path(path).is_file():
            return path
    try:
        asked = ["fc-match", "--format=%{file}\t%{lang}", ":lang=zh-cn"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.partition("\t")
    except (OSError, subprocess.SubprocessError):
        found = ("", "", "")
    if "zh-cn" in found[2] and Path(found[0]).is_file():
        return found[0]
    raise FontMissingError("no Chinese font found: apt-get install fonts-wqy-microhei")


@lru_cache(maxsize=8)
def chinese_font(size_px: int) -> "ImageFont.FreeTypeFont":
    """The Chinese font at a size in pixels; digits are half as wide as hanzi where the file has a Mono face."""
    from PIL import ImageFont  # the plant process must not carry it

    path = chinese_font_path()
    return ImageFont.truetype(path, size_px, index=1 if "microhei" in path else 0)


def render(data: bytes, *, columns: int = 48) -> "Image.Image":
    """The paper a printer makes of `data`: 576 dots wide for 48 columns plus margins, cut marks between the copies."""
    from PIL import Image, ImageDraw  # the plant process must not carry it

    operations = read(data, columns=columns)
    width = columns * DOTS_PER_COLUMN
    height = sum(_height(operation, width) for operation in operations)
    paper = Image.new("L", (width + 2 * _MARGIN_DOTS, height + 2 * _MARGIN_DOTS), _PAPER)
    draw = ImageDraw.Draw(paper)
    y = _MARGIN_DOTS
    for operation in operations:
        match operation:
            case Line():
                _draw_line(paper, operation, y, width)
            case Raster(rows):
                _draw_rows(paper, rows, y)
            case NativeQr(code, module_dots):
                _draw_rows(paper, raster_rows(code, module_dots, width), y)
            case CutMark():
                draw.rectangle((0, y + 12, paper.width, y + _CUT_DOTS - 12), fill=_DESK)
                draw.line((0, y + 12, paper.width, y + 12), fill=_DESK - 60)
            case Feed():
                pass
        y += _height(operation, width)
    return paper


def png(data: bytes, *, columns: int = 48) -> bytes:
    """`render` as PNG in 16 greys."""
    from PIL import Image

    grey = render(data, columns=columns)
    # 16 greys by shifting: a tenth of the time of PIL's own search for a palette
    paper = Image.frombytes("P", grey.size, grey.point([value >> 4 for value in range(256)]).tobytes())
    paper.putpalette([level * 17 for level in range(16) for _ in "rgb"])
    out = BytesIO()
    paper.save(out, "PNG", bits=4)
    return out.getvalue()


def _height(operation: Operation, width: int) -> int:
    match operation:
        case Line(runs, _):
            tallest = max((run.height_scale for run in runs), default=1)
            return LINE_DOTS + (tallest - 1) * GLYPH_DOTS
        case Raster(rows):
            return len(rows)
        case NativeQr(code, module_dots):
            return len(raster_rows(code, module_dots, width))
        case Feed(lines):
            return lines * LINE_DOTS
        case CutMark():
            return _CUT_DOTS


def _draw_line(paper: "Image.Image", line: Line, y: int, width: int) -> None:
    used = sum(run.columns for run in line.runs) * DOTS_PER_COLUMN
    x = _MARGIN_DOTS + {Align.LEFT: 0, Align.CENTER: (width - used) // 2, Align.RIGHT: width - used}[line.align]
    bottom = y + _height(line, width) - LINE_DOTS + GLYPH_DOTS
    for run in line.runs:
        for char in run.text:
            cells = len(char.encode("gb18030"))
            if char != " ":
                glyph = _glyph(char, cells, run.width_scale, run.height_scale, run.bold)
                paper.paste(_INK, (x, bottom - GLYPH_DOTS * run.height_scale), glyph)
            x += cells * DOTS_PER_COLUMN * run.width_scale


@lru_cache(maxsize=2000)
def _glyph(char: str, cells: int, across: int, down: int, bold: bool) -> "Image.Image":
    """One character as an ink mask of its cell and a little below, where g and p hang."""
    from PIL import Image, ImageDraw

    scale = max(across, down)
    font = chinese_font(_FONT_PX * scale)
    box = (cells * DOTS_PER_COLUMN * scale, (GLYPH_DOTS + _DESCENT_DOTS) * scale)
    mask = Image.new("L", box, 0)
    draw = ImageDraw.Draw(mask)
    left = (box[0] - font.getlength(char)) / 2
    for shift in (-0.5, 0.5) if bold else (0,):
        draw.text((left + shift, _BASELINE_DOTS * scale), char, font=font, fill=255, anchor="ls")
    size = (cells * DOTS_PER_COLUMN * across, (GLYPH_DOTS + _DESCENT_DOTS) * down)
    return mask if size == box else mask.resize(size)


def _draw_rows(paper: "Image.Image", rows: "tuple[bytes, ...] | list[bytes]", y: int) -> None:
    from PIL import Image

    mask = Image.frombytes("1", (len(rows[0]) * 8, len(rows)), b"".join(rows))
    paper.paste(_INK, (_MARGIN_DOTS, y), mask)
