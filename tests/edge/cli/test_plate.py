"""`weighgate plate` at a terminal: words, exit codes and JSON, on pictures drawn by ourselves."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from drivers.camera.plates.images import decode_image
from drivers.readings import PlateColor
from edge.cli.commands import main
from tests.drivers.camera.plates.pictures import photo, yard


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["plate", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two plates as photos and crops, an empty lane, half a file, and a list of labels with one mistake in it."""
    place = tmp_path_factory.mktemp("plates")
    lines = ["file,plate,color,rows,kind"]
    for name, text, color, rows in (
        ("a", "晋B12345", PlateColor.YELLOW, 1), ("b", "浙AK372M", PlateColor.BLUE, 1),
        ("c", "冀C8F65挂", PlateColor.YELLOW, 2),
    ):  # fmt: skip
        picture = photo(text, color, rows=rows, width=170)
        cv2.imwrite(str(place / f"{name}.jpg"), picture)
        high = 85 if rows == 2 else 54
        crop = picture[440 - high // 2 : 440 + high // 2, 315:485]
        cv2.imwrite(str(place / f"{name}-crop.jpg"), np.ascontiguousarray(crop))
        said = "浙A·K3720" if name == "b" else text
        lines += [f"{name}.jpg,{said},{color},{rows},photo", f"{name}-crop.jpg,{said},{color},{rows},crop"]
    cv2.imwrite(str(place / "none.jpg"), yard())
    (place / "half.jpg").write_bytes((place / "a.jpg").read_bytes()[:5000])
    (place / "labels.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return place


def test_read_tells_what_it_sees(folder: Path) -> None:
    done = run("read", folder / "a.jpg", folder / "c.jpg")
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{folder / 'a.jpg'}: 晋B12345 yellow ")
    assert "冀C8F65挂 yellow, two rows" in second


def test_read_as_json_has_the_promised_form(folder: Path) -> None:
    done = run("read", folder / "a.jpg", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told) == {"file", "plates"}
    (plate,) = told["plates"]
    assert set(plate) == {"text", "color", "rows", "confidence", "box"}
    assert (plate["text"], plate["color"], plate["rows"]) == ("晋B12345", "yellow", 1)
    assert 0 < plate["confidence"] <= 1
    x, y, width, height = plate["box"]
    assert x < 400 < x + width
    assert y < 440 < y + height


def test_no_plate_is_a_no(folder: Path) -> None:
    done = run("read", folder / "none.jpg")
    assert (done.exit_code, done.stdout) == (1, f"{folder / 'none.jpg'}: 没有车牌 no plate\n")
    told = run("read", folder / "a.jpg", folder / "none.jpg", "--json")
    assert told.exit_code == 1
    assert [len(json.loads(line)["plates"]) for line in told.stdout.splitlines()] == [1, 0]


def test_no_picture_is_said_in_one_line_and_the_others_are_read(folder: Path) -> None:
    done = run("read", folder / "half.jpg", folder / "a.jpg", folder / "gone.jpg")
    assert done.exit_code == 2
    assert "晋B12345" in done.stdout
    half, gone = done.stderr.splitlines()
    assert half.startswith(f"{folder / 'half.jpg'}: cut short after 5000 bytes; allowed: JPEG, PNG")
    assert gone.startswith(f"{folder / 'gone.jpg'}: No such file")


def test_read_crop_takes_the_picture_for_the_plate(folder: Path) -> None:
    done = run("read", "--crop", folder / "b-crop.jpg", folder / "c-crop.jpg", "--json")
    assert done.exit_code == 0, done.output
    plates = [json.loads(line)["plates"][0] for line in done.stdout.splitlines()]
    assert [(each["text"], each["rows"]) for each in plates] == [("浙AK372M", 1), ("冀C8F65挂", 2)]


@pytest.mark.parametrize("crop", [(), ("--crop",)])
def test_eval_counts(folder: Path, crop: tuple[str, ...]) -> None:
    done = run("eval", folder / "labels.csv", *crop, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["images"] == 3
    assert told["exact"] == pytest.approx(2 / 3, abs=1e-3)
    assert told["by_color"] == {"yellow": [2, 2], "blue": [0, 1]}
    assert told["by_rows"] == {"1": [1, 2], "2": [1, 1]}
    assert told["by_province"] == {"晋": [1, 1], "浙": [0, 1], "冀": [1, 1]}
    assert told["confusions"] == {"0>M": 1}
    assert told["ms_median"] > 0
    assert told["right_of_200_passes"] == 1, "the wrong label is still the nearest of 200"
    shipped, *_ = told["acceptance"]
    assert shipped["right"] == pytest.approx(2 / 3, abs=1e-3)
    assert shipped["one_off"] == pytest.approx(1 / 675, abs=1e-4), "the one clone that is what stands in the picture"
    assert [each["plate"] for each in told["mistakes"]] == ["浙AK3720"]


def test_eval_for_people_with_a_sheet_of_the_worst(folder: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "worst.png"
    done = run("eval", folder / "labels.csv", "--sheet", sheet)
    assert done.exit_code == 0, done.output
    for words in (
        "3 pictures: exact 66.7%",
        "by color: yellow 2/2, blue 0/1",
        "0>M 1",
        "right pass out of 200",
        "margin",
    ):
        assert words in done.stdout
    image = decode_image(sheet.read_bytes(), "sheet")
    assert image.shape[1] > 800
    assert image.std() > 10


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("name,plate\na,b\n", (), "wants a heading with the columns file,plate"),
        ("", (), "wants a heading"),
        ("file,plate,kind\na.jpg,晋B12345,crop\n", (), "no line has kind photo; try with --crop"),
        ("file,plate\na.jpg,\n", (), "labels.csv:2: file or plate is empty"),
        ("file,plate,color\na.jpg,晋B12345,pink\n", (), "color 'pink'; allowed: blue, yellow"),
        ("file,plate,rows\na.jpg,晋B12345,3\n", (), "rows '3'; allowed: 1, 2"),
        ("file,plate,kind\na.jpg,晋B12345,foto\n", (), "labels.csv:2: kind 'foto'; allowed: photo, crop"),
        ("file,plate,kind\na.jpg,晋B12345,photo\nb.jpg,XYZ,crop\n", (), "labels.csv:3: 'XYZ' cannot be a plate"),
    ],
)
def test_a_list_that_cannot_be_used_is_said(tmp_path: Path, text: str, arguments: tuple[str, ...], words: str) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(text, "utf-8")
    done = run("eval", labels, *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_list_that_a_spreadsheet_saved_in_its_own_code_is_said(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,plate\na.jpg,晋B12345\n", "gbk")
    done = run("eval", labels)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "labels.csv: not UTF-8 at byte 17; save it as CSV UTF-8" in done.stderr
    labels.unlink()
    assert run("eval", labels).stderr.endswith("labels.csv: No such file or directory\n")


def test_eval_without_one_readable_picture_has_no_figures(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,plate\ngone.jpg,晋B12345\n", "utf-8")
    done = run("eval", labels)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "gone.jpg: No such file" in done.stderr
    assert "not one of its 1 pictures can be read" in done.stderr


def test_eval_counts_pictures_it_cannot_read_and_lines_it_leaves_out(folder: Path) -> None:
    """A picture that is missing is no "no plate", and a list of two kinds is not measured in half without a word."""
    labels = folder / "some.csv"
    lines = ("a.jpg,晋B12345,photo", "half.jpg,晋B12345,photo", "a-crop.jpg,晋B12345,crop")
    labels.write_text("\n".join(("file,plate,kind", *lines)) + "\n", "utf-8")
    done = run("eval", labels)
    assert done.exit_code == 2
    assert "2 pictures (1 unreadable): exact 50.0%" in done.stdout
    assert "no plate 0," in done.stdout
    assert "some.csv: 2 of 3 lines (kind photo)" in done.stderr
    assert "some.csv: 1 of its 2 pictures cannot be read" in done.stderr
