"""Indicators that are asked and told, each against a simulated one that answers as its manual says."""

import threading
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from drivers.ports import CommandNo, CommandRefused, DeviceTimeout, DeviceUnavailable, ScaleCommand
from drivers.scale import conversation
from drivers.scale.asking import written
from drivers.scale.conversation import Heard, Polling
from drivers.scale.encoders.answers import ANSWERS, Answers, MtSics, YaohuaClone
from drivers.scale.links import SerialLink
from drivers.scale.profile import indicator_names, load_profile
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.simulated_links import PtyFarEnd
from tests.drivers.scale.lines import opened, readings, scale_at, shows, until

ASKED = [name for name in indicator_names() if load_profile(name).poll]
TOLD = [name for name in indicator_names() if name in ANSWERS and load_profile(name).command]
WITH_WORDS = [
    name for name in TOLD if load_profile(name).refused or any(each.refused for each in load_profile(name).command)
]
ZEROED = [name for name in TOLD if any(each.name is ScaleCommand.ZERO for each in load_profile(name).command)]


def asked(name: str, link: Path, **more: object) -> SimulatedIndicator:
    """One that says nothing unasked."""
    return SimulatedIndicator(name, link, streaming=False, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ASKED)
def test_the_weight_is_asked_for(name: str, tmp_path: Path) -> None:
    with asked(name, tmp_path / "port") as far, opened(far.port, name, mode="poll", poll_every_ms=20) as scale:
        for kg in (14_520, -40, 0):
            far.set_weight_kg(kg)
            assert shows(scale, kg).raw


@pytest.mark.parametrize("name", ["yaohua_command", "rinstrum_net", "dini_std"])
def test_only_the_address_that_is_set_is_asked(name: str, tmp_path: Path) -> None:
    with asked(name, tmp_path / "port", weight_kg=700, address=7) as far:
        with opened(far.port, name, mode="poll", address=7) as scale:
            shows(scale, 700)
        with opened(far.port, name, mode="poll", address=8) as scale:
            assert readings(scale, 0.3) == []


def test_a_clone_with_the_shorter_checksum_is_understood(tmp_path: Path) -> None:
    with (
        SimulatedIndicator("yaohua_command", tmp_path / "port", weight_kg=900, answers=YaohuaClone) as far,
        opened(far.port, "yaohua_command") as scale,
    ):
        shows(scale, 900)


def test_an_unanswered_request_is_no_weight(tmp_path: Path) -> None:
    with asked("mt_sics", tmp_path / "port", weight_kg=800) as far, opened(far.port, "mt_sics") as scale:
        shows(scale, 800)
        far.set_silent(True)
        assert readings(scale, 0.3) == []
        far.set_weight_kg(900)
        far.set_silent(False)
        assert until(scale, lambda _: True).gross_kg == 900, "never the one before"


def test_a_driver_that_keeps_the_last_weight_would_be_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    hear = Polling.hear
    kept: list[Heard] = []

    def keep(polling: Polling) -> Heard:
        heard = hear(polling)
        kept[:] = [heard] if heard.weights else kept
        return kept[0] if kept else heard

    monkeypatch.setattr(Polling, "hear", keep)
    with pytest.raises(AssertionError):
        test_an_unanswered_request_is_no_weight(tmp_path)


def test_an_answer_that_came_too_late_is_thrown_away(tmp_path: Path) -> None:
    far = PtyFarEnd(tmp_path / "port")
    far.plug()
    with opened(far.port, "mt_sics", poll_every_ms=100, poll_answer_ms=50) as scale:
        assert readings(scale, 0.1) == []
        far.write(b"S S     800.00 kg\r\n")  # waits in the line before the next request
        assert readings(scale, 0.3) == []
    far.unplug()


class Stalled(SerialLink):
    """The program stands still for a while just when the answer is there."""

    def read(self, wait_s: float = 0.2) -> bytes:
        time.sleep(0.4)
        return super().read(wait_s)


def test_an_answer_that_the_program_was_too_slow_to_take_is_none(tmp_path: Path) -> None:
    with asked("mt_sics", tmp_path / "port", weight_kg=800) as far:
        scale = SerialIndicator("scale", scale_at(far.port, "mt_sics").config, dial=Stalled)
        scale.open()
        assert readings(scale, 1.0) == []
        assert scale.last_byte_ms is None, "nobody knows how old it was"
        scale.close()


def always(name: str, said: bytes) -> type[Answers]:
    """An indicator that says the same to everything."""
    return type("Always", (ANSWERS[name],), {"answer": lambda self, request: said})


@pytest.mark.parametrize(
    ("name", "others", "ours"),
    [
        ("yaohua_command", b"\x02BB+000888013\x03", b"\x02AB+000888010\x03"),
        ("rinstrum_net", b"82050026:    888 kg G\r\n", b"81050026:    888 kg G\r\n"),
        ("dini_std", b"02ST,GS,     888,kg\r\n", b"01ST,GS,     888,kg\r\n"),
        ("dini_ext", b"021,ST,     888,       0,       0,kg\r\n", b"011,ST,     888,       0,       0,kg\r\n"),
    ],
)
def test_the_answer_of_another_address_is_not_ours(name: str, others: bytes, ours: bytes, tmp_path: Path) -> None:
    def heard(said: bytes) -> set[int | None]:
        with (
            asked(name, tmp_path / "port", answers=always(name, said)) as far,
            opened(far.port, name, mode="poll", address=1, poll_every_ms=30) as scale,
        ):
            found = {reading.gross_kg for reading in readings(scale, 0.2)}
            assert scale.last_byte_ms is not None
            return found

    assert heard(others) == set()
    assert heard(ours) == {888}


def test_a_stream_is_asked_to_begin_and_again_after_the_indicator_forgot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    power_off = threading.Event()

    class Forgetful(MtSics):
        def later(self) -> bytes:
            if power_off.is_set():
                self.streaming = False
                power_off.clear()
            return b""

    monkeypatch.setattr(conversation, "START_AGAIN_MS", 400)
    with (
        SimulatedIndicator("mt_sics", tmp_path / "port", weight_kg=500, rate_hz=50, answers=Forgetful) as far,
        opened(far.port, "mt_sics", mode="stream") as scale,
    ):
        shows(scale, 500)
        power_off.set()
        assert readings(scale, 0.3)[5:] == []
        far.set_weight_kg(600)
        shows(scale, 600)


@pytest.mark.parametrize("name", ZEROED)
@pytest.mark.parametrize("mode", ["stream", "poll"])
def test_zero_is_done_and_seen(name: str, mode: str, tmp_path: Path) -> None:
    profile = load_profile(name)
    if mode == "poll" and profile.poll is None:
        pytest.skip("it only sends")
    if mode == "stream" and profile.mode == "poll" and not profile.start:
        pytest.skip("it is always asked")
    with (
        SimulatedIndicator(
            name, tmp_path / "port", weight_kg=60, rate_hz=50, streaming=None if profile.start else mode == "stream"
        ) as far,
        opened(far.port, name, mode=mode) as scale,
    ):
        assert ScaleCommand.ZERO in scale.commands
        shows(scale, 60)
        scale.command(ScaleCommand.ZERO)
        shows(scale, 0)


@pytest.mark.parametrize("name", [*WITH_WORDS, "toledo"])
def test_zero_that_the_indicator_refuses_is_an_error_in_words(name: str, tmp_path: Path) -> None:
    with SimulatedIndicator(name, tmp_path / "port", weight_kg=60, rate_hz=50) as far, opened(far.port, name) as scale:
        shows(scale, 60)
        far.set_weight_kg(9_000)
        with pytest.raises(CommandRefused, match="zero refused: ") as refused:
            scale.command(ScaleCommand.ZERO)
        assert refused.value.why is not CommandNo.NOT_KNOWN
        shows(scale, 9_000)


@pytest.mark.parametrize("name", TOLD)
def test_tare_and_its_clearing(name: str, tmp_path: Path) -> None:
    with SimulatedIndicator(name, tmp_path / "port", weight_kg=500, rate_hz=50) as far, opened(far.port, name) as scale:
        shows(scale, 500)
        for command in (ScaleCommand.TARE, ScaleCommand.CLEAR_TARE):
            if command in scale.commands:
                scale.command(command)
                assert far.shown().tare_kg == (500 if command is ScaleCommand.TARE else 0)


def test_an_indicator_that_takes_no_commands_says_so(tmp_path: Path) -> None:
    with (
        SimulatedIndicator("yaohua_tf0", tmp_path / "port", rate_hz=50) as far,
        opened(far.port, "yaohua_tf0") as scale,
    ):
        assert scale.commands == frozenset()
        with pytest.raises(CommandRefused, match="does not know this command"):
            scale.command(ScaleCommand.ZERO)


def test_a_command_without_any_answer_may_have_been_done(tmp_path: Path) -> None:
    with (
        SimulatedIndicator("toledo", tmp_path / "port", weight_kg=60, rate_hz=50) as far,
        opened(far.port, "toledo") as scale,
    ):
        shows(scale, 60)
        far.set_silent(True)
        with pytest.raises(DeviceTimeout, match="may have been done"):
            scale.command(ScaleCommand.ZERO)
        far.unplug()
        with pytest.raises(DeviceUnavailable, match="is lost"):
            scale.command(ScaleCommand.ZERO)


def test_requests_are_written_as_the_manuals_say() -> None:
    def request(name: str, address: int | None) -> bytes:
        poll = load_profile(name).poll
        assert poll is not None
        return written(poll.request, address)

    assert request("yaohua_command", 1) == bytes.fromhex("024142303303")
    assert request("yaohua_command", 26) == b"\x02ZB18\x03"
    assert request("rinstrum_net", None) == b"20050026:;"
    assert request("rinstrum_net", 31) == b"3F050026:;"
    assert request("dini_std", 1) == b"01READ\r\n"
    assert request("dini_std", None) == b"READ\r\n"
    assert request("sma", None) == b"\nW\r"
    assert request("mt_sics", None) == b"SI\r\n"


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("yaohua_tf0", {"mode": "poll"}, "cannot be asked, it only sends"),
        ("mt_sics", {"address": 3}, "has no address; leave it out"),
        ("yaohua_command", {"address": 27}, "takes 1 to 26"),
        ("mt_sics", {"mode": "stream", "poll_every_ms": 100}, 'are for mode = "poll"'),
        ("mt_sics", {"poll_every_ms": 5}, "greater than or equal to 20"),
    ],
)
def test_a_wrong_configuration_says_what_is_allowed(name: str, change: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SerialIndicatorConfig.model_validate({"type": "serial", "port": "/dev/x", "indicator": name} | change)


def test_the_port_may_be_missing() -> None:
    with pytest.raises(DeviceUnavailable, match="cannot open"):
        scale_at("/dev/none", "mt_sics").open()
