"""A recording is the line again: every byte, its time, both directions."""

import json
import time
from pathlib import Path

import pytest

from drivers.ports import DeviceUnavailable
from drivers.scale.capture import Capture, Event, Player, at_its_pace, frames, load_capture, record
from drivers.scale.frames import load_profile
from drivers.scale.profile import SerialDefaults
from drivers.scale.serial_indicator import SerialIndicatorConfig
from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.simulated_links import FarEnd, PtyFarEnd, TcpFarEnd
from tests.drivers.scale.lines import opened, readings

LINE = SerialDefaults(baud=9600)
YAOHUA = bytes.fromhex("022B30303135363030313903")


def _config(simulated: SimulatedIndicator) -> SerialIndicatorConfig:
    return SerialIndicatorConfig(type="serial", port=simulated.port, indicator=simulated.indicator)


def _weights(capture: Capture, indicator: str) -> list[str]:
    return [str(weight.weight) for _, weight in frames(capture, load_profile(indicator))]


def test_what_is_recorded_can_be_recorded_again_from_its_replay(tmp_path: Path) -> None:
    with SimulatedIndicator("ad_std", tmp_path / "scale-1", rate_hz=50) as simulated:
        simulated.ramp_to(20_000, 0.3)
        size = record(simulated.port, tmp_path / "first", line=LINE, software="w 1", seconds=0.5)
    first = load_capture(tmp_path / "first")
    assert first.header is not None
    assert (first.header.indicator, first.header.line, first.header.software) == (None, "9600,8N1", "w 1")
    assert first.header.began_at.tzinfo is not None
    assert size == sum(len(event.data) for event in first.events)
    assert _weights(first, "ad_std")[-1] == "20000"
    with Player(first, PtyFarEnd(tmp_path / "again")) as player:
        record(player.port, tmp_path / "second", line=LINE, software="w 1", seconds=0.8)
        assert player.done
    second = load_capture(tmp_path / "second")
    assert b"".join(event.data for event in second.reads()) == b"".join(event.data for event in first.reads())
    lasted = [each.events[-1].at_ms - each.events[0].at_ms for each in (first, second)]
    assert lasted[0] == pytest.approx(lasted[1], abs=150), "the same pace"


def test_an_asked_indicator_is_recorded_with_the_questions_and_answers_them_again(tmp_path: Path) -> None:
    with SimulatedIndicator("mt_sics", tmp_path / "scale-1", weight_kg=14_520) as simulated:
        record(simulated.port, tmp_path / "asked", line=LINE, software="", config=_config(simulated), seconds=0.5)
    asked = load_capture(tmp_path / "asked")
    assert asked.header is not None and asked.header.indicator == "mt_sics"
    assert {event.data for event in asked.events if event.sent} == {b"SI\r\n"}
    count = len(_weights(asked, "mt_sics"))
    assert count >= 2
    with Player(asked, PtyFarEnd(tmp_path / "again"), again=True) as player, opened(player.port, "mt_sics") as scale:
        assert {reading.gross_kg for reading in readings(scale, 0.5)} == {14_520}


@pytest.mark.parametrize("kind", [pytest.param("pty", marks=pytest.mark.faults), "tcp"])
def test_it_begins_when_somebody_reads_and_keeps_its_pace(kind: str, tmp_path: Path) -> None:
    far: FarEnd = PtyFarEnd(tmp_path / "port") if kind == "pty" else TcpFarEnd()
    capture = Capture(None, [Event(100 * count, YAOHUA, sent=False) for count in range(1, 9)])
    with Player(capture, far) as player:
        time.sleep(0.15)
        began = time.monotonic()
        with opened(player.port, "yaohua_tf0") as scale:
            found = readings(scale, 0.95)
        assert {reading.gross_kg for reading in found} == {1_560}
        # The driver takes only the newest of what a network may have kept back, so the first are not counted.
        times = [reading.received_ms / 1000 - began for reading in found[-3:]]
        assert times == pytest.approx([0.6, 0.7, 0.8], abs=0.15)


def test_older_captures_without_a_header_are_still_read(tmp_path: Path) -> None:
    older = tmp_path / "older.jsonl"
    older.write_text(json.dumps({"at_ms": 1, "hex": YAOHUA.hex()}) + "\n", encoding="ascii")
    capture = load_capture(older)
    assert capture.header is None
    assert _weights(capture, "yaohua_tf0") == ["1560"]


def test_the_frames_come_at_the_pace_that_is_wanted() -> None:
    capture = Capture(None, [Event(at_ms, YAOHUA, sent=False) for at_ms in (0, 300, 400)])
    waits: list[float] = []
    found = list(at_its_pace(frames(capture, load_profile("yaohua_tf0")), 2.0, waits.append))
    assert [at_ms for at_ms, _ in found] == [0, 300, 400]
    assert waits == [0.15, 0.05]
    assert list(at_its_pace(iter(found), 0, waits.append)) == found and len(waits) == 2


def test_mistakes_are_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="none: No such file or directory"):
        record(str(tmp_path / "none"), tmp_path / "x.jsonl", line=LINE, software="", seconds=0.1)
    (tmp_path / "x.jsonl").touch()
    with pytest.raises(FileExistsError):
        record(str(tmp_path / "none"), tmp_path / "x.jsonl", line=LINE, software="", seconds=0.1)
    broken = tmp_path / "broken.jsonl"
    for second in ('{"at_ms": 2, "hex": "0"}', '{"at_ms": 2}', "[]", "nonsense", '"text"', "7"):
        broken.write_text('{"at_ms": 1, "hex": "02"}\n' + second + "\n", encoding="ascii")
        with pytest.raises(ValueError, match=r"broken\.jsonl:2: not a line of a capture"):
            load_capture(broken)
    broken.write_text('{"capture": 2}\n', encoding="ascii")
    with pytest.raises(ValueError, match=r"broken\.jsonl:1"):
        load_capture(broken)


def test_a_port_that_cannot_be_opened_leaves_no_file_in_the_way(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(DeviceUnavailable, match="this user may open it"):
            record(str(tmp_path / "none"), tmp_path / "visit.jsonl", line=SerialDefaults(baud=9600), software="x")
    assert not (tmp_path / "visit.jsonl").exists()
