"""The three status bytes of the Toledo continuous output, every value of each, against the manual's bit table."""

import pytest

from drivers.scale.frames import FrameDecoder, WireWeight, decimal_text, load_profile

PROFILE = load_profile("toledo")
STX, CR = b"\x02", b"\r"
PLAIN_A, PLAIN_B, PLAIN_C = 0b0101010, 0b0110000, 0b0100000
WRITTEN = ["123400", "12340", "1234", "123.4", "12.34", "1.234", "0.1234", "0.01234"]
"""001234 by bits 0 to 2 of status byte A."""


def _read(a: int = PLAIN_A, b: int = PLAIN_B, c: int = PLAIN_C) -> WireWeight:
    frame = STX + bytes([a, b, c]) + b"  1234" + b"   100" + CR
    (weight,) = FrameDecoder(PROFILE).feed(frame)
    return weight


@pytest.mark.parametrize("a", range(128))
def test_status_byte_a_is_the_point(a: int) -> None:
    """Bits 3 and 4 are the increment, bit 5 is 1, but not with every clone: none of them changes the weight."""
    weight = _read(a=a)
    assert decimal_text(weight.weight) == WRITTEN[a & 7]
    assert weight.tare is not None and weight.weight is not None
    assert weight.tare * 1234 == weight.weight * 100


@pytest.mark.parametrize("b", range(128))
def test_status_byte_b_is_the_state(b: int) -> None:
    """Bit 6 (not zeroed since power came) is always on with some clones and says nothing here."""
    weight = _read(b=b)
    net, minus, out_of_range, moving, kilograms = (bool(b >> bit & 1) for bit in range(5))
    assert weight.mode == ("net" if net else "gross")
    assert weight.stable is not moving
    assert weight.unit == ("kg" if kilograms else "lb")
    assert (weight.overload, weight.underload) == (out_of_range and not minus, out_of_range and minus)
    assert decimal_text(weight.weight) == (None if out_of_range else "-1234" if minus else "1234")


@pytest.mark.parametrize("c", range(128))
def test_status_byte_c_is_the_unit_and_the_expanded_display(c: int) -> None:
    weight = _read(c=c)
    assert weight.unit == ["kg", "g", "t", "oz", "unknown", "unknown", "unknown", "unknown"][c & 7]
    assert (weight.weight is None) == bool(c & 0b10000)
