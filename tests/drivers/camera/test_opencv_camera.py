"""type = "opencv" as lanes and gates use it: pictures, logins that nobody sees, deadlines, addresses."""

import contextlib
import hashlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from drivers.camera import opencv_camera
from drivers.camera.address import Address, check_address
from drivers.camera.http_picture import fetch
from drivers.camera.opencv_camera import OpenCvCamera, OpenCvCameraConfig
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable, DriverError
from drivers.worker import monotonic_ms
from tests.drivers.camera.counting import Counting, bars, number_of


@pytest.fixture
def virtual() -> Iterator[Counting]:
    with Counting(rate_hz=25) as camera:
        yield camera


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


def test_a_camera_that_stands_still_is_noticed_within_the_look(virtual: Counting) -> None:
    """At the first look too, and when it froze between two looks: what it shows may be the truck before."""
    camera = _camera(virtual.url, frozen_s=20, deadline_ms=400)
    virtual.frozen.set()
    for _ in range(2):
        with pytest.raises(DeviceUnavailable, match="the same picture again and again"):
            camera.capture()
    virtual.frozen.clear()
    camera.capture()
    virtual.frames += 1  # another picture than the last one we saw
    virtual.frozen.set()
    with pytest.raises(DeviceUnavailable, match="the same picture again and again"):
        camera.capture()
    virtual.frozen.clear()
    assert camera.capture().jpeg
    assert _camera(virtual.url, frozen_s=0).capture().jpeg


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


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_a_trickle_of_bytes_ends_at_the_deadline_too(head: bytes) -> None:
    """In the headers as in the picture: each byte comes in time, and the whole never does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(head or b"HTTP/1.1 200 OK\r\n")
                for _ in range(40):
                    connection.sendall(b"X")
                    time.sleep(0.05)

        helper = threading.Thread(target=drip)
        helper.start()
        begun_s = time.monotonic()
        with pytest.raises(DeviceTimeout, match="no whole picture"):
            fetch("camera 1", Address(f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg"), 300)
        assert time.monotonic() - begun_s < 1
        helper.join()


def _told_by_a_check(camera: OpenCvCamera, within_s: float = 3.0) -> DriverError:
    """What a check says as soon as it finds something, asked as often as a lane asks."""
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s:
        try:
            camera.check()
        except DriverError as error:
            return error
        time.sleep(0.05)
    raise AssertionError("nothing was noticed")


@pytest.mark.parametrize("path", ["url", "stream_url"])
def test_a_camera_that_goes_is_noticed_without_a_look(virtual: Counting, path: str) -> None:
    """Within 3 s; and while it is there, the nets are loaded before the first truck."""
    opencv_camera.loaded_eye.cache_clear()
    camera = _camera(getattr(virtual, path))
    ends_s = time.monotonic() + 20
    while not opencv_camera.loaded_eye.cache_info().currsize:
        assert time.monotonic() < ends_s
        camera.check()
        time.sleep(0.05)
    camera.check()
    virtual.hung.set()
    begun_s = time.monotonic()
    assert "127.0.0.1" in _told_by_a_check(camera, 3.5).what
    assert time.monotonic() - begun_s < 3.2
    camera.close()
    virtual.hung.clear()


@pytest.mark.parametrize("url", ["rtsp://127.0.0.1:1/1", "http://127.0.0.1:1/a.jpg", "/dev/video-none"])
def test_a_camera_that_was_never_there_is_noticed_without_a_look(url: str) -> None:
    camera = _camera(url)
    said = _told_by_a_check(camera).what
    assert said.startswith("there is no") or said.endswith("cannot be reached: Connection refused")
    camera.close()


def test_a_login_file_is_read_before_the_camera_is_dialled(tmp_path: Path) -> None:
    """Else a camera that is off hides it."""
    camera = _camera("rtsp://127.0.0.1:1/1", tmp_path / "none")
    assert "none cannot be read: No such file" in _told_by_a_check(camera).what
    camera.close()


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
    "url",
    [
        "",
        "h",
        "ftp://h/a",
        "rtsp://",
        "rtsp://h:x/a",
        "rtsp://a:b@h/1",
        "file:///etc/passwd",
        "http://h/a b",
        "http://h/门",
    ],
)
def test_wrong_addresses(url: str) -> None:
    with pytest.raises(ValidationError, match="allowed: "):
        OpenCvCameraConfig(type="opencv", url=url)


@pytest.mark.parametrize("region", [(0, 0, 0, 10), (500, 0, 501, 10), (0, 0, 1001, 10), (-1, 0, 5, 5)])
def test_a_region_lies_in_the_picture(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValidationError):
        OpenCvCameraConfig(type="opencv", url="/dev/video0", region=region)
