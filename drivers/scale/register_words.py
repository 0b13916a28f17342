"""The words of one register block in, what they say out: a `WireWeight` as from any indicator. No port, no clock."""

import struct
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from drivers.scale.layout import Mode, WireWeight
from drivers.scale.registers import DecimalsCode, Meaning, Order, Part, RegisterMap, UnitCode, Weight

UNKNOWN_UNIT = "unknown"


class RegisterBlock:
    """The registers of one answer, from `first` on, in the orders of a complete map (`RegisterMap.for_site`)."""

    def __init__(self, found: RegisterMap, words: Sequence[int]) -> None:
        self._map = found
        self._words = words

    def whole(self, part: Part) -> int:
        """All bits of a register (or two), before the mask."""
        return int.from_bytes(self._bytes(part), "big")

    def code(self, part: Part) -> int:
        return part.code(self.whole(part))

    def said(self) -> set[Meaning]:
        """Everything the status registers say."""
        return {meaning for status in self._map.status for meaning in status.meanings(self.whole(status))}

    def number(self, weight: Weight) -> Decimal | None:
        """The wire's number, exactly; None for a float that is no number."""
        data = self._bytes(weight)
        if weight.type == "float32":
            number = Decimal(struct.unpack(">f", data)[0])  # exact: a binary fraction has finitely many decimals
            return number if number.is_finite() else None
        return Decimal(int.from_bytes(data, "big", signed=weight.type.startswith("int")))

    def _bytes(self, part: Part | Weight) -> bytes:
        at = part.address - self._map.first
        words = self._words[at : at + part.words]
        return bytes_of(words, self._map.word_order or "big", self._map.byte_order)


def bytes_of(words: Sequence[int], word_order: Order, byte_order: Order = "big") -> bytes:
    """The number's bytes, most significant first."""
    ordered = words if word_order == "big" else tuple(reversed(words))
    return b"".join(word.to_bytes(2, byte_order) for word in ordered)


def words_of(value: int, count: int, word_order: Order, byte_order: Order = "big") -> list[int]:
    """A whole number as `count` registers: what `bytes_of` takes apart again. A negative one is its complement."""
    data = (value & (1 << 16 * count) - 1).to_bytes(2 * count, "big")
    words = [int.from_bytes(data[at : at + 2], byte_order) for at in range(0, len(data), 2)]
    return words if word_order == "big" else words[::-1]


def read_registers(found: RegisterMap, words: Sequence[int], raw: bytes) -> WireWeight:
    """What a block says. `found` is complete, `words` are its `count` registers, `raw` the evidence to keep.

    Never a weight from a block that says error, overload, underload, or whose number or decimals make no sense.
    Raises ValueError when the number of words is wrong.
    """
    if len(words) != found.count:
        raise ValueError(f"{len(words)} registers instead of {found.count}")
    block = RegisterBlock(found, words)
    said = block.said()
    weight = None if said & {"error", "overload", "underload"} else _weight(found, block, negative="minus" in said)
    return WireWeight(
        weight=weight,
        unit=_unit(found, block),
        stable=_stable(said),
        mode=_mode(found, said),
        overload="overload" in said,
        underload="underload" in said,
        raw=raw,
    )


def _weight(found: RegisterMap, block: RegisterBlock, *, negative: bool) -> Decimal | None:
    number = block.number(found.weight)
    if number is None:
        return None
    if found.division is not None:
        value: Decimal | None = number * found.division
    else:
        value = _with_decimals(number, _decimals(found, block), is_float=found.weight.type == "float32")
    if value is None:
        return None
    if not value:
        return abs(value)
    return -value if negative else value


def _with_decimals(number: Decimal, decimals: int | None, *, is_float: bool) -> Decimal | None:
    if decimals is None:
        return None
    if not is_float:
        return number.scaleb(-decimals)
    try:
        return number.quantize(Decimal(1).scaleb(-decimals))
    except InvalidOperation:
        return None  # more digits than any scale has


def _decimals(found: RegisterMap, block: RegisterBlock) -> int | None:
    if isinstance(found.decimals, DecimalsCode):
        return found.decimals.decimals(block.code(found.decimals))
    return found.decimals


def _unit(found: RegisterMap, block: RegisterBlock) -> str:
    if isinstance(found.unit, UnitCode):
        return found.unit.values.get(block.code(found.unit), UNKNOWN_UNIT)
    return found.unit


def _stable(said: set[Meaning]) -> bool | None:
    """Two registers that contradict each other are moving."""
    if "moving" in said:
        return False
    return True if "stable" in said else None


def _mode(found: RegisterMap, said: set[Meaning]) -> Mode | None:
    if found.weight.of == "gross":
        return "gross"
    if "net" in said:
        return "net"
    return "gross" if "gross" in said else None
