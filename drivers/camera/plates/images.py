"""A picture file as pixels, or one line that says what is wrong with it.

The header is read first, so that a picture too large to hold costs nothing, and so that half a picture is not taken for
a whole one.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from drivers.camera.plates.found import Image

MOST_PIXELS = 50_000_000
LEAST_SIDE = 8
"""Pixels. A plate's characters need at least as many in height."""
LARGEST_FILE = 64 * 1024 * 1024
ALLOWED = f"JPEG, PNG, BMP or WebP of {LEAST_SIDE} x {LEAST_SIDE} to {MOST_PIXELS // 1_000_000} million pixels"

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", 0xDA, b"\xff\xd9"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame, of any coding (ITU-T T.81, table B.1)."""
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""


class NotAnImage(ValueError):
    """This cannot be used as a picture: what, where, and what is allowed, in one line."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}; allowed: {ALLOWED}")


def read_image(path: Path) -> Image:
    """The picture in a file as HxWx3 BGR. NotAnImage as `decode_image`, and when the file cannot be read."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise NotAnImage(str(path), f"{path.stat().st_size} bytes, more than {LARGEST_FILE}")
        data = path.read_bytes()
    except OSError as error:
        raise NotAnImage(str(path), error.strerror or "cannot be read") from None
    return decode_image(data, str(path))


def decode_image(data: bytes, where: str) -> Image:
    """The picture as HxWx3 BGR of 8 bits: grey and 16 bits are converted, alpha is left out, and it stands upright as
    its EXIF says. NotAnImage when it is none, is cut short, or is too large (told from the header) or too small."""
    width, height = _size(data, where)
    if width * height > MOST_PIXELS:
        raise NotAnImage(where, f"{width} x {height} is {width * height / 1e6:.0f} million pixels")
    if min(width, height) < LEAST_SIDE:
        raise NotAnImage(where, f"{width} x {height} is too small")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise NotAnImage(where, "it cannot be decoded, it is damaged or cut short")
    return np.asarray(image, np.uint8)


def _size(data: bytes, where: str) -> tuple[int, int]:
    """Width and height by the header of a file that has its end."""
    for start, size in _SIZES.items():
        if data.startswith(start):
            try:
                return size(data)
            except (struct.error, IndexError, EOFError):
                raise NotAnImage(where, f"cut short after {len(data)} bytes") from None
    raise NotAnImage(where, f"not an image ({len(data)} bytes that begin {data[:4].hex(' ') or 'with nothing'})")


def _jpeg(data: bytes) -> tuple[int, int]:
    at, size = len(_JPEG_START), None
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _JPEG_BARE:
            at += 2
            continue
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = width, height
        if marker == _JPEG_SCAN:
            break
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    # Within a scan FF is followed by 00 or a restart: the first end marker after it is the picture's own.
    if size is None or data.find(_JPEG_END, at) < 0:
        raise EOFError
    return size


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    if b"IEND" not in data[-64:]:
        raise EOFError
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<ii", data, 18)
    if len(data) < struct.unpack_from("<I", data, 2)[0]:
        raise EOFError
    return abs(width), abs(height)


def _webp(data: bytes) -> tuple[int, int]:
    if len(data) < struct.unpack_from("<I", data, 4)[0] + 8:
        raise EOFError
    if data[12:16] == b"VP8X":
        low = struct.unpack_from("<I", data, 24)[0] & 0xFFFFFF, struct.unpack_from("<I", data, 26)[0] >> 8
        return low[0] + 1, low[1] + 1
    if data[12:16] == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


_SIZES: dict[bytes, Callable[[bytes], tuple[int, int]]] = {
    _JPEG_START: _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"BM": _bmp,
    b"RIFF": _webp,
}
