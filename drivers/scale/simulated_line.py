"""A simulated line with one or more indicators at its far end, and everything that goes wrong on a line."""

import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from drivers.scale.encoders import Encoder
from drivers.scale.encoders.answers import Answers
from drivers.scale.profile import SerialDefaults
from drivers.scale.simulated_links import FarEnd
from drivers.scale.simulated_load import SimulatedLoad
from drivers.scale.uart import bits_per_byte, heard
from drivers.worker import DeviceThread

MOST_HZ = 200.0
MOST_WAITING = 16
LISTEN_S = 0.004
IDLE_LISTEN_S = 0.02
IDLE_AFTER_S = 2.0
PACE_S = 0.002
WRONG_BAUD_BYTES = b"\x00\x80\xf8\xfe\xe0\xff"


@dataclass(frozen=True, slots=True)
class Station:
    """One indicator on a line: what stands on its deck, what it sends, and what it answers."""

    load: SimulatedLoad
    encode: Encoder
    answers: Answers | None
    streaming: bool

    @property
    def sends(self) -> bool:
        return self.streaming or (self.answers is not None and self.answers.streaming)

    def frame(self) -> bytes:
        """What it sends now; nothing for a number that has no place in its frames."""
        try:
            return self.encode(self.load.shown())
        except ValueError:
            return b""


class SimulatedLine:
    """A line with a thread that sends what its indicators have to say.

    `line` are the settings of the indicators' own UARTs: with them the reader gets good bytes only when its settings
    fit (`PtyFarEnd` and `Rfc2217FarEnd` know them). `paced` sends no faster than the line can carry. Use it as a
    context manager, or `start` and `stop`.
    """

    def __init__(
        self,
        name: str,
        far: FarEnd,
        stations: Sequence[Station],
        *,
        rate_hz: float = 10.0,
        line: SerialDefaults | None = None,
        paced: bool = False,
        seed: int = 0,
    ) -> None:
        if not 0 < rate_hz <= MOST_HZ:
            raise ValueError(f"rate_hz must be above 0 and at most {MOST_HZ:g}, not {rate_hz:g}")
        if paced and line is None:
            raise ValueError("a paced line needs its settings")
        self._period_s = 1 / rate_hz
        self._far = far
        self._stations = stations
        self._line = line
        self._byte_s = bits_per_byte(line) / line.baud if line and paced else 0.0
        self._listens = far.must_listen or any(station.answers for station in stations)
        self._far_lock = threading.Lock()
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._going = _Going()
        self._heard_s = 0.0
        """When the reader last said something; one that is silent is listened to less often."""
        self._chance = random.Random(seed)
        self._silent = self._wrong_baud = False
        self._junk_bytes = self._cut_one_in = 0
        self._thread = DeviceThread(f"simulated {name}", self._send)

    @property
    def port(self) -> str:
        """What to put into the plant's `port`; valid after `start`."""
        return self._far.port

    def start(self) -> None:
        self.replug()
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()
        self.unplug()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def unplug(self) -> None:
        """Pull the plug: the port is gone for the reader at once, and so is what was on its way."""
        with self._far_lock:
            self._far.unplug()
            self._drop_all()

    def replug(self) -> None:
        """Plug in again under the same name."""
        with self._far_lock:
            self._far.plug()

    def set_silent(self, silent: bool) -> None:
        """Cut the cable behind the adapter: the port stays, nothing comes and nothing is heard."""
        with self._far_lock:
            self._silent = silent
            self._drop_all()

    def set_wrong_baud(self, wrong: bool) -> None:
        """Send what a reader at another baud rate would see: bytes without a frame."""
        with self._far_lock:
            self._wrong_baud = wrong

    def set_junk(self, most_bytes: int) -> None:
        """Put up to so many random bytes before every frame."""
        with self._far_lock:
            self._junk_bytes = most_bytes

    def set_cut(self, one_in: int) -> None:
        """Lose the end of one frame in so many; 0 loses none."""
        with self._far_lock:
            self._cut_one_in = one_in

    def send_raw(self, data: bytes) -> None:
        """Put bytes on the line between two frames."""
        with self._far_lock:
            self._far.write(data)

    def _send(self, stopping: threading.Event) -> None:
        due_s = time.monotonic()
        while not stopping.is_set():
            with self._far_lock:  # so that no frame made before a plug was pulled is sent after it is back
                if self._listens:
                    self._listen()
                now_s = time.monotonic()
                if now_s >= due_s and not self._waiting and not self._going.left:
                    self._waiting.extend(station.frame() for station in self._stations if station.sends)
                    due_s = max(due_s + self._period_s, now_s)
                self._pour(now_s)
                going = bool(self._waiting or self._going.left)
            wait_s = max(PACE_S, self._byte_s) if going else due_s - time.monotonic()
            if self._listens:
                idle = time.monotonic() - self._heard_s > IDLE_AFTER_S
                wait_s = min(wait_s, IDLE_LISTEN_S if idle else LISTEN_S)
            stopping.wait(wait_s)

    def _listen(self) -> None:
        """Hear the reader, and let every indicator on the line answer."""
        data = self._far.read()
        if self._silent:
            return
        if data:
            self._heard_s = time.monotonic()
            reader = self._far.line()
            data = heard(data, reader, self._line) if self._line and reader else data
        for station in self._stations:
            if station.answers and (answer := station.answers.take(data) + station.answers.later()):
                self._waiting.append(answer)

    def _pour(self, now_s: float) -> None:
        """Send what is due: everything, or as much as the line carries."""
        while True:
            if not self._going.left:
                if not self._waiting:
                    return
                message = self._spoilt(self._waiting.popleft())
                self._going = _Going(message, now_s, len(message) * self._byte_s)
            if piece := self._going.take(now_s, self._line, self._far.line()):
                self._far.write(piece)
            if self._going.left:
                return

    def _spoilt(self, message: bytes) -> bytes:
        """What goes wrong with a message: it is lost, noise, cut off, or behind junk."""
        if self._silent:
            return b""
        if self._wrong_baud:
            return bytes(self._chance.choice(WRONG_BAUD_BYTES) for _ in message)
        if self._cut_one_in and self._chance.randrange(self._cut_one_in) == 0:
            message = message[: self._chance.randrange(len(message) or 1)]
        if self._junk_bytes:
            message = self._chance.randbytes(self._chance.randint(0, self._junk_bytes)) + message
        return message

    def _drop_all(self) -> None:
        self._waiting.clear()
        self._going = _Going()


class _Going:
    """A message that is being sent since `since_s` and takes `takes_s`."""

    def __init__(self, message: bytes = b"", since_s: float = 0.0, takes_s: float = 0.0) -> None:
        self._message = self._heard = message
        self._reader: SerialDefaults | None = None
        self._since_s = since_s
        self._takes_s = takes_s
        self._sent = 0
        self.left = bool(message)

    def take(self, now_s: float, line: SerialDefaults | None, reader: SerialDefaults | None) -> bytes:
        """What the reader hears, with the settings it has now, of the part that is due and was not taken yet."""
        if line and reader and reader != self._reader:
            done = self._sent / (len(self._heard) or 1)
            self._reader, self._heard = reader, heard(self._message, line, reader)
            self._sent = int(len(self._heard) * done)
        gone_s = now_s - self._since_s
        self.left = gone_s < self._takes_s
        upto = int(len(self._heard) * gone_s / self._takes_s) if self.left else len(self._heard)
        piece, self._sent = self._heard[self._sent : upto], max(self._sent, upto)
        return piece
