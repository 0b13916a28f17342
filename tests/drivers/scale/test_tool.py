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
from drivers.scale.tool import chunks_of, decode, ports, tell, watch


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
