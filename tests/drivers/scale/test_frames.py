"""Streams cut anywhere, noise, frames without an end: every profile against its simulator."""

import random
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.frames import FrameDecoder, IndicatorProfile, WireWeight, load_profile, to_reading

INDICATORS = sorted(ENCODERS)
_profile = cache(load_profile)
UP_TO_THE_NEXT = ["eq_plain", "eq_reversed"]
SAYS_NOTHING_OF_RANGE = {"yaohua_tf0", "yaohua_command", "eq_plain", "eq_reversed", "eq_kg", "gw_paren"}
SAYS_NOTHING_OF_NET = {
    "yaohua_tf0", "eq_plain", "eq_reversed", "eq_kg", "mt_sics", "bilanciai", "prot_f", "dingsong_c", "sartorius_sbi",
}  # fmt: skip
"""Where a tare at the indicator makes net of the number and nothing tells."""
NO_PLACE_FOR_A_SIGN = {"bilanciai", "dingsong_c"}
LINE_NOISE = [b"", b"\x00\xff", b"\x02", b"\r\n", b"weigh02THS0797", b"ST,GS,+00", b"<0", b"$0"]
JUNK = st.one_of(st.binary(max_size=40), st.sampled_from(LINE_NOISE))


def _decode(indicator: str | IndicatorProfile, stream: bytes) -> list[WireWeight]:
    """All frames of a stream that ends."""
    decoder = FrameDecoder(_profile(indicator) if isinstance(indicator, str) else indicator)
    return decoder.feed(stream) + decoder.finish()


def _gross(found: list[WireWeight]) -> list[int | None]:
    return [to_reading(weight, 0).gross_kg for weight in found]


def _stream(indicator: str, weights_kg: list[int], junk: list[bytes]) -> bytes:
    encode = ENCODERS[indicator]
    noise = junk + [b""] * len(weights_kg)
    return b"".join(noise[i] + encode(Shown(kg)) for i, kg in enumerate(weights_kg))


@given(
    indicator=st.sampled_from(INDICATORS),
    weights_kg=st.lists(st.integers(-9_999, 99_999), max_size=6),
    junk=st.lists(JUNK, max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_cut_gives_the_same_frames(
    indicator: str, weights_kg: list[int], junk: list[bytes], cuts: list[int]
) -> None:
    stream = _stream(indicator, weights_kg, junk)
    decoder = FrameDecoder(_profile(indicator))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [weight for begin, end in pairwise(edges) for weight in decoder.feed(stream[begin:end])]
    assert pieces + decoder.finish() == _decode(indicator, stream)


@given(
    indicator=st.sampled_from(INDICATORS),
    stream=st.one_of(st.binary(max_size=600), st.text("=0.-\x02\x03\r\n*0 Sw,", max_size=300).map(str.encode)),
)
def test_byte_by_byte_gives_the_same_frames(indicator: str, stream: bytes) -> None:
    decoder = FrameDecoder(_profile(indicator))
    single = [weight for byte in stream for weight in decoder.feed(bytes([byte]))]
    assert single + decoder.finish() == _decode(indicator, stream)


@pytest.mark.parametrize("indicator", INDICATORS)
@settings(max_examples=40)
@given(
    shown=st.builds(
        Shown,
        weight_kg=st.integers(-9_999, 99_999),
        moving=st.booleans(),
        overload=st.booleans(),
        tare_kg=st.sampled_from([0, 0, 14_520]),
    )
)
def test_the_simulator_and_the_profile_agree(indicator: str, shown: Shown) -> None:
    found = _decode(indicator, ENCODERS[indicator](shown))
    readings = [to_reading(wire, 7) for wire in found]
    assert len(readings) <= 1 and all(reading.received_ms == 7 for reading in readings)
    grosses = [reading.gross_kg for reading in readings if reading.gross_kg is not None]
    if indicator == "rinstrum_fmt1" and shown.moving and not shown.overload:
        assert all(reading.stable is False for reading in readings)  # motion takes the place of gross or net
    elif shown.tare_kg:
        right_kg = shown.displayed_kg if indicator in SAYS_NOTHING_OF_NET else shown.weight_kg
        assert set(grosses) <= {right_kg}
    elif _says_no_weight(indicator, shown):
        assert grosses == []
        assert all(reading.fault for reading in readings)
    else:
        assert grosses == [shown.weight_kg]
        assert readings[0].stable in (None, not shown.moving)


def _says_no_weight(indicator: str, shown: Shown) -> bool:
    out_of_range = shown.overload and indicator not in SAYS_NOTHING_OF_RANGE
    return (
        out_of_range or (indicator in NO_PLACE_FOR_A_SIGN and shown.minus) or (indicator == "prot_f" and shown.moving)
    )


@pytest.mark.parametrize("indicator", INDICATORS)
def test_a_frame_after_any_beginning_of_another_is_found(indicator: str) -> None:
    cut, whole = (ENCODERS[indicator](Shown(kg)) for kg in (8_888, 45_120))
    for length in range(len(cut)):
        # A frame without an end passes by its neighbour, and a cut one is no good neighbour.
        found = _gross(_decode(indicator, cut[:length] + whole * (2 if indicator in UP_TO_THE_NEXT else 1)))
        assert found and found[-1] == 45_120, cut[:length]
        assert set(found) <= {8_888, 45_120}


@pytest.mark.parametrize("noise", LINE_NOISE)
@pytest.mark.parametrize("indicator", INDICATORS)
def test_noise_before_between_and_after_two_frames_in_one_read(indicator: str, noise: bytes) -> None:
    first, second = (ENCODERS[indicator](Shown(kg)) for kg in (8_888, 45_120))
    assert _gross(_decode(indicator, noise + first + noise + second + noise)) == [8_888, 45_120]


@pytest.mark.parametrize("noise", [b"\x00", b"\xff\x02", b"?"])
@pytest.mark.parametrize("indicator", INDICATORS)
def test_noise_inside_a_frame_never_makes_another_weight(indicator: str, noise: bytes) -> None:
    frame = ENCODERS[indicator](Shown(45_120))
    for at in range(1, len(frame)):
        assert set(_gross(_decode(indicator, frame[:at] + noise + frame[at:]))) <= {45_120, None}, at


@pytest.mark.parametrize("indicator", sorted(set(INDICATORS) - {"cas22"}))  # its lamp byte has eight bits
@settings(max_examples=20)
@given(shown=st.builds(Shown, weight_kg=st.integers(-9_999, 99_999), moving=st.booleans()))
def test_a_line_of_seven_bits_and_parity_read_as_eight_bits(indicator: str, shown: Shown) -> None:
    plain = ENCODERS[indicator](shown)
    with_parity = bytes(byte | (byte.bit_count() & 1) << 7 for byte in plain)
    found = _decode(indicator, with_parity)
    assert [weight._replace(raw=b"") for weight in found] == [
        weight._replace(raw=b"") for weight in _decode(indicator, plain)
    ]
    assert all(weight.raw in with_parity for weight in found)


def _same_length_not_asked(indicator: str, stream: bytes) -> list[WireWeight]:
    """The control: every text between two starts by itself."""
    return [
        weight
        for text in stream.split(b"=")[1:]
        for weight in FrameDecoder(_profile(indicator)).feed(b"=" + text + b"=") or _decode(indicator, b"=" + text)
    ]


@pytest.mark.parametrize("indicator", UP_TO_THE_NEXT)
def test_a_character_lost_or_gained_never_makes_another_weight(indicator: str) -> None:
    frame, others = ENCODERS[indicator](Shown(45_120)), ENCODERS[indicator](Shown(45_120)) * 3
    alone: set[int | None] = set()
    for at in range(1, len(frame)):
        for broken in (frame[:at] + frame[at + 1 :], frame[:at] + b"7" + frame[at:]):
            assert set(_gross(_decode(indicator, others + broken + others))) == {45_120}
            alone |= set(_gross(_same_length_not_asked(indicator, others + broken + others)))
    assert alone > {45_120}, "without the neighbour's length a lost character passes"


@pytest.mark.parametrize("indicator", UP_TO_THE_NEXT)
def test_an_unfinished_frame_is_not_finished_by_another_time(indicator: str) -> None:
    decoder = FrameDecoder(_profile(indicator))
    assert _gross(decoder.feed(ENCODERS[indicator](Shown(45_120)) * 3)) == [45_120] * 2
    decoder.forget()
    assert _gross(decoder.feed(ENCODERS[indicator](Shown(0)) * 3)) == [0] * 2


@pytest.mark.parametrize("indicator", INDICATORS)
def test_memory_is_bounded_by_the_frame_not_by_the_noise(indicator: str) -> None:
    decoder = FrameDecoder(_profile(indicator))
    chance = random.Random(5)
    for _ in range(200):
        decoder.feed(bytes(chance.choices(b"\x02=ABC 0123456789", k=500)))
    assert len(decoder._raw) <= 64  # noqa: SLF001  the bound is the point, and it has no other face
    found = decoder.feed(b"\r\n" + ENCODERS[indicator](Shown(20)) * 3)
    assert set(_gross(found)) == {20}
