"""The camera over real HTTP: the plate it is shown, a hung camera, a dead one, and pages that are no pictures.

The first three tests are the contract of every camera type: a new driver adds one row to CAMERAS.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from pydantic import ValidationError

from drivers.camera.jpeg_comment import NotJpegError, plate_comment, plate_in
from drivers.camera.scene import HEIGHT, WIDTH, plate_color
from drivers.camera.simulated import SimulatedCameraConfig, VirtualCamera
from drivers.ports import Camera, DeviceRefused, DeviceTimeout, DeviceUnavailable
from drivers.readings import PlateAnswer, PlateColor, PlateReading
from drivers.registry import build_camera
from drivers.worker import monotonic_ms


def _simulated(url: str, timeout_ms: int = 1000) -> Camera:
    return build_camera("camera", SimulatedCameraConfig(type="simulated", url=url, timeout_ms=timeout_ms))


CAMERAS: dict[str, Callable[..., Camera]] = {"simulated": _simulated}


@pytest.fixture
def virtual() -> Iterator[VirtualCamera]:
    with VirtualCamera() as camera:
        yield camera


@pytest.fixture(params=CAMERAS)
def make(request: pytest.FixtureRequest) -> Callable[..., Camera]:
    return CAMERAS[request.param]


def test_a_picture_is_taken_after_the_call_began(virtual: VirtualCamera, make: Callable[..., Camera]) -> None:
    virtual.set_scene("浙E·K3269", 970)
    before_ms = monotonic_ms()
    seen = make(virtual.url).capture()
    assert before_ms <= seen.taken_ms <= monotonic_ms()
    assert Image.open(BytesIO(seen.jpeg)).size == (WIDTH, HEIGHT)


def test_a_hung_camera_is_given_up_in_time(virtual: VirtualCamera, make: Callable[..., Camera]) -> None:
    virtual.hung.set()
    started_s = time.monotonic()
    with pytest.raises(DeviceTimeout, match="no whole picture in 200 ms"):
        make(virtual.url, 200).capture()
    assert time.monotonic() - started_s < 1
    virtual.hung.clear()


def test_a_dead_camera_is_unavailable_and_comes_back(virtual: VirtualCamera, make: Callable[..., Camera]) -> None:
    camera = make(virtual.url)
    virtual.switch_off()
    with pytest.raises(DeviceUnavailable, match="cannot be reached"):
        camera.capture()
    virtual.switch_on()
    camera.capture()


@pytest.mark.parametrize(
    ("scene", "plate"),
    [
        (("浙A12345", 970), PlateReading("浙A12345", PlateColor.YELLOW, 970)),
        (("浙AD12345", 1000), PlateReading("浙AD12345", PlateColor.GREEN, 1000)),
        (("沪B00001", 310, PlateColor.BLUE), PlateReading("沪B00001", PlateColor.BLUE, 310)),
        ((None,), None),
    ],
)
def test_the_plate_comes_with_the_picture(virtual: VirtualCamera, scene: Any, plate: PlateReading | None) -> None:
    virtual.set_scene(*scene)
    assert _simulated(virtual.url).capture().plate == plate


def test_a_camera_that_is_not_sure_asks_and_shows_the_plate(virtual: VirtualCamera) -> None:
    """It reads one character wrong; or right, and still is not sure."""
    for reads, behind_milli in (("浙A1234B", 10_000), ("浙A12345", 0)):
        virtual.set_scene("浙A12345", 620, reads=reads)
        seen = _simulated(virtual.url).capture(("苏E6H369", "浙A12345"))
        assert seen.match is not None and seen.match.free is not None
        assert (seen.match.answer, seen.match.plate, seen.match.free.text) == (PlateAnswer.ASK, None, reads)
        assert (seen.match.nearest[0].plate, seen.match.nearest[0].behind_milli) == ("浙A12345", behind_milli)
        width, height = Image.open(BytesIO(seen.crop)).size
        assert 80 <= width <= 180 and 2 <= width / height <= 4


def test_the_next_truck_is_seen_at_once(virtual: VirtualCamera) -> None:
    camera = _simulated(virtual.url)
    for plate in ("浙A12345", None, "苏E6H369"):
        virtual.set_scene(plate)
        seen = camera.capture().plate
        assert (seen.text if seen else None) == plate


def test_one_who_hangs_up_leaves_no_traceback(virtual: VirtualCamera, capfd: pytest.CaptureFixture[str]) -> None:
    """As a plant that was killed: what is printed then would stand on the screen of whoever watches the demo."""
    virtual.hung.set()
    parts = urlsplit(virtual.url)
    with socket.create_connection((str(parts.hostname), parts.port)) as connection:
        connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    virtual.hung.clear()
    _simulated(virtual.url).capture()
    time.sleep(0.1)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("garbage", [b"", b"<html>login</html>", b"\xff\xd8\xff", b"\xff\xd8\xff\xd9"])
def test_what_is_no_picture_is_refused(virtual: VirtualCamera, garbage: bytes) -> None:
    virtual.garbage = garbage
    with pytest.raises(DeviceRefused, match="JPEG"):
        _simulated(virtual.url).capture()


def test_half_a_picture_is_refused(virtual: VirtualCamera) -> None:
    virtual.garbage = virtual.frame()[:-300]
    with pytest.raises(DeviceRefused, match="no whole JPEG"):
        _simulated(virtual.url).capture()


def test_a_wrong_address_is_refused(virtual: VirtualCamera) -> None:
    with pytest.raises(DeviceRefused, match="404"):
        _simulated(virtual.url.replace("frame", "other")).capture()


def test_a_trickle_of_bytes_ends_at_the_deadline() -> None:
    """A byte now and then keeps a socket's own timeout alive for ever; the deadline is for the whole picture."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def trickle() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        helper = threading.Thread(target=trickle)
        helper.start()
        started_s = time.monotonic()
        with pytest.raises(DeviceTimeout):
            _simulated(f"http://127.0.0.1:{server.getsockname()[1]}/frame.jpg", 300).capture()
        assert time.monotonic() - started_s < 1
        stop.set()
        helper.join()


def test_the_comment_is_read_strictly() -> None:
    def with_comment(comment: bytes) -> bytes:
        return b"\xff\xd8\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + b"\xff\xda\x00\x02\xff\xd9"

    plate = PlateReading("浙A12345", None, 900)
    assert plate_in(with_comment(plate_comment(plate))) == plate
    wrong = (b"made by a phone", b"{}", b'{"plate":"A","color":"pink","confidence_permille":1}',
             b'{"plate":"A","color":null,"confidence_permille":1001}')  # fmt: skip
    for comment in wrong:
        with pytest.raises(NotJpegError, match="comment is not a plate"):
            plate_in(with_comment(comment))


def test_the_usual_colour() -> None:
    assert plate_color("浙A·12345") is PlateColor.YELLOW
    assert plate_color("浙AD12345") is PlateColor.GREEN


@pytest.mark.parametrize("url", ["rtsp://cam/1", "http://", "http://h", "http://user:secret@h/frame.jpg"])
def test_wrong_addresses_say_what_is_allowed(url: str) -> None:
    with pytest.raises(ValidationError, match="allowed: http://host:port/frame.jpg"):
        SimulatedCameraConfig(type="simulated", url=url)


@pytest.mark.parametrize(
    ("plate", "expected", "answer", "nearest"),
    [
        (None, ("浙A12345",), PlateAnswer.NO_PLATE, ()),
        (
            "浙A·12345",
            ("浙A12346", "浙A12345", "浙A12345"),
            PlateAnswer.CONFIRMED,
            (("浙A12345", 0), ("浙A12346", 10_000)),
        ),
        ("浙A12345", ("浙A1234", "粤A12346", "沪C99999"), PlateAnswer.ASK, (("浙A1234", 10_000), ("粤A12346", 20_000))),
        ("浙A12345", (), PlateAnswer.ASK, ()),
    ],
)
def test_the_simulated_camera_holds_the_plate_against_those_expected(
    virtual: VirtualCamera, plate: str | None, expected: tuple[str, ...], answer: PlateAnswer, nearest: Any
) -> None:
    virtual.set_scene(plate)
    seen = _simulated(virtual.url).capture(expected)
    assert seen.match is not None
    assert (seen.match.answer, seen.match.free) == (answer, seen.plate)
    assert tuple((each.plate, each.behind_milli) for each in seen.match.nearest) == nearest
    assert seen.match.plate == (nearest[0][0] if answer is PlateAnswer.CONFIRMED else None)
