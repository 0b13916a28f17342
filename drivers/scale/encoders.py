"""What an indicator would send for a weight: the simulator's side of `config/indicators/`.

Written by hand from the manuals and not from the profiles, so that the two check each other in the round-trip test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor


@dataclass(frozen=True, slots=True)
class Shown:
    """What the indicator's display shows: whole kilograms gross, and its lamps."""

    weight_kg: int
    moving: bool = False
    overload: bool = False


def yaohua_tf0(shown: Shown) -> bytes:
    """XK3190-DS3 manual p. 8. The protocol has no overload or motion flag: the number is all it says."""
    text = b"%s%06d0" % (b"-" if shown.weight_kg < 0 else b"+", abs(shown.weight_kg))
    return b"\x02" + text + b"%02X" % reduce(xor, text) + b"\x03"


def toledo(shown: Shown) -> bytes:
    """Mettler Toledo continuous output: whole kilograms, tare 0, with the standard checksum."""
    status_b = 0b0110000 | (shown.weight_kg < 0) << 1 | shown.overload << 2 | shown.moving << 3
    frame = b"\x02" + bytes([0b0101010, status_b, 0b0100000]) + b"%6d     0\r" % abs(shown.weight_kg)
    return frame + bytes([-sum(frame) & 0x7F])


def ad_std(shown: Shown) -> bytes:
    """A&D AD-4404 manual; on overload it sends nines."""
    if shown.overload:
        return b"OL,GS,+9999999kg\r\n"
    return b"%s,GS,%+08dkg\r\n" % (b"US" if shown.moving else b"ST", shown.weight_kg)


ENCODERS: dict[str, Callable[[Shown], bytes]] = {"yaohua_tf0": yaohua_tf0, "toledo": toledo, "ad_std": ad_std}
"""By the indicator's name in `config/indicators/`."""


def encoder(indicator: str) -> Callable[[Shown], bytes]:
    """The encoder of an indicator. Raises ValueError with the names that can be simulated."""
    try:
        return ENCODERS[indicator]
    except KeyError:
        raise ValueError(f"indicator {indicator!r} cannot be simulated; valid: {', '.join(sorted(ENCODERS))}") from None
