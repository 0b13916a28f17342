"""What an indicator's display and lamps show, and its number in the ways in which protocols write numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Literal


@dataclass(frozen=True, slots=True)
class Shown:
    """The display and its lamps. Masses in whole kilograms; `unit` and `decimals` are those of the wire.

    A tare of other than 0 means that the display shows net. `alibi` is the number under which an indicator with a
    weighing memory kept this weight.
    """

    weight_kg: int
    """Gross, also when net is shown."""
    moving: bool = False
    overload: bool = False
    underload: bool = False
    tare_kg: int = 0
    unit: Literal["kg", "t"] = "kg"
    decimals: int = 0
    alibi: int | None = None

    @property
    def net(self) -> bool:
        return self.tare_kg != 0

    @property
    def displayed_kg(self) -> int:
        return self.weight_kg - self.tare_kg

    @property
    def out_of_range(self) -> bool:
        return self.overload or self.underload

    def digits(self, kg: int) -> int:
        """A mass as the digits of the wire without the point, with its sign."""
        scaled, division = abs(kg) * int("1" + "0" * self.decimals), 1000 if self.unit == "t" else 1
        rounded = (2 * scaled + division) // (2 * division)
        return -rounded if kg < 0 else rounded

    def number(self, kg: int) -> str:
        """A mass as people write it: "-12.50"; the point only where there are decimals."""
        digits = self.digits(kg)
        text = str(abs(digits)).zfill(self.decimals + 1)
        if self.decimals:
            text = f"{text[: -self.decimals]}.{text[-self.decimals :]}"
        return f"-{text}" if digits < 0 else text

    def zeros(self, width: int) -> bytes:
        """What is displayed, filled with zeros behind the sign: "-0012.50". Raises ValueError when it does not fit."""
        return _fit(self.number(self.displayed_kg).zfill(width), width)

    def blanks(self, width: int, kg: int | None = None) -> bytes:
        """What is displayed, or `kg`, right-aligned: "  -12.50". Raises ValueError when it does not fit."""
        return _fit(self.number(self.displayed_kg if kg is None else kg).rjust(width), width)

    def unsigned(self, width: int, fill: str = " ") -> bytes:
        """The same without its sign, for protocols that send the sign on its own."""
        return _fit(self.number(abs(self.displayed_kg)).rjust(width, fill), width)

    @property
    def minus(self) -> bool:
        return self.digits(self.displayed_kg) < 0


Encoder = Callable[[Shown], bytes]


def _fit(text: str, width: int) -> bytes:
    if len(text) > width:
        raise ValueError(f"{text} does not fit into the {width} places of this protocol")
    return text.encode("ascii")


def whole(number: int, width: int) -> bytes:
    """Digits without a point, filled with zeros. Raises ValueError when they do not fit."""
    return _fit(str(number).zfill(width), width)


def xor_hex(data: bytes) -> bytes:
    """All bytes exclusive-ored, as two hexadecimal characters."""
    return b"%02X" % reduce(xor, data)
