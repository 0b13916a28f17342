"""A profile's layouts as a matcher: one frame in, what it says out. No stream, no port (see `frames.py`)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import xor
from typing import Literal, assert_never

from drivers.scale.profile import (
    CheckChars,
    Checksum,
    Choice,
    Decimals,
    Digits,
    IndicatorProfile,
    Layout,
    LayoutField,
    Literally,
    Meanings,
    Number,
    Skip,
    StatusByte,
    UnitText,
)

Mode = Literal["gross", "net", "tare"]


@dataclass(frozen=True, slots=True)
class WireWeight:
    """What one frame says, in the unit and with the decimals of the wire.

    `weight` is None when the frame carries no weight that may be used: overload, underload, or a number that is
    something else. `stable`, `mode` and `unit` (lower case) are None where the frame does not say.
    """

    weight: Decimal | None
    unit: str | None
    stable: bool | None
    mode: Mode | None
    overload: bool
    underload: bool
    raw: bytes
    tare: Decimal | None = None


class _Draft:
    """The frame as read so far, field by field."""

    __slots__ = (
        "bad", "minus", "mode", "not_a_weight", "overload", "power", "scaled", "stable", "tare", "underload", "unit",
        "weight",
    )  # fmt: skip

    def __init__(self) -> None:
        self.weight: bytes | None = None
        self.tare: bytes | None = None
        self.scaled = False
        self.power = 0
        self.minus = False
        self.unit: str | None = None
        self.stable: bool | None = None
        self.mode: Mode | None = None
        self.overload = False
        self.underload = False
        self.not_a_weight = False

    def mean(self, meanings: Meanings) -> None:
        for meaning in meanings:
            match meaning:
                case "stable" | "moving":
                    self.stable = meaning == "stable"
                case "gross" | "net" | "tare":
                    self.mode = meaning
                case "minus":
                    self.minus = True
                case "overload":
                    self.overload = True
                case "underload":
                    self.underload = True
                case "out_of_range":
                    self.underload, self.overload = self.minus, not self.minus
                case "not_a_weight":
                    self.not_a_weight = True
                case _:
                    self.unit = meaning.removeprefix("unit_")

    def finish(self, raw: bytes) -> WireWeight:
        usable = not (self.overload or self.underload or self.not_a_weight)
        return WireWeight(
            weight=self._decimal(self.weight, self.minus) if usable else None,
            unit=self.unit,
            stable=self.stable,
            mode=self.mode,
            overload=self.overload,
            underload=self.underload,
            raw=raw,
            tare=self._decimal(self.tare, minus=False),
        )

    def _decimal(self, text: bytes | None, minus: bool) -> Decimal | None:
        if text is None:
            return None
        written = text.replace(b" ", b"").decode("ascii")
        if self.scaled and self.power > 0:
            written += "0" * self.power
        value = Decimal(written)
        if self.scaled and self.power < 0:
            value = value.scaleb(self.power)
        if not value:
            return abs(value)  # "-000000" is sent by real indicators and is 0
        return -value if minus else value


Reader = Callable[[_Draft, bytes], None]


def _pattern(field: LayoutField) -> bytes:
    """The field as a regular expression; fields with something to say are one group."""
    match field:
        case Literally():
            return re.escape(bytes.fromhex(field.hex))
        case Skip():
            among = b"[" + re.escape(field.chars.encode("ascii")) + b"]" if field.chars else b"[ -~]"
            return among + b"{%d,%d}" % (field.least, field.most)
        case Choice():
            texts = b"|".join(re.escape(text.encode("ascii")) for text in field.values)
            return b"(" + texts + (b")?" if field.optional else b")")
        case Digits():
            widths = range(1 if field.pad else field.width, field.width + 1)
            forms = [b" {%d}[0-9]{%d}" % (field.width - width, width) for width in widths]
            return b"(" + b"|".join(forms) + b")" + (b"|" + b" " * field.width if field.blank else b"")
        case Number():
            return rb"([+-]? *(?:[0-9]{1,9}\.?[0-9]{0,6}|\.[0-9]{1,6}))"
        case Decimals():
            return b"([0-%d])" % field.most
        case UnitText():
            return b"([A-Za-z]{%d,%d})" % (field.least, field.most)
        case StatusByte():
            return b"(.)"
        case CheckChars():
            return b"(.{%d})" % field.width
        case _:
            assert_never(field)


def _reader(field: LayoutField) -> Reader:
    """What a field's characters do to the draft."""
    match field:
        case Choice():
            meanings = {text.encode("ascii"): meaning for text, meaning in field.values.items()}
            return lambda draft, text: draft.mean(meanings[text])
        case Digits() | Number():
            return _weight_reader(field)
        case Decimals():
            return lambda draft, text: setattr(draft, "power", -int(text))
        case UnitText():
            return lambda draft, text: setattr(draft, "unit", text.decode("ascii").casefold() or None)
        case StatusByte():
            return _status_reader(field)
        case _:
            return lambda draft, text: None


def _weight_reader(field: Digits | Number) -> Reader:
    scaled = isinstance(field, Digits)

    def read(draft: _Draft, text: bytes) -> None:
        draft.scaled = scaled
        if field.of == "weight":
            draft.weight = text
        else:
            draft.tare = text

    return read


def _status_reader(field: StatusByte) -> Reader:
    """All 256 values worked out once, so that a frame costs one look-up."""
    meanings: list[Meanings] = []
    powers: list[int | None] = []
    for value in range(256):
        said: list[Meanings] = [bit.set if value >> bit.bit & 1 else bit.clear for bit in field.bits]
        if field.code:
            number = value & field.code.mask
            said.append(field.code.values[number] if number < len(field.code.values) else field.code.other)
        meanings.append(tuple(meaning for each in said for meaning in each))
        powers.append(field.point.powers[value & field.point.mask] if field.point else None)

    def read(draft: _Draft, text: bytes) -> None:
        power = powers[text[0]]
        if power is not None:
            draft.power = power
        draft.mean(meanings[text[0]])

    return read


def _sum_of(check: Checksum, data: bytes) -> bytes:
    value = reduce(xor, data) if check.rule == "xor" else -sum(byte & 0x7F for byte in data) & 0x7F
    return bytes([value]) if check.written == "byte" else b"%02X" % value


class LayoutReader:
    """One layout, ready to read frames."""

    def __init__(self, layout: Layout, check: Checksum | None) -> None:
        fields, last = layout.fields, layout.fields[-1]
        self.trailing_check = last.width if isinstance(last, CheckChars) else 0
        """How many checksum characters follow the last byte of the frame proper."""
        if self.trailing_check and check and check.use != "verify":
            fields = fields[:-1]  # the frame ends before it: what follows is passed over as junk, if it comes at all
            self.trailing_check = 0
        self.pattern = re.compile(b"".join(b"(?:" + _pattern(field) + b")" for field in fields) + rb"\Z", re.DOTALL)
        speaking = [field for field in fields if not isinstance(field, Literally | Skip)]
        self._readers = [
            (group, _reader(field)) for group, field in enumerate(speaking, 1) if not isinstance(field, CheckChars)
        ]
        self._check = check if check and check.use == "verify" else None
        self._check_group = next((i for i, field in enumerate(speaking, 1) if isinstance(field, CheckChars)), None)

    def read(self, found: re.Match[bytes], raw: bytes) -> WireWeight | None:
        """What the matched frame says; None when its checksum is wrong. `raw` is the frame as it came."""
        if self._check and self._check_group and not self._check_fits(found):
            return None
        draft = _Draft()
        for group, read in self._readers:
            text = found[group]
            if text is not None:
                read(draft, text)
        return draft.finish(raw)

    def _check_fits(self, found: re.Match[bytes]) -> bool:
        check, group = self._check, self._check_group
        assert check is not None and group is not None
        written = found[group]
        frame = found[0]
        return any(_sum_of(check, frame[start:end]) == written for start, end in check.over)


def layout_readers(profile: IndicatorProfile) -> list[LayoutReader]:
    """All layouts of a profile, in the order in which they are tried."""
    return [LayoutReader(layout, profile.check) for layout in profile.layout]
