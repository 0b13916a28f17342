"""What the checksums catch, what they are blind to, and how a line shows whether it sends them."""

import random
from functools import cache, reduce
from operator import xor

import pytest

from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.encoders.yaohua import yaohua_command as command_frame
from drivers.scale.frames import FrameDecoder, IndicatorProfile, load_profile, to_reading

CHECKSUMMED = ["yaohua_tf0", "yaohua_command", "yaohua_w", "toledo", "systec"]
_profile = cache(load_profile)


def _strict(indicator: str) -> IndicatorProfile:
    profile = _profile(indicator)
    return profile.with_checksum("verify") if profile.check and profile.check.choosable else profile


def _gross(profile: IndicatorProfile, stream: bytes) -> list[int | None]:
    return [to_reading(wire, 0).gross_kg for wire in FrameDecoder(profile).feed(stream)]


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
    decoder = FrameDecoder(_profile(indicator).with_checksum("verify"))
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


def test_a_yaohua_line_of_eight_characters_may_leave_the_units_last_out() -> None:
    """The weight is covered either way."""
    line = b"wg045120.0kg"
    for covered in (11, 12):
        check = b"%02X" % reduce(xor, line[:covered])
        assert _gross(_profile("yaohua_w"), line + check + b"\r\n") == [45_120], covered
        for at in range(2, 10):
            wrong = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
            assert _gross(_profile("yaohua_w"), wrong + check + b"\r\n") == []
    assert _gross(_profile("yaohua_w"), line + b"%02X" % reduce(xor, line[:10]) + b"\r\n") == [], "the control"


@pytest.mark.parametrize("indicator", CHECKSUMMED)
def test_one_flipped_bit_never_changes_a_checksummed_weight(indicator: str) -> None:
    sent = ENCODERS[indicator](Shown(45_120))
    for bit in range(len(sent) * 8):
        flipped = bytearray(sent)
        flipped[bit // 8] ^= 1 << bit % 8
        assert set(_gross(_strict(indicator), bytes(flipped))) <= {45_120, None}, bit


@pytest.mark.parametrize("indicator", CHECKSUMMED)
def test_a_frame_after_a_damaged_one_says_so(indicator: str) -> None:
    good = ENCODERS[indicator](Shown(45_120))
    broken = [good.replace(b"5", b"4", 1), good.replace(b"5", b"", 1)]
    taught = b"".join(ENCODERS[indicator](Shown(kg)) for kg in (100, 1_000, 8_000))
    for each in broken:
        stream = taught + good * 2 + each + good * 2
        found = FrameDecoder(_profile(indicator)).feed(stream)
        assert [wire.after_damage for wire in found[3:]] == [False, False, True, False], each
        decoder = FrameDecoder(_profile(indicator))
        assert [wire for byte in stream for wire in decoder.feed(bytes([byte]))] == found


@pytest.mark.parametrize("indicator", sorted(ENCODERS))
def test_a_clean_line_is_never_called_damaged(indicator: str) -> None:
    stream = b"".join(ENCODERS[indicator](Shown(kg)) for kg in range(0, 99_999, 997))
    found = FrameDecoder(_profile(indicator)).feed(stream + b"\r\n" + stream)
    assert found and not any(wire.after_damage for wire in found)


def test_both_scopes_of_the_command_mode_checksum_are_taken() -> None:
    profile = _profile("yaohua_command")
    for clone in (False, True):
        good = command_frame(Shown(45_120), 3, clone=clone)
        assert _gross(profile, good) == [45_120]
        assert _gross(profile, good.replace(b"5", b"6", 1)) == []


def test_the_toledo_checksum_is_verified_where_the_site_says_so() -> None:
    good = ENCODERS["toledo"](Shown(1_560))
    bad = good[:-1] + bytes([good[-1] ^ 1])
    strict = _profile("toledo").with_checksum("verify")
    assert len(FrameDecoder(strict).feed(good)) == 1
    assert FrameDecoder(strict).feed(bad) == []
    assert FrameDecoder(strict).feed(good)[0].raw == good
    assert len(FrameDecoder(strict).feed(bad + good * 2)) == 2
    assert len(FrameDecoder(_profile("toledo").with_checksum("absent")).feed(bad[:-1] + good)) == 2


def _toledo(*weights_kg: int) -> list[bytes]:
    return [ENCODERS["toledo"](Shown(kg)) for kg in weights_kg]


def _wrong(frame: bytes) -> bytes:
    """One digit flipped under an unchanged checksum."""
    return frame[:9] + bytes([frame[9] ^ 1]) + frame[10:]


def test_a_line_that_has_shown_right_checksums_is_held_to_them() -> None:
    profile = _profile("toledo")
    moving, bad = b"".join(_toledo(100, 1_000, 8_000)), _wrong(_toledo(45_120)[0])
    assert _gross(profile, bad) == [45_121], "the control: nothing shown yet, nothing demanded"
    assert _gross(profile, moving + bad + _toledo(45_120)[0]) == [100, 1_000, 8_000, 45_120]


def test_what_a_line_has_shown_does_not_hang_on_the_cuts() -> None:
    profile = _profile("toledo")
    stream = b"".join([*_toledo(100, 1_000, 8_000), _wrong(_toledo(45_120)[0]), *_toledo(45_120, 45_140)])
    whole = FrameDecoder(profile).feed(stream)
    decoder = FrameDecoder(profile)
    assert [wire for byte in stream for wire in decoder.feed(bytes([byte]))] == whole
    assert len(whole) == 5


@pytest.mark.parametrize("ending", [b"", b"\n", b"\x23"])
def test_a_clone_is_never_taken_for_one_with_checksums(ending: bytes) -> None:
    """Its last byte may be the right checksum of some weights by chance: a deck that stands at one of them for minutes
    must not make the line strict."""
    profile = _profile("toledo")
    lucky = [kg for kg in range(0, 60_000, 20) if ENCODERS["toledo"](Shown(kg))[-1:] == (ending or b"\x02")]
    assert lucky
    weights_kg = [*lucky[:1] * 50, 45_120, 45_140]
    assert _gross(profile, b"".join(frame[:-1] + ending for frame in _toledo(*weights_kg))) == weights_kg


def test_one_wrong_checksum_begins_the_proof_anew() -> None:
    profile = _profile("toledo")
    first, second, bad, third = _toledo(100, 1_000, 8_000, 45_120)
    assert len(_gross(profile, first + second + _wrong(bad) + third + _wrong(bad))) == 5


def test_a_protocol_with_one_checksum_leaves_no_choice() -> None:
    with pytest.raises(ValueError, match="no checksum option"):
        _profile("yaohua_tf0").with_checksum("ignore")
