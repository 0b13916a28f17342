"""The threads of the devices: what they hand to the loop, how they fail, how they stop."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from drivers.ports import DeviceTimeout, DeviceUnavailable, ScaleCommand
from drivers.readings import DeviceStatus, Health, WeightReading
from drivers.worker import WAITING_READINGS, CommandWorker, ReaderWorker, monotonic_ms

pytestmark = pytest.mark.anyio


class ScriptedScale:
    """A scale whose every call is told beforehand; the last step repeats."""

    def __init__(self, *reads: Callable[[], Sequence[WeightReading]]) -> None:
        self.reads = list(reads)
        self.calls: list[str] = []
        self.garbled = False
        self.last_byte_ms: int | None = None
        self.absent = 0
        self.threads: set[int] = set()

    def open(self) -> None:
        self.calls.append("open")
        if self.absent:
            self.absent -= 1
            raise DeviceUnavailable("scale", "no such port", "Plug it in")

    def read(self) -> Sequence[WeightReading]:
        return (self.reads.pop(0) if len(self.reads) > 1 else self.reads[0])()

    def close(self) -> None:
        self.calls.append("close")

    commands = frozenset((ScaleCommand.ZERO,))

    def command(self, command: ScaleCommand, not_after_ms: int | None = None) -> None:
        self.calls.append(command)
        self.threads.add(threading.get_ident())


class Heard:
    """What the loop was told, in order."""

    def __init__(self) -> None:
        self.news: list[WeightReading | DeviceStatus | BaseException] = []
        self.threads: set[int] = set()
        self._changed = asyncio.Event()

    def __call__(self, news: WeightReading | DeviceStatus | BaseException) -> None:
        self.threads.add(threading.get_ident())
        self.news.append(news)
        self._changed.set()

    @property
    def kg(self) -> list[int | None]:
        return [news.gross_kg for news in self.news if isinstance(news, WeightReading)]

    @property
    def health(self) -> list[Health]:
        return [news.health for news in self.news if isinstance(news, DeviceStatus)]

    async def until(self, condition: Callable[[], bool], within_s: float = 4.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


async def eventually(condition: Callable[[], bool], within_s: float = 4.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def reading(kg: int) -> Callable[[], Sequence[WeightReading]]:
    return lambda: [WeightReading(kg, True, monotonic_ms(), b"")]


def quiet() -> Sequence[WeightReading]:
    time.sleep(0.02)
    return ()


def lost() -> Sequence[WeightReading]:
    raise DeviceUnavailable("scale", "the port is lost", "Check the cable")


def bug() -> Sequence[WeightReading]:
    raise ZeroDivisionError("a bug")


def reader(scale: ScriptedScale, heard: Heard) -> ReaderWorker:
    return ReaderWorker("scale", scale, on_reading=heard, on_status=heard, on_crash=heard, jitter=lambda: 0.0)


async def test_readings_arrive_in_order_on_the_loops_own_thread() -> None:
    heard = Heard()
    worker = reader(ScriptedScale(reading(1), reading(2), reading(3), quiet), heard)
    worker.start()
    await heard.until(lambda: heard.kg == [1, 2, 3])
    assert await worker.stop()
    assert heard.health == [Health.UP]
    assert isinstance(heard.news[0], DeviceStatus), "UP is told before the first reading"
    assert heard.threads == {threading.get_ident()}


async def test_a_lost_scale_is_reported_at_once_and_comes_back_by_itself() -> None:
    heard = Heard()
    scale = ScriptedScale(reading(1), lost, reading(2), quiet)
    worker = reader(scale, heard)
    worker.start()
    begin = time.monotonic()
    await heard.until(lambda: Health.DOWN in heard.health)
    assert time.monotonic() - begin < 1.0
    down = heard.news[-1]
    assert down == DeviceStatus("scale", Health.DOWN, "the port is lost", "Check the cable")
    await heard.until(lambda: heard.kg == [1, 2])
    assert heard.health == [Health.UP, Health.DOWN, Health.UP]
    assert scale.calls[:3] == ["open", "close", "open"]
    await worker.stop()
    assert scale.calls[-1] == "close"


async def test_it_waits_longer_after_every_failure() -> None:
    heard = Heard()
    scale = ScriptedScale(reading(5), quiet)
    scale.absent = 3
    worker = reader(scale, heard)
    worker.start()
    begin = time.monotonic()
    await heard.until(lambda: heard.kg == [5])
    assert 1.3 < time.monotonic() - begin < 3.5, "0.2 + 0.4 + 0.8 s"
    assert heard.health == [Health.DOWN, Health.UP], "the same failure is told once"
    await worker.stop()


async def test_after_a_reading_it_waits_briefly_again() -> None:
    heard = Heard()
    scale = ScriptedScale(reading(1), lost, reading(2), quiet)
    scale.absent = 2
    worker = reader(scale, heard)
    worker.start()
    await heard.until(lambda: heard.kg == [1])
    begin = time.monotonic()
    await heard.until(lambda: heard.kg == [1, 2])
    assert time.monotonic() - begin < 0.75, "not the 0.8 s of a third failure"
    await worker.stop()


async def test_silence_and_garbage_are_told_apart() -> None:
    heard = Heard()
    scale = ScriptedScale(quiet)
    worker = reader(scale, heard)
    worker.start()
    await heard.until(lambda: heard.health == [Health.SILENT])
    stop_bytes = threading.Event()

    def babble() -> Sequence[WeightReading]:
        quiet()
        if not stop_bytes.is_set():
            scale.last_byte_ms = monotonic_ms()
        return ()

    scale.garbled = True
    scale.reads = [babble]
    await heard.until(lambda: heard.health[-1] == Health.GARBLED)
    scale.garbled = False
    stop_bytes.set()
    await heard.until(lambda: heard.health[-1] == Health.SILENT)
    scale.reads = [reading(4), quiet]
    await heard.until(lambda: heard.health[-1] == Health.UP)
    assert all(news.what and news.try_this for news in heard.news[:-2] if isinstance(news, DeviceStatus))
    await worker.stop()


async def test_a_loop_that_lags_gets_the_newest_readings_and_every_change() -> None:
    heard = Heard()
    numbers = iter(range(100_000))

    def many() -> Sequence[WeightReading]:
        kg = next(numbers)
        if kg == 1_000:
            raise DeviceUnavailable("scale", "the port is lost", "Check the cable")
        return reading(kg)() if kg < 1_000 else quiet()

    worker = reader(ScriptedScale(many), heard)
    worker.start()
    time.sleep(0.15)  # noqa: ASYNC251  the loop hangs, the device does not
    await heard.until(lambda: heard.health == [Health.UP, Health.DOWN])
    assert len(heard.kg) <= WAITING_READINGS
    assert heard.kg[-1] == 999
    assert worker.skipped == 1_000 - len(heard.kg)
    await worker.stop()


async def test_a_bug_reaches_the_loop() -> None:
    heard = Heard()
    scale = ScriptedScale(reading(1), bug)
    worker = reader(scale, heard)
    worker.start()
    await heard.until(lambda: isinstance(heard.news[-1], ZeroDivisionError) if heard.news else False)
    assert heard.health[-1] == Health.DOWN
    assert scale.calls[-1] == "close"
    assert await worker.stop()


async def test_nothing_is_said_after_stop_and_a_stuck_device_is_left_behind() -> None:
    heard = Heard()
    let_go = threading.Event()

    def stuck() -> Sequence[WeightReading]:
        let_go.wait(5)
        return reading(9)()

    worker = reader(ScriptedScale(stuck), heard)
    worker.start()
    begin = time.monotonic()
    assert not await worker.stop(0.2)
    assert time.monotonic() - begin < 0.9
    let_go.set()
    assert await worker.stop()
    await asyncio.sleep(0.05)
    assert heard.news == []


async def test_a_scale_is_told_between_two_reads_on_its_own_thread() -> None:
    heard = Heard()
    scale = ScriptedScale(quiet)
    worker = reader(scale, heard)
    assert worker.commands == {ScaleCommand.ZERO}
    with pytest.raises(DeviceUnavailable, match="not open yet"):
        await worker.command(ScaleCommand.ZERO, timeout_s=1)
    worker.start()
    await eventually(lambda: "open" in scale.calls)
    await asyncio.sleep(0.05)
    await worker.command(ScaleCommand.ZERO, timeout_s=1)
    assert scale.calls == ["open", "zero"]
    assert scale.threads != {threading.get_ident()}
    await worker.stop()
    with pytest.raises(DeviceUnavailable, match="stopping"):
        await worker.command(ScaleCommand.ZERO, timeout_s=1)


async def test_a_command_never_waits_for_a_scale_that_comes_back() -> None:
    heard = Heard()
    let_go = threading.Event()

    def held_then_lost() -> Sequence[WeightReading]:
        let_go.wait(5)
        return lost()

    scale = ScriptedScale(reading(1), held_then_lost, quiet)
    worker = reader(scale, heard)
    worker.start()
    await heard.until(lambda: heard.kg == [1])
    waiting = asyncio.create_task(worker.command(ScaleCommand.ZERO, timeout_s=5))
    await asyncio.sleep(0.05)
    with pytest.raises(DeviceUnavailable, match="1 commands wait already"):
        await worker.command(ScaleCommand.ZERO, timeout_s=5)
    let_go.set()
    with pytest.raises(DeviceUnavailable, match="the port is lost"):
        await waiting
    await eventually(lambda: scale.calls.count("open") == 2)
    await asyncio.sleep(0.1)
    assert "zero" not in scale.calls
    await worker.stop()


async def test_a_command_that_timed_out_before_it_began_never_runs() -> None:
    heard = Heard()
    holds, let_go = threading.Event(), threading.Event()

    def held() -> Sequence[WeightReading]:
        holds.set()
        let_go.wait(5)
        return ()

    scale = ScriptedScale(reading(1), held, quiet)
    worker = reader(scale, heard)
    worker.start()
    await asyncio.to_thread(holds.wait, 5)
    with pytest.raises(DeviceTimeout):
        await worker.command(ScaleCommand.ZERO, timeout_s=0.05)
    let_go.set()
    await asyncio.sleep(0.1)
    assert "zero" not in scale.calls
    await worker.stop()


async def test_commands_run_one_after_the_other_on_one_thread() -> None:
    worker = CommandWorker("printer")
    worker.start()
    done: list[tuple[int, int]] = []

    def job(number: int) -> int:
        time.sleep(0.01)
        done.append((number, threading.get_ident()))
        return number

    results = await asyncio.gather(*(worker.call(lambda n=n: job(n), timeout_s=2) for n in range(5)))  # type: ignore[misc]
    assert results == [0, 1, 2, 3, 4]
    assert [number for number, _ in done] == [0, 1, 2, 3, 4]
    assert len({thread for _, thread in done} | {threading.get_ident()}) == 2
    assert await worker.stop()


async def test_a_command_that_takes_too_long_is_a_device_timeout_and_a_waiting_one_never_runs() -> None:
    worker = CommandWorker("printer")
    worker.start()
    let_go = threading.Event()
    ran: list[str] = []

    def never() -> None:
        ran.append("late")

    slow = asyncio.create_task(worker.call(lambda: let_go.wait(5), timeout_s=0.2))
    await asyncio.sleep(0.05)
    with pytest.raises(DeviceTimeout, match="no answer for 0.05 s"):
        await worker.call(never, timeout_s=0.05)
    with pytest.raises(DeviceTimeout):
        await slow
    let_go.set()
    assert await worker.call(lambda: "well", timeout_s=2) == "well", "it goes on afterwards"
    assert ran == []
    await worker.stop()


async def test_a_commands_own_error_comes_as_it_is() -> None:
    worker = CommandWorker("printer")
    worker.start()
    with pytest.raises(DeviceUnavailable, match="the port is lost"):
        await worker.call(lost, timeout_s=2)
    with pytest.raises(ZeroDivisionError):
        await worker.call(bug, timeout_s=2)

    def own() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await worker.call(own, timeout_s=2)
    await worker.stop()


async def test_too_many_commands_and_commands_at_the_end_are_refused() -> None:
    worker = CommandWorker("printer", waiting=2)
    worker.start()
    let_go = threading.Event()
    running = asyncio.create_task(worker.call(lambda: let_go.wait(5), timeout_s=5))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(worker.call(lambda: 1, timeout_s=5)) for _ in range(2)]
    await asyncio.sleep(0.02)
    with pytest.raises(DeviceUnavailable, match="2 commands wait already"):
        await worker.call(lambda: 1, timeout_s=1)
    stopping = asyncio.create_task(worker.stop())
    for each in waiting:
        with pytest.raises(DeviceUnavailable, match="stopping"):
            await each
    let_go.set()
    assert await running
    assert await stopping
    with pytest.raises(DeviceUnavailable, match="stopping"):
        await worker.call(lambda: 1, timeout_s=1)
