"""A page as a list of elements: what stands on the paper, not how a printer is told. Columns are half-width cells."""

from dataclasses import dataclass
from enum import StrEnum


class Align(StrEnum):
    """Where a line stands on the paper."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Text:
    """One or more lines of text; too long is wrapped, never cut. `scale` 1 or 2 multiplies width and height."""

    text: str
    align: Align = Align.LEFT
    scale: int = 1
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A label at the left and a value at the right of the same line; wraps the value when both do not fit."""

    label: str
    value: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""

    char: str = "-"


@dataclass(frozen=True, slots=True)
class Qr:
    """A centred QR code of ASCII data; `module_dots` is the edge of one module in printer dots."""

    data: str
    module_dots: int = 6


@dataclass(frozen=True, slots=True)
class Feed:
    """Empty lines."""

    lines: int = 1


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut between two copies."""


Element = Text | Row | Rule | Qr | Feed | Cut
Document = tuple[Element, ...]
