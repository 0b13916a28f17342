"""The functions behind `weighgate scale …`."""

import io
import json
from pathlib import Path

import pytest

from drivers.ports import CommandRefused, DeviceUnavailable, ScaleCommand
from drivers.scale.encoders import Shown, toledo
from drivers.scale.frames import load_profile
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.tool import captured, chunks_of, decode, ports, record, replay, tell, watch


def _config(simulated: SimulatedIndicator) -> SerialIndicatorConfig:
    return SerialIndicatorConfig(
        type="serial", port=simulated.port, indicator=simulated.indicator, bytesize=8, parity="N"
    )


def test_decode_gives_the_documented_object() -> None:
    stream = io.BytesIO(b"junk" + bytes.fromhex("022B30303135363030313903"))
    (line,) = decode(load_profile("yaohua_tf0"), chunks_of(stream))
    assert json.dumps(line) == (
        '{"weight": "1560", "unit": null, "stable": null, "mode": null, '
        '"overload": false, "underload": false, "raw": "022B30303135363030313903"}'
    )


def test_decode_keeps_the_digits_of_the_wire() -> None:
    lines = decode(load_profile("ad_std"), [b"ST,GS,+00123.0kg\r\nST,GS,", b"+0000.000kg\r\n"])
    assert [line["weight"] for line in lines] == ["123.0", "0.000"]


def test_an_indicator_is_told(tmp_path: Path) -> None:
    with SimulatedIndicator("toledo", tmp_path / "port", rate_hz=50, weight_kg=60) as simulated:
        told = tell(SerialIndicator("port", _config(simulated)), ScaleCommand.ZERO)
        assert told == {"command": "zero", "before_kg": 60, "after_kg": 0}
        simulated.set_weight_kg(9_000)
        with pytest.raises(CommandRefused):
            tell(SerialIndicator("port", _config(simulated)), ScaleCommand.ZERO)


def test_a_large_file_is_decoded_in_pieces() -> None:
    stream = io.BytesIO(toledo(Shown(45_120)) * 10_000)
    assert sum(1 for _ in decode(load_profile("toledo"), chunks_of(stream))) == 10_000


def test_list_names_ports() -> None:
    for entry in ports():
        assert entry["port"].startswith("/dev/")


def test_watch_tells_weight_and_rate_and_then_the_loss(tmp_path: Path) -> None:
    with SimulatedIndicator("toledo", tmp_path / "scale-1", rate_hz=50, weight_kg=1_560) as simulated:
        lines = watch(SerialIndicator("watched", _config(simulated)), seconds=5)
        seen = [next(lines) for _ in range(20)]
        assert {line["kg"] for line in seen} == {1_560}
        assert seen[-1]["per_second"] > 10
        simulated.set_silent(True)
        quiet = next(line for line in lines if not line["raw"])
        assert quiet["kg"] is None and quiet["per_second"] < 50
        simulated.unplug()
        with pytest.raises(DeviceUnavailable):
            list(lines)


def test_a_recording_plays_again_at_its_own_pace(tmp_path: Path) -> None:
    file = tmp_path / "visit.jsonl"
    with SimulatedIndicator("ad_std", tmp_path / "scale-1", rate_hz=50) as simulated:
        simulated.ramp_to(20_000, 0.3)
        size = record(_config(simulated), file, seconds=0.5)
        with pytest.raises(FileExistsError):
            record(_config(simulated), file, seconds=0.1)
    assert size == sum(len(line["hex"]) // 2 for line in captured(file))
    waits: list[float] = []
    played = list(replay(load_profile("ad_std"), file, speed=2, sleep=waits.append))
    assert played[-1]["weight"] == "20000"
    assert sum(waits) * 2 == pytest.approx([line["at_ms"] for line in captured(file)][-1] / 1000)
    assert list(replay(load_profile("ad_std"), file, speed=0)) == played


def test_recording_without_a_port_and_a_broken_capture_are_said_in_words(tmp_path: Path) -> None:
    config = SerialIndicatorConfig(type="serial", port=str(tmp_path / "none"), indicator="toledo")
    with pytest.raises(DeviceUnavailable, match="none: No such file or directory"):
        record(config, tmp_path / "x.jsonl", seconds=0.1)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"at_ms": 1, "hex": "02"}\n{"at_ms": 2, "hex": "0"}\n', encoding="ascii")
    with pytest.raises(ValueError, match=r"broken\.jsonl:2: not a line of a capture"):
        list(captured(broken))
