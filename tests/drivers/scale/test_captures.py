"""Every frame of our own collection says what it should: field captures, manual examples, and what no frame is."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from drivers.scale.frames import FrameDecoder, WireWeight, decimal_text, indicator_names, load_profile, to_reading

CAPTURES = Path(__file__).resolve().parents[2] / "captures" / "scale"
_profile = cache(load_profile)


def _own() -> Iterator[Any]:
    for path in sorted(CAPTURES.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            frame = json.loads(line)
            yield pytest.param(path.stem, frame, id=f"{path.stem}: {frame['note']}")


def _said(weight: WireWeight, wanted: dict[str, Any]) -> dict[str, Any]:
    """The parts of a frame that a capture speaks of, as JSON has them."""
    said = weight._asdict()
    return {
        name: decimal_text(said[name]) if name in ("weight", "tare", "gross") else said[name]
        for name in {"overload", "underload"} | set(wanted)
    }


@pytest.mark.parametrize(("indicator", "capture"), list(_own()))
def test_a_capture_says_what_it_should(indicator: str, capture: dict[str, Any]) -> None:
    raw = bytes.fromhex(capture["hex"])
    decoder = FrameDecoder(_profile(indicator))
    found = decoder.feed(raw) + decoder.finish()
    assert len(found) == len(capture["frames"]), found
    for weight, wanted in zip(found, capture["frames"], strict=True):
        assert _said(weight, wanted) == {"overload": False, "underload": False} | wanted
        assert weight.raw in raw, "the evidence must be what was on the wire"
        if wanted["weight"] is None:
            assert to_reading(weight, 0).gross_kg is None


@pytest.mark.parametrize("indicator", indicator_names())
def test_every_profile_has_its_captures(indicator: str) -> None:
    assert (CAPTURES / f"{indicator}.jsonl").exists()
