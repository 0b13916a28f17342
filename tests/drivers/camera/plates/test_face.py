"""The drawn plate against the measures of GA 36-2018."""

import numpy as np
import pytest

from drivers.camera.plates.alphabet import CHARACTERS
from drivers.camera.plates.face import NEW_ENERGY, ONE_ROW, TWO_ROWS, Layout, Style, draw_face, layout_of
from drivers.camera.plates.strokes import all_strokes, ink, parse_line
from drivers.readings import PlateColor

BARE = Style(frame_mm=0, bolts=False, dot=False)


def test_every_character_is_drawn() -> None:
    assert set(CHARACTERS[1:]) <= set(all_strokes())


def test_every_character_differs_from_every_other() -> None:
    drawn = {character: ink(strokes.lines, 45, 90, 10 * strokes.pen) for character, strokes in all_strokes().items()}
    names = sorted(drawn)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            a, b = drawn[one] > 127, drawn[other] > 127
            assert (a ^ b).sum() > 0.08 * (a | b).sum(), (one, other)


@pytest.mark.parametrize(
    ("layout", "gaps_mm", "sides_mm"),
    [
        (ONE_ROW, [12, 34, 12, 12, 12, 12], [15.5, 15.5]),
        (NEW_ENERGY, [9, 49, 9, 9, 9, 9, 9], [15.5, 15.5]),
    ],
)
def test_gaps_between_characters(layout: Layout, gaps_mm: list[float], sides_mm: list[float]) -> None:
    cells = layout.cells
    assert [b.x - (a.x + a.width) for a, b in zip(cells, cells[1:], strict=False)] == gaps_mm
    assert [cells[0].x, layout.width - cells[-1].x - cells[-1].width] == sides_mm
    assert all(cell.y == layout.height - cell.y - cell.height == 25 for cell in cells)


def test_two_rows() -> None:
    upper, lower = TWO_ROWS.cells[:2], TWO_ROWS.cells[2:]
    assert {(cell.width, cell.height) for cell in upper} == {(80, 60)}
    assert {(cell.width, cell.height) for cell in lower} == {(65, 110)}
    assert upper[0].x == TWO_ROWS.width - upper[1].x - upper[1].width
    assert lower[0].x == TWO_ROWS.width - lower[-1].x - lower[-1].width == 27.5
    assert [b.x - a.x - a.width for a, b in zip(lower, lower[1:], strict=False)] == [15] * 4
    assert lower[0].y - upper[0].y - upper[0].height == 15


@pytest.mark.parametrize(
    ("text", "color", "rows", "size_mm"),
    [
        ("皖A12345", PlateColor.BLUE, None, (440, 140)),
        ("皖A1234挂", PlateColor.YELLOW, None, (440, 220)),
        ("皖A12345", PlateColor.YELLOW, 2, (440, 220)),
        ("皖AD12345", PlateColor.GREEN, None, (480, 140)),
    ],
)
def test_size_and_centres(text: str, color: PlateColor, rows: int | None, size_mm: tuple[int, int]) -> None:
    face, centres = draw_face(text, color, px_per_mm=0.5, rows=rows)
    assert face.shape == (size_mm[1] // 2, size_mm[0] // 2, 3)
    assert face.dtype == np.uint8
    assert len(centres) == len(text)
    assert layout_of(text, color, rows).cells[0].center == pytest.approx(centres[0] * 2)


def test_ink_fills_its_cell_and_stays_in_it() -> None:
    face, _ = draw_face("皖H88888", PlateColor.WHITE, style=BARE)
    dark = face.mean(axis=2) < 128
    cell = ONE_ROW.cells[1]
    left, top = round(cell.x), round(cell.y)
    inside = dark[top : top + 90, left : left + 45]
    assert inside[:, 0:2].any()
    assert inside[:, -2:].any()
    assert inside[:2].any()
    assert inside[-2:].any()
    gap = dark[:, left + 45 + 1 : round(ONE_ROW.cells[2].x) - 1]
    assert not gap.any()
    assert not dark[:24].any()
    assert not dark[116:].any()


def test_colours() -> None:
    for color, ground in ((PlateColor.BLUE, (165, 70, 12)), (PlateColor.BLACK, (22, 22, 22))):
        face, _ = draw_face("京A11111", color, style=BARE)
        assert tuple(face[4, 200]) == ground
    small, _ = draw_face("京AD12345", PlateColor.GREEN, style=BARE)
    assert small[2, 200].mean() > small[137, 200].mean() + 50, "the green of a small one fades upwards"
    large, _ = draw_face("京A12345D", PlateColor.GREEN, style=BARE)
    assert large[70, 3, 0] < 60 < large[70, 475, 0], "a large one begins in yellow"
    police, _ = draw_face("京A1234警", PlateColor.WHITE, style=BARE)
    last = police[25:115, 380:424].reshape(-1, 3).astype(int)
    assert ((last[:, 2] > 150) & (last[:, 0] < 90)).sum() > 300, "the police mark is red"


def test_what_is_no_plate_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="7 or 8"):
        draw_face("京A123", PlateColor.BLUE)
    with pytest.raises(KeyError):
        draw_face("京A1234?", PlateColor.BLUE)


def test_stroke_text() -> None:
    assert parse_line("0,0 100,50") == pytest.approx(np.array([[0, 0], [1, 0.5]]))
    half_turn = parse_line("@50,50,50,50,180,360")
    assert half_turn[0] == pytest.approx([0, 0.5], abs=1e-6)
    assert half_turn[-1] == pytest.approx([1, 0.5], abs=1e-6)
    assert half_turn[len(half_turn) // 2][1] == pytest.approx(0, abs=0.02)
    for wrong in ("1,2,3", "@1,2", "x,1", "5"):
        with pytest.raises(ValueError, match="not a point or an arc"):
            parse_line(wrong)
