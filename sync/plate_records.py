"""车牌核对 in the ledger: what a camera saw of a plate, what was doubted, and what a person decided.

A look stands in the record of what it was taken for: an arrival, a weighing, an exit, a refusal at the gate. Where
nothing else was written, a doubt has a row of its own.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from sync.fields import Name, Wire
from sync.record import Record

PlateText = Annotated[str, Field(max_length=20)]
Digest = Annotated[str, Field(max_length=64)]


class NearPlate(Wire):
    """An expected plate, and how far it is behind the reading, in 1/1000 nat."""

    plate: PlateText
    behind_milli: Annotated[int, Field(ge=-(2**53), le=2**53)]


class PlateLook(Wire):
    """What one look gave. `free` is what was read whoever was expected; `plate` the expected one that was confirmed."""

    answer: Annotated[str, Field(max_length=20)]
    """`confirmed`, `ask` or `no_plate`; '' from a camera whose pictures nobody reads."""
    plate: PlateText = ""
    free: PlateText = ""
    color: Annotated[str, Field(max_length=20)] = ""
    confidence_permille: Annotated[int, Field(ge=0, le=1000)] = 0
    rows: Annotated[int, Field(ge=1, le=2)] = 1
    nearest: Annotated[tuple[NearPlate, ...], Field(max_length=2)] = ()
    frames: Annotated[int, Field(ge=0, le=10**6)] = 1
    picture_sha256: Digest = ""
    crop_sha256: Digest = ""
    beside: Annotated[tuple[PlateText, ...], Field(max_length=8)] = ()
    """Other clear plates in view."""


class PlateQuestioned(Record):
    """车牌存疑: a truck was not weighed because of its plate. `agreement` is ask, differs or swapped."""

    KIND = "plate_questioned"
    place: Name
    lane: str
    visit: str
    claimed: Name
    agreement: Name
    look: PlateLook | None = None
    operator: str
    at: AwareDatetime


class PlateDecided(Record):
    """人工核对: a person compared the truck with its paper, and says whether it is the one."""

    KIND = "plate_decided"
    place: Name
    """Of `edge.domain.plate_check.Place`."""
    at_device: Name
    """Which lane, gate or entrance."""
    visit: str
    ticket: str = ""
    claimed: Name
    seen: PlateText = ""
    answer: Literal["same", "other"]
    operator: str
    """Who was logged in."""
    name: Annotated[str, Field(max_length=120)] = ""
    """As the person gave it, where a name was asked for."""
    reason: Annotated[str, Field(max_length=200)] = ""
    look: PlateLook | None = None
    at: AwareDatetime
