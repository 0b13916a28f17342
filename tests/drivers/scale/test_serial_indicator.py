"""The serial driver against a simulated indicator at the wire: pulled, plugged, silent, at the wrong speed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from drivers.ports import DeviceUnavailable
from drivers.readings import WeightFault, WeightReading
from drivers.scale import links, serial_indicator
from drivers.scale.links import SerialLink
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.scale.simulated import SimulatedIndicator
from drivers.worker import monotonic_ms

WIRES = ("pty", "tcp")


def config(port: str, indicator: str = "toledo", **more: object) -> SerialIndicatorConfig:
    line: dict[str, object] = {"type": "serial", "port": port, "indicator": indicator, "bytesize": 8, "parity": "N"}
    return SerialIndicatorConfig.model_validate(line | more)


@pytest.fixture(params=WIRES)
def indicator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimulatedIndicator]:
    link = tmp_path / "scale-1" if request.param == "pty" else None
    with SimulatedIndicator("toledo", link, rate_hz=100) as simulated:
        yield simulated


def opened(simulated: SimulatedIndicator, **more: object) -> SerialIndicator:
    scale = SerialIndicator("lane 1 scale", config(simulated.port, simulated.indicator, **more))
    scale.open()
    return scale


def until(scale: SerialIndicator, condition: Callable[[WeightReading], bool], within_s: float = 2.0) -> WeightReading:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        for reading in scale.read():
            if condition(reading):
                return reading
    raise AssertionError("it did not come in time")


def test_the_weight_on_the_deck_is_read(indicator: SimulatedIndicator) -> None:
    scale = opened(indicator)
    for kg in (14_520, -20, 0):
        indicator.set_weight_kg(kg)
        reading = until(scale, lambda reading, kg=kg: reading.gross_kg == kg)  # type: ignore[misc]
        assert reading.stable is True
        assert monotonic_ms() - reading.received_ms < 1_000
        assert reading.raw.startswith(b"\x02")
    indicator.set_overload(True)
    assert until(scale, lambda reading: reading.fault is not None).fault == WeightFault.OVERLOAD
    assert not scale.garbled
    scale.close()


def test_pulled_and_plugged_in_again(indicator: SimulatedIndicator) -> None:
    indicator.set_weight_kg(1_000)
    scale = opened(indicator)
    until(scale, lambda reading: reading.gross_kg == 1_000)
    indicator.unplug()
    begin = time.monotonic()
    with pytest.raises(
        DeviceUnavailable, match="is lost: (it was unplugged|Input/output|the other side|Connection)"
    ) as lost:
        for _ in range(100):
            scale.read()
    assert time.monotonic() - begin < 1.0
    assert lost.value.try_this
    scale.close()
    with pytest.raises(DeviceUnavailable, match="cannot open"):
        scale.open()
    indicator.set_weight_kg(2_000)
    indicator.replug()
    scale.open()
    assert until(scale, lambda _: True).gross_kg == 2_000, "nothing of before the plug was pulled"
    scale.close()


def test_no_old_weight_waits_for_a_reader(indicator: SimulatedIndicator) -> None:
    indicator.set_weight_kg(1_000)
    time.sleep(0.1)
    indicator.set_weight_kg(2_000)
    time.sleep(0.05)
    scale = opened(indicator)
    assert until(scale, lambda _: True).gross_kg == 2_000
    scale.close()
    indicator.set_weight_kg(3_000)
    time.sleep(0.1)
    scale.open()
    assert until(scale, lambda _: True).gross_kg == 3_000
    scale.close()


def test_frames_that_waited_while_the_program_stood_still_are_no_weight(indicator: SimulatedIndicator) -> None:
    indicator.set_weight_kg(1_000)
    scale = opened(indicator)
    until(scale, lambda reading: reading.gross_kg == 1_000)
    time.sleep(1.1)
    indicator.set_weight_kg(2_000)
    time.sleep(0.05)
    assert until(scale, lambda _: True).gross_kg == 2_000
    scale.close()


def read_until_garbled_is(scale: SerialIndicator, garbled: bool, within_s: float) -> float:
    """The seconds it took."""
    begin = time.monotonic()
    while scale.garbled is not garbled:
        scale.read()
        assert time.monotonic() - begin < within_s
    return time.monotonic() - begin


def test_wrong_baud_is_garbled_and_silence_is_not(tmp_path: Path) -> None:
    with SimulatedIndicator("toledo", tmp_path / "scale-1", rate_hz=50) as simulated:
        scale = opened(simulated)
        until(scale, lambda _: True)
        simulated.set_wrong_baud(True)
        assert read_until_garbled_is(scale, True, within_s=4) >= 1.9
        simulated.set_silent(True)
        read_until_garbled_is(scale, False, within_s=4)
        assert scale.last_byte_ms is not None
        simulated.set_silent(False)
        simulated.set_wrong_baud(False)
        assert until(scale, lambda _: True).gross_kg == 0
        scale.close()


def test_a_silent_connection_is_given_up(tmp_path: Path) -> None:
    with SimulatedIndicator("ad_std", rate_hz=50) as simulated:
        scale = opened(simulated, idle_timeout_ms=1_000)
        until(scale, lambda _: True)
        simulated.set_silent(True)
        begin = time.monotonic()
        with pytest.raises(DeviceUnavailable, match="nothing came from socket://.* for 1 s"):
            for _ in range(20):
                scale.read()
        assert 0.9 < time.monotonic() - begin < 1.8
        scale.close()


def test_a_good_line_is_never_garbled(indicator: SimulatedIndicator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_indicator, "GARBLED_AFTER_MS", 100)
    scale = opened(indicator)
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        scale.read()
        assert not scale.garbled
    scale.close()


def test_a_silent_cable_stays_open(tmp_path: Path) -> None:
    simulated = SimulatedIndicator("ad_std", tmp_path / "scale-1")
    simulated.set_silent(True)
    with simulated:
        scale = opened(simulated, idle_timeout_ms=1_000)
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            assert scale.read() == ()
        scale.close()


def test_a_port_somebody_else_has_is_refused(tmp_path: Path) -> None:
    with SimulatedIndicator("toledo", tmp_path / "scale-1") as simulated:
        first = opened(simulated)
        with pytest.raises(DeviceUnavailable, match="cannot open .*: another program has it open"):
            opened(simulated)
        first.close()
        opened(simulated).close()


def test_a_port_that_is_not_there_says_what_to_try(tmp_path: Path) -> None:
    scale = SerialIndicator("lane 1 scale", config(str(tmp_path / "none")))
    with pytest.raises(DeviceUnavailable) as gone:
        scale.open()
    assert str(gone.value).startswith(f"lane 1 scale: cannot open {tmp_path}/none: No such file or directory. Check")


def test_a_pseudo_terminal_is_opened_again_whatever_the_line_settings(tmp_path: Path) -> None:
    """It forgets 7 bits and parity, and its kernel refuses them the second time: the demo's lane 2 after a restart."""
    with SimulatedIndicator("toledo", tmp_path / "scale-1") as simulated:
        for _ in range(3):
            scale = opened(simulated, bytesize=7, parity="E")
            assert until(scale, lambda _: True).gross_kg == 0
            scale.close()


def test_line_settings_a_port_does_not_take_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_is_pseudo_terminal", lambda port: False)
    with SimulatedIndicator("toledo", tmp_path / "scale-1") as simulated:
        scale = opened(simulated, bytesize=7, parity="E")
        scale.close()
        with pytest.raises(DeviceUnavailable, match=r"does not take these line settings \(baud"):
            scale.open()


def test_pyserial_urls_work() -> None:
    link = SerialLink("loop://", config("loop://").line(config("loop://").profile()))
    link.write(b"abc")
    assert link.read() == b"abc"
    link.close()


def test_line_settings_come_from_the_profile_unless_the_site_has_its_own() -> None:
    bare = SerialIndicatorConfig(type="serial", port="/dev/scale-1", indicator="toledo")
    line = bare.line(bare.profile())
    assert (line.baud, line.bytesize, line.parity, line.stopbits) == (9600, 7, "E", 1)
    own = config("/dev/scale-1", baud=4800, stopbits=2)
    line = own.line(own.profile())
    assert (line.baud, line.bytesize, line.parity, line.stopbits) == (4800, 8, "N", 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"indicator": "tolledo"}, "unknown indicator 'tolledo'; valid: ad_std, "),
        (
            {"port": "http://10.0.0.5:80"},
            "http:// is not known; allowed: a device path, socket://, rfc2217://, loop://",
        ),
        ({"port": "socket://10.0.0.5"}, "socket://host:port"),
        ({"port": "rfc2217://10.0.0.5"}, "rfc2217://host:port"),
        ({"port": "socket://10.0.0.5:99999"}, "(?i)port"),
        ({"port": " "}, "must not be empty"),
        ({"baud": 100}, "greater than or equal to 300"),
        ({"bytesize": 6}, "7 or 8"),
        ({"bauds": 9600}, "Extra inputs are not permitted"),
        ({"indicator": "yaohua_tf0", "checksum": "ignore"}, "no checksum option"),
        ({"checksum": "maybe"}, "'verify', 'learn', 'ignore' or 'absent'"),
    ],
)
def test_a_wrong_configuration_says_what_is_allowed(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(**({"port": "/dev/scale-1"} | change))  # type: ignore[arg-type]


def test_a_sites_own_indicators_are_known_to_the_configuration(tmp_path: Path) -> None:
    raw = {"type": "serial", "port": "/dev/scale-1", "indicator": "toledo"}
    with pytest.raises(ValidationError, match="valid: none"):
        SerialIndicatorConfig.model_validate(raw, context={"indicators": tmp_path})
