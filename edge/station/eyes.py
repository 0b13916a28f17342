"""A camera as lanes, gates and the entrance use it: one picture now, held against the plates expected; never an
exception.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.ports import Camera, DeviceTimeout, DeviceUnavailable, DriverError
from drivers.readings import Picture, PlateMatch
from drivers.worker import CommandWorker
from edge.domain.dispatch import tidy_plate
from edge.domain.refusal import Words
from edge.station.desk import Desk
from edge.station.pictures import PictureStore

_DEADLINE_S = 3.5  # every camera has a shorter one of its own, and says more when it ends
_CLOSING_S = 0.5
_CHECK_EVERY_S = 0.4
_CHECK_AGAIN_S = 5.0
"""After a failed check: cameras lock a user out who tries a wrong password often."""
_CHECK_DEADLINE_S = 60.0  # the first loads the nets, which a small computer takes its time for
MOST_EXPECTED = 1000
"""Plates that a look is held against; the first of them are the likeliest."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look gave: the match (None without camera or picture), and the hashes of the stored picture and of the
    plate cut out of it ('' for none).
    """

    match: PlateMatch | None
    picture: str = ""
    crop: str = ""

    @property
    def plate(self) -> str:
        """What was read, whoever was expected; '' when nothing was."""
        return tidy_plate(self.match.free.text) if self.match and self.match.free else ""


NOT_SEEN = Seen(None)


class Eyes:
    """Owns a camera's worker; a failing camera is an alarm, and "no plate read"."""

    def __init__(self, name: str, camera: Camera | None, desk: Desk, pictures: PictureStore) -> None:
        self._name = name
        self._camera = camera
        self._desk = desk
        self._pictures = pictures
        self._worker = CommandWorker(name)
        self._checker = CommandWorker(f"check {name}", waiting=1)
        self._dead = False

    @property
    def there(self) -> bool:
        """Whether there is a camera at all."""
        return self._camera is not None

    def start(self) -> None:
        """Start the camera's threads."""
        if self._camera is not None:
            self._worker.start()
            self._checker.start()

    async def run(self) -> None:
        """Notice within 3 s that the camera is gone, without a truck, until cancelled. On a thread of its own: no look
        waits for a check. What a check found a check takes back, and what a look found a look.
        """
        while self._camera is not None:
            try:
                await self._checker.call(self._camera.check, timeout_s=_CHECK_DEADLINE_S)
            except DriverError as error:
                if not self._dead:
                    self._desk.raise_alarm(self._name, trouble_words(error))
                self._dead = True
            else:
                if self._dead:
                    self._desk.clear_alarm(self._name)
                self._dead = False
            await asyncio.sleep(_CHECK_AGAIN_S if self._dead else _CHECK_EVERY_S)

    async def look(self, expected: Sequence[str] = (), *, visit: str = "", weight_kg: int | None = None) -> Seen:
        """Take a picture and store it, with the plate cut out. `expected`: whose truck it may be, the claimed one
        first; `visit` and `weight_kg` are noted with the picture.
        """
        camera = self._camera
        if camera is None:
            return NOT_SEEN
        plates = tuple(dict.fromkeys(plate for plate in expected if plate))[:MOST_EXPECTED]
        try:
            picture: Picture = await self._worker.call(lambda: camera.capture(plates), timeout_s=_DEADLINE_S)
        except DriverError as error:
            if not self._dead:
                self._desk.raise_alarm(self._name, trouble_words(error))
            return NOT_SEEN
        self._dead = False
        self._desk.clear_alarm(self._name)
        return await self._kept(picture, visit, weight_kg)

    async def _kept(self, picture: Picture, visit: str, weight_kg: int | None) -> Seen:
        free = picture.match.free if picture.match else picture.plate
        plate, at, keep = tidy_plate(free.text) if free else "", self._desk.clock.now(), self._pictures.keep
        stored = await keep(picture.jpeg, what=self._name, at=at, visit=visit, plate=plate, weight_kg=weight_kg)
        crop = ""
        if picture.crop:
            crop = await keep(picture.crop, what=f"{self._name} plate", at=at, visit=visit, plate=plate)
        return Seen(picture.match, stored, crop)

    async def stop(self) -> None:
        """Let the camera go and end its threads."""
        if self._camera is not None:
            await self._checker.stop(_CLOSING_S)
            with contextlib.suppress(DriverError):
                await self._worker.call(self._camera.close, timeout_s=_CLOSING_S)
            await self._worker.stop()


def trouble_words(error: DriverError) -> Words:
    """Drivers speak English; the Chinese says of which kind it is, and what to do."""
    match error:
        case DeviceUnavailable():
            zh = "连不上,或画面不动。检查摄像机电源、网线和地址,或重启摄像机"
        case DeviceTimeout():
            zh = "没有及时送来画面。检查摄像机电源、网线和地址"
        case _:
            zh = "画面不能用。检查登录文件、地址和程序安装"
    return Words(f"摄像机没有画面:{zh}", f"No picture: {error.what}")
