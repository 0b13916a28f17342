"""How other people's readers are measured: a stand-in for one of them is read from PYTHONPATH, in a real process."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera.plates.evaluate import Label
from tests.bench import __main__ as runner
from tests.bench.bench_plates_peers import NotRun, chosen, is_right, measure
from tests.bench.peers.environment import Environment
from tests.bench.rows import Row

ALLOCATED_MB = 60
STAND_IN = f"""
from types import SimpleNamespace
class RapidOCR:
    def __init__(self, params):
        print("loading, and talking while at it")
        self.held = bytearray(b"x" * {ALLOCATED_MB * 1_000_000})
    def __call__(self, image):
        grey = int(image[0, 0, 0])
        if grey == 40:
            raise RuntimeError("choked")
        print("reading")
        return SimpleNamespace(txts={{10: ("停车场", "晋B·8C36O"), 20: ("晋B8C361",), 30: None}}[grey])
"""


def _pictures(folder: Path, greys: tuple[int, ...]) -> list[Label]:
    for grey in greys:
        cv2.imwrite(str(folder / f"{grey}.png"), np.full((20, 60, 3), grey, np.uint8))
    return [Label(folder / f"{grey}.png", "晋B8C360", None, 1) for grey in greys]


def test_a_reader_is_scored_on_every_picture_and_charged_for_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right, wrong, nothing read, choked; then a file that is no picture."""
    (tmp_path / "rapidocr.py").write_text(STAND_IN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    labels = _pictures(tmp_path, (10, 20, 30, 40))
    here = bytearray(b"x" * 3 * ALLOCATED_MB * 1_000_000)
    figures = measure(
        Path(sys.executable), "rapidocr", "photo", [*labels, Label(tmp_path / "rapidocr.py", "", None, 1)]
    )
    assert figures.exact_percent == 20
    assert figures.ms < 1000
    assert ALLOCATED_MB <= figures.memory_mb < 3 * ALLOCATED_MB, "the memory of the process that started it counted"
    assert len(here)


def test_a_reader_that_cannot_work_is_a_reason_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = Path(sys.executable)
    with pytest.raises(NotRun, match="No module named 'onnxruntime'"):
        measure(python, "agentclpr", "crop", _pictures(tmp_path, (10,)))
    with pytest.raises(NotRun, match="No module named 'rapidocr'"):
        measure(python, "rapidocr", "photo", _pictures(tmp_path, (10,)))
    with pytest.raises(NotRun, match="No such file"):
        measure(tmp_path / "python", "rapidocr", "photo", _pictures(tmp_path, (10,)))
    (tmp_path / "rapidocr.py").write_text(STAND_IN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NotRun, match="RuntimeError: choked"):
        measure(python, "rapidocr", "photo", _pictures(tmp_path, (40, 40)))


def test_the_plate_counts_in_any_line_but_only_whole() -> None:
    label = Label(Path(), "晋B8C360", None, 1)
    assert is_right(label, {"texts": ["2026-11-24", "晋B·8C36O"]})
    assert not is_right(label, {"texts": ["B8C360"]}), "without its province"
    assert not is_right(label, {"texts": ["晋B8C360F"]})
    assert not is_right(label, {"trouble": "choked"})


def test_a_part_of_the_pictures_is_spread_over_the_list(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,plate,kind\n" + "".join(f"{n},晋B{n:05},photo\n" for n in range(10)), encoding="utf-8")
    assert [each.plate for each in chosen(labels, "photo", 4)] == ["晋B00000", "晋B00003", "晋B00006", "晋B00009"]
    assert len(chosen(labels, "photo", 10)) == 10
    with pytest.raises(NotRun, match="not beside the checkout"):
        chosen(tmp_path / "nowhere.csv", "photo", 4)


def test_an_environment_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    peer = Environment("peer", tmp_path / "home", tmp_path)
    wanted = tmp_path / "peer.txt"
    wanted.write_text(f"weighgate-no-such-reader==1 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    assert "make peers" in peer.missing
    peer.install()
    assert "could not be installed: ERROR: No matching distribution" in peer.missing
    wanted.write_text("", encoding="utf-8")
    peer.install()
    assert peer.missing == "", "a second try"
    assert peer.python.is_file()
    wanted.write_text("# another version\n", encoding="utf-8")
    assert "make peers" in peer.missing, "other requirements than those installed"


def test_a_figure_that_was_not_taken_is_neither_kept_nor_missed() -> None:
    row = Row("rapidocr: whole photos", None, "%", floor=95, min_value=95, why_not="not installed")
    assert (row.met, row.ratio) == (None, None)
    line = " ".join(runner.cells(row))
    assert "not run" in line
    assert line.endswith("not installed")
