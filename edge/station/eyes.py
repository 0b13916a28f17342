"""A camera as lanes and gates use it: one picture now, with its plate if one was read; never an exception."""

from dataclasses import dataclass

from drivers.ports import Camera, DriverError
from drivers.readings import Picture
from drivers.worker import CommandWorker
from edge.domain.dispatch import tidy_plate
from edge.domain.refusal import Words
from edge.station.desk import Desk
from edge.station.pictures import PictureStore

_DEADLINE_S = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the camera gave: the plate (None when none was read), and the stored picture's hash ('' for none)."""

    plate: str | None
    confidence_permille: int
    picture: str


NOT_SEEN = Seen(None, 0, "")


class Eyes:
    """Owns a camera's worker; a failing camera is an alarm, and "no plate read"."""

    def __init__(self, name: str, camera: Camera | None, desk: Desk, pictures: PictureStore) -> None:
        self._name = name
        self._camera = camera
        self._desk = desk
        self._pictures = pictures
        self._worker = CommandWorker(name)

    def start(self) -> None:
        """Start the camera's thread."""
        if self._camera is not None:
            self._worker.start()

    async def look(self) -> Seen:
        """Take a picture and store it."""
        if self._camera is None:
            return NOT_SEEN
        try:
            picture: Picture = await self._worker.call(self._camera.capture, timeout_s=_DEADLINE_S)
        except DriverError as error:
            self._desk.raise_alarm(self._name, Words(f"摄像机没有画面:{error.what}", f"No picture: {error.what}"))
            return NOT_SEEN
        self._desk.clear_alarm(self._name)
        plate = tidy_plate(picture.plate.text) if picture.plate else ""
        stored = await self._pictures.keep(picture.jpeg, what=self._name, plate=plate, at=self._desk.clock.now())
        if picture.plate is None:
            return Seen(None, 0, stored)
        return Seen(tidy_plate(picture.plate.text), picture.plate.confidence_permille, stored)

    async def stop(self) -> None:
        """End the camera's thread."""
        if self._camera is not None:
            await self._worker.stop()
