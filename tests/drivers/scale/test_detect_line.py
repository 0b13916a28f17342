"""`weighgate scale detect` on lines that are as slow, and as wrong, as real ones."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.scale import detect_line
from drivers.scale.detect import Verdict
from drivers.scale.detect_line import Detection, all_profiles, detect
from drivers.scale.encoders import ENCODERS
from drivers.scale.encoders.answers import Answers
from drivers.scale.profile import load_profile
from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.simulated_links import FarEnd, Rfc2217FarEnd
from drivers.scale.uart import line_text, parse_line
from drivers.worker import DeviceThread

TEN_SECONDS = 10.0
ALIKE = [{"eq_plain", "eq_reversed"}, {"ad_std", "dini_std"}]
SETTINGS = ["1200,8N1", "2400,7E1", "4800,7E2", "9600,8N1", "19200,7O1", "38400,8N1", "600,8N1", "115200,8N1"]
STREAMING = sorted(name for name in ENCODERS if load_profile(name).mode == "stream")
ASKED = sorted(name for name in ENCODERS if load_profile(name).mode == "poll")


@contextmanager
def indicator(
    name: str, link: Path | FarEnd | None, settings: str = "", **more: object
) -> Iterator[SimulatedIndicator]:
    line = parse_line(settings) if settings else load_profile(name).serial
    with SimulatedIndicator(name, link, weight_kg=14_520, line=line, paced=True, **more) as simulated:  # type: ignore[arg-type]
        yield simulated


def found(port: str, **more: Any) -> Detection:
    began = time.monotonic()
    detection = detect(port, **more)
    assert time.monotonic() - began <= more.get("seconds", TEN_SECONDS)
    return detection


def assert_right(detection: Detection, name: str, settings: str) -> None:
    names = {each.indicator for each in detection.about}
    assert name in names, detection
    assert (detection.verdict is Verdict.FOUND) == (len(names) == 1)
    assert len(names) == 1 or names in ALIKE
    line = detection.about[0].line
    assert line is not None
    assert line_text(line) == settings.replace("7E2", "7E1").replace("7O2", "7O1"), "stop bits are not seen"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe a silence sooner, where that is not what is tested."""
    monkeypatch.setattr(detect_line, "SILENT_MS", 300)


def test_two_that_cannot_be_told_apart_on_a_1200_baud_line(tmp_path: Path) -> None:
    with indicator("eq_reversed", tmp_path / "port", "1200,8N1") as simulated:
        detection = found(simulated.port)
    assert_right(detection, "eq_reversed", "1200,8N1")
    assert detection.verdict is Verdict.AMBIGUOUS
    assert [each.line for each in detection.tries] == ["9600,8N1", "1200,8N1"]


@pytest.mark.faults
def test_a_1200_baud_line_with_long_frames_takes_less_than_five_seconds(tmp_path: Path) -> None:
    with indicator("dini_ext", tmp_path / "port", "1200,7E1") as simulated:
        detection = found(simulated.port)
    assert_right(detection, "dini_ext", "1200,7E1")
    assert detection.seconds < 5


@pytest.mark.faults
def test_a_silent_1200_baud_line_is_asked_within_ten_seconds(tmp_path: Path) -> None:
    with indicator("yaohua_command", tmp_path / "port", "1200,8N1") as simulated:
        detection = found(simulated.port)
    assert_right(detection, "yaohua_command", "1200,8N1")
    assert detection.about[0].asked


@pytest.mark.faults
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", STREAMING)
def test_every_streaming_indicator_at_every_setting(name: str, settings: str, tmp_path: Path) -> None:
    if settings[-3] == "7" and not load_profile(name).frame.clear_parity_bit:
        pytest.skip("its frames have eight bits")
    with indicator(name, tmp_path / "port", settings) as simulated:
        assert_right(found(simulated.port), name, settings)


@pytest.mark.faults
@pytest.mark.parametrize("settings", ["1200,8N1", "2400,7E1", "4800,8N1", "9600,8N1"])
@pytest.mark.parametrize("name", ASKED)
def test_every_asked_indicator_at_every_usual_setting(name: str, settings: str, tmp_path: Path) -> None:
    # 2400 is the fourth rate that is asked at: on a busy machine the ten seconds are over before all have answered.
    more = {"seconds": 15} if settings.startswith("2400") else {}
    with indicator(name, tmp_path / "port", settings) as simulated:
        assert_right(found(simulated.port, **more), name, settings)


@pytest.mark.faults
def test_eight_bits_with_parity_are_tried_where_a_port_can(tmp_path: Path) -> None:
    with indicator("ad_std", Rfc2217FarEnd(), "9600,8E1") as simulated:
        detection = found(simulated.port)
    assert_right(detection, "ad_std", "9600,8E1")


@pytest.mark.faults
def test_a_converter_has_no_settings() -> None:
    with indicator("toledo", None) as simulated:
        detection = found(simulated.port)
    (only,) = detection.about
    assert (only.indicator, only.line and only.line.baud) == ("toledo", None)


@pytest.mark.usefixtures("impatient")
def test_a_silent_line_is_not_one_that_makes_no_frames(tmp_path: Path) -> None:
    with SimulatedIndicator("toledo", tmp_path / "port", rate_hz=100) as simulated:
        simulated.set_silent(True)
        assert found(simulated.port, seconds=3, ask=False).verdict is Verdict.SILENT
        simulated.set_silent(False)
        simulated.set_wrong_baud(True)
        detection = found(simulated.port, seconds=2)
    assert detection.verdict is Verdict.NO_FRAMES and detection.text is None
    assert len({each.line for each in detection.tries}) > 8, "every baud rate was listened to"


def test_another_device_that_talks_is_no_indicator(tmp_path: Path) -> None:
    sentence = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
    with SimulatedIndicator("toledo", tmp_path / "port", streaming=False) as simulated:
        talker = DeviceThread("talker", lambda stopping: _talk(simulated, sentence, stopping))
        talker.start()
        detection = found(simulated.port, seconds=1.5)
        talker.stop()
    assert detection.verdict is Verdict.NO_FRAMES
    assert detection.text is not None and sentence.startswith(detection.text.sample)


def _talk(simulated: SimulatedIndicator, sentence: bytes, stopping: threading.Event) -> None:
    while not stopping.wait(0.05):
        simulated.send_raw(sentence)


def test_a_port_that_is_not_there_or_is_pulled_out_cannot_be_opened(tmp_path: Path) -> None:
    detection = found(str(tmp_path / "none"))
    assert (detection.verdict, detection.reason) == (Verdict.CANNOT_OPEN, "No such file or directory")
    assert found("socket://127.0.0.1:1").reason == "Connection refused"


class _Listening(Answers):
    """Remembers what it was told, and says nothing."""

    heard: bytes = b""

    def take(self, data: bytes) -> bytes:
        type(self).heard += data
        return b""

    def answer(self, request: bytes) -> bytes:
        return b""


@pytest.mark.usefixtures("impatient")
def test_nothing_is_sent_that_zeroes_or_tares_anybody(tmp_path: Path) -> None:
    _Listening.heard = b""
    with SimulatedIndicator("toledo", tmp_path / "port", streaming=False, answers=_Listening) as simulated:
        assert found(simulated.port, seconds=3, ask=False).verdict is Verdict.SILENT
        assert _Listening.heard == b""
        assert found(simulated.port, seconds=2.5).verdict is Verdict.SILENT
    assert b"SI\r\n" in _Listening.heard and b"READ\r\n" in _Listening.heard
    for profile in all_profiles():
        for command in profile.command:
            order = b"".join(bytes.fromhex(part.hex) for part in command.request if part.kind == "literal")
            assert order not in _Listening.heard, f"{profile.name} would have understood {command.name}"


@pytest.mark.faults
@pytest.mark.usefixtures("impatient")
def test_the_extended_string_is_asked_for_where_somebody_is_there(tmp_path: Path) -> None:
    """Its request has the letter that tares a Toledo, so it is not sent into the dark."""
    with indicator("dini_ext", tmp_path / "port", streaming=False) as simulated:
        detection = found(simulated.port)
    assert_right(detection, "dini_ext", "9600,8N1")


@pytest.mark.faults
def test_a_slow_talker_is_waited_for(tmp_path: Path) -> None:
    with indicator("yaohua_tf0", tmp_path / "port", "1200,8N1", rate_hz=1.0) as simulated:
        assert_right(found(simulated.port), "yaohua_tf0", "1200,8N1")
