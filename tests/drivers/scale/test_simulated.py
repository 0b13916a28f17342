"""The simulators: what is set is what is sent, through every wire and without one."""

import os
import time
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from drivers.ports import CommandNo, CommandRefused, ScaleCommand
from drivers.readings import WeightReading
from drivers.registry import ScaleConfig, build_scale
from drivers.scale.encoders import ENCODERS
from drivers.scale.serial_indicator import SerialIndicator
from drivers.scale.simulated import SimulatedIndicator, SimulatedScale
from drivers.scale.simulated_links import PtyFarEnd

CONFIG: TypeAdapter[ScaleConfig] = TypeAdapter(ScaleConfig)


@pytest.mark.parametrize("rate_hz", [0, -1, 201])
def test_an_impossible_rate_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="at most 200"):
        SimulatedIndicator("toledo", rate_hz=rate_hz)


def test_an_indicator_without_an_encoder_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match="valid: ad_std, bilanciai, "):
        SimulatedIndicator("abacus")


def test_200_frames_a_second_are_kept_up_with(tmp_path: Path) -> None:
    with SimulatedIndicator("toledo", tmp_path / "scale-1", rate_hz=200, weight_kg=20) as simulated:
        scale = build_scale("fast", _serial(simulated))
        scale.open()
        readings: list[WeightReading] = []
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            readings += scale.read()
        scale.close()
    assert len(readings) > 100
    assert {reading.gross_kg for reading in readings} == {20}


def test_a_pty_keeps_its_name_and_nothing_else(tmp_path: Path) -> None:
    link = tmp_path / "scale-1"
    far = PtyFarEnd(link)
    far.plug()
    far.write(b"old")
    near = os.open(link, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        os.read(near, 10)
    far.write(b"new")
    assert os.read(near, 10) == b"new"
    far.unplug()
    assert not link.is_symlink(), "the number of the pty may soon be somebody else's"
    os.close(near)
    far.plug()
    assert link.is_symlink()
    far.unplug()


def _serial(simulated: SimulatedIndicator) -> ScaleConfig:
    line = {"bytesize": 8, "parity": "N", "baud": 9600}
    return CONFIG.validate_python({"type": "serial", "port": simulated.port, "indicator": simulated.indicator} | line)


def test_the_scale_without_a_line() -> None:
    config = CONFIG.validate_python({"type": "simulated", "weight_kg": 1_560, "rate_hz": 100})
    scale = build_scale("demo", config)
    assert isinstance(scale, SimulatedScale)
    scale.open()
    assert [reading.gross_kg for reading in scale.read()] == [1_560]
    scale.set_weight_kg(20)
    assert [reading.gross_kg for reading in scale.read()] == [20]
    assert not scale.garbled
    assert scale.last_byte_ms is not None
    scale.close()


@pytest.mark.parametrize("indicator", sorted(ENCODERS))
def test_the_scale_without_a_line_works_for_every_name(indicator: str) -> None:
    config = CONFIG.validate_python({"type": "simulated", "indicator": indicator, "weight_kg": 1_560, "rate_hz": 200})
    scale = build_scale("demo", config)
    scale.open()
    readings = [reading for _ in range(4) for reading in scale.read()]
    assert {reading.gross_kg for reading in readings} == {1_560}


def test_the_scale_without_a_line_takes_commands_and_refuses_them() -> None:
    config = CONFIG.validate_python({"type": "simulated", "weight_kg": 1_560, "rate_hz": 200})
    scale = build_scale("demo", config)
    assert isinstance(scale, SimulatedScale)
    scale.command(ScaleCommand.ZERO)
    assert [reading.gross_kg for reading in scale.read()] == [0]
    scale.set_moving(True)
    with pytest.raises(CommandRefused) as refused:
        scale.command(ScaleCommand.TARE)
    assert refused.value.why is CommandNo.MOVING


def test_the_registry_builds_what_the_type_says() -> None:
    serial = CONFIG.validate_python({"type": "serial", "port": "/dev/scale-1", "indicator": "ad_std"})
    assert isinstance(build_scale("lane 1 scale", serial), SerialIndicator)
    with pytest.raises(ValidationError, match="'serial', .*'simulated'"):
        CONFIG.validate_python({"type": "seriell"})
    with pytest.raises(ValidationError, match="cannot be simulated; valid: ad_std"):
        CONFIG.validate_python({"type": "simulated", "indicator": "abacus"})
