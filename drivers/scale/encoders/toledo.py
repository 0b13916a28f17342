"""Mettler Toledo: the continuous output, and the answers of MT-SICS.

Sources: IND245 technical manual (continuous output, status bytes A, B and C), MT-SICS reference manual level 0 and 1.
"""

from drivers.scale.encoders.shown import Shown, whole


def toledo(shown: Shown) -> bytes:
    """The number goes on when the range is left; bit 2 of status byte B says so, with bit 1 when it is below."""
    status_a = 0b0101000 | 2 + shown.decimals
    minus = shown.minus or shown.underload
    status_b = 0b0110000 | shown.net | minus << 1 | shown.out_of_range << 2 | shown.moving << 3
    status_c = 0b0100000 | (2 if shown.unit == "t" else 0)
    weight = whole(abs(shown.digits(shown.displayed_kg)), 6)
    tare = whole(shown.digits(shown.tare_kg), 6)
    frame = b"\x02" + bytes([status_a, status_b, status_c]) + _blanked(weight) + _blanked(tare) + b"\r"
    return frame + bytes([-sum(frame) & 0x7F])


def _blanked(digits: bytes) -> bytes:
    """Leading zeros are blanks."""
    return (digits[:-1].lstrip(b"0") + digits[-1:]).rjust(len(digits))


def mt_sics(shown: Shown) -> bytes:
    """The answer to S, SI and SIR: S stable, D dynamic, + overload, - underload. It never says net."""
    if shown.out_of_range:
        return b"S +\r\n" if shown.overload else b"S -\r\n"
    return b"S %s %s %s\r\n" % (b"D" if shown.moving else b"S", shown.blanks(10), shown.unit.encode())
