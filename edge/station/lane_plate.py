"""The plate before a lane: the look that goes with each press, the question when the camera is not sure, and the
person's answer, which stands while that truck stays on the deck.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from edge.domain.plate_check import Place
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.visit import Visit
from edge.station import plates
from edge.station.crops import CropStore
from edge.station.desk import Desk
from edge.station.eyes import Eyes, Seen
from edge.station.pictures import PictureStore
from edge.station.views import LookView, PlateQuestionView

T = TypeVar("T")
NO_LOOK = LookView("", "", "", 0, (), "", "")
"""Of a camera that gave no picture."""


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What was shown to the dispatcher, and what he had pressed."""

    visit: str
    claimed: str
    seen: Seen
    words: Words
    work: T
    place: Place


class LanePlate(Generic[T]):
    """One lane's eyes with their memory; `T` is what is done once the question is answered. Used by its lane alone."""

    def __init__(
        self, lane: str, eyes: Eyes, desk: Desk, pictures: PictureStore, crops: CropStore | None = None
    ) -> None:
        self._lane = lane
        self._eyes = eyes
        self._desk = desk
        self._pictures = pictures
        self._crops = crops
        self._question: Question[T] | None = None
        self._compared: tuple[str, plates.Compared] | None = None

    async def look(self, visit: Visit, weight_kg: int | None) -> Seen:
        """A picture of the truck on the deck, held against its notice first and then all trucks in the yard."""
        yard = plates.in_yard(self._desk.snapshot, visit.plate)
        return await self._eyes.look(yard, visit=visit.visit, weight_kg=weight_kg)

    def compared(self, visit: str) -> plates.Compared | None:
        """What a person said of this visit's truck since it came onto the deck."""
        return self._compared[1] if self._compared and self._compared[0] == visit else None

    def asked(self, visit: Visit, seen: Seen, work: T, why: Refusal, place: Place) -> None:
        """The camera was not sure: the dispatcher is shown what it saw."""
        self._show(Question(visit.visit, visit.plate, seen, why.words, work, place))

    def settled(self, visit: str) -> None:
        """The press went through, or was refused for something else: there is nothing to ask any more."""
        if self._question is not None and self._question.visit == visit:
            self._show(None)

    def left(self) -> None:
        """The deck is empty: whoever comes next was never compared."""
        self._compared = None
        self._show(None)

    async def answer(self, visit: str, shown: str, compared: plates.Compared) -> T | Refusal:
        """Put an answer on record, to the question that the page showed, and say what had been pressed.

        A yes stands while this truck stays; a no is about this one press, and the next one looks again.
        """
        question, desk = self._question, self._desk
        if question is None or (question.visit, question.seen.picture) != (visit, shown):
            return refuse(Reason.NO_PLATE_QUESTION)
        at = plates.Standpoint(question.place, self._lane, visit, question.claimed)
        told = await desk.commit(lambda books: plates.decided(books, at, question.seen, compared))
        if isinstance(told, Refusal):
            return told
        crop = self._pictures.get(question.seen.crop)
        self._show(None)
        self._compared = (visit, compared) if compared.same else None
        if compared.same:
            await plates.keep_crop(desk, self._crops, crop, question.seen, question.claimed, f"lane {self._lane}")
        return question.work

    def _show(self, question: Question[T] | None) -> None:
        """What it is about stays to be seen until it is answered."""
        self._question = question
        self._pictures.hold(f"lane {self._lane}", (question.seen.picture, question.seen.crop) if question else ())

    def view(self, visit: Visit | None) -> PlateQuestionView | None:
        """The question as the page shows it, while its truck stands there."""
        question = self._question
        if question is None or visit is None or question.visit != visit.visit:
            return None
        look = plates.look_view(plates.look_record(question.seen)) or NO_LOOK
        return PlateQuestionView(question.visit, question.place.words, question.claimed, question.words, look)
