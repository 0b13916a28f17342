"""A weight is never older than its stamp says, however late an answer or a burst comes.

The far side sends the time itself as the weight: the milliseconds since the test began, as they were when it measured.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, repeat
from pathlib import Path

import pytest

from drivers.readings import WeightReading
from drivers.scale import conversation
from drivers.scale.encoders.yaohua import yaohua_tf0
from drivers.scale.simulated_links import FarEnd, PtyFarEnd, TcpFarEnd
from drivers.scale.simulated_load import SimulatedLoad
from drivers.worker import DeviceThread, monotonic_ms
from tests.drivers.scale.lines import opened, readings

TOLERANCE_MS = 60
SECONDS = 1.0


@contextmanager
def running(far: FarEnd, step: Callable[[], None]) -> Iterator[str]:
    """A far side that takes a step every millisecond or so."""
    far.plug()

    def body(_: object) -> None:
        while not thread.stopping.is_set():
            step()
            time.sleep(0.001)

    thread = DeviceThread("far side", body)
    thread.start()
    try:
        yield far.port
    finally:
        assert thread.stop()
        far.unplug()


def answering(far: FarEnd, began_ms: int, delays_ms: Iterator[int]) -> Callable[[], None]:
    """MT-SICS behind a link that gives each answer out so much later, in order."""
    waiting: list[tuple[int, bytes]] = []

    def step() -> None:
        now_ms = monotonic_ms()
        for _ in range(far.read().count(b"SI\r\n")):
            waiting.append((now_ms + next(delays_ms), b"S S %10d kg\r\n" % (now_ms - began_ms)))
        while waiting and waiting[0][0] <= now_ms:
            far.write(waiting.pop(0)[1])

    return step


def streaming(far: FarEnd, began_ms: int, every_ms: int, still_ms: tuple[int, int] = (0, 0)) -> Callable[[], None]:
    """A stream of frames; those of the time `still_ms` are kept back and come at its end, all at once."""
    held, due_ms = bytearray(), began_ms

    def step() -> None:
        nonlocal due_ms
        at_ms = monotonic_ms() - began_ms
        if began_ms + at_ms >= due_ms:
            held.extend(yaohua_tf0(SimulatedLoad(at_ms).shown()))
            due_ms += every_ms
        if held and not still_ms[0] <= at_ms < still_ms[1]:
            far.write(bytes(held))
            held.clear()

    return step


def older_than_said_ms(heard: list[WeightReading], began_ms: int) -> int:
    """How much older than its stamp the oldest weight is."""
    return max((each.received_ms - began_ms - (each.gross_kg or 0) for each in heard), default=0)


def asked(far: FarEnd, delays_ms: Iterator[int]) -> tuple[list[WeightReading], int]:
    began_ms = monotonic_ms()
    with (
        running(far, answering(far, began_ms, delays_ms)) as port,
        opened(port, "mt_sics", poll_every_ms=40, poll_answer_ms=100) as scale,
    ):
        heard = readings(scale, SECONDS)
    return heard, older_than_said_ms(heard, began_ms)


@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_a_late_answer_is_never_taken_for_that_of_a_later_request(kind: str, tmp_path: Path) -> None:
    far = PtyFarEnd(tmp_path / "port") if kind == "pty" else TcpFarEnd()
    heard, older_ms = asked(far, cycle([10, 10, 10, 250, 10, 330]))
    assert len(heard) > 5
    assert older_ms <= TOLERANCE_MS


def test_answers_that_are_always_late_are_no_weights() -> None:
    heard, _ = asked(TcpFarEnd(), repeat(450))
    assert heard == []


def test_control_without_waiting_for_what_is_owed_an_old_weight_looks_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "OWED_OVER_A_NETWORK_MS", 0)
    monkeypatch.setattr(conversation, "MISSED_IN_A_ROW", 1_000_000)
    heard, older_ms = asked(TcpFarEnd(), repeat(450))
    assert heard
    assert older_ms > 300


def streamed(every_ms: int, still_ms: tuple[int, int] = (0, 0)) -> tuple[list[WeightReading], int]:
    far, began_ms = TcpFarEnd(), monotonic_ms()
    with (
        running(far, streaming(far, began_ms, every_ms, still_ms)) as port,
        opened(port, "yaohua_tf0") as scale,
    ):
        heard = readings(scale, 2.0)
    return heard, older_than_said_ms(heard, began_ms)


def test_what_a_network_kept_back_is_no_weight_of_now() -> None:
    heard, older_ms = streamed(20, still_ms=(500, 1_300))
    assert older_ms <= TOLERANCE_MS
    assert heard[0].received_ms < heard[-1].received_ms - 1_000, "before and after"


def test_control_a_burst_taken_as_it_comes_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "PAUSE_MS", 60_000)
    _, older_ms = streamed(20, still_ms=(500, 1_300))
    assert older_ms > 700


def test_one_that_sends_seldom_is_heard_over_a_network_too() -> None:
    heard, older_ms = streamed(800)
    assert len(heard) >= 2
    assert older_ms <= TOLERANCE_MS
