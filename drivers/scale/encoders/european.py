"""Società Cooperativa Bilanciai, Systec IT, the "protocol F" of Italian indicators, and Sartorius SBI.

Sources: Bilanciai DD700 manual p. 7; Systec IT serial interface description (the field widths and the example record,
whose checksum is the CRC-16 written here); captured frames of protocol F; Sartorius Master series manual p. 54 and 55.
"""

from drivers.scale.encoders.shown import Shown, whole

SYSTEC_OVERLOAD = b"<12>\r\n"
SYSTEC_MOVING = b"<13>\r\n"
SYSTEC_UNDERLOAD = b"<20>\r\n"


def bilanciai(shown: Shown) -> bytes:
    """State 0 stable, 1 moving, 3 invalid, then five digits. There is no place for a sign: below zero is invalid."""
    if shown.out_of_range or shown.minus:
        return b"$300000\r"
    return b"$%d" % shown.moving + whole(shown.digits(shown.displayed_kg), 5) + b"\r"


def crc16(data: bytes) -> int:
    """CRC-16, polynomial 8005 reflected, begun with FFFF; it gives the checksum of the manual's example record."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value


def systec(shown: Shown) -> bytes:
    """The record of a weighing (RN with its number in the weighing memory, RM without), or an error number alone.

    Date and time are the manual's: nothing here has a clock.
    """
    if shown.out_of_range:
        return SYSTEC_OVERLOAD if shown.overload else SYSTEC_UNDERLOAD
    ident = b"    " if shown.alibi is None else b"%4d" % (shown.alibi % 10_000)
    masses = (shown.weight_kg, shown.tare_kg, shown.displayed_kg)
    record = b"00%d%d05.06.1813:12%s1%s%s%s  1" % (
        shown.moving,
        shown.digits(shown.weight_kg) < 0,
        ident,
        b"".join(shown.blanks(8, kg) for kg in masses),
        shown.unit.rjust(2).encode(),
        b"TA " if shown.net else b"   ",
    )
    return b"<" + record + b"%8d>\r\n" % crc16(record)


def prot_f(shown: Shown) -> bytes:
    """Six places, and a sign before them when it is minus; no number while it moves. What it sends out of range was
    never captured: dashes, as its display."""
    if shown.out_of_range or shown.moving:
        return b"\x02" + (b"-" if shown.out_of_range else b"I") * 6 + b"\x03"
    return b"\x02" + (b"-" if shown.minus else b"") + shown.unsigned(6, "0") + b"\x03"


def sartorius_sbi(shown: Shown) -> bytes:
    """22 characters: the ID code N before whatever is displayed, no unit while it moves; H and L out of range."""
    if shown.out_of_range:
        return b"Stat" + b" " * 8 + (b"H " if shown.overload else b"L ") + b" " * 6 + b"\r\n"
    sign = b"-" if shown.minus else b"+"
    unit = b"" if shown.moving else shown.unit.encode()
    return b"N     " + sign + b" " + shown.unsigned(8) + b" " + unit.ljust(3) + b"\r\n"
