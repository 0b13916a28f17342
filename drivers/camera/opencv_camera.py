"""type = "opencv": a real camera (RTSP, HTTP, USB) whose plates are read from its pixels.

One look takes up to `frames` pictures of the truck, stops as soon as an expected plate is confirmed, and never takes
longer than its deadline.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drivers.camera.address import Address, check_address
from drivers.camera.http_picture import fetch
from drivers.camera.plates.thresholds import SHIPPED_READER
from drivers.ports import DeviceRefused, DeviceUnavailable, DriverError
from drivers.readings import Picture, PlateAnswer, PlateMatch
from drivers.worker import monotonic_ms

if TYPE_CHECKING:
    from drivers.camera.plates.eye import PlateEye
    from drivers.camera.plates.match import Sighting
    from drivers.camera.stream import Frame, Stream

LONGEST_LOOK_MS = 3000
_JPEG_QUALITY = 88
_SAME_PICTURE_WAIT_S = 0.05
_CHECK_EVERY_MS = 1000
_LOADING = threading.Lock()
Permille = Annotated[int, Field(ge=0, le=1000)]
Region = tuple[Permille, Permille, Permille, Permille]


def _inside(region: Region) -> Region:
    x, y, width, height = region
    if width < 1 or height < 1 or x + width > 1000 or y + height > 1000:
        raise ValueError("not inside the picture; allowed: [x, y, width, height] in permille of the picture")
    return region


class OpenCvCameraConfig(BaseModel):
    """`[camera] type = "opencv"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["opencv"]
    url: Annotated[str, AfterValidator(check_address)]
    """rtsp://…, http://… (a picture, fetched anew for each look, or an MJPEG stream), or a device under /dev."""
    login: Path | None = None
    """A file with one line, user:password."""
    region: Annotated[Region, AfterValidator(_inside)] | None = None
    """Where plates can be: x, y, width, height in permille of the picture."""
    frames: Annotated[int, Field(ge=1, le=10)] = 3
    """How many pictures one look may take."""
    deadline_ms: Annotated[int, Field(ge=300, le=LONGEST_LOOK_MS)] = 1500
    """For one look."""
    frozen_s: Annotated[int, Field(ge=0, le=3600)] = 20
    """The same picture of a stream for so long is a broken camera, and any two in a row of an address that gives single
    pictures; 0: never."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One picture of a look, with the plates in it, the one that matters most first."""

    frame: "Frame"
    plates: "tuple[Sighting, ...]"

    @property
    def plate(self) -> "Sighting | None":
        return self.plates[0] if self.plates else None


class OpenCvCamera:
    """Fulfils `drivers.ports.Camera`."""

    def __init__(self, name: str, config: OpenCvCameraConfig, reader: Path = SHIPPED_READER) -> None:
        """`reader` is the net that reads the plates (`drivers.camera.plates.installed`)."""
        self._name = name
        self._reader = reader
        self._config = config
        self._address = Address(config.url, config.login)
        self._stream: Stream | None = None
        self._making = threading.Lock()
        self._checked_ms: int | None = None
        self._before = b""

    def capture(self, expected: Sequence[str] = ()) -> Picture:
        """A picture taken after the call began, read and held against the expected plates; DriverError otherwise."""
        from drivers.camera.plates.match import match, plates_beside

        with self._nets_told():
            _eye(self._reader)  # what takes long the first time is not taken off the camera's time
        ends_ms = monotonic_ms() + self._config.deadline_ms
        self._before = b""
        looks: list[_Seen] = []
        found: PlateMatch | None = None
        while len(looks) < self._config.frames and (not looks or monotonic_ms() < ends_ms):
            try:
                frame = self._fresh(ends_ms)
            except DriverError:
                if looks:
                    break
                raise
            if looks and looks[-1].frame.jpeg and looks[-1].frame.jpeg == frame.jpeg:
                threading.Event().wait(_SAME_PICTURE_WAIT_S)  # the camera has not taken another yet
                continue
            looks.append(_Seen(frame, self._read(frame)))
            beside = {each.text: each for look in looks for each in plates_beside(look.plates)}
            plates = [look.plate for look in looks if look.plate is not None]
            found = match(plates, expected, beside=tuple(beside.values()))
            if found.answer is PlateAnswer.CONFIRMED:
                break
        return _picture(looks, found)

    def check(self) -> None:
        """Of a stream: whether its thread gets pictures; of single pictures: one each second, thrown away. The first
        that comes has the nets loaded, so that the first truck need not wait for them.
        """
        if self._stream is None and self._address.scheme == "http":
            now_ms = monotonic_ms()
            if self._checked_ms is not None and now_ms - self._checked_ms < _CHECK_EVERY_MS:
                return
            self._checked_ms = None
            picture = fetch(self._name, self._address, self._config.deadline_ms).body is not None
            self._checked_ms = now_ms if picture else None
        else:
            picture = False
        if picture or self._dialled().check():
            with self._nets_told():
                _eye(self._reader)

    def _dialled(self) -> "Stream":
        from drivers.camera.stream import Frozen, Stream

        with self._making:
            if self._stream is None:
                self._stream = Stream(self._name, self._address, Frozen(self._config.frozen_s * 1000))
            return self._stream

    def close(self) -> None:
        """Let the camera go."""
        with self._making:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _fresh(self, ends_ms: int) -> "Frame":
        from drivers.camera.stream import OPEN_MS

        if self._stream is None and self._address.scheme == "http":
            still = self._still_picture(ends_ms)
            if still is not None:
                return still
        stream = self._dialled()
        if not stream.open:
            ends_ms = max(ends_ms, monotonic_ms() + OPEN_MS)
        return stream.fresh(ends_ms)

    def _still_picture(self, ends_ms: int) -> "Frame | None":
        """The first picture of this look that is not, byte for byte, the one before it; None from a stream.

        A live sensor's noise makes each picture another one: a camera that may have stood still since the last truck
        is believed only when it has shown within the look that it does not.
        """
        while (answer := fetch(self._name, self._address, max(1, ends_ms - monotonic_ms()))).body is not None:
            frame = self._decoded(answer.body, answer.asked_ms)
            before, self._before = self._before, frame.jpeg
            if not self._config.frozen_s or (before and before != frame.jpeg):
                return frame
            if before:
                threading.Event().wait(_SAME_PICTURE_WAIT_S)  # the camera has not taken another yet
            if monotonic_ms() >= ends_ms:
                what = f"{self._address} sends the same picture again and again"
                raise DeviceUnavailable(self._name, what, "Switch the camera off and on 重启摄像机")
        return None

    def _decoded(self, jpeg: bytes, taken_ms: int) -> "Frame":
        from drivers.camera.plates.images import NotAnImage, decode_image
        from drivers.camera.stream import Frame

        try:
            image = decode_image(jpeg, str(self._address))
        except NotAnImage as error:
            raise DeviceRefused(self._name, str(error), "Check that the address is the camera's picture") from None
        return Frame(image, taken_ms, jpeg)

    def _read(self, frame: "Frame") -> "tuple[Sighting, ...]":
        with self._nets_told():
            eye, lock = _eye(self._reader)
            with lock:
                return eye.see(frame.image, self._config.region)

    @contextlib.contextmanager
    def _nets_told(self) -> Iterator[None]:
        """Nets or thresholds that cannot be used are this camera's failure, not the program's."""
        try:
            yield
        except (OSError, ValueError) as error:
            raise DeviceRefused(
                self._name, f"the nets that read plates cannot be used: {error}", "Install weighgate anew 重新安装"
            ) from error


def _eye(reader: Path) -> "tuple[PlateEye, threading.Lock]":
    """One eye for all cameras: two would need twice the memory, and reading takes a few hundredths of a second."""
    with _LOADING:
        return loaded_eye(reader)


@lru_cache(maxsize=1)
def loaded_eye(reader: Path) -> "tuple[PlateEye, threading.Lock]":
    from drivers.camera.plates.eye import PlateEye

    eye = PlateEye(model=reader)
    eye.load()
    return eye, threading.Lock()


def _picture(looks: Sequence[_Seen], found: PlateMatch | None) -> Picture:
    """The picture in which the plate reads as all of them together."""
    from drivers.camera.plates.eye import crop_jpeg

    free = found.free if found is not None else None
    shown = looks[-1]
    for look in looks:
        if free is not None and look.plate is not None and look.plate.plate.text == free.text:
            shown = look
    crop = crop_jpeg(shown.frame.image, shown.plate) if shown.plate is not None else b""
    return Picture(shown.frame.jpeg or _jpeg(shown.frame), shown.frame.taken_ms, free, found, crop)


def _jpeg(frame: "Frame") -> bytes:
    import cv2

    _, data = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()
