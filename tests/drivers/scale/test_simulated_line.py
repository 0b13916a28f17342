"""The simulated line itself: its speed, its settings, what goes wrong on it, and several indicators on one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from drivers.scale.links import Link, SerialLink, open_link
from drivers.scale.profile import SerialDefaults
from drivers.scale.simulated import SimulatedBus, SimulatedIndicator, SimulatedLoad
from drivers.scale.simulated_links import FarEnd, PtyFarEnd, Rfc2217FarEnd
from drivers.scale.uart import parse_line
from tests.drivers.scale.lines import opened, readings, shows


@contextmanager
def reader(port: str, line: SerialDefaults) -> Iterator[Link]:
    link = open_link(port, line)
    try:
        yield link
    finally:
        link.close()


def heard_for(link: Link, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    data = b""
    while time.monotonic() < end:
        data += link.read(0.01)
    return data


def test_a_line_of_1200_baud_carries_120_bytes_a_second(tmp_path: Path) -> None:
    line = parse_line("1200,8N1")
    with (
        SimulatedIndicator("toledo", tmp_path / "port", rate_hz=50, line=line, paced=True) as far,
        reader(far.port, line) as link,
    ):
        heard_for(link, 0.1)
        count = len(heard_for(link, 0.6))
    assert 50 <= count <= 85, "72 bytes in 0.6 s"


def test_a_paced_line_needs_its_settings() -> None:
    with pytest.raises(ValueError, match="needs its settings"):
        SimulatedIndicator("toledo", paced=True)


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's own thread for RFC 2217
@pytest.mark.parametrize(
    ("kind", "sent", "fits", "fails"),
    [
        ("pty", "9600,8N1", ("9600,8N1", "9600,7E1", "9600,8E1"), ("1200,8N1", "4800,7E1", "19200,8N1")),
        ("rfc2217", "9600,8E1", ("9600,8E1",), ("9600,8N1", "4800,8E1")),
    ],
)
def test_good_bytes_come_only_where_the_readers_settings_fit(
    kind: str, sent: str, fits: Sequence[str], fails: Sequence[str], tmp_path: Path
) -> None:
    """A pty shows the baud rate alone, so that every 9600 is 8N1 there; RFC 2217 shows all of it."""
    far_end: FarEnd = PtyFarEnd(tmp_path / "port") if kind == "pty" else Rfc2217FarEnd()
    with SimulatedIndicator("toledo", far_end, rate_hz=100, weight_kg=14_520, line=parse_line(sent)) as far:
        for text in (*fits, *fails):
            with opened(far.port, "toledo", **parse_line(text).model_dump()) as scale:
                # Over a network the first 0.3 s are not believed.
                seen = {reading.gross_kg for reading in readings(scale, 0.12 if kind == "pty" else 0.5)}
                assert scale.last_byte_ms is not None, text
                assert seen == ({14_520} if text in fits else set()), text


def test_an_indicator_with_parity_on_a_pty_is_read_as_eight_bits(tmp_path: Path) -> None:
    line = parse_line("4800,7E1")
    with (
        SimulatedIndicator("toledo", tmp_path / "port", rate_hz=100, weight_kg=14_520, line=line) as far,
        reader(far.port, parse_line("4800,8N1")) as link,
    ):
        data = heard_for(link, 0.1)
        assert any(byte & 0x80 for byte in data)
        link.close()
        with opened(far.port, "toledo", baud=4800) as scale:
            shows(scale, 14_520)


def test_a_pty_keeps_the_baud_rate_and_drops_seven_bits_and_parity(tmp_path: Path) -> None:
    """What the emulation stands on; and why it never sees parity."""
    far = PtyFarEnd(tmp_path / "port")
    far.plug()
    for baud in (1200, 4800, 115200):
        serial.Serial(far.port, baud, bytesize=7, parity="E").close()
        assert far.line() == SerialDefaults(baud=baud)
    far.unplug()
    assert far.line() is None


def test_a_request_at_the_wrong_speed_is_not_understood(tmp_path: Path) -> None:
    line = parse_line("9600,8N1")
    with SimulatedIndicator("mt_sics", tmp_path / "port", weight_kg=800, line=line) as far:
        with opened(far.port, "mt_sics", baud=4800) as scale:
            assert readings(scale, 0.3) == []
        with opened(far.port, "mt_sics") as scale:
            shows(scale, 800)


def test_several_indicators_on_one_line_answer_to_their_own_address_only(tmp_path: Path) -> None:
    loads = {3: SimulatedLoad(300), 7: SimulatedLoad(700)}
    with SimulatedBus("dini_std", tmp_path / "port", loads) as far:
        link = SerialLink(far.port, parse_line("9600,8N1"))
        assert link.read(0.05) == b"", "nobody on a bus speaks unasked"
        for address, answer in ((3, b"03ST,GS,     300,kg\r\n"), (7, b"07ST,GS,     700,kg\r\n"), (8, b"")):
            link.write(b"%02dREAD\r\n" % address)
            assert heard_for(link, 0.05) == answer
        link.write(b"READ\r\n")
        assert heard_for(link, 0.05) == b"", "no address, no answer"
        link.close()


def test_junk_and_cuts_are_really_there(tmp_path: Path) -> None:
    with (
        SimulatedIndicator("ad_std", tmp_path / "port", rate_hz=200, weight_kg=20, seed=1) as far,
        reader(far.port, parse_line("9600,8N1")) as link,
    ):
        frame = b"ST,GS,+0000020kg\r\n"
        assert set(heard_for(link, 0.05).split(b"\n")[:-1]) == {frame[:-1]}
        far.set_junk(8)
        data = heard_for(link, 0.1)
        assert data.count(frame) > 5 and len(data) > data.count(frame) * len(frame)
        far.set_junk(0)
        far.set_cut(2)
        heard_for(link, 0.02)
        data = heard_for(link, 0.1)
        assert 0 < data.count(frame) < data.count(b"ST,GS")


def test_a_silent_line_hears_nothing_either(tmp_path: Path) -> None:
    with (
        SimulatedIndicator("sma", tmp_path / "port", weight_kg=40) as far,
        reader(far.port, parse_line("9600,8N1")) as link,
    ):
        far.set_silent(True)
        link.write(b"\nZ\r")
        assert heard_for(link, 0.05) == b""
        far.set_silent(False)
        link.write(b"\nW\r")
        assert heard_for(link, 0.05) == b"\n 1G          40kg \r", "what was said to a cut cable was not heard"
