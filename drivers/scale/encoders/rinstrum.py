"""Rinstrum C500 and R320: the network protocol's answer and two of the automatic formats.

Sources: C500 manual p. 81, R320 manual p. 46, captured answers. The display writes O and U with dashes out of range.
"""

from drivers.scale.encoders.shown import Shown

READ_LITERAL = 0x05
GROSS_REGISTER = 0x0026
ANSWER = 0x80


def rinstrum_net(shown: Shown, address: int = 1) -> bytes:
    """The answer to "read register 0026 in words": always gross."""
    head = b"%02X%02X%04X:" % (ANSWER | address, READ_LITERAL, GROSS_REGISTER)
    if shown.out_of_range:
        return head + (b"O------" if shown.overload else b"U------") + b"\r\n"
    return head + shown.blanks(7, shown.weight_kg) + b" " + shown.unit.encode() + b" G\r\n"


def _status(shown: Shown) -> bytes:
    if shown.out_of_range:
        return b"O" if shown.overload else b"U"
    return b"N" if shown.net else b"G"


def _sign_and_number(shown: Shown) -> bytes:
    return (b"-" if shown.minus else b" ") + shown.unsigned(7)


def rinstrum_fmt1(shown: Shown) -> bytes:
    """One status letter: motion takes the place of gross or net."""
    status = b"M" if shown.moving and not shown.out_of_range else _status(shown)
    return b"\x02" + _sign_and_number(shown) + status + b"\x03"


def rinstrum_fmt2(shown: Shown) -> bytes:
    """Status, motion, centre of zero, range, and the unit, which is blank while the weight moves."""
    motion = b"M" if shown.moving else b" "
    zero = b"Z" if shown.displayed_kg == 0 else b" "
    unit = b"   " if shown.moving else shown.unit.rjust(3).encode()
    return b"\x02" + _sign_and_number(shown) + _status(shown) + motion + zero + b"-" + unit + b"\x03"
