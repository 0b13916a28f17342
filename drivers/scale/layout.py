"""A profile's layouts as a matcher: one frame in, what it says out. No stream, no port (see `frames.py`)."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import reduce
from operator import xor
from typing import Any, Literal, NamedTuple, assert_never

from drivers.scale.profile import (
    Alibi,
    CheckChars,
    Checksum,
    Choice,
    Decimals,
    Digits,
    Framing,
    IndicatorProfile,
    Layout,
    LayoutField,
    Literally,
    Meaning,
    Number,
    Skip,
    StatusByte,
    UnitText,
)

Mode = Literal["gross", "net", "tare"]
_LOWER_7_BITS = bytes(value & 0x7F for value in range(256))


def without_parity(data: bytes) -> bytes:
    """The lower 7 bits of each byte: a 7E1 line read as 8N1."""
    return data.translate(_LOWER_7_BITS)


class WireWeight(NamedTuple):
    """What one frame says, in the unit and with the decimals of the wire.

    `weight` is None when the frame carries no weight that may be used: overload, underload, an error, or a number that
    is something else. `stable`, `mode` and `unit` (lower case) are None where the frame does not say. `gross` is given
    where the frame tells it beside a net weight; `alibi` is the number of the weighing in the indicator's own memory.
    `after_damage`: something before it was no frame, as a checksum or the length of its neighbours shows.
    `out_of_range_digits` are what stands on the wire beside an overload or underload bit: for a person's diagnosis,
    never a weight.
    """

    weight: Decimal | None
    unit: str | None
    stable: bool | None
    mode: Mode | None
    overload: bool
    underload: bool
    raw: bytes
    tare: Decimal | None = None
    gross: Decimal | None = None
    alibi: int | None = None
    after_damage: bool = False
    out_of_range_digits: Decimal | None = None


Said = dict[str, Any]
"""What the fields say: stable, mode, unit, alibi, power; minus, overload, underload, out_of_range, not_a_weight."""
Reader = Callable[[Said, bytes], None]

_FREE = rb"(?:[0-9]{1,9}\.?[0-9]{0,6}|\.[0-9]{1,6})"
_SIGNED, _UNSIGNED = re.compile(rb" *[+-]? *" + _FREE), re.compile(rb" *" + _FREE)
_BLANK_FOR_POINT = re.compile(_SIGNED.pattern + rb"| *[+-]? *[0-9]{1,9} ")


def _said(meanings: Iterable[Meaning]) -> Said:
    said: Said = {}
    for meaning in meanings:
        match meaning:
            case "stable" | "moving":
                said["stable"] = meaning == "stable"
            case "gross" | "net" | "tare":
                said["mode"] = meaning
            case "minus" | "overload" | "underload" | "out_of_range" | "not_a_weight":
                said[meaning] = True
            case _:
                said["unit"] = meaning.removeprefix("unit_")
    return said


def _pattern(field: LayoutField) -> bytes:  # noqa: C901  one case a kind of field
    """The field as a regular expression; fields with something to say are one group."""
    match field:
        case Literally():
            return re.escape(bytes.fromhex(field.hex))
        case Skip():
            some = b"." if field.any_byte else b"[ -~]"
            among = b"[" + re.escape(field.chars.encode("ascii")) + b"]" if field.chars else some
            return among + b"{%d,%d}" % (field.least, field.most)
        case Choice():
            texts = b"|".join(re.escape(text.encode("ascii")) for text in (*field.values, *field.texts))
            if field.any_case:
                texts = b"(?i:" + texts + b")"
            return b"(" + texts + (b")?" if field.optional else b")")
        case Digits():
            return _digits_pattern(field)
        case Number():
            return _number_pattern(field)
        case Decimals():
            return b"([0-%d])" % field.most
        case UnitText():
            if field.pad:
                return b"([A-Za-z" + re.escape(field.blanks.encode("ascii")) + b"]{%d})" % field.most
            return b"([A-Za-z]{%d,%d})" % (field.least, field.most)
        case Alibi():
            return b"([ 0-9]{%d})" % field.width
        case StatusByte():
            return b"(.)" if field.written == "byte" else b"([0-9A-F])"
        case CheckChars():
            return b"(.{%d})" % field.width + (b"?" if field.optional else b"")
        case _:
            assert_never(field)


def _digits_pattern(field: Digits) -> bytes:
    if field.spaced:
        return b"((?:[0-9] ){%d})" % field.width
    widths = range(1 if field.pad else field.width, field.width + 1)
    forms = [b" {%d}[0-9]{%d}" % (field.width - width, width) for width in widths]
    return b"(" + b"|".join(forms) + b")" + (b"|" + b" " * field.width if field.blank else b"")


def _number_pattern(field: Number) -> bytes:
    if not field.width:
        return b"(" + (_SIGNED if field.signed else _UNSIGNED).pattern + b")"
    others = (".+-" if field.signed else ".") + field.blanks
    among = b"[0-9" + re.escape(others.encode("ascii")) + b"]"
    return b"(" + b"|".join(among + b"{%d}" % width for width in sorted(field.width, reverse=True)) + b")"


def _reader(field: LayoutField) -> Reader:
    """What a field's characters add to what is said."""
    match field:
        case Choice():
            choices = {
                text.encode("ascii"): _said(field.values.get(text, ())) for text in (*field.values, *field.texts)
            }
            return lambda said, text: said.update(choices[text.upper() if field.any_case else text])
        case Decimals():
            return lambda said, text: said.update(power=-int(text))
        case UnitText():
            return lambda said, text: said.update(unit=text.decode("ascii").strip(field.blanks).casefold() or None)
        case Alibi():
            return lambda said, text: said.update(alibi=_alibi(text))
        case StatusByte():
            byte = field.written == "byte"
            statuses = {  # all worked out once, so that a frame costs one look-up
                bytes([value]) if byte else b"%X" % value: _status(field, value) for value in range(256 if byte else 16)
            }
            return lambda said, text: said.update(statuses[text])
        case _:
            return lambda said, text: None


def _status(field: StatusByte, value: int) -> Said:
    said: Said = {}
    for bit in field.bits:
        said |= _said(bit.set if value >> bit.bit & 1 else bit.clear)
    if field.code:
        number = value & field.code.mask
        said |= _said(field.code.values[number] if number < len(field.code.values) else field.code.other)
    if field.point:
        said["power"] = field.point.powers[value & field.point.mask]
    return said


def _alibi(text: bytes) -> int | None:
    digits = text.strip()
    return int(digits) or None if digits.isdigit() else None


class _Quantity:
    """A weight or a tare in the frame: which characters, and how they become a number."""

    def __init__(self, field: Digits | Number, group: int) -> None:
        self.of = field.of
        self.group = group
        self._scaled = isinstance(field, Digits)
        self._reversed = isinstance(field, Number) and field.reversed
        self._form = None
        if isinstance(field, Number) and field.width:
            self._form = _BLANK_FOR_POINT if field.blank_for_point else _SIGNED if field.signed else _UNSIGNED
            self._blank_after = field.blank_after
            self._blanks = bytes.maketrans(field.blanks.encode("ascii"), b" " * len(field.blanks))

    def digits(self, text: bytes) -> bytes | None:
        """The number as people write it; None when the characters are none."""
        if self._reversed:
            text = text[::-1]
        if self._form:
            text = text.translate(self._blanks)
            if not self._form.fullmatch(text.rstrip() if self._blank_after else text):
                return None
        return text.replace(b" ", b"")

    def value(self, digits: bytes, said: Said) -> Decimal:
        value = Decimal(digits.decode("ascii"))
        power = said.get("power", 0) if self._scaled else 0
        if power > 0:
            value *= 10**power
        elif power:
            value = value.scaleb(power)
        if not value:
            return abs(value)  # "-000000" is sent by real indicators and is 0
        return -abs(value) if self.of == "weight" and said.get("minus") else value


def _crc16_step(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


_CRC16_STEPS = [_crc16_step(value) for value in range(256)]


def _crc16(data: bytes) -> int:
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ _CRC16_STEPS[(value ^ byte) & 0xFF]
    return value


def check_of(check: Checksum, data: bytes, width: int = 1) -> bytes:
    """The checksum of `data` as the manual has it in the frame; `width` is that of a decimal one."""
    match check.rule:
        case "xor":
            value = reduce(xor, data, 0)
        case "toledo":
            value = -sum(data) & 0x7F
        case "crc16":
            value = _crc16(data)
    match check.written:
        case "byte":
            return bytes([value])
        case "nibbles":
            return b"%02X" % value
        case "decimal":
            return (b"%d" % value).rjust(width)


class LayoutReader:
    """One layout, ready to read frames."""

    def __init__(self, layout: Layout, check: Checksum | None, framing: Framing) -> None:
        fields, last = layout.fields, layout.fields[-1]
        self.trailing_check = last.width if isinstance(last, CheckChars) else 0
        """How many checksum characters follow the last byte of the frame proper."""
        if self.trailing_check and check and check.use != "verify":
            fields = fields[:-1]  # the frame ends before it: what follows is not the layout's affair
            self.trailing_check = 0
        # Up to the next start there may be junk, but nothing that looks like more of the number.
        ending = rb"\Z" if framing.end else rb"(?![+\-.0-9])"
        self.pattern = re.compile(b"".join(b"(?:" + _pattern(field) + b")" for field in fields) + ending, re.DOTALL)
        speaking = list(enumerate((field for field in fields if not isinstance(field, Literally | Skip)), 1))
        self._quantities = [_Quantity(field, group) for group, field in speaking if isinstance(field, Digits | Number)]
        self._readers = [
            (group, _reader(field)) for group, field in speaking if not isinstance(field, Digits | Number | CheckChars)
        ]
        self._check = check if check and check.use == "verify" else None
        self._check_group, self._check_width = next(
            ((group, field.width) for group, field in speaking if isinstance(field, CheckChars)), (0, 0)
        )
        self.widest = max((max(field.width, default=0) for field in fields if isinstance(field, Number)), default=0)
        """The greatest width its number may have; 0 where any will do."""
        self._says = _said(layout.says)
        self._adds_tare = layout.gross == "weight_plus_tare"

    def read(self, found: re.Match[bytes], raw: bytes) -> WireWeight | None:
        """What the matched frame says; None when its checksum is wrong or its number is none. `raw` is the frame as it
        came."""
        if self._check and self._check_group and not self._check_fits(self._check, found):
            return None
        said = self._says.copy()
        for group, read in self._readers:
            if (text := found[group]) is not None:
                read(said, text)
        values: dict[str, Decimal] = {}
        for quantity in self._quantities:
            if (text := found[quantity.group]) is not None:
                digits = quantity.digits(text)
                if digits is None:
                    return None
                values[quantity.of] = quantity.value(digits, said)
        return self._weight(said, values, raw)

    def _weight(self, said: Said, values: dict[str, Decimal], raw: bytes) -> WireWeight:
        overload, underload = said.get("overload", False), said.get("underload", False)
        if said.get("out_of_range"):
            underload = said.get("minus", False)
            overload = not underload
        usable = not (overload or underload or said.get("not_a_weight"))
        weight, tare = values.get("weight") if usable else None, values.get("tare")
        return WireWeight(
            weight,
            said.get("unit"),
            said.get("stable"),
            said.get("mode"),
            overload,
            underload,
            raw,
            tare,
            weight + tare if self._adds_tare and weight is not None and tare is not None else None,
            said.get("alibi"),
            out_of_range_digits=values.get("weight") if overload or underload else None,
        )

    def _check_fits(self, check: Checksum, found: re.Match[bytes]) -> bool:
        written = found[self._check_group]
        if written is None:
            return True
        if check.written == "decimal" and (digits := written.strip()).isdigit():
            written = (b"%d" % int(digits)).rjust(self._check_width)
        frame = found[0]
        return any(check_of(check, frame[start:end], self._check_width) == written for start, end in check.over)


def layout_readers(profile: IndicatorProfile) -> list[LayoutReader]:
    """All layouts of a profile, in the order in which they are tried."""
    return [LayoutReader(layout, profile.check, profile.frame) for layout in profile.layout]
