"""Captures: everything that went over a scale's line, with its times, in a file that can be played again.

A capture is text, one JSON object a line: a header (`Header`; older captures have none), then `{"at_ms", "hex"}` for
each read and `{"at_ms", "sent"}` for each request, in milliseconds since the beginning.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, TextIO

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from drivers.ports import DeviceUnavailable, DriverError
from drivers.scale.frames import FrameDecoder, IndicatorProfile
from drivers.scale.layout import WireWeight
from drivers.scale.links import LINK_ERRORS, Link, Tap, open_link, reason_of
from drivers.scale.profile import SerialDefaults
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.scale.simulated_links import FarEnd
from drivers.scale.uart import line_text
from drivers.worker import DeviceThread, monotonic_ms

LONGEST_IDLE_MS = 60_000
LOOK_S = 0.004
_BEGINNINGS = (b'{"capture"', b'{"at_ms"')
ASKED_WITHIN_MS = 5_000


class Header(BaseModel):
    """Where a capture comes from."""

    model_config = ConfigDict(frozen=True)

    capture: Literal[1] = 1
    port: str
    line: str
    """Settings such as 9600,8N1; they mean nothing on socket://."""
    indicator: str | None
    """The profile by which it was asked or told to send; None: the line was only listened to."""
    software: str
    began_at: AwareDatetime


class Event(NamedTuple):
    """Bytes at a time since the beginning; `sent` by this program, else by the indicator."""

    at_ms: int
    data: bytes
    sent: bool


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture in memory; without a header where the file had none."""

    header: Header | None
    events: Sequence[Event]

    def reads(self) -> Iterator[Event]:
        """What came from the indicator."""
        return (event for event in self.events if not event.sent)

    @property
    def lasts_ms(self) -> int:
        return self.events[-1].at_ms if self.events else 0


def is_capture(data: bytes) -> bool:
    """Whether a file that begins so is a capture, and not the bytes of a line."""
    return data.startswith(_BEGINNINGS)


class _Writer:
    """Appends events to a file, each as soon as it happens."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._began_ms = monotonic_ms()
        self.size = 0

    def heard(self, data: bytes) -> None:
        self.size += len(data)
        self._write("hex", data)

    def said(self, data: bytes) -> None:
        self._write("sent", data)

    def _write(self, kind: str, data: bytes) -> None:
        event = {"at_ms": monotonic_ms() - self._began_ms, kind: data.hex()}
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()


def record(
    port: str,
    file: Path,
    *,
    line: SerialDefaults,
    software: str,
    config: SerialIndicatorConfig | None = None,
    seconds: float | None = None,
) -> int:
    """Write what happens on a line into a new capture until `seconds` are over. With `config` the indicator is asked as
    a plant would; without it nothing is sent.

    Returns the number of bytes that came. Raises FileExistsError rather than touch an older capture, DriverError when
    the line cannot be opened or is lost; what came until then stays, and where nothing came no file.
    """
    indicator = config.indicator if config else None
    header = Header(
        port=port, line=line_text(line), indicator=indicator, software=software, began_at=datetime.now().astimezone()
    )
    with file.open("x", encoding="ascii") as text:
        text.write(header.model_dump_json() + "\n")
        writer = _Writer(text)
        try:
            if config is None:
                _listen(port, line, writer, seconds)
            else:
                _converse(config, writer, seconds)
        except DriverError:
            if not writer.size:
                file.unlink()  # else it would stand in the way of the next try
            raise
    return writer.size


def _listen(port: str, line: SerialDefaults, writer: _Writer, seconds: float | None) -> None:
    try:
        with closing(Tap(open_link(port, line), writer.heard, writer.said)) as link:
            for _ in _until(seconds):
                link.read()
    except LINK_ERRORS as error:
        raise DeviceUnavailable(
            port, reason_of(error), "Check its plug, that this user may open it, and that no other program has it"
        ) from error


def _converse(config: SerialIndicatorConfig, writer: _Writer, seconds: float | None) -> None:
    def dial(port: str, line: SerialDefaults) -> Link:
        return Tap(open_link(port, line), writer.heard, writer.said)

    patient = config.model_copy(update={"idle_timeout_ms": LONGEST_IDLE_MS})
    scale = SerialIndicator(config.port, patient, dial=dial)
    scale.open()
    with closing(scale):
        for _ in _until(seconds):
            scale.read()


def _until(seconds: float | None) -> Iterator[None]:
    began_ms = monotonic_ms()
    while seconds is None or monotonic_ms() - began_ms < seconds * 1000:
        yield


def load_capture(file: Path) -> Capture:
    """Read a capture. Raises ValueError naming the line that is none."""
    header: Header | None = None
    events: list[Event] = []
    with file.open(encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            try:
                if number == 1 and "capture" in (fields := json.loads(text)):
                    header = Header.model_validate(fields)
                else:
                    events.append(_event(text))
            except (ValueError, KeyError, TypeError, UnicodeError) as error:
                why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
                raise ValueError(f"{file}:{number}: not a line of a capture ({why})") from error
    return Capture(header, events)


def _event(text: str) -> Event:
    fields = json.loads(text)
    sent = "sent" in fields
    return Event(int(fields["at_ms"]), bytes.fromhex(fields["sent" if sent else "hex"]), sent)


def frames(capture: Capture, profile: IndicatorProfile) -> Iterator[tuple[int, WireWeight]]:
    """The frames of a capture, each with the time of its last byte; the last ones only its end completes."""
    decoder = FrameDecoder(profile)
    for event in capture.reads():
        yield from ((event.at_ms, weight) for weight in decoder.feed(event.data))
    yield from ((capture.lasts_ms, weight) for weight in decoder.finish())


def at_its_pace(
    found: Iterator[tuple[int, WireWeight]], speed: float, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[int, WireWeight]]:
    """The same at the times they came, `speed` times as fast (0: at once)."""
    before_ms = 0
    for at_ms, weight in found:
        if speed > 0 and at_ms > before_ms:
            sleep((at_ms - before_ms) / 1000 / speed)
        before_ms = at_ms
        yield at_ms, weight


class Player:
    """Sends a capture over a line as if the indicator were there, from the moment somebody listens; once, or again and
    again. A capture of an indicator that is asked answers when it is asked. Use it as a context manager."""

    def __init__(self, capture: Capture, far: FarEnd, *, again: bool = False) -> None:
        self._capture = capture
        self._far = far
        self._again = again
        self._thread = DeviceThread("replay", self._play)

    @property
    def port(self) -> str:
        return self._far.port

    @property
    def done(self) -> bool:
        """It has been played to its end."""
        return not self._thread.alive

    def __enter__(self) -> "Player":
        self._far.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop()
        self._far.unplug()

    def _play(self, stopping: threading.Event) -> None:
        while not self._far.is_read() and not stopping.is_set():
            stopping.wait(LOOK_S)
        while not stopping.is_set():
            self._play_once(stopping)
            if not self._again:
                return

    def _play_once(self, stopping: threading.Event) -> None:
        began_ms = monotonic_ms()
        for event in self._capture.events:
            if event.sent:
                asked_ms = self._wait_for_request(stopping)
                began_ms = asked_ms - event.at_ms  # the answer comes as long after the request as it did
                continue
            while (left_ms := began_ms + event.at_ms - monotonic_ms()) > 0 and not stopping.is_set():
                stopping.wait(min(LOOK_S * 5, left_ms / 1000))
            if stopping.is_set():
                return
            self._far.write(event.data)

    def _wait_for_request(self, stopping: threading.Event) -> int:
        until_ms = monotonic_ms() + ASKED_WITHIN_MS
        while not self._far.read() and monotonic_ms() < until_ms and not stopping.is_set():
            stopping.wait(LOOK_S)
        return monotonic_ms()
