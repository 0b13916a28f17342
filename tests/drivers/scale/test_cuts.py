"""Any cut of a stream gives the same readings as the whole, for every profile: junk before, between, inside and after,
several frames in one read, and lines that have shown their checksums."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.readings import WeightReading
from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.frames import FrameDecoder, indicator_names, load_profile, to_reading
from drivers.scale.layout import WireWeight

INDICATORS = indicator_names()
_profile = cache(load_profile)

LINE_NOISE = [b"", b"\x02", b"\x03", b"\r\n", b"weigh02THS0797", b"=", b"<", b"$"]
JUNK = st.one_of(st.sampled_from(LINE_NOISE), st.binary(max_size=12))
PART = st.tuples(JUNK, st.integers(-9_999, 99_999), st.booleans(), st.integers(0, 70), JUNK)
"""Junk, a weight, is it moving, where in its frame there is junk, and which."""
Parts = list[tuple[bytes, int, bool, int, bytes]]


def stream_of(indicator: str, parts: Parts, after: bytes) -> bytes:
    """What comes over the line."""
    stream = b""
    for before, kg, moving, at, inside in parts:
        frame = ENCODERS[indicator](Shown(kg, moving=moving))
        stream += before + frame[:at] + inside + frame[at:]
    return stream + after


def readings(wires: list[WireWeight]) -> list[WeightReading]:
    return [to_reading(wire, 0) for wire in wires]


class OneReadOneFrame:
    """The control: a reader that begins anew with each read."""

    def __init__(self, indicator: str) -> None:
        self._indicator = indicator

    def feed(self, data: bytes) -> list[WireWeight]:
        return FrameDecoder(_profile(self._indicator)).feed(data)


def cut(decoder: FrameDecoder | OneReadOneFrame, stream: bytes, cuts: list[int]) -> list[WeightReading]:
    edges = sorted({0, len(stream), *(at % (len(stream) + 1) for at in cuts)})
    return readings([wire for begin, end in pairwise(edges) for wire in decoder.feed(stream[begin:end])])


CUTS = st.lists(st.integers(0, 2_000), max_size=12)


def check(indicator: str, parts: Parts, after: bytes, cuts: list[int], learned: bool) -> None:
    """Cut anywhere, and byte by byte."""
    taught = b"".join(ENCODERS[indicator](Shown(kg)) for kg in (100, 1_000, 8_000)) if learned else b""
    stream = taught + stream_of(indicator, parts, after)
    whole = readings(FrameDecoder(_profile(indicator)).feed(stream))
    assert cut(FrameDecoder(_profile(indicator)), stream, cuts) == whole
    assert cut(FrameDecoder(_profile(indicator)), stream, list(range(len(stream)))) == whole


@pytest.mark.parametrize("indicator", INDICATORS)
@settings(max_examples=12)
@given(parts=st.lists(PART, max_size=6), after=JUNK, cuts=CUTS, learned=st.booleans())
def test_any_cut_gives_the_same_readings(
    indicator: str, parts: Parts, after: bytes, cuts: list[int], learned: bool
) -> None:
    check(indicator, parts, after, cuts, learned)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("indicator", INDICATORS)
@given(parts=st.lists(PART, max_size=6), after=JUNK, cuts=CUTS, learned=st.booleans())
def test_any_cut_of_many_streams(indicator: str, parts: Parts, after: bytes, cuts: list[int], learned: bool) -> None:
    check(indicator, parts, after, cuts, learned)


@pytest.mark.parametrize("indicator", INDICATORS)
def test_control_a_reader_that_begins_anew_loses_frames(indicator: str) -> None:
    stream = b"".join(ENCODERS[indicator](Shown(kg)) for kg in (45_120, 45_140, 45_160))
    whole = readings(FrameDecoder(_profile(indicator)).feed(stream))
    assert len(whole) >= 2
    assert cut(OneReadOneFrame(indicator), stream, list(range(0, len(stream), 5))) != whole
