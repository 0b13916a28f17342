"""The shared corpus of frames with their meaning, where it is there."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from drivers.readings import WeightFault
from drivers.scale.frames import FrameDecoder, decimal_text, indicator_names, load_profile, to_reading
from drivers.scale.tool import decode

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "frames" / "dev.jsonl"
_profile = cache(load_profile)


def _entries() -> Iterator[Any]:
    if not CORPUS.exists():
        yield pytest.param({}, marks=pytest.mark.skip("the shared corpus is not here"))
        return
    for number, line in enumerate(CORPUS.read_text(encoding="utf-8").splitlines(), 1):
        entry = json.loads(line)
        if not entry["protocol"].startswith("modbus_"):  # registers, not frames
            yield pytest.param(entry, id=f"{entry['protocol']} line {number}")


@pytest.mark.parametrize("entry", list(_entries()))
def test_the_corpus(entry: dict[str, Any]) -> None:
    expect, raw = entry["expect"], bytes.fromhex(entry["hex"])
    assert entry["protocol"] in indicator_names()
    found = list(decode(_profile(entry["protocol"]), [raw]))
    if expect.get("valid") is False:
        assert found == []
        return
    if "weights" in expect:
        assert [each["weight"] for each in found] == expect["weights"]
        return
    (only,) = found
    overload = expect.get("overload", False)
    assert only["weight"] == expect["weight"]
    assert (only["unit"], only["stable"], only["mode"]) == (expect["unit"], expect["stable"], expect["mode"])
    assert only["overload"] == overload
    assert only["underload"] == expect.get("underload", False)
    assert bytes.fromhex(only["raw"]) in raw
    if overload:  # digits beside an overload bit are shown to whoever looks for a fault, and are never a weight
        decoder = FrameDecoder(_profile(entry["protocol"]))
        for weight in decoder.feed(raw) + decoder.finish():
            reading = to_reading(weight, 0)
            assert (weight.weight, reading.gross_kg, reading.fault) == (None, None, WeightFault.OVERLOAD)


@pytest.mark.parametrize("entry", list(_entries()))
def test_what_the_corpus_knows_beside_the_weight(entry: dict[str, Any]) -> None:
    expect = entry["expect"]
    decoder = FrameDecoder(_profile(entry["protocol"]))
    for weight in decoder.feed(bytes.fromhex(entry["hex"])) + decoder.finish():
        if "tare" in expect:
            assert decimal_text(weight.tare) == expect["tare"]
        if "gross" in expect:
            assert decimal_text(weight.weight if weight.mode == "gross" else weight.gross) == expect["gross"]
        if "ident" in expect:
            assert weight.alibi == int(expect["ident"])
