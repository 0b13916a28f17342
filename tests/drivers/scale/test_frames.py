"""Streams cut anywhere, noise, checksums; and what becomes of a wire weight as a reading."""

import random
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.readings import WeightFault, WeightReading
from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.frames import FrameDecoder, WireWeight, load_profile, to_reading

INDICATORS = sorted(ENCODERS)
JUNK = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    st.sampled_from([b"\x02", b"\x02+0001", b"ST,GS,+00", b"weigh02THS0797", b"\r\n"]),
)


def _stream(indicator: str, weights_kg: list[int], junk: list[bytes]) -> bytes:
    encode = ENCODERS[indicator]
    noise = junk + [b""] * len(weights_kg)
    return b"".join(noise[i] + encode(Shown(kg)) for i, kg in enumerate(weights_kg))


@given(
    indicator=st.sampled_from(INDICATORS),
    weights_kg=st.lists(st.integers(-99_999, 999_999), max_size=6),
    junk=st.lists(JUNK, max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_cut_gives_the_same_frames(
    indicator: str, weights_kg: list[int], junk: list[bytes], cuts: list[int]
) -> None:
    stream = _stream(indicator, weights_kg, junk)
    whole = FrameDecoder(load_profile(indicator)).feed(stream)
    decoder = FrameDecoder(load_profile(indicator))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [weight for begin, end in pairwise(edges) for weight in decoder.feed(stream[begin:end])]
    assert pieces == whole


@given(indicator=st.sampled_from(INDICATORS), stream=st.binary(max_size=600))
def test_byte_by_byte_gives_the_same_frames(indicator: str, stream: bytes) -> None:
    whole = FrameDecoder(load_profile(indicator)).feed(stream)
    decoder = FrameDecoder(load_profile(indicator))
    assert [weight for byte in stream for weight in decoder.feed(bytes([byte]))] == whole


@pytest.mark.parametrize("indicator", INDICATORS)
@given(shown=st.builds(Shown, weight_kg=st.integers(-99_999, 999_999), moving=st.booleans(), overload=st.booleans()))
def test_the_simulator_and_the_profile_agree(indicator: str, shown: Shown) -> None:
    (wire,) = FrameDecoder(load_profile(indicator)).feed(ENCODERS[indicator](shown))
    reading = to_reading(wire, 7)
    assert reading.received_ms == 7
    if indicator == "yaohua_tf0":
        assert (reading.gross_kg, reading.stable) == (shown.weight_kg, None)
        return
    if shown.overload:
        assert reading.gross_kg is None
        assert reading.fault in (WeightFault.OVERLOAD, WeightFault.UNDERLOAD)
    else:
        assert (reading.gross_kg, reading.stable, reading.fault) == (shown.weight_kg, not shown.moving, None)


@pytest.mark.parametrize("indicator", INDICATORS)
def test_a_frame_after_any_beginning_of_another_is_found(indicator: str) -> None:
    cut, whole = (ENCODERS[indicator](Shown(kg)) for kg in (8_888, 45_120))
    for length in range(len(cut)):
        found = FrameDecoder(load_profile(indicator)).feed(cut[:length] + whole)
        last = to_reading(found[-1], 0) if found else None
        assert last is not None and last.gross_kg == 45_120, cut[:length]
        assert all(to_reading(each, 0).gross_kg in (8_888, 45_120) for each in found)


@pytest.mark.parametrize("indicator", INDICATORS)
def test_memory_is_bounded_by_the_frame_not_by_the_noise(indicator: str) -> None:
    decoder = FrameDecoder(load_profile(indicator))
    chance = random.Random(5)
    for _ in range(200):
        decoder.feed(bytes(chance.choices(b"\x02ABC 0123456789", k=500)))
    assert len(decoder._raw) <= 64  # noqa: SLF001  the bound is the point, and it has no other face
    assert [to_reading(each, 0).gross_kg for each in decoder.feed(b"\r\n" + ENCODERS[indicator](Shown(20)))] == [20]


def _noisy(frame: bytes, chance: random.Random) -> bytes:
    noisy = bytearray(frame)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(noisy))
        match chance.randrange(4):
            case 0:
                noisy[at] ^= 1 << chance.randrange(8)
            case 1:
                del noisy[at]
            case 2:
                noisy.insert(at, chance.randrange(256))
            case _:
                other = chance.randrange(len(noisy))
                noisy[at], noisy[other] = noisy[other], noisy[at]
    return bytes(noisy)


def _differences(sent: bytes, got: bytes) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(sent, got, strict=True))


@pytest.mark.parametrize("indicator", ["yaohua_tf0", "toledo"])
def test_noise_gives_a_wrong_weight_only_where_the_checksum_is_blind(indicator: str) -> None:
    """Neither an XOR nor a sum sees digits that changed places, or two changes that make up for each other. Nothing
    else may pass: a frame accepted though it is not the one sent has a right checksum and differs in at least two bits.
    What is left is for the rule that several frames in a row must agree."""
    chance = random.Random(11)
    decoder = FrameDecoder(load_profile(indicator).with_checksum("verify"))
    wrong = 0
    for _ in range(10_000):
        sent = ENCODERS[indicator](Shown(chance.randint(0, 99_999)))
        for wire in decoder.feed(_noisy(sent, chance)):
            got = bytes(byte & 0x7F for byte in wire.raw)
            if got != sent:
                wrong += 1
                assert _checksum_is_right(indicator, got)
                assert _differences(sent, got) >= 2
    assert 0 < wrong < 500


def _checksum_is_right(indicator: str, frame: bytes) -> bool:
    if indicator == "toledo":
        return sum(frame) % 128 == 0
    return reduce(xor, frame[1:9]) == int(frame[9:11], 16)


def test_one_flipped_bit_never_changes_a_checksummed_weight() -> None:
    for indicator, use in (("yaohua_tf0", None), ("toledo", "verify")):
        profile = load_profile(indicator).with_checksum(use)  # type: ignore[arg-type]
        sent = ENCODERS[indicator](Shown(45_120))
        for bit in range(len(sent) * 8):
            flipped = bytearray(sent)
            flipped[bit // 8] ^= 1 << bit % 8
            found = FrameDecoder(profile).feed(bytes(flipped))
            assert {to_reading(wire, 0).gross_kg for wire in found} <= {45_120}, bit


def test_the_toledo_checksum_is_verified_where_the_site_says_so() -> None:
    good = ENCODERS["toledo"](Shown(1_560))
    bad = good[:-1] + bytes([good[-1] ^ 1])
    strict = load_profile("toledo").with_checksum("verify")
    assert len(FrameDecoder(strict).feed(good)) == 1
    assert FrameDecoder(strict).feed(bad) == []
    assert FrameDecoder(strict).feed(good)[0].raw == good
    assert len(FrameDecoder(strict).feed(bad + good * 2)) == 2
    assert len(FrameDecoder(load_profile("toledo").with_checksum("absent")).feed(bad[:-1] + good)) == 2


def test_a_protocol_with_one_checksum_leaves_no_choice() -> None:
    with pytest.raises(ValueError, match="no checksum option"):
        load_profile("yaohua_tf0").with_checksum("ignore")


def _wire(weight: str | None, unit: str | None = "kg", **said: object) -> WireWeight:
    values: dict[str, object] = {"stable": True, "mode": "gross", "overload": False, "underload": False, "raw": b"raw"}
    return WireWeight(weight=None if weight is None else Decimal(weight), unit=unit, **(values | said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wire", "gross_kg", "fault"),
    [
        (_wire("45120"), 45_120, None),
        (_wire("45120.0"), 45_120, None),
        (_wire("-20"), -20, None),
        (_wire("45.12", "t"), 45_120, None),
        (_wire("45120000", "g"), 45_120, None),
        (_wire("1560", None), 1_560, None),
        (_wire("45.1234", "t"), None, WeightFault.NOT_WHOLE_KG),
        (_wire("85.5"), None, WeightFault.NOT_WHOLE_KG),
        (_wire("45120", "lb"), None, WeightFault.BAD_UNIT),
        (_wire("45120", "unknown"), None, WeightFault.BAD_UNIT),
        (_wire("30000", mode="net"), None, WeightFault.NOT_GROSS),
        (_wire("14520", mode="tare"), None, WeightFault.NOT_GROSS),
        (_wire(None), None, WeightFault.NOT_GROSS),
        (_wire(None, overload=True), None, WeightFault.OVERLOAD),
        (_wire("999999", overload=True), None, WeightFault.OVERLOAD),
        (_wire(None, underload=True), None, WeightFault.UNDERLOAD),
    ],
)
def test_a_reading_is_whole_kilograms_or_a_fault(
    wire: WireWeight, gross_kg: int | None, fault: WeightFault | None
) -> None:
    assert to_reading(wire, 5) == WeightReading(gross_kg, True, 5, b"raw", fault)


def test_the_sites_unit_and_its_word_on_net_count() -> None:
    assert to_reading(_wire("45.12", None), 0, "t").gross_kg == 45_120
    assert to_reading(_wire("45120", mode="net"), 0, accept_net=True).gross_kg == 45_120
    assert to_reading(_wire("45120", mode="tare"), 0, accept_net=True).gross_kg is None
