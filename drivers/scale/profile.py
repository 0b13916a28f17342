"""What an indicator sends, told as data: the model of one `config/indicators/<name>.toml`.

Nothing here is a program: a frame is a list of fields from left to right, and a field says only how wide it is and what
its characters mean. `layout.py` makes a matcher of it, `frames.py` finds frames in a byte stream. What asking and
telling an indicator takes is in `asking.py`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from drivers.device_files import Data, DeviceFile, device_folder, load_device
from drivers.ports import CommandNo, ScaleCommand
from drivers.scale.asking import Command, Mode, Poll, Request

Meaning = Literal[
    "stable", "moving", "gross", "net", "tare", "minus", "overload", "underload", "out_of_range",
    "not_a_weight", "unit_kg", "unit_g", "unit_t", "unit_lb", "unit_oz", "unit_unknown",
]  # fmt: skip
"""Everything a status character can say. `out_of_range` is overload, or underload when the weight is negative;
`not_a_weight` marks a frame whose number is something else (a count, an expanded display)."""

Meanings = tuple[Meaning, ...]
Quantity = Literal["weight", "tare"]
Parity = Literal["N", "E", "O"]
Unit = Literal["kg", "t", "g"]
ChecksumUse = Literal["verify", "learn", "ignore", "absent"]
"""`learn`: not demanded until a line has shown that it sends right ones, from then on verified; `ignore` and `absent`:
not looked at, whether a character stands there or not."""


class SerialDefaults(Data):
    """The line settings the manual gives; a site may set its own."""

    baud: int
    bytesize: Literal[7, 8] = 8
    parity: Parity = "N"
    stopbits: Literal[1, 2] = 1


class Framing(Data):
    """How a frame stands in the stream. `length` counts the whole frame in bytes; without it a frame is everything up
    to `end` (or `or_end`), at most `longest` bytes. Without an `end` it goes up to the next `start`; the frames of such
    a line must all be of one length, because nothing else tells a whole frame from a shortened one. In hex."""

    start: str = ""
    end: str = ""
    or_end: str = ""
    length: int | None = None
    longest: int = 64
    clear_parity_bit: bool = True
    """For ASCII protocols: look at the lower 7 bits only, so that a 7E1 line read as 8N1 decodes."""

    @model_validator(mode="after")
    def _can_be_found(self) -> "Framing":
        if not self.start and (self.length or not self.end):
            raise ValueError("a frame is found by its end, or by its start and its length, or by the next start")
        return self


class Literally(Data):
    kind: Literal["literal"]
    hex: str


class Skip(Data):
    """Characters without meaning; `chars` limits which ones (printable ASCII when empty, `any_byte`: no limit)."""

    kind: Literal["skip"]
    chars: str = ""
    any_byte: bool = False
    least: int
    most: int


class Choice(Data):
    """One of several texts, each with its meanings; `texts` have none of their own."""

    kind: Literal["choice"]
    values: dict[str, Meanings] = {}
    texts: tuple[str, ...] = ()
    optional: bool = False
    any_case: bool = False
    """The texts, written in capitals here, may come in small letters."""


class Digits(Data):
    """`width` digits without a point; the point comes from another field. Leading blanks where `pad`."""

    kind: Literal["digits"]
    width: int
    pad: bool = False
    blank: bool = False
    """The whole field may be blank: then it says nothing."""
    spaced: bool = False
    """Each digit is followed by a blank."""
    of: Quantity = "weight"


class Number(Data):
    """Sign, blanks, digits and point as they come, all together in one of the widths; any width when empty."""

    kind: Literal["number"]
    width: tuple[int, ...] = ()
    signed: bool = True
    """False where the sign stands in another field."""
    reversed: bool = False
    """The last character is sent first."""
    blanks: str = " "
    """What counts as a blank; only where the width is given."""
    blank_for_point: bool = False
    """Where there is no point, a blank stands at the end in its place; only where the width is given."""
    blank_after: bool = False
    """Blanks may also follow the digits; only where the width is given."""
    of: Quantity = "weight"


class Decimals(Data):
    """One digit that counts the decimals of all `digits` fields."""

    kind: Literal["decimals"]
    most: int


class UnitText(Data):
    """The unit in letters; case does not count. May be missing where `least` is 0; `pad`: `blanks` fill it up."""

    kind: Literal["unit"]
    least: int = 0
    most: int
    pad: bool = False
    blanks: str = " "


class Alibi(Data):
    """The number under which the indicator keeps this weighing in its own memory; 0 or blank where it keeps none."""

    kind: Literal["alibi"]
    width: int


class Bit(Data):
    bit: int
    set: Meanings = ()
    clear: Meanings = ()


class Code(Data):
    """A number in the bits of `mask`; `values` is indexed by it, beyond the end it means `other`."""

    mask: int
    values: tuple[Meanings, ...]
    other: Meanings = ()


class Point(Data):
    """The power of ten of all `digits` fields, indexed by the bits of `mask`."""

    mask: int
    powers: tuple[int, ...]


class StatusByte(Data):
    """Bits with meanings, as a byte or as one hexadecimal character."""

    kind: Literal["status"]
    written: Literal["byte", "hex"] = "byte"
    bits: tuple[Bit, ...] = ()
    code: Code | None = None
    point: Point | None = None


class CheckChars(Data):
    """Where the checksum stands. `optional`: verified where it is sent."""

    kind: Literal["check"]
    width: int
    optional: bool = False


LayoutField = Annotated[
    Literally | Skip | Choice | Digits | Number | Decimals | UnitText | Alibi | StatusByte | CheckChars,
    Field(discriminator="kind"),
]


class Layout(Data):
    """One form of frame, from left to right. `says`: what every frame of this form means, whatever its characters."""

    fields: tuple[LayoutField, ...]
    says: Meanings = ()
    gross: Literal["", "weight_plus_tare"] = ""
    """`weight_plus_tare`: the weight is net and the tare stands beside it, so their sum is the gross."""

    @property
    def may_be_stable(self) -> bool:
        """Whether it has a weight that may be a stable one."""
        weights = (field for field in self.fields if isinstance(field, Digits | Number) and field.of == "weight")
        return not {"moving", "not_a_weight"} & set(self.says) and any(weights)

    @property
    def tells_net(self) -> bool:
        """Whether each has a word for net where it is net, or its weight is gross whatever it says. A word that may be
        left out tells nothing."""
        said = [self.says]
        for field in self.fields:
            match field:
                case Choice(values=values):
                    if values and not field.optional and all("gross" in meanings for meanings in values.values()):
                        return True
                    said += () if field.optional else values.values()
                case StatusByte(bits=bits):
                    said += [bit.set for bit in bits]
        return bool(self.gross) or any("net" in meanings for meanings in said)


class Checksum(Data):
    """The rule of the manual. `xor`: all bytes of `over` exclusive-ored. `toledo`: what makes the 7-bit sum of `over`
    and itself zero. `crc16`: polynomial 8005 reflected, from FFFF (the one of Modbus). `over` holds [from, to) byte
    positions in the frame, counted from its end where negative; any one of them may fit. `written`: as the byte itself,
    as two characters, one for each half (0-9, A-F), or as a decimal number filled up with blanks or zeros."""

    rule: Literal["xor", "toledo", "crc16"]
    over: tuple[tuple[int, int], ...]
    written: Literal["byte", "nibbles", "decimal"]
    use: ChecksumUse = "verify"
    choosable: bool = False
    """A site may set `use`, because clones of this indicator differ."""


class IndicatorProfile(DeviceFile):
    """One protocol of one family of indicators."""

    unit: Unit = "kg"
    """The unit of frames that name none."""
    serial: SerialDefaults
    frame: Framing
    check: Checksum | None = None
    layout: tuple[Layout, ...]
    mode: Mode = "stream"
    """How a site uses it if it says nothing."""
    poll: Poll | None = None
    """How it is asked for its weight; None where it only sends by itself."""
    command: tuple[Command, ...] = ()
    refused: dict[str, CommandNo] = {}
    """Texts in an answer that mean no, whatever the command; a command may have others of its own."""
    start: Request = ()
    """Makes it send by itself, where it does not do so from the factory (stream mode only)."""

    @model_validator(mode="after")
    def _asked_only_where_it_can_be(self) -> "IndicatorProfile":
        if self.mode == "poll" and self.poll is None:
            raise ValueError('mode = "poll" needs a [poll] part')
        return self

    @model_validator(mode="after")
    def _tared_only_where_it_says_net(self) -> "IndicatorProfile":
        if not self.says_net and any(command.name is ScaleCommand.TARE for command in self.command):
            raise ValueError("a [[command]] tare, but its frames need not say net: the net would be booked as gross")
        return self

    @property
    def says_net(self) -> bool:
        """Whether every frame with a stable weight can say that it is net, or is always gross. An indicator that cannot
        must never be tared: its net would be booked as gross."""
        return all(layout.tells_net for layout in self.layout if layout.may_be_stable)

    def with_checksum(self, use: ChecksumUse | None) -> "IndicatorProfile":
        """The same profile with the site's checksum option. Raises ValueError where the protocol leaves no choice."""
        if use is None or (self.check and self.check.use == use):
            return self
        if self.check is None or not self.check.choosable:
            raise ValueError(f"indicator {self.name!r} has no checksum option; leave it out")
        return self.model_copy(update={"check": self.check.model_copy(update={"use": use})})


def default_directory() -> Path:
    """`config/indicators` of the checkout, or of the installed package's data."""
    return device_folder("indicators")


def indicator_names(directory: Path | None = None) -> list[str]:
    """The valid indicator names, sorted."""
    return sorted(path.stem for path in (directory or default_directory()).glob("*.toml"))


def load_profile(name: str, directory: Path | None = None) -> IndicatorProfile:
    """Read one profile. Raises ValueError in words: unknown name (with the valid ones), or a fault in the file."""
    folder = directory or default_directory()
    return load_device(IndicatorProfile, "indicator", name, folder, indicator_names(folder))
