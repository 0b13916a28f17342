"""What a UART with other settings makes of a frame."""

import pytest

from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.frames import FrameDecoder, load_profile
from drivers.scale.uart import bits_per_byte, heard, parse_line

FRAME = ENCODERS["toledo"](Shown(14_520))


def through(sent: str, read: str) -> bytes:
    return heard(FRAME, parse_line(sent), parse_line(read))


@pytest.mark.parametrize("line", ["9600,8N1", "1200,8E1", "4800,7E1", "2400,7O2"])
def test_the_same_settings_change_nothing(line: str) -> None:
    assert through(line, line) == FRAME


def test_seven_bits_with_parity_read_as_eight_without_carry_the_parity_in_the_top_bit() -> None:
    seen = through("9600,7E1", "9600,8N1")
    assert bytes(byte & 0x7F for byte in seen) == FRAME != seen
    assert all(byte.bit_count() % 2 == 0 for byte in seen)
    assert FrameDecoder(load_profile("toledo")).feed(seen), "the driver looks at the lower seven bits"
    assert all(byte.bit_count() % 2 == 1 for byte in through("9600,7O1", "9600,8N1"))


def test_eight_bits_read_as_seven_with_parity_come_through() -> None:
    assert through("9600,8N1", "9600,7E1") == FRAME
    assert through("9600,8N2", "9600,8N1") == FRAME


@pytest.mark.parametrize(
    ("sent", "read"),
    [("9600,8E1", "9600,8N1"), ("1200,8N1", "9600,8N1"), ("9600,8N1", "1200,8N1"), ("9600,8N1", "4800,8N1"),
     ("9600,7E1", "19200,7E1")],
)  # fmt: skip
@pytest.mark.parametrize("indicator", sorted(ENCODERS))
def test_other_settings_give_bytes_but_no_frame(indicator: str, sent: str, read: str) -> None:
    for kg in (0, 14_520, 45_120, 99_980):
        noise = heard(ENCODERS[indicator](Shown(kg)), parse_line(sent), parse_line(read))
        assert noise
        assert FrameDecoder(load_profile(indicator)).feed(noise) == []


def test_settings_are_written_as_people_write_them() -> None:
    line = parse_line("4800,7e2")
    assert (line.baud, line.bytesize, line.parity, line.stopbits) == (4800, 7, "E", 2)
    assert (bits_per_byte(line), bits_per_byte(parse_line("9600,8N1"))) == (11, 10)
    for wrong in ("9600", "9600,8X1", "x,8N1", "9600,9N1", ""):
        with pytest.raises(ValueError, match="write it as 9600,8N1"):
            parse_line(wrong)
