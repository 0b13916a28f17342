"""Yaohua (上海耀华) XK3190 and other Chinese indicators. None of their frames but `w` says overload, and none says
motion: the number is all there is, and it is net when the indicator is tared.

Sources: XK3190-DS3 manual p. 8, XK3190-A23p p. 26, XK3190-A12E p. 13, XK3190-A26 p. 12 and 13; field captures of the
XK3190-A7, the Keli XK3118T1 and a clone with `GW:` frames.
"""

from drivers.scale.encoders.shown import Shown, whole, xor_hex


def _sign_digits_point(shown: Shown) -> bytes:
    sign = b"-" if shown.minus else b"+"
    return sign + whole(abs(shown.digits(shown.displayed_kg)), 6) + b"%d" % shown.decimals


def yaohua_tf0(shown: Shown) -> bytes:
    """Continuous output, tF = 0."""
    text = _sign_digits_point(shown)
    return b"\x02" + text + xor_hex(text) + b"\x03"


def yaohua_command(shown: Shown, address: int = 1, ask: bytes = b"", *, clone: bool = False) -> bytes:
    """The answer in command mode, tF = 1, to `ask`: B gross, C tare, D net; what is displayed if none is given.

    The manual's checksum begins at the address; `clone` leaves the address and the command out of it, as TDI-200A1,
    TH168 and X3190A1+ do.
    """
    ask = ask or (b"D" if shown.net else b"B")
    asked_kg = {b"B": shown.weight_kg, b"C": shown.tare_kg, b"D": shown.displayed_kg}[ask]
    text = _sign_digits_point(Shown(asked_kg, unit=shown.unit, decimals=shown.decimals))
    head = bytes([ord("A") - 1 + address]) + ask
    return b"\x02" + head + text + xor_hex(text if clone else head + text) + b"\x03"


def yaohua_w(shown: Shown) -> bytes:
    """A12 and A12E. Out of range, nine blanks stand before OL or LO."""
    if shown.out_of_range:
        text = b" " * 9 + (b"OL" if shown.overload else b"LO")
    else:
        text = b"w" + (b"n" if shown.net else b"g") + shown.zeros(7) + shown.unit.rjust(2).encode()
    return text + xor_hex(text) + b"\r\n"


def eq_plain(shown: Shown) -> bytes:
    """A26, format 2: eight characters, read from left to right."""
    return b"=" + shown.zeros(8)


def eq_reversed(shown: Shown) -> bytes:
    """A26, format 1: the same eight characters, the last one first."""
    return b"=" + shown.zeros(8)[::-1]


def eq_kg(shown: Shown) -> bytes:
    """Keli XK3118T1: seven characters and the unit in brackets."""
    return b"=" + shown.zeros(7) + b"(%s)\r\n" % shown.unit.encode()


def gw_paren(shown: Shown) -> bytes:
    """A clone of the XK3118T1. NW for net is by analogy; only GW was captured."""
    return b"\x02" + (b"NW:" if shown.net else b"GW:") + shown.zeros(7) + b"(%s)\x03" % shown.unit.encode()


def dingsong_c(shown: Shown, address: int = 1) -> bytes:
    """DS822-X: the one frame captured, with other digits. What it sends below zero and out of range, and what its last
    two characters count, is not known: dashes, and those of the capture."""
    digits = b"-----" if shown.minus or shown.out_of_range else whole(shown.digits(shown.displayed_kg), 5)
    spaced = b"".join(b"%c " % digit for digit in digits)
    return b"\x02" + bytes([ord("A") - 1 + address]) + b"c" + spaced + b"<0t\x03"
