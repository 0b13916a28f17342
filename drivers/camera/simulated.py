"""Cameras without a lens: `VirtualCamera` serves drawn frames over HTTP, type = "simulated" fetches them.

The plate comes as text in the JPEG's comment; type = "opencv" reads it from the same picture's pixels.
"""

import base64
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import zip_longest
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drivers.camera.address import Address
from drivers.camera.http_picture import fetch
from drivers.camera.jpeg_comment import NotJpegError, comment_in
from drivers.ports import DeviceRefused
from drivers.readings import Nearness, Picture, PlateAnswer, PlateColor, PlateMatch, PlateReading
from drivers.simulators import Simulator
from drivers.worker import DeviceThread, monotonic_ms

FRAME_PATH = "/frame.jpg"
STREAM_PATH = "/stream.mjpg"
_BOUNDARY = "frame"


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
        self._address = Address(config.url)

    def capture(self, expected: Sequence[str] = ()) -> Picture:
        """A picture taken after the call began. DeviceUnavailable, DeviceTimeout or DeviceRefused otherwise."""
        answer = fetch(self._name, self._address, self._config.timeout_ms)
        try:
            jpeg = answer.body or b""
            said = comment_in(jpeg)
        except NotJpegError as error:
            what = f"{self._address}: {error}"
            raise DeviceRefused(self._name, what, "Check that the address is the camera's picture") from error
        plate, unsure = (said.plate, said.unsure) if said else (None, False)
        found = match_by_equality(plate, expected, unsure=unsure)
        return Picture(jpeg, answer.asked_ms, plate, found, _crop(jpeg, plate))

    def check(self) -> None:
        """A simulation that is off is told by its next picture."""

    def close(self) -> None:
        """Nothing is held between two pictures."""


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


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them: none may be left drawing when the program ends


class VirtualCamera(Simulator):
    """A gate camera on 127.0.0.1: GET /frame.jpg gives the scene now, /stream.mjpg goes on giving it.

    Use as a context manager or call `close`.
    """

    def __init__(self, *, port: int = 0, rate_hz: float = 15.0, approach_s: float = 2.5) -> None:
        """`rate_hz` is the stream's; `approach_s` is how long a truck takes from far away to the barrier."""
        self.hung = threading.Event()
        """While set, requests are taken and not answered, and streams stand still."""
        self.frozen = threading.Event()
        """While set, the last frame is sent again and again."""
        self.cut = threading.Event()
        """When set, the next frame of a stream ends in its middle, and the stream with it."""
        self.garbage: bytes | None = None
        """When set, these bytes are sent in place of a picture."""
        self.login: tuple[str, str] | None = None
        """When set, whoever asks must know this user and password (HTTP Basic)."""
        self.weather = "day"
        """day, night or rain."""
        self.frames = 0
        self._plate: PlateReading | None = None
        self._reads: str | None = None
        self._came_ms = 0
        self._last = b""
        self._rate_hz = rate_hz
        self._approach_ms = approach_s * 1000
        self._lock = threading.Lock()
        self._off = threading.Event()
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self._thread: DeviceThread | None = None
        self.switch_on()

    @property
    def url(self) -> str:
        """Of the picture; the same after it was off."""
        return f"http://127.0.0.1:{self._port}{FRAME_PATH}"

    @property
    def stream_url(self) -> str:
        """Of the stream (MJPEG)."""
        return f"http://127.0.0.1:{self._port}{STREAM_PATH}"

    def set_scene(
        self,
        plate: str | None,
        confidence_permille: int = 980,
        color: PlateColor | None = None,
        *,
        reads: str | None = None,
    ) -> None:
        """A truck with this plate comes, or None for an empty lane. Without `color`: by the text.

        `reads` is what the camera then reads without being sure of it, so that a person is asked.
        """
        from drivers.camera.scene import Scene, Weather, plate_color, prepare

        scene = None if plate is None else PlateReading(plate, color or plate_color(plate), confidence_permille)
        prepare(Scene(scene, Weather(self.weather)))
        with self._lock:
            self._plate = scene
            self._reads = reads
            self._came_ms = monotonic_ms()

    def frame(self) -> bytes:
        """The JPEG it would send now; the number of the frame stands in it."""
        from drivers.camera.scene import Scene, Weather, draw

        with self._lock:
            if self.frozen.is_set() and self._last:
                return self._last
            near = min(1.0, (monotonic_ms() - self._came_ms) / self._approach_ms) if self._approach_ms else 1.0
            self.frames += 1
            number = self.frames
            scene = Scene(self._plate, Weather(self.weather), round(near * 1000), self._reads)
        jpeg = draw(scene, number)
        self._last = jpeg
        return jpeg

    def switch_on(self) -> None:
        """Listen (again, on the same port)."""
        if self._server is not None:
            return
        from drivers.camera.scene import Scene, Weather, prepare

        prepare(Scene(weather=Weather(self.weather)))
        self._off.clear()
        server = _Server(("127.0.0.1", self._port), self._handler())
        self._server, self._port = server, server.server_address[1]
        self._thread = DeviceThread("virtual camera", lambda _: server.serve_forever(poll_interval=0.05))
        self._thread.start()

    def switch_off(self) -> None:
        """Stop listening and end what is being answered."""
        server, thread, self._server, self._thread = self._server, self._thread, None, None
        if server is not None and thread is not None:
            self._off.set()
            server.shutdown()
            server.server_close()
            thread.stop()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 2.0

            def do_GET(self) -> None:  # noqa: N802 - the name http.server calls
                answer = {FRAME_PATH: self._picture, STREAM_PATH: self._stream}.get(urlsplit(self.path).path)
                if answer is None:
                    self.send_error(404)
                elif not camera.admits(self.headers.get("Authorization", "")):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    with contextlib.suppress(ConnectionError, TimeoutError):  # whoever asked did not wait for it
                        answer()

            def _picture(self) -> None:
                camera.wait_while_hung()
                body = camera.frame() if camera.garbage is None else camera.garbage
                self.send_response(200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def _stream(self) -> None:
                camera.wait_while_hung()
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self.end_headers()
                for body in camera.stream():
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
                    if camera.cut.is_set():
                        camera.cut.clear()
                        self.wfile.write(head.encode() + body[: len(body) // 2])
                        return
                    self.wfile.write(head.encode() + body + b"\r\n")

            def log_message(self, format: str, *args: object) -> None:
                """A line for each frame is no news."""

        return Handler

    def admits(self, authorization: str) -> bool:
        """Whether a request with this header may come in."""
        if self.login is None:
            return True
        return authorization == "Basic " + base64.b64encode(":".join(self.login).encode()).decode()

    def wait_while_hung(self) -> None:
        """Returns when it may answer, or is switched off."""
        while self.hung.is_set() and not self._off.wait(0.02):
            pass

    def stream(self) -> Iterator[bytes]:
        """Frame after frame at the camera's rate, until it is switched off."""
        due_s = time.monotonic()
        while not self._off.is_set():
            yield self.frame() if self.garbage is None else self.garbage
            self.wait_while_hung()
            due_s = max(due_s + 1 / self._rate_hz, time.monotonic() - 1)
            self._off.wait(max(0.0, due_s - time.monotonic()))
