"""Files that are pictures and files that only look like it."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from drivers.camera.plates.images import ALLOWED, NotAnImage, decode_image, read_image

WIDTH, HEIGHT = 64, 40


def _picture() -> Pillow.Image:
    """Red above, blue below, so that upside down shows."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2, :, 0] = 200
    pixels[HEIGHT // 2 :, :, 2] = 200
    return Pillow.fromarray(pixels)


def _file(kind: str, picture: Pillow.Image | None = None, **how: Any) -> bytes:
    held = BytesIO()
    (picture or _picture()).save(held, kind, **how)
    return held.getvalue()


def _png_header(width: int, height: int) -> bytes:
    """A PNG that says it is this large, without the pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"IEND"
    chunks = [struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in (header, end)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _sixteen_bits() -> Pillow.Image:
    return Pillow.fromarray(np.full((HEIGHT, WIDTH), 200 * 257, np.uint16))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_every_allowed_kind_is_read_in_blue_green_red(kind: str) -> None:
    image = decode_image(_file(kind, quality=95), "a")
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert image.dtype == np.uint8
    assert image[5, 30, 2] > 150 > 60 > image[5, 30, 0]


@pytest.mark.parametrize(
    "how", [{"progressive": True}, {"restart_marker_blocks": 2}, {"comment": b"\xff\xd9"}, {"lossless": True}]
)
def test_codings_of_a_kind_are_read(how: dict[str, Any]) -> None:
    kind = "WEBP" if "lossless" in how else "JPEG"
    assert decode_image(_file(kind, **how), "a").shape == (HEIGHT, WIDTH, 3)


def test_webp_with_alpha_has_a_header_of_its_own() -> None:
    assert decode_image(_file("WEBP", _picture().convert("RGBA")), "a").shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_grey_and_alpha_become_three_channels(mode: str) -> None:
    assert decode_image(_file("PNG", _picture().convert(mode)), "a").shape == (HEIGHT, WIDTH, 3)


def test_sixteen_bits_become_eight() -> None:
    image = decode_image(_file("PNG", _sixteen_bits()), "a")
    assert image.dtype == np.uint8
    assert (image.shape, int(image.mean())) == ((HEIGHT, WIDTH, 3), 200)


def test_a_picture_stands_upright_as_its_exif_says() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 3
    image = decode_image(_file("JPEG", exif=exif.tobytes()), "a")
    assert image[5, 30, 0] > 150, "180 degrees: what was blue below is above"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.9, 0.99])
def test_a_file_cut_short_is_no_picture(kind: str, part: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    whole = _file(kind, Pillow.fromarray(noise))
    assert decode_image(whole, "a").shape == (90, 120, 3)
    with pytest.raises(NotAnImage, match=r"^gate\.jpg: "):
        decode_image(whole[: int(len(whole) * part)], "gate.jpg")


def test_a_jpeg_whose_thumbnail_is_whole_but_not_itself_is_cut_short() -> None:
    whole = _file("JPEG", comment=b"\xff\xda\xff\xd9")
    with pytest.raises(NotAnImage, match="cut short"):
        decode_image(whole[:-2], "a")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not an image (0 bytes that begin with nothing)"),
        (b"hello, world", "not an image (12 bytes that begin 68 65 6c 6c)"),
        (_file("GIF"), "not an image"),
        (b"\xff\xd8" + b"\x00" * 50, "cut short after 52 bytes"),
        (b"\xff\xd8\xff", "cut short after 3 bytes"),
        (_png_header(64, 64), "it cannot be decoded"),
        (_file("PNG", Pillow.new("RGB", (1, 1))), "1 x 1 is too small"),
        (_file("JPEG", Pillow.new("RGB", (300, 7))), "300 x 7 is too small"),
        (_png_header(10_000, 5_001), "10000 x 5001 is 50 million pixels"),
        (_png_header(0xFFFFFFFF, 0xFFFFFFFF), "million pixels"),
    ],
)
def test_what_is_no_picture_is_said_in_one_line(data: bytes, what: str) -> None:
    with pytest.raises(NotAnImage) as caught:
        decode_image(data, "gate.jpg")
    words = str(caught.value)
    assert words.startswith(f"gate.jpg: {what}" if "million" not in what else "gate.jpg: ")
    assert what in words
    assert words.endswith(f"; allowed: {ALLOWED}")
    assert "\n" not in words


def test_random_damage_is_a_picture_or_said(capfd: pytest.CaptureFixture[str]) -> None:
    dice = np.random.default_rng(7)
    for kind in ("JPEG", "PNG", "BMP", "WEBP"):
        whole = np.frombuffer(_file(kind), np.uint8)
        for _ in range(60):
            hurt = whole.copy()
            hurt[dice.integers(0, len(hurt), 4)] = dice.integers(0, 256, 4)
            try:
                image = decode_image(hurt.tobytes(), "a")
            except NotAnImage:
                continue
            assert image.ndim == 3
            assert image.shape[2] == 3
    capfd.readouterr()


def test_a_file_is_read_or_named(tmp_path: Path) -> None:
    good = tmp_path / "晋.jpg"
    good.write_bytes(_file("JPEG"))
    assert read_image(good).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(NotAnImage, match="No such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(NotAnImage, match="directory"):
        read_image(tmp_path)
