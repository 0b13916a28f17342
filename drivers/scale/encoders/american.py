"""SMA level 1, Rice Lake, Cardinal and Weigh-Tronix.

Sources: Scale Manufacturers Association, Standard Serial Communication Protocol (SCP-0499), as in the PR 5211/5220
manual p. 130; Rice Lake IQ Plus 355 and 920i manuals; Cardinal 738 manual; Rice Lake 482 manual p. 37 (Weigh-Tronix).
"""

from drivers.scale.encoders.shown import Shown

RLWS_UNITS = {"kg": b"K", "t": b"T"}


def _minus(shown: Shown) -> bytes:
    return b"-" if shown.minus else b" "


def sma(shown: Shown, fault: bytes = b"") -> bytes:
    """Status, range, gross or net, motion, a reserved place, number and unit. Out of range, and with a `fault` (E zero
    refused, T tare refused), dashes stand in place of the number."""
    status = fault or (b"O" if shown.overload else b"U" if shown.underload else b"")
    number = b"-" * 10 if status else shown.blanks(10)
    status = status or (b"Z" if shown.displayed_kg == 0 else b" ")
    mode, motion = b"N" if shown.net else b"G", b"M" if shown.moving else b" "
    return b"\n" + status + b"1" + mode + motion + b" " + number + shown.unit.ljust(3).encode() + b"\r"


def rlws(shown: Shown) -> bytes:
    """Polarity, seven places, unit, mode, status: O over, I below range, M motion, Z centre of zero. Out of range the
    last number stays in the frame, and only the status tells."""
    status = b" "
    if shown.out_of_range:
        status = b"O" if shown.overload else b"I"
    elif shown.moving:
        status = b"M"
    elif shown.displayed_kg == 0:
        status = b"Z"
    mode = b"N" if shown.net else b"G"
    return b"\x02" + _minus(shown) + shown.unsigned(7) + RLWS_UNITS[shown.unit] + mode + status + b"\r\n"


def cardinal(shown: Shown) -> bytes:
    """Polarity, six places, m or o for motion and out of range, unit, mode."""
    status = b"o" if shown.out_of_range else b"m" if shown.moving else b" "
    sign = b"-" if shown.minus or shown.underload else b"+"
    number = shown.unsigned(6, "0")
    return b"\r" + sign + number + status + b" " + shown.unit.ljust(2).encode() + b" " + _mode(shown) + b"  \x03"


def weightronix(shown: Shown) -> bytes:
    """No motion. What it sends out of range is in no manual found: dashes, as its display."""
    number = b" ------" if shown.out_of_range else _minus(shown) + shown.unsigned(6, "0")
    return b" " + _mode(shown).upper() + number + b" " + shown.unit.ljust(2).encode() + b"\r\n"


def _mode(shown: Shown) -> bytes:
    return b"n" if shown.net else b"g"
