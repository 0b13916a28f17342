"""What a plant sees when another indicator's profile is set: nothing, a fault, or a weight too wrong to be believed."""

from functools import cache

import pytest

from drivers.scale.encoders import encoder
from drivers.scale.frames import FrameDecoder, indicator_names, load_profile, to_reading
from drivers.scale.simulated_load import SimulatedLoad

WEIGHTS_KG = (20, 14_720, 49_780)
MAXIMUM_KG = 120_000
ORDER_IS_SET = {("eq_kg", "eq_reversed"), ("eq_plain", "eq_reversed"), ("eq_reversed", "eq_plain")}
"""Who sends a '=' frame, and who reads it from the other end: no frame tells the order (docs/drivers.md)."""


@cache
def _line(name: str, kg: int) -> bytes:
    encode = encoder(name)
    return b"".join(encode(SimulatedLoad(kg).shown()) for _ in range(4))


def _weights(line: bytes, name: str) -> set[int]:
    profile = load_profile(name)
    readings = [to_reading(wire, 0, profile.unit) for wire in FrameDecoder(profile).feed(line)]
    return {each.gross_kg for each in readings if each.gross_kg is not None and each.stable is not False}


@pytest.mark.parametrize("kg", WEIGHTS_KG)
def test_no_profile_reads_another_weight_from_another_indicators_line(kg: int) -> None:
    for sender in indicator_names():
        line = _line(sender, kg)
        assert _weights(line, sender) == {kg}
        for reader in indicator_names():
            if wrong := _weights(line, reader) - {kg}:
                assert (sender, reader) in ORDER_IS_SET
                assert min(wrong) > MAXIMUM_KG, "in kg it is more than any scale's maximum"


def test_a_frame_in_tonnes_read_from_the_wrong_end_looks_right() -> None:
    """Why a '=' profile is proven with a known weight: nothing in the plant would see this one."""
    line = b"=0014.72" * 3
    assert to_reading(FrameDecoder(load_profile("eq_plain")).feed(line)[0], 0, "t").gross_kg == 14_720
    assert to_reading(FrameDecoder(load_profile("eq_reversed")).feed(line)[0], 0, "t").gross_kg == 27_410
