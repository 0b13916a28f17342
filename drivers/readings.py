"""What devices tell us: frozen values with the unit in the name, and nothing about what they mean for a sale."""

from dataclasses import dataclass
from enum import StrEnum


class WeightFault(StrEnum):
    """Why a frame carries no usable weight. A fault never comes with a number."""

    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    NOT_GROSS = "not_gross"
    BAD_UNIT = "bad_unit"
    NOT_WHOLE_KG = "not_whole_kg"


@dataclass(frozen=True, slots=True)
class WeightReading:
    """One frame of an indicator.

    `gross_kg` is None when the frame must not be used as a weight; `fault` then says why.
    `stable` is the indicator's own flag, None where the protocol has none.
    `received_ms` is the monotonic clock at the frame's last byte, or at the request it answers; `raw` the frame as it
    came (evidence).
    `alibi` is the number under which the indicator itself keeps this weighing, None where it says none.
    `decimals` is how many the indicator shows behind the point, None where the frame carries no number.
    `after_damage`: something between the reading before and this one was damaged on the way, so they are not in a row.
    """

    gross_kg: int | None
    stable: bool | None
    received_ms: int
    raw: bytes
    fault: WeightFault | None = None
    alibi: int | None = None
    after_damage: bool = False
    decimals: int | None = None


class PlateColor(StrEnum):
    """Plate colours of GA 36-2018."""

    BLUE = "blue"
    YELLOW = "yellow"
    GREEN = "green"
    WHITE = "white"
    BLACK = "black"


CLEAR_PERMILLE = 900
"""A plate read less surely may be a misread one, a sign or a grille."""


@dataclass(frozen=True, slots=True)
class PlateReading:
    """A plate seen by a camera: what it says by itself, whoever is expected.

    `confidence_permille` is 0..1000, `characters_permille` the same for each character of `text` (empty: not known).
    `rows` is 1 or 2; `box` is x, y, width, height in pixels of the picture.
    """

    text: str
    color: PlateColor | None
    confidence_permille: int
    rows: int = 1
    box: tuple[int, int, int, int] | None = None
    characters_permille: tuple[int, ...] = ()

    @property
    def clear(self) -> bool:
        """Whether it was read surely enough to be held against another plate."""
        return self.confidence_permille >= CLEAR_PERMILLE


class PlateAnswer(StrEnum):
    """Is one of the expected plates the one before the camera?"""

    CONFIRMED = "confirmed"
    """Yes, this one and no other."""
    ASK = "ask"
    """There is a plate, but a person must say whose."""
    NO_PLATE = "no_plate"


@dataclass(frozen=True, slots=True)
class Nearness:
    """How far an expected plate's log-likelihood is behind the free reading's, in 1/1000 nat; 0 is the reading."""

    plate: str
    behind_milli: int


@dataclass(frozen=True, slots=True)
class PlateMatch:
    """A picture, or several of one truck, held against the expected plates.

    `plate` is the expected plate that was confirmed, None otherwise. `nearest` are at most two, the nearest first.
    `free` is what was read whoever is expected, None only without a plate: it is always shown and always kept.
    `beside` are other clear plates of about its size in view: with one of them nothing is confirmed.
    """

    answer: PlateAnswer
    plate: str | None
    nearest: tuple[Nearness, ...]
    free: PlateReading | None
    frames: int = 1
    beside: tuple[PlateReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """One camera picture: JPEG bytes, the monotonic time it was taken, and the plate if one was read.

    `match` is None where the camera cannot hold a plate against those expected; `crop` is the JPEG of the plate alone,
    empty where there is none.
    """

    jpeg: bytes
    taken_ms: int
    plate: PlateReading | None
    match: PlateMatch | None = None
    crop: bytes = b""


@dataclass(frozen=True, slots=True)
class GateInputs:
    """The inputs at a barrier: is a vehicle on the loop, is the boom up."""

    vehicle_on_loop: bool
    boom_up: bool


class Health(StrEnum):
    """How a device is doing, as the worker that owns it sees it."""

    STARTING = "starting"
    UP = "up"
    SILENT = "silent"
    """Open, but no byte arrives."""
    GARBLED = "garbled"
    """Bytes arrive, but no frame: wrong baud rate or wrong indicator."""
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """Health of one device with the words for the screen: what is wrong, and what to try (both empty when UP)."""

    device: str
    health: Health
    what: str = ""
    try_this: str = ""
