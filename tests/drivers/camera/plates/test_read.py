"""The reading net by itself: sizes, batches, damaged files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera.plates.alphabet import CHARACTERS
from drivers.camera.plates.face import draw_face
from drivers.camera.plates.found import Image
from drivers.camera.plates.read import COLORS, Reader
from drivers.readings import PlateColor


def _line(text: str, color: PlateColor) -> Image:
    face, _ = draw_face(text, color, px_per_mm=1.0)
    return np.asarray(cv2.resize(face, (128, 32), interpolation=cv2.INTER_AREA), np.uint8)


def test_a_line_is_read_with_its_colour_and_how_sure() -> None:
    reading = Reader().read(_line("沪C37649", PlateColor.BLUE))
    assert (reading.text, reading.color) == ("沪C37649", PlateColor.BLUE)
    assert len(reading.confidences) == 7
    assert min(reading.confidences) > 0.5
    assert sum(reading.colors) == pytest.approx(1, abs=1e-5)
    assert reading.line.shape == (32, len(CHARACTERS))
    assert np.exp(reading.line).sum(axis=1) == pytest.approx(np.ones(32), abs=1e-4)


def test_several_at_once_are_what_each_is_alone() -> None:
    reader = Reader()
    lines = [
        _line("晋B12345", PlateColor.YELLOW),
        _line("粤AD12345", PlateColor.GREEN),
        _line("京A8K21Z", PlateColor.BLUE),
    ]
    together = reader.read_all(lines)
    assert [each.text for each in together] == ["晋B12345", "粤AD12345", "京A8K21Z"]
    for alone, one in zip((reader.read(line) for line in lines), together, strict=True):
        assert alone.line == pytest.approx(one.line, abs=1e-3)
    assert reader.read_all([]) == ()


def test_the_temperature_makes_it_less_sure_and_changes_no_text() -> None:
    line = _line("晋B12345", PlateColor.YELLOW)
    cold, warm = Reader(temperature=1.0).read(line), Reader(temperature=3.0).read(line)
    assert cold.text == warm.text
    assert max(warm.confidences) < max(cold.confidences)


def test_a_line_of_another_size_is_said() -> None:
    with pytest.raises(ValueError, match="want lines of 32x128x3"):
        Reader().read(np.zeros((30, 128, 3), np.uint8))


def test_a_missing_or_damaged_net_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path / "none.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no net at all" * 50)
    with pytest.raises(ValueError, match=r"damaged\.onnx: not a net"):
        Reader(damaged)
    capfd.readouterr()


def test_the_colours_stand_in_the_order_of_the_readings() -> None:
    assert COLORS == (PlateColor.BLUE, PlateColor.YELLOW, PlateColor.GREEN, PlateColor.WHITE, PlateColor.BLACK)
