"""The lines with commas: A&D, CAS and Dini Argeo.

Sources: A&D AD-4404 manual; a CAS CI-200A's captured frames and the CI-600A manual; Dini Argeo DGT4X manual p. 52 and
captured frames of a DFWLKI.
"""

from drivers.scale.encoders.shown import Shown


def _state(shown: Shown, below: bytes) -> bytes:
    if shown.out_of_range:
        return b"OL" if shown.overload else below
    return b"US" if shown.moving else b"ST"


def _mode(shown: Shown) -> bytes:
    return b"NT" if shown.net else b"GS"


def ad_std(shown: Shown) -> bytes:
    """Out of range it sends nines, with the sign of the side on which the range was left."""
    sign = b"-" if shown.minus or shown.underload else b"+"
    number = b"9999999" if shown.out_of_range else shown.unsigned(7, "0")
    return b"%s,%s,%s%s%s\r\n" % (_state(shown, b"OL"), _mode(shown), sign, number, shown.unit.rjust(2).encode())


def cas22(shown: Shown) -> bytes:
    """22 bytes. The lamp byte says stable (bit 6), gross (2), tare (1) and zero (0); bit 7 is always set. The sign
    stands first. Out of range the last number stays in the frame, and only OL tells."""
    steady = not (shown.moving or shown.out_of_range)
    lamps = 0x80 | steady << 6 | (not shown.net) << 2 | shown.net << 1 | (shown.displayed_kg == 0)
    number = (b"-" if shown.minus else b" ") + shown.unsigned(7)
    head = b"%s,%s,\x01%c," % (_state(shown, b"OL"), _mode(shown), lamps)
    return head + number + b" " + shown.unit.rjust(2).encode() + b"\r\n"


def dini_std(shown: Shown, address: int | None = None) -> bytes:
    """Standard string; blanks instead of a number out of range. On RS-485 the two digits of the address come first."""
    number = b" " * 8 if shown.out_of_range else shown.blanks(8)
    prefix = b"" if address is None else b"%02d" % address
    return prefix + b"%s,%s,%s,%s\r\n" % (_state(shown, b"UL"), _mode(shown), number, shown.unit.rjust(2).encode())


def dini_ext(shown: Shown, address: int | None = None) -> bytes:
    """Extended string: channel, state, net, tare, pieces, unit. The first number is always net."""
    net = b" " * 10 if shown.out_of_range else shown.blanks(10)
    tare = shown.blanks(10, shown.tare_kg)
    prefix = b"" if address is None else b"%02d" % address
    fields = (b"1", _state(shown, b"UL"), net, b"  " + tare, b"%10d" % 0, shown.unit.rjust(2).encode())
    return prefix + b",".join(fields) + b"\r\n"
