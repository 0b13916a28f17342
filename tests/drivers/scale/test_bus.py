"""Several indicators on one line: each has its turn, and one that is dead does not cost the others their rate."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from drivers.ports import DeviceUnavailable
from drivers.readings import WeightReading
from drivers.scale import conversation
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig, check_shared
from drivers.scale.simulated import SimulatedBus, SimulatedLoad
from tests.drivers.scale.lines import opened, readings, scale_at, shows, until


@contextmanager
def reading_on(scale: SerialIndicator) -> Iterator[list[WeightReading]]:
    """What a scale says meanwhile, read on a thread of its own as the plant does."""
    heard: list[WeightReading] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            heard.extend(scale.read())

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield heard
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("name", ["yaohua_command", "dini_std", pytest.param("rinstrum_net", marks=pytest.mark.faults)])
def test_two_on_one_line_never_hear_each_other(name: str, tmp_path: Path) -> None:
    loads = {1: SimulatedLoad(11_000), 2: SimulatedLoad(22_000)}
    with SimulatedBus(name, tmp_path / "port", loads) as bus, ExitStack() as stack:
        scales = [
            stack.enter_context(opened(bus.port, name, mode="poll", address=address, poll_every_ms=30))
            for address in loads
        ]
        heard = [stack.enter_context(reading_on(scale)) for scale in scales]
        end = time.monotonic() + 5
        while min(map(len, heard)) <= 8 and time.monotonic() < end:
            time.sleep(0.05)
    assert {reading.gross_kg for reading in heard[0]} == {11_000}
    assert {reading.gross_kg for reading in heard[1]} == {22_000}
    assert all(len(each) > 8 for each in heard)


def rate_hz(port: str, live: int, dead: tuple[int, ...]) -> float:
    """How often the live one is read while others are asked that are not there; each is asked every 80 ms."""
    with ExitStack() as stack:
        scales = [
            stack.enter_context(opened(port, "yaohua_command", address=each, poll_every_ms=80, poll_answer_ms=60))
            for each in (live, *dead)
        ]
        heard = [stack.enter_context(reading_on(scale)) for scale in scales]
        time.sleep(0.6)
        before = len(heard[0])
        time.sleep(0.8)
        times = [reading.received_ms for reading in heard[0][before:]]
    assert not any(heard[1:]), "nobody who is not there has a weight"
    return 1000 / median(after - at for at, after in pairwise(times))


def test_a_dead_address_does_not_starve_the_live_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SimulatedBus("yaohua_command", tmp_path / "port", {1: SimulatedLoad(500)}) as bus:
        alone = rate_hz(bus.port, 1, ())
        assert 11 < alone < 14, "every 80 ms"
        assert rate_hz(bus.port, 1, (2, 3, 4)) > 0.9 * alone
        monkeypatch.setattr(conversation, "MISSED_IN_A_ROW", 1_000_000)  # the control: asked like the living
        monkeypatch.setattr(conversation, "OWED_WINDOWS", 0)
        assert rate_hz(bus.port, 1, (2, 3, 4)) < 0.6 * alone


def test_one_that_comes_back_is_heard_again(tmp_path: Path) -> None:
    far = SimulatedBus("yaohua_command", tmp_path / "port", {1: SimulatedLoad(500)})
    with far as bus, opened(bus.port, "yaohua_command", address=1, poll_every_ms=40, poll_answer_ms=30) as scale:
        shows(scale, 500)
        bus.set_silent(True)
        time.sleep(0.05)
        assert readings(scale, 0.3) == []
        bus.set_silent(False)
        shows(scale, 500)


def test_a_lost_line_is_lost_for_all_and_opened_once(tmp_path: Path) -> None:
    loads = {1: SimulatedLoad(100), 2: SimulatedLoad(200)}
    with SimulatedBus("dini_std", tmp_path / "port", loads) as bus, ExitStack() as stack:
        first, second = (
            stack.enter_context(opened(bus.port, "dini_std", mode="poll", address=address)) for address in loads
        )
        shows(first, 100)
        bus.unplug()
        with pytest.raises(DeviceUnavailable, match="is lost"):
            until(first, lambda _: False)
        with pytest.raises(DeviceUnavailable, match="another scale on this line lost it"):
            until(second, lambda _: False)
        first.close()
        second.close()
        with pytest.raises(DeviceUnavailable, match="cannot open"):
            first.open()
        bus.replug()
        loads[1].set_weight_kg(300)
        first.open()
        second.open()
        shows(second, 200)
        shows(first, 300)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"address": 1}, "two indicators have the same address"),
        ({}, "an address of its own"),
        ({"address": 2, "baud": 4800}, "the same line settings"),
        ({"indicator": "toledo"}, 'needs mode = "poll"'),
    ],
)
def test_a_configuration_that_cannot_share_its_line_is_refused(second: dict[str, object], words: str) -> None:
    first: dict[str, object] = {"type": "serial", "port": "/dev/x", "indicator": "yaohua_command", "address": 1}
    other = {name: value for name, value in first.items() if name != "address"} | second
    good = first | {"address": 2}
    check_shared([SerialIndicatorConfig.model_validate(each) for each in (first, good)])
    with pytest.raises(ValueError, match=words):
        check_shared([SerialIndicatorConfig.model_validate(each) for each in (first, other)])


def test_who_may_share_a_line(tmp_path: Path) -> None:
    far = SimulatedBus("yaohua_command", tmp_path / "port", {1: SimulatedLoad(), 2: SimulatedLoad()})
    with far as bus, opened(bus.port, "yaohua_command", address=1):
        with pytest.raises(DeviceUnavailable, match="each needs an address of its own"):
            scale_at(bus.port, "yaohua_command", address=1).open()
        with pytest.raises(DeviceUnavailable, match="other line settings"):
            scale_at(bus.port, "yaohua_command", address=2, baud=4800).open()
        with pytest.raises(DeviceUnavailable, match="each needs an address of its own"):
            scale_at(bus.port, "mt_sics").open()
        with pytest.raises(DeviceUnavailable, match="another program has it open"):
            scale_at(bus.port, "toledo").open()
        with opened(bus.port, "yaohua_command", address=2) as second:
            shows(second, 0)
