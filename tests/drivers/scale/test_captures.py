"""Every frame we know of says what it should: our own captures, and the shared corpus where it is there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.scale.frames import FrameDecoder, decimal_text, indicator_names, load_profile
from drivers.scale.tool import decode

CAPTURES = Path(__file__).resolve().parents[2] / "captures" / "scale"
CORPUS = Path(__file__).resolve().parents[4] / "shared" / "frames" / "dev.jsonl"


def _own() -> Iterator[Any]:
    for path in sorted(CAPTURES.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            frame = json.loads(line)
            yield pytest.param(path.stem, frame, id=f"{path.stem}: {frame['note']}")


def _corpus() -> Iterator[Any]:
    if not CORPUS.exists():
        yield pytest.param("", {}, marks=pytest.mark.skip("the shared corpus is not here"))
        return
    for number, line in enumerate(CORPUS.read_text(encoding="utf-8").splitlines(), 1):
        entry = json.loads(line)
        if entry["protocol"] in indicator_names():
            yield pytest.param(entry["protocol"], entry, id=f"{entry['protocol']} line {number}")


@pytest.mark.parametrize(("indicator", "capture"), list(_own()))
def test_a_capture_says_what_it_should(indicator: str, capture: dict[str, Any]) -> None:
    profile = load_profile(indicator)
    raw = bytes.fromhex(capture["hex"])
    found = list(decode(profile, [raw]))
    common = ("weight", "unit", "stable", "mode", "overload", "underload")
    flags = {"overload": False, "underload": False}
    assert [{key: each[key] for key in common} for each in found] == [  # type: ignore[literal-required]
        {key: (flags | wanted)[key] for key in common} for wanted in capture["frames"]
    ]
    assert all(bytes.fromhex(each["raw"]) in raw for each in found), "the evidence must be what was on the wire"
    tares = [decimal_text(weight.tare) for weight in FrameDecoder(profile).feed(raw)]
    for wanted, tare in zip(capture["frames"], tares, strict=True):
        assert tare == wanted.get("tare", tare)


@pytest.mark.parametrize(("indicator", "entry"), list(_corpus()))
def test_the_corpus(indicator: str, entry: dict[str, Any]) -> None:
    expect = entry["expect"]
    found = list(decode(load_profile(indicator), [bytes.fromhex(entry["hex"])]))
    if expect.get("valid") is False:
        assert found == []
        return
    if "weights" in expect:
        assert [each["weight"] for each in found] == expect["weights"]
        return
    (only,) = found
    overload = expect.get("overload", False)
    # Digits sent in overload are not a weight, whatever they are: the corpus notes that, and we report none.
    assert only["weight"] == (None if overload else expect["weight"])
    assert (only["unit"], only["stable"], only["mode"]) == (expect["unit"], expect["stable"], expect["mode"])
    assert only["overload"] == overload
    assert only["underload"] == expect.get("underload", False)


@pytest.mark.parametrize("indicator", indicator_names())
def test_every_profile_has_its_captures(indicator: str) -> None:
    assert (CAPTURES / f"{indicator}.jsonl").exists()
