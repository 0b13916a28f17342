"""The only place where devices have threads: one for each device, and everything it says goes to the asyncio loop.

`ReaderWorker` keeps a scale open and hands its readings over; `CommandWorker` runs one blocking call after another
(printer, gate, camera). A driver itself is straight-line blocking code and knows nothing of threads.
"""

import asyncio
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from drivers.ports import DeviceTimeout, DeviceUnavailable, DriverError, Scale, ScaleCommand
from drivers.readings import DeviceStatus, Health, WeightReading

T = TypeVar("T")

SILENT_AFTER_MS = 1_000
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
WAITING_READINGS = 64
WAITING_COMMANDS = 8
WAITING_SCALE_COMMANDS = 1
LOOK_AROUND_S = 0.1


def monotonic_ms() -> int:
    """Milliseconds of the clock that never jumps; the one used for the age of a reading."""
    return time.monotonic_ns() // 1_000_000


class DeviceThread:
    """A named daemon thread with a stop signal: `body` must return soon after the signal is set."""

    def __init__(self, name: str, body: Callable[[threading.Event], None]) -> None:
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=body, args=(self.stopping,), name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Signal and wait. True when the thread has ended; a thread that is stuck in its device is left behind."""
        self.stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self.alive

    async def stopped(self, timeout_s: float = 1.0) -> bool:
        """`stop` without holding up the loop."""
        return await asyncio.to_thread(self.stop, timeout_s)


class _Jobs:
    """Calls that wait for a device's own thread, at most `waiting` of them, each with a place for its result."""

    def __init__(self, device: str, waiting: int) -> None:
        self._device = device
        self._queue: queue.Queue[tuple[Callable[[], Any], Future[Any]]] = queue.Queue(waiting)

    async def call(self, command: Callable[[], T], timeout_s: float) -> T:
        """Put it in and wait for what it returns or raises; see `CommandWorker.call`."""
        future: Future[T] = Future()
        try:
            self._queue.put_nowait((command, future))
        except queue.Full:
            raise DeviceUnavailable(
                self._device,
                f"{self._queue.maxsize} commands wait already",
                "Wait until it is done, or restart the device",
            ) from None
        try:
            # not wait_for: before Python 3.12 it loses a cancellation that comes with the result; the plant never ends
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if future.done() and not future.cancelled():
                return future.result()  # the command's own time-out error, or it ended just now
            raise DeviceTimeout(
                self._device, f"no answer for {timeout_s:g} s", "Check that it is on and its cable is plugged in"
            ) from None

    def run_one(self, wait_s: float = 0.0) -> None:
        """Run the oldest, if one comes within the wait. What it raises belongs to its caller."""
        try:
            command, future = self._queue.get(wait_s > 0, wait_s or None)
        except queue.Empty:
            return
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = command()
        except BaseException as error:  # whatever it is, it belongs to the caller
            future.set_exception(error)
        else:
            future.set_result(result)

    def refuse(self, error: DriverError) -> None:
        """Nothing that waits will run."""
        while True:
            try:
                _, future = self._queue.get_nowait()
            except queue.Empty:
                return
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


class ReaderWorker:
    """Keeps one scale open and reports what it says, always on the loop's own thread.

    `on_reading` gets every reading and `on_status` every change of health, in the order in which they happened. When
    the loop lags, at most 64 readings wait and older ones are skipped (`skipped` counts them): a weight that nobody
    could look at in time is of no use. A DriverError is reported as DOWN and the device is opened again after 0.2 s,
    0.4 s … 5 s, shortened by up to a half by `jitter` (0 ≤ jitter() < 1). Anything else is a bug: the thread ends and
    `on_crash` gets the exception.
    """

    def __init__(
        self,
        device: str,
        scale: Scale,
        *,
        on_reading: Callable[[WeightReading], None],
        on_status: Callable[[DeviceStatus], None],
        on_crash: Callable[[BaseException], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.device = device
        self.skipped = 0
        self._scale = scale
        self._on_reading = on_reading
        self._on_status = on_status
        self._on_crash = on_crash
        self._jitter = jitter
        self._status = DeviceStatus(device, Health.STARTING)
        self._since_ms = 0
        self._failures = 0
        self._lock = threading.Lock()
        self._waiting: deque[WeightReading | DeviceStatus | BaseException] = deque()
        self._called = False
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs = _Jobs(device, WAITING_SCALE_COMMANDS)
        self._gone: DriverError | None = DeviceUnavailable(device, "it is not open yet", "Wait until it is connected")
        self._thread = DeviceThread(f"reader {device}", self._run)

    @property
    def commands(self) -> frozenset[ScaleCommand]:
        """What the scale can be told."""
        return self._scale.commands

    async def command(self, command: ScaleCommand, timeout_s: float, begin_within_s: float | None = None) -> None:
        """Tell the scale, on its own thread between two reads; no reading comes meanwhile. What has not begun within
        `begin_within_s` is refused.

        Raises what `Scale.command` raises, and DeviceUnavailable at once when the scale is not open; a command never
        waits for a scale that comes back later. Raises DeviceTimeout after `timeout_s`: a command that had not begun
        will then never run, one that had begun is perhaps done.
        """
        if (gone := self._gone) is not None:
            raise DeviceUnavailable(gone.device, gone.what, gone.try_this)
        not_after_ms = None if begin_within_s is None else monotonic_ms() + round(begin_within_s * 1000)
        await self._jobs.call(lambda: self._scale.command(command, not_after_ms), timeout_s)

    def start(self) -> None:
        """Begin reading; must be called on the loop that is to get the readings."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self, timeout_s: float = 1.0) -> bool:
        """End the thread and close the device. Nothing is reported afterwards. False when the device did not let go in
        time; its thread then ends by itself as soon as it does."""
        self._ended = True
        return await self._thread.stopped(timeout_s)

    def _run(self, stopping: threading.Event) -> None:
        try:
            while not stopping.is_set():
                try:
                    self._read_until_failure(stopping)
                except DriverError as error:
                    self._gone = error
                    self._report(Health.DOWN, error.what, error.try_this)
                finally:
                    self._refuse_commands()
                    self._close()
                if not stopping.is_set():
                    stopping.wait(self._next_wait_s())
        except Exception as bug:  # a bug must reach the loop, not die with a daemon thread
            self._report(Health.DOWN, "the program failed", "Restart it and report the fault")
            self._hand_over(bug)

    def _read_until_failure(self, stopping: threading.Event) -> None:
        self._scale.open()
        self._since_ms = monotonic_ms()
        self._refuse_commands()  # one may have slipped in while it was closed
        self._gone = None
        while not stopping.is_set():
            self._jobs.run_one()
            readings = self._scale.read()
            for reading in readings:
                self._report(Health.UP)
                self._hand_over(reading)
            if readings:
                self._failures = 0
            else:
                self._judge_silence()

    def _judge_silence(self) -> None:
        last_byte_ms = self._scale.last_byte_ms
        quiet_ms = monotonic_ms() - max(self._since_ms, last_byte_ms or 0)
        if quiet_ms >= SILENT_AFTER_MS:
            self._report(
                Health.SILENT,
                f"no byte for {SILENT_AFTER_MS // 1000} s",
                "Check the cable, that the indicator is on, and that it sends (or answers) as configured",
            )
        elif self._scale.garbled:
            self._report(
                Health.GARBLED,
                "bytes arrive but make no frame",
                "Check baud rate, data bits and parity, and that the configured indicator is the one on the desk",
            )

    def _refuse_commands(self) -> None:
        if self._gone is None:
            self._gone = DeviceUnavailable(self.device, "the program is stopping", "Start it again")
        self._jobs.refuse(self._gone)

    def _close(self) -> None:
        try:
            self._scale.close()
        except DriverError:
            return  # it is gone already, and the reason was reported

    def _next_wait_s(self) -> float:
        longest: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 10))
        self._failures += 1
        return max(FIRST_WAIT_S, longest * (1 - self._jitter() / 2))

    def _report(self, health: Health, what: str = "", try_this: str = "") -> None:
        status = DeviceStatus(self.device, health, what, try_this)
        if status != self._status:
            self._status = status
            self._hand_over(status)

    def _hand_over(self, news: WeightReading | DeviceStatus | BaseException) -> None:
        with self._lock:
            if len(self._waiting) >= WAITING_READINGS:
                self._skip_oldest()
            self._waiting.append(news)
            if self._called:
                return
            self._called = True
        try:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            self._thread.stopping.set()  # the loop is closed: nobody is left to read for

    def _skip_oldest(self) -> None:
        """Make room by the oldest reading; a change of health goes only when there is nothing else."""
        oldest = next((news for news in self._waiting if isinstance(news, WeightReading)), self._waiting[0])
        self._waiting.remove(oldest)
        self.skipped += 1

    def _deliver(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
            self._called = False
        for news in waiting:
            if self._ended:
                return
            match news:
                case WeightReading():
                    self._on_reading(news)
                case DeviceStatus():
                    self._on_status(news)
                case _:
                    self._on_crash(news)


class CommandWorker:
    """One thread for one device that is told to do things; calls run one after the other in the order they came."""

    def __init__(self, device: str, *, waiting: int = WAITING_COMMANDS) -> None:
        self.device = device
        self._jobs = _Jobs(device, waiting)
        self._thread = DeviceThread(f"command {device}", self._run)

    def start(self) -> None:
        self._thread.start()

    async def call(self, command: Callable[[], T], *, timeout_s: float) -> T:
        """Run `command` on the device's thread and return what it returns, or raise what it raises.

        Raises DeviceTimeout when `timeout_s` has passed: a command that had not begun will then never run; one that
        had begun runs to its end and its result is lost, so the caller must treat it as perhaps done. Raises
        DeviceUnavailable when too many commands wait or the worker is stopped.
        """
        if self._thread.stopping.is_set():
            raise self._stopped()
        return await self._jobs.call(command, timeout_s)

    async def stop(self, timeout_s: float = 1.0) -> bool:
        """Refuse what waits and end the thread. False when a command is still running; the thread then ends with it."""
        self._thread.stopping.set()
        self._jobs.refuse(self._stopped())
        return await self._thread.stopped(timeout_s)

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self._jobs.run_one(LOOK_AROUND_S)
        self._jobs.refuse(self._stopped())

    def _stopped(self) -> DeviceUnavailable:
        return DeviceUnavailable(self.device, "the program is stopping", "Start it again")
