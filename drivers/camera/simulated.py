"""Cameras without a lens: `VirtualCamera` serves drawn frames over HTTP, type = "simulated" fetches them.

The plate comes as text in the JPEG's comment; reading plates from pixels is another driver's work.
"""

import contextlib
import http.client
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import zip_longest
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drivers.camera.jpeg_comment import NotJpegError, comment_in
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable
from drivers.readings import Nearness, Picture, PlateAnswer, PlateColor, PlateMatch, PlateReading
from drivers.simulators import Simulator
from drivers.worker import DeviceThread, monotonic_ms

FRAME_PATH = "/frame.jpg"
_LARGEST_FRAME = 4 * 1024 * 1024
_PART_BYTES = 65536
_CHECK = "Check the camera's power, cable and address 检查摄像机电源、网线和地址"


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.username or not parts.path:
        raise ValueError(f"{url!r} is no frame address; allowed: http://host:port/frame.jpg")
    return url


class SimulatedCameraConfig(BaseModel):
    """`[camera] type = "simulated"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["simulated"]
    url: Annotated[str, AfterValidator(_http_url)]
    timeout_ms: Annotated[int, Field(ge=50, le=60_000)] = 2000
    """For the whole picture, from the connection to the last byte."""


class SimulatedCamera:
    """Fulfils `drivers.ports.Camera`: one HTTP request a picture."""

    def __init__(self, name: str, config: SimulatedCameraConfig) -> None:
        self._config = config
        self._name = name

    def capture(self, expected: Sequence[str] = ()) -> Picture:
        """A picture taken after the call began. DeviceUnavailable, DeviceTimeout or DeviceRefused otherwise."""
        ends_ms = monotonic_ms() + self._config.timeout_ms
        try:
            jpeg, taken_ms = self._fetch(ends_ms)
        except TimeoutError as error:
            what = f"{self._config.url} sent no whole picture in {self._config.timeout_ms} ms"
            raise DeviceTimeout(self._name, what, _CHECK) from error
        except (OSError, http.client.HTTPException) as error:
            raise DeviceUnavailable(self._name, f"{self._config.url} cannot be reached: {error}", _CHECK) from error
        try:
            said = comment_in(jpeg)
        except NotJpegError as error:
            raise self._refused(str(error)) from error
        plate, unsure = (said.plate, said.unsure) if said else (None, False)
        return Picture(jpeg, taken_ms, plate, match_by_equality(plate, expected, unsure=unsure), _crop(jpeg, plate))

    def close(self) -> None:
        """Nothing is held between two pictures."""

    def _fetch(self, ends_ms: int) -> tuple[bytes, int]:
        parts = urlsplit(self._config.url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=_left_s(ends_ms))
        try:
            connection.connect()
            connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""))
            taken_ms = monotonic_ms()
            connection.sock.settimeout(_left_s(ends_ms))
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise self._refused(f"answered {response.status} {response.reason}")
            data = bytearray()
            # in parts, because a socket's own timeout starts anew with each of a trickle of bytes
            while part := response.read1(_PART_BYTES):
                data += part
                if len(data) > _LARGEST_FRAME:
                    raise self._refused(f"sent more than {_LARGEST_FRAME} bytes")
                if connection.sock is not None:
                    connection.sock.settimeout(_left_s(ends_ms))
            return bytes(data), taken_ms
        finally:
            connection.close()

    def _refused(self, what: str) -> DeviceRefused:
        return DeviceRefused(
            self._name, f"{self._config.url}: {what}", "Check that the address is the camera's picture"
        )


def match_by_equality(plate: PlateReading | None, expected: Sequence[str], *, unsure: bool = False) -> PlateMatch:
    """The three answers where the reading is beyond doubt: the expected plate that is the same, or a person decides.

    Each differing character counts as 10 nat behind. `unsure`: a person decides in any case.
    """
    if plate is None:
        return PlateMatch(PlateAnswer.NO_PLATE, None, (), None)
    by_distance = sorted((_differing(plate.text, each) * 10_000, each) for each in dict.fromkeys(expected))
    nearest = tuple(Nearness(each, behind) for behind, each in by_distance[:2])
    if nearest and nearest[0].behind_milli == 0 and not unsure:
        return PlateMatch(PlateAnswer.CONFIRMED, nearest[0].plate, nearest, plate)
    return PlateMatch(PlateAnswer.ASK, None, nearest, plate)


def _differing(one: str, other: str) -> int:
    return sum(a != b for a, b in zip_longest(_tidy(one), _tidy(other)))


def _tidy(text: str) -> str:
    return "".join(each for each in text.upper() if each.isalnum())  # 浙E·K3269 is 浙EK3269


def _crop(jpeg: bytes, plate: PlateReading | None) -> bytes:
    """The plate alone, where the picture says in which place it is."""
    if plate is None or plate.box is None:
        return b""
    from PIL import Image

    x, y, width, height = plate.box
    out = BytesIO()
    Image.open(BytesIO(jpeg)).crop((x, y, x + width, y + height)).save(out, "JPEG", quality=90)
    return out.getvalue()


def _left_s(ends_ms: int) -> float:
    left_ms = ends_ms - monotonic_ms()
    if left_ms <= 0:
        raise TimeoutError("the picture took too long")
    return left_ms / 1000


class VirtualCamera(Simulator):
    """GET /frame.jpg on 127.0.0.1 gives the scene. Use as a context manager or call `close`."""

    def __init__(self, *, port: int = 0) -> None:
        self.hung = threading.Event()
        """While set, requests are taken and not answered."""
        self.garbage: bytes | None = None
        """When set, these bytes are sent in place of a picture."""
        self.frames = 0
        self._plate: PlateReading | None = None
        self._reads: str | None = None
        self._lock = threading.Lock()
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self._thread: DeviceThread | None = None
        self.switch_on()

    @property
    def url(self) -> str:
        """For `SimulatedCameraConfig.url`; the same after it was off."""
        return f"http://127.0.0.1:{self._port}{FRAME_PATH}"

    def set_scene(
        self,
        plate: str | None,
        confidence_permille: int = 980,
        color: PlateColor | None = None,
        *,
        reads: str | None = None,
    ) -> None:
        """Put a truck with this plate before the camera, or None for an empty lane. Without `color`: by the text.

        `reads` is what the camera then reads without being sure of it, so that a person is asked.
        """
        from drivers.camera.scene import plate_color

        scene = None if plate is None else PlateReading(plate, color or plate_color(plate), confidence_permille)
        with self._lock:
            self._plate = scene
            self._reads = reads

    def frame(self) -> bytes:
        """The JPEG it would send now."""
        from drivers.camera.scene import picture

        with self._lock:
            plate, reads = self._plate, self._reads
            self.frames += 1
        return picture(plate, reads)

    def switch_on(self) -> None:
        """Listen (again, on the same port)."""
        if self._server is not None:
            return
        server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._server, self._port = server, server.server_address[1]
        self._thread = DeviceThread("virtual camera", lambda _: server.serve_forever(poll_interval=0.05))
        self._thread.start()

    def switch_off(self) -> None:
        """Stop listening and end what is being answered."""
        server, thread, self._server, self._thread = self._server, self._thread, None, None
        if server is not None and thread is not None:
            server.shutdown()
            server.server_close()
            thread.stop()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802 - the name http.server calls
                if urlsplit(self.path).path != FRAME_PATH:
                    self.send_error(404)
                    return
                while camera.hung.is_set():
                    threading.Event().wait(0.02)
                body = camera.frame() if camera.garbage is None else camera.garbage
                with contextlib.suppress(ConnectionError):  # whoever asked did not wait for it
                    self.send_response(200)
                    self.send_header("Content-Type", "image/jpeg")
                    self.send_header("Content-Length", str(len(body)))
                    self.send_header("Cache-Control", "no-store")
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """A line for each frame is no news."""

        return Handler
