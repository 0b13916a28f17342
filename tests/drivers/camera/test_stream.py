"""A stream read all the time: is a picture of now, whatever the camera does? Also from a real RTSP server."""

import contextlib
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera.address import Address
from drivers.camera.stream import Frame, Frozen, Stream
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable, DriverError
from drivers.worker import monotonic_ms
from tests.drivers.camera.counting import Counting, bars, number_of


@pytest.fixture
def virtual() -> Iterator[Counting]:
    with Counting(rate_hz=25) as camera:
        yield camera


@pytest.fixture
def stream(virtual: Counting) -> Iterator[Stream]:
    made = Stream("camera 1", Address(virtual.stream_url), Frozen(0))
    yield made
    virtual.hung.clear()
    assert made.close(4)


def fresh(stream: Stream, within_ms: int = 2500) -> Frame:
    return stream.fresh(monotonic_ms() + within_ms)


def eventually(there: Callable[[], bool], within_s: float) -> None:
    """Waits until it is so."""
    ends_s = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < ends_s
        time.sleep(0.02)


def seen(stream: Stream) -> bool:
    """Whether it shows a picture now."""
    try:
        fresh(stream)
    except DriverError:
        return False
    return True


def failure(stream: Stream, within_ms: int = 1500) -> DriverError:
    """The error, which must come within the deadline."""
    begun_s = time.monotonic()
    with pytest.raises(DriverError) as caught:
        fresh(stream, within_ms)
    assert time.monotonic() - begun_s < within_ms / 1000 + 0.5
    assert caught.value.device == "camera 1" and "127.0.0.1" in caught.value.what and caught.value.try_this
    return caught.value


def test_what_is_handed_out_was_taken_after_the_question(virtual: Counting, stream: Stream) -> None:
    """Also when nobody asked for a while: a stream that is read only now and then gives what has waited."""
    fresh(stream)
    for pause_s in (0, 0.05, 0.7, 0.01):
        time.sleep(pause_s)
        before, asked_ms = virtual.frames, monotonic_ms()
        frame = fresh(stream)
        assert before <= number_of(frame.image) <= virtual.frames
        assert asked_ms <= frame.taken_ms <= monotonic_ms()


def test_a_stream_read_only_when_asked_would_show_the_truck_before(virtual: Counting) -> None:
    """The control: the plain way to use cv2.VideoCapture hands out old frames, and this measure sees it."""
    capture = cv2.VideoCapture(virtual.stream_url, cv2.CAP_FFMPEG)
    capture.grab()
    time.sleep(0.7)
    before = virtual.frames
    image = capture.read()[1]
    capture.release()
    assert number_of(np.asarray(image, np.uint8)) < before - 5


def test_a_reader_that_slept_begins_anew(virtual: Counting, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer too busy to read leaves old frames on the line: none of them is handed out."""
    fresh(stream)
    take, slept = Stream._take, threading.Event()  # noqa: SLF001

    def sleepy(self: Stream, capture: cv2.VideoCapture, last_ms: int) -> tuple[int, float]:
        if not slept.is_set():
            slept.set()
            time.sleep(0.8)
        return take(self, capture, last_ms)

    monkeypatch.setattr(Stream, "_take", sleepy)
    assert slept.wait(1)
    before = virtual.frames
    assert number_of(fresh(stream).image) >= before


def test_a_camera_that_hangs_and_goes_on(virtual: Counting, stream: Stream) -> None:
    fresh(stream)
    virtual.hung.set()
    time.sleep(0.1)
    begun_s = time.monotonic()
    assert isinstance(failure(stream, 1000), DeviceTimeout)
    assert isinstance(failure(stream, 1900), DeviceTimeout), "also when asked again"
    eventually(lambda: not stream.open, 3)
    assert time.monotonic() - begun_s < 3, "a dead camera is noticed within 3 s"
    virtual.hung.clear()
    before = virtual.frames
    assert number_of(fresh(stream).image) >= before, "by itself"


def test_a_camera_that_is_switched_off_and_on(virtual: Counting, stream: Stream) -> None:
    fresh(stream)
    virtual.switch_off()
    for _ in range(2):
        error = failure(stream)
        assert isinstance(error, DeviceUnavailable) and "cannot be reached" in error.what
    virtual.switch_on()
    eventually(lambda: seen(stream), 3)  # the dial that was under way may still fail


def test_a_stream_cut_in_the_middle_of_a_frame(virtual: Counting, stream: Stream) -> None:
    fresh(stream)
    virtual.cut.set()
    eventually(lambda: not virtual.cut.is_set(), 1)
    before = virtual.frames
    assert number_of(fresh(stream).image) >= before


@pytest.mark.parametrize("garbage", [b"<html>login</html>" * 50, bars(77)[:400] + bytes(3000)])
def test_what_is_no_picture(virtual: Counting, stream: Stream, garbage: bytes) -> None:
    virtual.garbage = garbage
    failure(stream)
    virtual.garbage = None
    before = virtual.frames
    assert number_of(fresh(stream).image) >= before


def test_a_camera_that_starts_slowly(virtual: Counting, stream: Stream) -> None:
    virtual.hung.set()
    threading.Timer(0.8, virtual.hung.clear).start()
    assert number_of(fresh(stream).image) >= 1


def test_a_frozen_picture_is_noticed(virtual: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames come, but all show the same moment."""
    monkeypatch.setattr("drivers.camera.stream._SAMPLE_MS", 100)
    stream = Stream("camera 1", Address(virtual.stream_url), Frozen(500))
    try:
        fresh(stream)
        virtual.frozen.set()
        time.sleep(1)
        error = failure(stream)
        assert isinstance(error, DeviceUnavailable) and "the same picture since" in error.what
        virtual.frozen.clear()
        time.sleep(0.4)
        fresh(stream)
    finally:
        stream.close(4)


def test_a_bug_in_the_thread_reaches_who_asks(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "_take", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fresh(stream)


_CHILD = """
import sys
from drivers.camera.stream import *
from drivers.ports import DriverError

stream = Stream("c", Address(sys.argv[1]), Frozen(0))
stream.fresh(monotonic_ms() + 5000)
print("up", flush=True)
input()
try:
    stream.fresh(monotonic_ms() + 800)
except DriverError as error:
    print(error.what, flush=True)
input()
stream.fresh(monotonic_ms() + 5000)
print("up", flush=True)
input()
"""


def test_the_console_stays_clean_and_a_hung_camera_does_not_spoil_the_end(virtual: Counting) -> None:
    """FFmpeg writes to the console by itself; Python aborts when a thread comes back from C++ as the program ends."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, virtual.stream_url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None
    assert child.stdout.readline() == "up\n"
    virtual.garbage = b"no picture" * 300
    print(file=child.stdin, flush=True)  # noqa: T201
    assert "no picture" in child.stdout.readline()
    virtual.garbage = None
    print(file=child.stdin, flush=True)  # noqa: T201
    assert child.stdout.readline() == "up\n"
    virtual.hung.set()
    time.sleep(0.3)
    _, err = child.communicate("\n", timeout=20)
    virtual.hung.clear()
    assert (child.returncode, err) == (0, "")


# A real RTSP server, where this machine has one.

_RTSP = Path(__file__).with_name("rtsp_server.py")
_HAS_GST = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst; " \
    "Gst.init(None); assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('jpegdec')"  # fmt: skip


@pytest.fixture
def rtsp(tmp_path: Path) -> Iterator[Callable[[], tuple[str, list[int]]]]:
    """Starts the server; gives its address, and the numbers of the frames that were shown to it."""
    python = "/usr/bin/python3"
    if not Path(python).exists() or subprocess.run([python, "-Wi", "-c", _HAS_GST], capture_output=True).returncode:
        pytest.skip("no GStreamer RTSP server here; Debian packages in tests/drivers/camera/rtsp_server.py")
    server = subprocess.Popen(
        [python, "-Wi", str(_RTSP), "0", "gate:p/w@1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None and server.stdout is not None
    pipe, shown, ended = server.stdin, [0], threading.Event()

    def feed() -> None:
        while not ended.wait(1 / 20):
            shown[0] += 1
            jpeg = bars(shown[0])
            try:
                pipe.write(struct.pack(">I", len(jpeg)) + jpeg)
                pipe.flush()
            except OSError:
                return

    feeder = threading.Thread(target=feed)
    port = int(server.stdout.readline())
    feeder.start()
    yield lambda: (f"rtsp://127.0.0.1:{port}/gate", shown)
    server.kill()
    ended.set()
    feeder.join()
    server.wait()
    server.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def test_a_real_rtsp_server(tmp_path: Path, rtsp: Callable[[], tuple[str, list[int]]]) -> None:
    url, shown = rtsp()
    login = tmp_path / "login"
    login.write_text("gate:p/w@1", encoding="utf-8")
    stream = Stream("camera 1", Address(url, login), Frozen(0))
    try:
        eventually(lambda: _opened(stream), 8)
        for pause_s in (0, 0.6, 0.1):
            time.sleep(pause_s)
            before = shown[0]
            assert before - 2 <= number_of(fresh(stream).image) <= shown[0], "two are on their way in the encoder"
        wrong = Stream("camera 1", Address(url), Frozen(0))
        assert isinstance(failure(wrong), DeviceRefused), "without a login"
        wrong.close(4)
    finally:
        stream.close(4)


def _opened(stream: Stream) -> bool:
    try:
        fresh(stream)
    except DriverError:
        return False
    return True
