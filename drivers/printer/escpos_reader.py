"""What an ESC/POS printer would do with bytes, as a list of operations. The virtual printer and the tests read with it.

It knows only the commands `escpos_writer` sends, and raises on anything else: a wrong byte must fail a test, not print.
"""

from dataclasses import dataclass, field

from drivers.printer.document import Align

_ALIGN = (Align.LEFT, Align.CENTER, Align.RIGHT)


class UnknownBytesError(ValueError):
    """Bytes that are no command known here, or a line wider than the paper; says where."""

    def __init__(self, data: bytes, at: int, why: str) -> None:
        super().__init__(f"{why} at byte {at}: {data[at : at + 8].hex(' ')}")


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one look. `width_scale` and `height_scale` are 1 or 2."""

    text: str
    width_scale: int = 1
    height_scale: int = 1
    bold: bool = False

    @property
    def columns(self) -> int:
        """Width in half-width cells."""
        return len(self.text.encode("gb18030")) * self.width_scale


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line."""

    runs: tuple[Run, ...]
    align: Align

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True, slots=True)
class Raster:
    """Rows of dots, most significant bit at the left, 1 is black."""

    rows: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NativeQr:
    """A code the printer draws itself."""

    data: str
    module_dots: int


@dataclass(frozen=True, slots=True)
class Feed:
    """Empty lines."""

    lines: int


@dataclass(frozen=True, slots=True)
class CutMark:
    """The paper is cut here."""


Operation = Line | Raster | NativeQr | Feed | CutMark


def read(data: bytes, *, columns: int = 48) -> list[Operation]:
    """The operations of a byte stream; `columns` is the paper's width. Raises UnknownBytesError."""
    reader = _Reader(data, columns)
    while reader.at < len(data):
        reader.step()
    if reader.runs:
        raise UnknownBytesError(data, len(data), "the last line has no line feed")
    return reader.operations


def plain_text(data: bytes, *, columns: int = 48) -> str:
    """The text on the paper, one line each, cuts as a line of `✂`; for tests and for logs."""
    lines: list[str] = []
    for operation in read(data, columns=columns):
        match operation:
            case Line():
                lines.append(operation.text)
            case NativeQr(code, _):
                lines.append(f"[QR {code}]")
            case CutMark():
                lines.append("✂")
    return "\n".join(lines)


@dataclass(slots=True)
class _Reader:
    data: bytes
    columns: int
    at: int = 0
    operations: list[Operation] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    align: Align = Align.LEFT
    chinese: bool = False
    bold: bool = False
    narrow_scale: tuple[int, int] = (1, 1)
    wide_scale: tuple[int, int] = (1, 1)
    qr_dots: int = 3
    qr_data: str = ""

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise UnknownBytesError(self.data, self.at, f"{count} bytes expected, the data ends")
        part = self.data[self.at : self.at + count]
        self.at += count
        return part

    def step(self) -> None:
        start = self.at
        byte = self.take(1)[0]
        if byte == 0x00:
            return
        if byte == 0x0A:
            self.end_line(start)
        elif byte in _GROUPS:
            key = self.take(1)
            command = _COMMANDS.get(bytes([byte]) + key)
            if command is None:
                raise UnknownBytesError(self.data, start, "unknown command")
            command(self, start)
        elif 0x20 <= byte < 0x7F:
            self.add(chr(byte), self.narrow_scale)
        elif byte >= 0x81 and self.chinese:
            self.at = start
            self.add(self.two_byte_character(start), self.wide_scale)
        else:
            raise UnknownBytesError(self.data, start, "unknown byte")

    def two_byte_character(self, start: int) -> str:
        try:
            return self.take(2).decode("gbk")
        except UnicodeDecodeError:
            raise UnknownBytesError(self.data, start, "no GBK character") from None

    def add(self, char: str, scale: tuple[int, int]) -> None:
        run = Run(char, *scale, self.bold)
        last = self.runs[-1] if self.runs else None
        if last and (last.width_scale, last.height_scale, last.bold) == (*scale, self.bold):
            self.runs[-1] = Run(last.text + char, *scale, self.bold)
        else:
            self.runs.append(run)

    def end_line(self, start: int) -> None:
        used = sum(run.columns for run in self.runs)
        if used > self.columns:
            raise UnknownBytesError(self.data, start, f"a line of {used} columns on paper of {self.columns}")
        self.operations.append(Line(tuple(self.runs), self.align))
        self.runs.clear()

    def initialise(self, _start: int) -> None:
        self.runs.clear()
        self.align, self.chinese, self.bold = Align.LEFT, False, False
        self.narrow_scale = self.wide_scale = (1, 1)

    def set_align(self, start: int) -> None:
        value = self.take(1)[0]
        if value > 2:
            raise UnknownBytesError(self.data, start, "unknown alignment")
        self.align = _ALIGN[value]

    def set_mode(self, start: int) -> None:
        value = self.take(1)[0]
        if value & ~0x38:
            raise UnknownBytesError(self.data, start, "unknown print mode")
        self.bold = bool(value & 0x08)
        self.narrow_scale = (2 if value & 0x20 else 1, 2 if value & 0x10 else 1)

    def set_size(self, start: int) -> None:
        value = self.take(1)[0]
        if value & ~0x11:
            raise UnknownBytesError(self.data, start, "unknown character size")
        self.narrow_scale = (1 + (value >> 4), 1 + (value & 1))

    def set_chinese_mode(self, start: int) -> None:
        value = self.take(1)[0]
        if value & ~0x0C:
            raise UnknownBytesError(self.data, start, "unknown Chinese print mode")
        self.wide_scale = (2 if value & 0x04 else 1, 2 if value & 0x08 else 1)

    def set_bold(self, _start: int) -> None:
        self.bold = bool(self.take(1)[0] & 1)

    def chinese_on(self, _start: int) -> None:
        self.chinese = True

    def feed(self, _start: int) -> None:
        self.operations.append(Feed(self.take(1)[0]))

    def cut(self, start: int) -> None:
        if self.take(2) != b"B\x00":
            raise UnknownBytesError(self.data, start, "unknown cut")
        self.operations.append(CutMark())

    def raster(self, start: int) -> None:
        if self.take(2) != b"0\x00":
            raise UnknownBytesError(self.data, start, "unknown raster mode")
        width, height = int.from_bytes(self.take(2), "little"), int.from_bytes(self.take(2), "little")
        if width * 8 > self.columns * 12 or self.runs:
            raise UnknownBytesError(self.data, start, f"a picture of {width * 8} dots does not fit here")
        self.operations.append(Raster(tuple(self.take(width) for _ in range(height))))

    def code(self, start: int) -> None:
        if self.take(1) != b"k":
            raise UnknownBytesError(self.data, start, "unknown function")
        body = self.take(int.from_bytes(self.take(2), "little"))
        match body[:1], body[1:2], body[2:]:
            case b"1", b"A", b"2\x00":
                pass
            case b"1", b"C", dots if len(dots) == 1:
                self.qr_dots = dots[0]
            case b"1", b"E", b"1":
                pass
            case b"1", b"P", stored if stored[:1] == b"0":
                self.qr_data = stored[1:].decode("ascii")
            case b"1", b"Q", b"0":
                self.operations.append(NativeQr(self.qr_data, self.qr_dots))
            case _:
                raise UnknownBytesError(self.data, start, "unknown QR function")

    def status(self, start: int) -> None:
        if self.take(1)[0] not in (1, 2, 3, 4):
            raise UnknownBytesError(self.data, start, "unknown status request")


_GROUPS = (0x10, 0x1B, 0x1C, 0x1D)
_COMMANDS = {
    b"\x10\x04": _Reader.status,
    b"\x1b@": _Reader.initialise,
    b"\x1ba": _Reader.set_align,
    b"\x1b!": _Reader.set_mode,
    b"\x1bE": _Reader.set_bold,
    b"\x1bd": _Reader.feed,
    b"\x1c&": _Reader.chinese_on,
    b"\x1c!": _Reader.set_chinese_mode,
    b"\x1d!": _Reader.set_size,
    b"\x1dV": _Reader.cut,
    b"\x1dv": _Reader.raster,
    b"\x1d(": _Reader.code,
}
