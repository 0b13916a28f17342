"""The simulators: what is set is what is sent, through every wire and without one."""

import os
import time
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from drivers.readings import Health, WeightReading
from drivers.registry import ScaleConfig, build_scale
from drivers.scale.encoders import ENCODERS
from drivers.scale.frames import indicator_names
from drivers.scale.serial_indicator import SerialIndicator
from drivers.scale.simulated import SimulatedIndicator, SimulatedLoad, SimulatedScale
from drivers.scale.simulated_links import PtyFarEnd
from drivers.worker import ReaderWorker
from tests.drivers.test_worker import Heard

CONFIG: TypeAdapter[ScaleConfig] = TypeAdapter(ScaleConfig)


def _shown_kg(load: SimulatedLoad) -> int:
    return load.shown().weight_kg


def test_a_ramp_goes_straight_to_its_end_and_moves_meanwhile() -> None:
    load = SimulatedLoad(1_000)
    load.ramp_to(3_000, 0.6)
    assert load.shown().moving
    time.sleep(0.2)
    assert 1_500 < _shown_kg(load) < 3_000
    time.sleep(0.41)
    assert _shown_kg(load) == 3_000
    assert not load.shown().moving
    load.set_moving(True)
    assert load.shown().moving
    load.set_weight_kg(-40)
    assert _shown_kg(load) == -40


def test_the_display_rounds_to_its_division() -> None:
    load = SimulatedLoad(division_kg=20)
    for true_kg, shown_kg in ((9, 0), (10, 20), (14_529, 14_520), (14_530, 14_540), (-9, 0), (-11, -20)):
        load.set_weight_kg(true_kg)
        assert _shown_kg(load) == shown_kg


def test_noise_stays_within_its_bound_and_is_there() -> None:
    load = SimulatedLoad(500)
    load.set_noise_kg(3)
    seen = {_shown_kg(load) for _ in range(300)}
    assert seen == set(range(497, 504))


@pytest.mark.parametrize("rate_hz", [0, -1, 201])
def test_an_impossible_rate_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="at most 200"):
        SimulatedIndicator("toledo", rate_hz=rate_hz)


def test_an_indicator_without_an_encoder_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match="valid: ad_std, bilanciai, "):
        SimulatedIndicator("abacus")


def test_every_encoder_has_a_profile() -> None:
    assert set(ENCODERS) <= set(indicator_names())


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


@pytest.mark.anyio
@pytest.mark.parametrize("wire", ["pty", "tcp"])
@pytest.mark.parametrize("indicator", sorted(ENCODERS))
async def test_the_whole_way_through_the_worker(indicator: str, wire: str, tmp_path: Path) -> None:
    link = tmp_path / "scale-1" if wire == "pty" else None
    heard = Heard()
    with SimulatedIndicator(indicator, link, rate_hz=50, weight_kg=14_520) as simulated:
        scale = build_scale("lane 1 scale", _serial(simulated))
        worker = ReaderWorker("lane 1 scale", scale, on_reading=heard, on_status=heard, on_crash=heard)
        worker.start()
        await heard.until(lambda: 14_520 in heard.kg)
        simulated.unplug()
        begin = time.monotonic()
        await heard.until(lambda: heard.health[-1] == Health.DOWN)
        assert time.monotonic() - begin < 1.0
        heard.news.clear()
        simulated.set_weight_kg(46_960)
        simulated.replug()
        await heard.until(lambda: bool(heard.kg))
        assert heard.kg[0] == 46_960
        assert heard.health == [Health.UP]
        assert await worker.stop()


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


def test_the_registry_builds_what_the_type_says() -> None:
    serial = CONFIG.validate_python({"type": "serial", "port": "/dev/scale-1", "indicator": "ad_std"})
    assert isinstance(build_scale("lane 1 scale", serial), SerialIndicator)
    with pytest.raises(ValidationError, match="'serial', .*'simulated'"):
        CONFIG.validate_python({"type": "seriell"})
    with pytest.raises(ValidationError, match="cannot be simulated; valid: ad_std"):
        CONFIG.validate_python({"type": "simulated", "indicator": "abacus"})
