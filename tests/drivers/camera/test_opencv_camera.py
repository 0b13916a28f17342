"""type = "opencv" against real streams: is a picture of now, whatever the camera does, and who may see its login?

Which frame was handed out is read from its pixels: the virtual camera's frames carry their number as bars of light.
"""

import contextlib
import hashlib
import re
import socket
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
from pydantic import ValidationError

from drivers.camera.address import Address, check_address
from drivers.camera.http_picture import fetch
from drivers.camera.opencv_camera import OpenCvCamera, OpenCvCameraConfig
from drivers.camera.simulated import VirtualCamera
from drivers.camera.stream import Frame, Frozen, Stream
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable, DriverError
from drivers.worker import monotonic_ms

BITS = 16


def bars(number: int) -> bytes:
    """A small JPEG that says its number: white and black fields, and some noise as every sensor has it."""
    image = np.random.default_rng(number).integers(90, 160, (96, 20 * BITS, 3)).astype(np.uint8)
    for bit in range(BITS):
        image[30:66, bit * 20 : bit * 20 + 20] = 240 if number >> bit & 1 else 15
    return cv2.imencode(".jpg", image)[1].tobytes()


def number_of(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    """What the fields say."""
    return sum(1 << bit for bit in range(BITS) if image[40:56, bit * 20 + 6 : bit * 20 + 14].mean() > 128)


class Counting(VirtualCamera):
    """The virtual camera with frames that cost nothing to draw. `sent` is the last number it sent."""

    def frame(self) -> bytes:
        if self.frozen.is_set():
            return bars(self.frames)
        self.frames += 1
        return bars(self.frames)


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
    fresh(stream)


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


# The camera as lanes and gates use it.


def _camera(url: str, login: Path | None = None, frozen_s: int = 0, deadline_ms: int = 1500) -> OpenCvCamera:
    config = OpenCvCameraConfig(type="opencv", url=url, login=login, frozen_s=frozen_s, deadline_ms=deadline_ms)
    return OpenCvCamera("camera 1", config)


@pytest.mark.parametrize("path", ["url", "stream_url"])
def test_a_login_is_asked_for_and_never_shown(tmp_path: Path, virtual: Counting, path: str) -> None:
    virtual.login = ("gate", "s3c/r@t:x")
    file = tmp_path / "camera.login"
    camera = _camera(getattr(virtual, path), file)
    said = []
    for content in (None, "gate", "gate:wrong-s3c"):
        if content is not None:
            file.write_text(content, encoding="utf-8")
        with pytest.raises(DeviceRefused) as caught:
            camera.capture()
        said.append(str(caught.value))
    assert "cannot be read" in said[0] and "user:password" in said[1] and "401" in said[2]
    assert not any("wrong-s3c" in each for each in said)
    file.write_text("gate:s3c/r@t:x\n", encoding="utf-8")
    seen = camera.capture()
    assert seen.jpeg.startswith(b"\xff\xd8")
    camera.close()
    address = Address(virtual.url, file)
    assert "s3c" not in f"{address} {address!r} {address.credentials()!r}"


def test_a_digest_login(tmp_path: Path) -> None:
    """As most makers' cameras ask for it: the password itself never goes over the line (RFC 7616)."""
    asked: list[bytes] = []
    body = bars(1)

    def answer(connection: socket.socket) -> None:
        asked.append(connection.recv(4096))
        if b"Authorization" in asked[-1]:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        else:
            challenge = b'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5'
            connection.sendall(b"HTTP/1.1 401 No\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n" % challenge)

    login = tmp_path / "login"
    login.write_text("gate:s3cret", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    answer(connection)

        helper = threading.Thread(target=serve)
        helper.start()
        port = server.getsockname()[1]
        assert fetch("camera 1", Address(f"http://127.0.0.1:{port}/a.jpg?c=1", login), 2000).body == body
        helper.join()
    fields = dict(re.findall(r'(\w+)="?([^",\s]*)"?', asked[1].decode().split("Digest ")[1].split("\r\n")[0]))
    first, second = (hashlib.md5(each.encode()).hexdigest() for each in ("gate:cam:s3cret", f"GET:{fields['uri']}"))
    parts = (first, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], second)
    assert fields["uri"] == "/a.jpg?c=1"
    assert fields["response"] == hashlib.md5(":".join(parts).encode()).hexdigest()
    assert b"s3cret" not in asked[1]


def test_pictures_fetched_anew(virtual: Counting) -> None:
    camera = _camera(virtual.url)
    for _ in range(2):
        before, asked_ms = virtual.frames, monotonic_ms()
        seen = camera.capture(("浙A12345",))
        image = cv2.imdecode(np.frombuffer(seen.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert number_of(np.asarray(image, np.uint8)) > before and seen.taken_ms >= asked_ms
        assert seen.plate is None and seen.match is not None and seen.match.free is None
    virtual.frozen.set()
    assert camera.capture().jpeg, "a camera may take its time for the next picture"


def test_the_same_picture_for_too_long(virtual: Counting) -> None:
    camera = _camera(virtual.url, frozen_s=1)
    virtual.frozen.set()
    camera.capture()
    time.sleep(1.1)
    with pytest.raises(DeviceUnavailable, match="the same picture since"):
        camera.capture()
    virtual.frozen.clear()
    camera.capture()


@pytest.mark.parametrize("garbage", [b"", b"<html>login</html>", bars(5)[:-40], bars(5)[:300]])
def test_a_page_or_half_a_picture_is_refused(virtual: Counting, garbage: bytes) -> None:
    virtual.garbage = garbage
    with pytest.raises(DeviceRefused, match="camera 1: http://127.0.0.1"):
        _camera(virtual.url).capture()


def test_a_look_ends_at_its_deadline(virtual: Counting) -> None:
    virtual.hung.set()
    begun_s = time.monotonic()
    with pytest.raises(DeviceTimeout):
        _camera(virtual.url, deadline_ms=400).capture()
    assert time.monotonic() - begun_s < 1
    virtual.hung.clear()


def test_no_such_device() -> None:
    with pytest.raises(DeviceUnavailable, match="there is no /dev/video-none"):
        _camera("/dev/video-none").capture()


def test_a_device_that_is_no_camera() -> None:
    with pytest.raises(DeviceUnavailable, match="cannot be opened, or is no camera"):
        _camera("/dev/null").capture()


@pytest.mark.parametrize(
    "url", ["rtsp://h/1", "rtsp://h:8554/a?x=1", "http://h/a.jpg", "/dev/video0", "/dev/v4l/by-path/pci-0:1"]
)
def test_addresses(url: str) -> None:
    assert check_address(url) == url
    assert str(Address("http://h/a.jpg?user=admin&pwd=secret")) == "http://h/a.jpg?…"


@pytest.mark.parametrize(
    "url", ["", "h", "ftp://h/a", "rtsp://", "rtsp://h:x/a", "rtsp://a:b@h/1", "file:///etc/passwd"]
)
def test_wrong_addresses(url: str) -> None:
    with pytest.raises(ValidationError, match="allowed: "):
        OpenCvCameraConfig(type="opencv", url=url)


@pytest.mark.parametrize("region", [(0, 0, 0, 10), (500, 0, 501, 10), (0, 0, 1001, 10), (-1, 0, 5, 5)])
def test_a_region_lies_in_the_picture(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValidationError):
        OpenCvCameraConfig(type="opencv", url="/dev/video0", region=region)


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
