"""A camera's stream, read all the time by a thread of its own, so that whoever asks gets a picture of now.

Whoever reads a stream only now and then reads what was waiting: the truck before. So every picture is taken off the
stream at once, and one is handed out only when taking it began after the question and had to wait for the camera.
"""

import atexit
import os
import socket
import threading
import time
import zlib
from dataclasses import dataclass, field

import cv2
import numpy as np

from drivers.camera.address import Address, NoLogin
from drivers.camera.http_picture import CHECK, fetch
from drivers.camera.plates.found import Image
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable, DriverError
from drivers.worker import DeviceThread, monotonic_ms

OPEN_MS = 2500
"""For the whole opening, and for each picture of a stream that is open: a dead camera is noticed within 3 s."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0
_ASLEEP_MS = 500
"""We took no picture for so long: what waits on the line now is old."""
_WAITED_MS = 2
_MOST_HURRIED = 300
_SAMPLE_MS = 1000
_BEHIND = {"rtsp": 1}
"""So many pictures an encoder and decoder hold back between them."""
_FFMPEG = {
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # quiet: what matters is said by our own errors
    "OPENCV_FFMPEG_IS_THREAD_SAFE": "1",  # else one camera's slow opening holds up the others'
    # TCP, for lost packets are smeared plates; nothing kept back; no long look at the stream before its first picture
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": (
        "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay|analyzeduration;600000|fpsprobesize;0"
    ),
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": str(OPEN_MS // 1000),
}


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Pixels (HxWx3 BGR) and when they were taken (monotonic). `jpeg` where the camera sent them so."""

    image: Image
    taken_ms: int
    jpeg: bytes = b""


@dataclass(slots=True)
class Frozen:
    """Notices a picture that never changes: a camera's sensor has noise, so no two of its pictures are the same."""

    after_ms: int
    """So long the same picture; 0: never."""
    _print: int | None = None
    _since_ms: int = 0
    seen_ms: int = 0
    """When the last picture was looked at: in a stream that is dialled anew, nothing has stood still meanwhile."""

    def see(self, data: bytes, now_ms: int) -> None:
        """The picture now, as bytes that change with it."""
        fingerprint = zlib.crc32(data)
        self.seen_ms = now_ms
        if fingerprint != self._print:
            self._print, self._since_ms = fingerprint, now_ms

    def check(self, device: str, address: Address, now_ms: int) -> None:
        """DeviceUnavailable when the picture stands still."""
        still_ms = now_ms - self._since_ms
        if self.after_ms and self._print is not None and still_ms >= self.after_ms:
            what = f"{address} sends the same picture since {still_ms // 1000} s"
            raise DeviceUnavailable(device, what, "Switch the camera off and on 重启摄像机")


@dataclass(slots=True)
class _Desk:
    """What the thread and its callers share, under one lock."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    asked_ms: int | None = None
    frame: Frame | None = None
    error: Exception | None = None
    tried_ms: int = 0
    """When the attempt began that ended with the error: one from before a question does not answer it."""


class Stream:
    """Reads one camera until `close`. The thread starts with the first question."""

    def __init__(self, device: str, address: Address, frozen: Frozen) -> None:
        self._device = device
        self._address = address
        self._frozen = frozen
        self._desk = _Desk()
        self._ask_again = threading.Event()
        self._failures = 0
        self._thread: DeviceThread | None = None
        self.frames = 0
        """Pictures taken off the stream since it was made."""
        self.open = False
        """Pictures come."""

    def fresh(self, ends_ms: int) -> Frame:
        """A picture that was taken after this call. Raises DriverError when none comes until `ends_ms` (monotonic)."""
        asked_ms = monotonic_ms()
        with self._desk.changed:
            self._desk.asked_ms, self._desk.frame = asked_ms, None
            self._start()
            while (frame := self._answer(asked_ms)) is None:
                if monotonic_ms() >= ends_ms:
                    self._desk.asked_ms = None
                    what = f"{self._address} gave no picture in {ends_ms - asked_ms} ms"
                    raise self._desk.error or DeviceTimeout(self._device, what, CHECK)
                self._desk.changed.wait(max(1, ends_ms - monotonic_ms()) / 1000)
        self._frozen.check(self._device, self._address, frame.taken_ms)
        return frame

    def check(self) -> bool:
        """Whether pictures come, which may take a moment at first. Waits for nothing; DriverError when they do not."""
        with self._desk.changed:
            if self._thread is None:
                self._start()
            error = self._desk.error
        if self.open:
            self._frozen.check(self._device, self._address, self._frozen.seen_ms)
        elif error is not None:
            raise error
        return self.open

    def _answer(self, asked_ms: int) -> Frame | None:
        """The picture, or None so far; raises what went wrong since the question, and any bug."""
        error = self._desk.error
        if error is not None and (self._desk.tried_ms >= asked_ms or not isinstance(error, DriverError)):
            raise error
        return self._desk.frame

    def close(self, timeout_s: float = 0.4) -> bool:
        """End the thread. False when it is still in the device; it then ends by itself as soon as that lets go."""
        thread = self._thread
        if thread is None:
            return True
        thread.stopping.set()
        self._ask_again.set()
        if not thread.stop(timeout_s):
            return False
        self._thread = None
        atexit.unregister(self.close)
        return True

    def _start(self) -> None:
        self._ask_again.set()
        if self._thread is None:
            self._thread = DeviceThread(f"stream {self._device}", self._run)
            self._thread.start()
            # Python ends a thread that is in FFmpeg when the program ends by aborting the whole program.
            atexit.register(self.close, OPEN_MS / 1000 + 1)

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self._ask_again.clear()
            begun_ms = monotonic_ms()
            try:
                self._take_until_failure(stopping)
            except DriverError as error:
                self._tell(error, begun_ms)
            except Exception as bug:  # must reach whoever asks, not die with a daemon thread
                self._tell(bug, begun_ms)
                return
            finally:
                self.open = False
            if not stopping.is_set():
                wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(self._failures, 10))
                self._failures += 1
                stopping.wait(_FIRST_WAIT_S / 4)  # many questions to a dead camera are no reason to hurry
                self._ask_again.wait(wait_s)

    def _take_until_failure(self, stopping: threading.Event) -> None:
        capture = open_capture(self._device, self._address)
        try:
            hurried, after, sampled_ms, ended_ms = 0, 0, 0, monotonic_ms()
            while not stopping.is_set():
                begun_ms, waited_ms = self._take(capture, ended_ms)
                ended_ms = monotonic_ms()
                hurried = 0 if waited_ms >= _WAITED_MS else hurried + 1
                if hurried > _MOST_HURRIED:
                    raise self._overrun()
                asked_ms = self._desk.asked_ms
                after = after + 1 if asked_ms is not None and begun_ms >= asked_ms and not hurried else 0
                if after > _BEHIND.get(self._address.scheme, 0):
                    self._hand_over(Frame(self._pixels(capture), ended_ms))
                if ended_ms - sampled_ms >= _SAMPLE_MS:
                    self._frozen.see(self._pixels(capture)[::4, ::4].tobytes(), ended_ms)
                    sampled_ms = ended_ms
        finally:
            capture.release()

    def _take(self, capture: cv2.VideoCapture, last_ms: int) -> tuple[int, float]:
        """Take one picture off the stream: when that began, and how long it had to wait for the camera (ms)."""
        begun_ms, busy_ns = monotonic_ms(), time.thread_time_ns()
        if begun_ms - last_ms > _ASLEEP_MS:
            raise self._unavailable(f"was not read for {begun_ms - last_ms} ms, for the computer was too busy")
        taken = capture.grab()
        took_ms = monotonic_ms() - begun_ms
        if not taken:
            raise self._broken(took_ms)
        self.frames += 1
        self.open, self._failures = True, 0
        return begun_ms, took_ms - (time.thread_time_ns() - busy_ns) / 1_000_000

    def _pixels(self, capture: cv2.VideoCapture) -> Image:
        done, image = capture.retrieve()
        if not done or image.ndim != 3:
            raise self._unavailable("gave a picture that cannot be decoded")
        return np.asarray(image, np.uint8)

    def _hand_over(self, frame: Frame) -> None:
        desk = self._desk
        with desk.changed:
            if desk.asked_ms is not None:
                desk.frame, desk.error, desk.asked_ms = frame, None, None
                desk.changed.notify_all()

    def _tell(self, error: Exception, tried_ms: int) -> None:
        with self._desk.changed:
            self._desk.error, self._desk.tried_ms = error, tried_ms
            self._desk.changed.notify_all()

    def _broken(self, after_ms: int) -> DriverError:
        if after_ms >= OPEN_MS * 4 // 5:
            return DeviceTimeout(self._device, f"{self._address} sent no picture for {after_ms} ms", CHECK)
        return self._unavailable("broke off, or sent what is no picture")

    def _unavailable(self, what: str) -> DeviceUnavailable:
        return DeviceUnavailable(self._device, f"{self._address} {what}", CHECK)

    def _overrun(self) -> DriverError:
        what = f"{self._address} sends pictures faster than this computer can take them"
        return DeviceRefused(self._device, what, "Use the camera's second stream, or fewer pictures a second")


def open_capture(device: str, address: Address, timeout_ms: int = OPEN_MS) -> cv2.VideoCapture:
    """The opened stream, in at most `timeout_ms` and a little. Raises DriverError with what is wrong."""
    _be_quiet()
    begun_ms = monotonic_ms()
    if not address.scheme:
        return _open_device(device, address)
    try:
        url = address.with_login()
    except NoLogin as error:
        raise DeviceRefused(device, str(error), "Write the camera's login into it") from None
    if address.scheme == "http":
        if fetch(device, address, timeout_ms).body is not None:
            raise DeviceRefused(device, f"{address} is a picture now, no stream", "Restart the program 重启程序")
    else:
        _knock(device, address, timeout_ms)
    left_ms = max(200, timeout_ms - (monotonic_ms() - begun_ms))
    options = [
        (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, left_ms),
        (cv2.CAP_PROP_READ_TIMEOUT_MSEC, OPEN_MS),
        (cv2.CAP_PROP_N_THREADS, 1),  # more threads hold back as many pictures
    ]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, [int(each) for option in options for each in option])
    if capture.isOpened():
        return capture
    took_ms = monotonic_ms() - begun_ms
    if took_ms >= timeout_ms:
        raise DeviceTimeout(device, f"{address} answers, but sent no picture in {took_ms} ms", CHECK)
    raise DeviceRefused(
        device,
        f"{address} answers, but gives no stream of pictures",
        "Check the path of the address, and the user and password in the camera's login file",
    )


def _open_device(device: str, address: Address) -> cv2.VideoCapture:
    if not os.path.exists(address.text):  # noqa: PTH110 - a device, not a file
        raise DeviceUnavailable(device, f"there is no {address}", "Check the USB cable, and the name under /dev/v4l")
    capture = cv2.VideoCapture(address.text, cv2.CAP_V4L2)
    if not capture.isOpened():
        what = f"{address} cannot be opened, or is no camera"
        raise DeviceUnavailable(device, what, "Check that no other program has it, and that the user is in group video")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _knock(device: str, address: Address, timeout_ms: int) -> None:
    """FFmpeg says only that it could not open: whether anybody is there is asked first."""
    try:
        socket.create_connection(address.host, timeout_ms / 1000).close()
    except OSError as error:
        raise DeviceUnavailable(device, f"{address} cannot be reached: {error.strerror or error}", CHECK) from None


def _be_quiet() -> None:
    """What OpenCV and FFmpeg read before their first stream."""
    os.environ.update({name: value for name, value in _FFMPEG.items() if name not in os.environ})
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
