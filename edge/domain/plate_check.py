"""车牌核对: is the truck before the camera the one that the paper claims? One rule for the queue, the tare, load
complete and the gate; what each place makes of the answer stands in docs/rules.md.

The camera's match is evidence, not a verdict: a cloned plate is one character off, so nothing but the very reading
agrees by itself, and what is near but not equal is for a person's eyes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from drivers.camera.plates.alphabet import canonical, is_plate
from drivers.readings import PlateAnswer, PlateMatch, PlateReading
from edge.domain.dispatch import tidy_plate
from edge.domain.refusal import Reason, Refusal, Words, refuse

CLEAR_CHARACTERS = 2
"""A reading that is fewer characters away may be a misread one, or a clone: a person looks."""


class Place(StrEnum):
    """Where a plate is looked at."""

    ARRIVAL = "arrival"
    TARE = "tare"
    LOAD = "load"
    EMPTY = "empty"
    GATE = "gate"

    @property
    def words(self) -> Words:
        """For the screen, in both languages."""
        return _PLACES[self]


_PLACES = {
    Place.ARRIVAL: Words("到达", "arrival"),
    Place.TARE: Words("称皮重", "tare"),
    Place.LOAD: Words("装车完成", "load complete"),
    Place.EMPTY: Words("空车出门", "empty exit"),
    Place.GATE: Words("门岗", "gate"),
}


class Agreement(StrEnum):
    """What the camera's match says of the plate that is claimed."""

    AGREES = "agrees"
    ASK = "ask"
    """It may be this truck: a person compares."""
    DIFFERS = "differs"
    """Another truck was confirmed, or what was read is clearly another plate."""
    NOT_SEEN = "not_seen"
    """No camera, no picture, no plate in it."""


@dataclass(frozen=True, slots=True)
class PlateCheck:
    """A claimed plate held against what was seen. `seen` is the reading, '' when there was none."""

    claimed: str
    agreement: Agreement
    seen: str = ""
    sure_percent: int = 0
    before: str = ""
    """换车: what the camera had confirmed earlier in this visit, when the truck seen now is clearly not that one."""

    def told(self, same: bool | None) -> "PlateCheck":
        """What a person who compared makes of it: "no" is final, "yes" answers a question and overrules nothing that
        is clear. None: nobody was asked.
        """
        if same is False:
            return replace(self, agreement=Agreement.DIFFERS)
        agrees = same is True and self.agreement is Agreement.ASK
        return replace(self, agreement=Agreement.AGREES) if agrees else self

    def asks_if(self, agreement: Agreement, because: bool) -> "PlateCheck":
        """A person looks, because of what was seen of this truck before, where the camera alone would give this
        agreement: a plate that was there and is hidden now, one lucky reading after a doubtful one.
        """
        return replace(self, agreement=Agreement.ASK) if because and self.agreement is agreement else self

    @property
    def refusal(self) -> Refusal | None:
        """Why this truck may not be weighed or pass; None when it agrees or was not seen."""
        if self.agreement is Agreement.DIFFERS:
            return refuse(Reason.PLATE_DIFFERS, seen=self.seen or "—", plate=self.claimed, before=self.before)
        if self.agreement is Agreement.ASK:
            return refuse(Reason.PLATE_UNSURE, seen=self.seen or "—", sure=str(self.sure_percent), plate=self.claimed)
        return None


def check_plate(claimed: str, match: PlateMatch | None, earlier: Iterable[str] = ()) -> PlateCheck:
    """Hold a claimed plate against a look; `earlier` are the plates that the camera confirmed in this visit before."""
    agreement = _agreement(claimed, match)
    free = match.free if match else None
    if agreement is Agreement.NOT_SEEN or free is None:
        return PlateCheck(claimed, agreement)
    before = next((plate for plate in earlier if _agreement(plate, match) is Agreement.DIFFERS), "")
    agreement = Agreement.DIFFERS if before else agreement
    return PlateCheck(claimed, agreement, tidy_plate(free.text), free.confidence_permille // 10, before)


def confirmed(match: PlateMatch | None) -> str:
    """The plate that the camera itself is certain of, '' for none: it was confirmed, and it is what was read."""
    plate = match.plate if match and match.answer is PlateAnswer.CONFIRMED and match.plate else ""
    return plate if plate and _agreement(plate, match) is Agreement.AGREES else ""


def _agreement(claimed: str, match: PlateMatch | None) -> Agreement:
    if match is None or match.answer is PlateAnswer.NO_PLATE or match.free is None:
        return Agreement.NOT_SEEN
    apart = characters_apart(claimed, match.free.text)
    if match.answer is PlateAnswer.CONFIRMED and match.plate is not None:
        if characters_apart(claimed, match.plate) > 0:
            return Agreement.DIFFERS
        return Agreement.AGREES if apart == 0 else Agreement.ASK
    return Agreement.DIFFERS if apart >= CLEAR_CHARACTERS and _clear(match.free) else Agreement.ASK


def _clear(reading: PlateReading) -> bool:
    return reading.clear and is_plate(canonical(reading.text))


def characters_apart(one: str, other: str) -> int:
    """How many characters must be changed, added or left out to make one plate of the other."""
    left, right = canonical(one), canonical(other)
    row = list(range(len(right) + 1))
    for number, letter in enumerate(left, 1):
        before, row[0] = row[0], number
        for place, against in enumerate(right, 1):
            cheapest = min(before + (letter != against), row[place] + 1, row[place - 1] + 1)
            before, row[place] = row[place], cheapest
    return row[-1]
