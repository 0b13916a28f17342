"""A document as ESC/POS bytes with Chinese in GBK (a subset of GB18030). Pure: bytes out, no port.

Sizes are set with ESC ! and GS ! for one-byte and FS ! for two-byte characters, because printers differ in which they
obey (Epson TM-T88 command reference). Neighbours: `escpos_printer` carries the bytes, `escpos_reader` reads them back.
"""

from dataclasses import dataclass
from enum import StrEnum

from drivers.printer.document import Align, Cut, Document, Element, Feed, Qr, Row, Rule, Text
from drivers.printer.gbk_text import columns, printable, wrap
from drivers.printer.qr_modules import raster_rows

DOTS_PER_COLUMN = 12
COLUMNS_OF_PAPER_MM = {80: 48, 58: 32}
RASTER_BAND_ROWS = 24

INITIALISE = b"\x1b@"
CHINESE_ON = b"\x1c&"
_ALIGN = {Align.LEFT: 0, Align.CENTER: 1, Align.RIGHT: 2}
_FEED_BEFORE_CUT = b"\x1bd\x02"
_CUT = b"\x1dVB\x00"
"""GS V 66 0: feed to the cutter, then a partial cut."""


class QrMode(StrEnum):
    """How a QR code is sent: as a picture (every printer), or by the printer's own function (sharp, not on clones)."""

    RASTER = "raster"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Encoded:
    """Bytes for the printer, and one sentence for each character the printer cannot print."""

    data: bytes
    warnings: tuple[str, ...] = ()


def encode(document: Document, *, paper_mm: int = 80, qr: QrMode = QrMode.RASTER) -> Encoded:
    """The whole document. Starts with a reset, so that half a document before it is not continued.

    ValueError for paper other than 80 or 58 mm, a scale other than 1 or 2, or QR data that does not fit the paper.
    """
    if paper_mm not in COLUMNS_OF_PAPER_MM:
        raise ValueError(f"paper_mm {paper_mm} is not one of {sorted(COLUMNS_OF_PAPER_MM)}")
    writer = _Writer(COLUMNS_OF_PAPER_MM[paper_mm], qr)
    for element in document:
        writer.add(element)
    return Encoded(bytes(writer.out), tuple(dict.fromkeys(writer.warnings)))


class _Writer:
    def __init__(self, width: int, qr: QrMode) -> None:
        self.width = width
        self.qr = qr
        # A printer switched off inside a raster band still waits for the rest of it and would swallow the reset.
        # It takes zeros as white dots, and ignores them everywhere else.
        unfinished = RASTER_BAND_ROWS * width * DOTS_PER_COLUMN // 8 if qr is QrMode.RASTER else 0
        self.out = bytearray(bytes(unfinished) + INITIALISE + CHINESE_ON)
        self.warnings: list[str] = []
        self._style: tuple[Align, int, bool] = (Align.LEFT, 1, False)

    def add(self, element: Element) -> None:
        match element:
            case Text(text, align, scale, bold):
                for line in wrap(self._printable(text), self._columns(scale)):
                    self._line(line, align, scale, bold)
            case Row(label, value, bold):
                for line in _row(self._printable(label), self._printable(value), self.width):
                    self._line(line, Align.LEFT, 1, bold)
            case Rule(char):
                mark = self._printable(char)
                self._line(mark * (self.width // columns(mark)), Align.LEFT, 1, False)
            case Qr(data, module_dots):
                self._qr(data, module_dots)
            case Feed(lines):
                self.out += b"\x1bd" + bytes([lines])
            case Cut():
                self.out += _FEED_BEFORE_CUT + _CUT

    def _printable(self, text: str) -> str:
        result = printable(text)
        self.warnings.extend(result.warnings)
        return result.text

    def _columns(self, scale: int) -> int:
        if scale not in (1, 2):
            raise ValueError(f"scale {scale} is not 1 or 2")
        return self.width // scale

    def _line(self, line: str, align: Align, scale: int, bold: bool) -> None:
        self._set_style(align, scale, bold)
        self.out += line.encode("gb18030") + b"\n"

    def _set_style(self, align: Align, scale: int, bold: bool) -> None:
        before, self._style = self._style, (align, scale, bold)
        if before[0] is not align:
            self.out += b"\x1ba" + bytes([_ALIGN[align]])
        if before[1:] != (scale, bold):
            double = scale == 2
            self.out += b"\x1b!" + bytes([(0x30 if double else 0) | (0x08 if bold else 0)])
            self.out += b"\x1d!" + bytes([0x11 if double else 0])
            self.out += b"\x1c!" + bytes([0x0C if double else 0])
            self.out += b"\x1bE" + bytes([bold])

    def _qr(self, data: str, module_dots: int) -> None:
        if not data.isascii() or not data:
            raise ValueError(f"QR data must be ASCII and not empty: {data!r}")
        if self.qr is QrMode.NATIVE:
            self._set_style(Align.CENTER, 1, False)
            self.out += _native_qr(data.encode("ascii"), module_dots)
            return
        self._set_style(Align.LEFT, 1, False)  # centred by white dots: not every clone aligns pictures
        rows = raster_rows(data, module_dots, self.width * DOTS_PER_COLUMN)
        for first in range(0, len(rows), RASTER_BAND_ROWS):
            band = rows[first : first + RASTER_BAND_ROWS]
            size = len(band[0]).to_bytes(2, "little") + len(band).to_bytes(2, "little")
            self.out += b"\x1dv0\x00" + size + b"".join(band)


def _row(label: str, value: str, width: int) -> list[str]:
    """Label left, value right; a value too long goes on below itself, or below the label when that leaves no room."""
    room = width - columns(label) - 1
    if room < min(columns(value), width // 2):
        return [*wrap(label, width), *(_right(line, width) for line in wrap(value, width))]
    first, *more = wrap(value, max(room, 2))
    return [label + _right(first, width - columns(label)), *(_right(line, width) for line in more)]


def _right(text: str, width: int) -> str:
    return " " * (width - columns(text)) + text


def _native_qr(data: bytes, module_dots: int) -> bytes:
    """GS ( k functions 165 model 2, 167 module size, 169 level M, 180 store, 181 print."""

    def function(fn: int, parameters: bytes) -> bytes:
        body = b"1" + bytes([fn]) + parameters
        return b"\x1d(k" + len(body).to_bytes(2, "little") + body

    return (
        function(65, b"2\x00")
        + function(67, bytes([module_dots]))
        + function(69, b"1")
        + function(80, b"0" + data)
        + function(81, b"0")
    )
