"""Document in, bytes out, and read back as a printer would: sizes, widths, codes, and nothing wider than the paper."""

import cv2
import numpy
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.document import Align, Cut, Document, Feed, Qr, Row, Rule, Text
from drivers.printer.escpos_reader import CutMark, Line, NativeQr, Raster, UnknownBytesError, plain_text, read
from drivers.printer.escpos_writer import RASTER_BAND_ROWS, QrMode, encode
from drivers.printer.render import png, render

PASS = ("6BF+70D%E6N*:$/ " * 10)[:152]
PAPERS = [(80, 48), (58, 32)]


def test_the_exact_bytes_of_a_small_page() -> None:
    page: Document = (Text("出库单", Align.CENTER, 2, bold=True), Row("净重", "28\u2009340 kg"), Rule(), Feed(2), Cut())
    expected = (
        b"\x1b@\x1c&"
        b"\x1ba\x01\x1b!\x38\x1d!\x11\x1c!\x0c\x1bE\x01\xb3\xf6\xbf\xe2\xb5\xa5\n"
        b"\x1ba\x00\x1b!\x00\x1d!\x00\x1c!\x00\x1bE\x00\xbe\xbb\xd6\xd8" + b" " * 35 + b"28 340 kg\n"
        b"------------------------------------------------\n"
        b"\x1bd\x02\x1bd\x02\x1dVB\x00"
    )
    assert encode(page, qr=QrMode.NATIVE).data == expected


def test_a_document_begins_with_enough_zeros_to_end_a_torn_picture_and_a_reset() -> None:
    for paper_mm, columns in PAPERS:
        data = encode((Qr(PASS, 8),), paper_mm=paper_mm).data
        zeros = len(data) - len(data.lstrip(b"\0"))
        largest_band = max(len(b"".join(item.rows)) for item in read(data, columns=columns) if isinstance(item, Raster))
        assert zeros >= largest_band
        assert data[zeros:].startswith(b"\x1b@\x1c&")


@pytest.mark.parametrize("mode", list(QrMode))
@pytest.mark.parametrize(("paper_mm", "columns"), PAPERS)
def test_the_code_is_read_back_by_two_readers(mode: QrMode, paper_mm: int, columns: int) -> None:
    image = render(encode((Text("出门证"), Qr(PASS, 8), Cut()), paper_mm=paper_mm, qr=mode).data, columns=columns)
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [PASS]
    assert cv2.QRCodeDetector().detectAndDecode(numpy.array(image))[0] == PASS


def test_a_pass_is_alphanumeric_version_6() -> None:
    rows = [row for item in read(encode((Qr(PASS, 6),)).data) if isinstance(item, Raster) for row in item.rows]
    assert len(rows) == (41 + 2 * 4) * 6
    assert all(
        len(item.rows) <= RASTER_BAND_ROWS for item in read(encode((Qr(PASS, 6),)).data) if isinstance(item, Raster)
    )


def test_a_code_too_big_for_the_paper_shrinks_and_then_is_refused() -> None:
    encode((Qr("A" * 400, 8),), paper_mm=58)
    with pytest.raises(ValueError, match="the paper has 384"):
        encode((Qr("x" * 1200, 8),), paper_mm=58)
    with pytest.raises(ValueError, match="ASCII"):
        encode((Qr("出门证", 8),))


def test_a_long_value_goes_on_below_itself_and_a_long_label_above_its_value() -> None:
    text = plain_text(
        encode((Row("客户", "湖州示例铸造有限责任公司第三分公司物资采购中心"), Row("甲" * 22, "乙" * 10))).data
    )
    assert text.splitlines() == [
        "客户  湖州示例铸造有限责任公司第三分公司物资采购",
        " " * 44 + "中心",
        "甲" * 22,
        " " * 28 + "乙" * 10,
    ]


@given(
    st.lists(
        st.one_of(
            st.builds(Text, st.text(), st.sampled_from(Align), st.sampled_from([1, 2]), st.booleans()),
            st.builds(Row, st.text(), st.text(), st.booleans()),
            st.builds(Rule, st.sampled_from("-=—·")),
            st.builds(Feed, st.integers(1, 9)),
            st.just(Cut()),
        ),
        max_size=12,
    ),
    st.sampled_from(PAPERS),
)
def test_no_document_can_leave_the_paper_or_steer_the_printer(page: list[Text], paper: tuple[int, int]) -> None:
    operations = read(encode(tuple(page), paper_mm=paper[0]).data, columns=paper[1])
    assert sum(isinstance(item, CutMark) for item in operations) == sum(isinstance(item, Cut) for item in page)


def test_what_is_printed_can_be_read_back_with_its_look() -> None:
    (line, code) = read(encode((Text("净重 28", Align.RIGHT, 2, bold=True), Qr("ABC", 5)), qr=QrMode.NATIVE).data)
    assert isinstance(line, Line)
    assert (line.align, line.text) == (Align.RIGHT, "净重 28")
    assert {(run.width_scale, run.height_scale, run.bold) for run in line.runs} == {(2, 2, True)}
    assert code == NativeQr("ABC", 5)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x1bt\x00", "unknown command at byte 0: 1b 74 00"),
        (b"\x07", "unknown byte"),
        (b"\xc4\xe3\n", "unknown byte"),  # hanzi before FS &
        (b"\x1c&\xc4\n", "no GBK character"),
        (b"\x1c&\x81\x30\x85\x36\n", "no GBK character"),  # m³'s ³ in four bytes
        (b"A" * 49 + b"\n", "49 columns on paper of 48"),
        (b"A", "no line feed"),
        (b"\x1dv0\x00\x02\x00\x05\x00\xff", "2 bytes expected"),
        (b"\x1dVA\x00", "unknown cut"),
        (b"\x1d!\x22", "unknown character size"),
        (b"\x1d(k\x03\x00\x31\x45\x33", "unknown QR function"),
    ],
)
def test_a_wrong_byte_is_never_drawn(data: bytes, why: str) -> None:
    with pytest.raises(UnknownBytesError, match=why):
        read(data)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="paper_mm 76"):
        encode((), paper_mm=76)
    with pytest.raises(ValueError, match="scale 3"):
        encode((Text("x", scale=3),))


def test_the_picture_is_as_wide_as_the_paper_and_marks_cuts() -> None:
    data = encode((Text("存根"), Cut(), Text("财务"), Cut())).data
    image = render(data)
    assert image.width == 576 + 2 * 32
    ink = numpy.array(image)
    cut_rows = [y for y in range(ink.shape[0]) if (ink[y] == 208).all()]
    assert sum(b - a > 1 for a, b in zip(cut_rows, cut_rows[1:], strict=False)) == 1, "two grey bands"
    assert (ink[32:62] < 100).any(), "text is black"
    assert png(data).startswith(b"\x89PNG")
