"""Frozen pictures of lanes, gates and queue for the pages: plain numbers (kg, fen, ms), words in two languages.

Pages and the event stream get these as JSON (`as_json`); nothing here can change a lane.
"""

from dataclasses import asdict, dataclass
from typing import Any

from edge.domain.refusal import Refusal, Words


@dataclass(frozen=True, slots=True)
class Why:
    """A refusal as pages show it: its reason code, its numbers, its words."""

    reason: str
    numbers: dict[str, int | str]
    zh: str
    en: str

    @classmethod
    def of(cls, refusal: Refusal) -> "Why":
        """The view of a refusal."""
        return cls(refusal.reason.value, refusal.numbers, *refusal.words)


@dataclass(frozen=True, slots=True)
class ScaleView:
    """The scale now. `gross_kg` None means dashes. `state`: lost empty moving stable overload negative."""

    state: str
    gross_kg: int | None
    division_kg: int
    maximum_kg: int
    verified_until: str
    frames_per_s: int
    zero_seen: bool
    what: Words
    """What is wrong with the device and what to try; empty when nothing is."""


@dataclass(frozen=True, slots=True)
class VisitView:
    """The truck on the lane."""

    visit: str
    state: str
    state_words: Words
    plate: str
    customer_name: str
    product: str
    notice: str
    mode: str
    price_fen_per_t: int
    axles: int
    tare_kg: int | None
    ticket: str | None
    carrier: str
    print_state: str
    """'' queued sending sent failed unknown: the print job of the last ticket."""


@dataclass(frozen=True, slots=True)
class LimitView:
    """How much may still be loaded. `limited_by`: money credit notice road vehicle scale."""

    gross_max_kg: int
    left_kg: int | None
    limited_by: str
    limited_by_words: Words
    verdict: str
    """under, near (less than 1 t left) or over."""


@dataclass(frozen=True, slots=True)
class MoneyView:
    """The money of this truck: spendable here = own hold + free at this plant."""

    spendable_fen: int
    hold_fen: int
    load_fen: int | None
    """What the present net weight is worth; None while there is no weight."""
    left_fen: int | None
    net_kg: int | None


@dataclass(frozen=True, slots=True)
class HoldView:
    """The truck is HELD: why, by how much, and the ways out."""

    why: Why
    net_kg: int
    gross_kg: int
    amount_fen: int
    over_kg: int
    over_fen: int
    since: str
    ways_out: tuple[str, ...]
    """Of: topup, amend, unload."""
    plant: str
    account: str
    """With the plant's code all that finance must be told to sign a top-up code."""
    lacks_fen: int
    """What is missing now; money may have come since the truck was held."""


@dataclass(frozen=True, slots=True)
class ActionView:
    """A button: `enabled`, or why not."""

    name: str
    enabled: bool
    why: Words


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A truck waiting or being served. `lane` is '' while it waits or loads elsewhere.

    `left_kg` is what it may still load (None off the scale, negative when over); `hold` says why it is held.
    """

    visit: str
    number: int
    plate: str
    customer_name: str
    product: str
    state: str
    state_words: Words
    lane: str
    waiting_minutes: int
    hold: Words
    left_kg: int | None = None


@dataclass(frozen=True, slots=True)
class LinkView:
    """The link to head office: calm and exact."""

    connected: bool
    since: str
    waiting_records: int
    oldest_minutes: int


@dataclass(frozen=True, slots=True)
class AlarmView:
    """Something a person should look at now."""

    at: str
    source: str
    words: Words


@dataclass(frozen=True, slots=True)
class ScaleAlarmView:
    """What the scale watch found, with the weight curve about it; `seen_by` is '' while nobody has acknowledged it."""

    alarm: int
    """Its ledger row: what an acknowledgement names."""
    at: str
    kind: str
    words: Words
    visit: str
    plate: str
    curve_kg: tuple[int, ...]
    curve_step_ms: int
    seen_by: str
    seen_at: str
    note: str


@dataclass(frozen=True, slots=True)
class NearView:
    """An expected plate and how far it is behind what was read, in 1/1000 nat."""

    plate: str
    behind_milli: int


@dataclass(frozen=True, slots=True)
class LookView:
    """What a camera saw of a plate. `answer`: confirmed ask no_plate; `free` is the reading whoever was expected.
    `picture` and `crop` are keys for GET /picture/<key>, '' for none.
    """

    answer: str
    free: str
    color: str
    confidence_permille: int
    nearest: tuple[NearView, ...]
    picture: str
    crop: str


@dataclass(frozen=True, slots=True)
class PlateQuestionView:
    """The camera is not sure whether this is the truck: the dispatcher compares, then what was pressed (`place`) goes
    on by itself.
    """

    visit: str
    place: Words
    claimed: str
    words: Words
    look: LookView


@dataclass(frozen=True, slots=True)
class PlateSaidView:
    """One line of a visit's plate history. `agreement`: agrees ask differs swapped not_seen; `by` is who compared."""

    at: str
    place: Words
    said: Words
    agreement: str
    by: str
    look: LookView | None


@dataclass(frozen=True, slots=True)
class ArrivalView:
    """What the entrance's camera sees: the truck of an open notice that it may be, the likeliest first."""

    look: LookView | None
    plates: tuple[str, ...]
    sure: bool


@dataclass(frozen=True, slots=True)
class LaneView:
    """All a lane page shows. `actions` names: call tare start_loading load_complete unload recheck cancel empty_exit
    park topup.
    """

    lane: str
    name: Words
    scale: ScaleView
    visit: VisitView | None
    limit: LimitView | None
    money: MoneyView | None
    hold: HoldView | None
    actions: tuple[ActionView, ...]
    queue: tuple[QueueEntry, ...]
    link: LinkView
    curve_kg: tuple[int, ...]
    alarms: tuple[AlarmView, ...]
    last: Why | None
    """The last refusal met on this lane, until the next success."""
    done: Words | None
    """The last success in words ("ticket HX01-01-0000001 printed, drive to the gate")."""
    barred: Words = Words("", "")
    """Why the plant books nothing new (fenced, closed); empty while it does."""
    scale_alarms: tuple[ScaleAlarmView, ...] = ()
    """The newest that nobody has acknowledged; `scale_alarm_count` are there in all."""
    scale_alarm_count: int = 0
    plate_question: PlateQuestionView | None = None


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket in lists and on the gate page; or an empty truck's slip: mode `empty`, 0 kg, its visit as `ticket`."""

    ticket: str
    visit: str
    plate: str
    customer_name: str
    product: str
    net_kg: int
    amount_fen: int
    gross_at: str
    state: str
    """ticketed sealed released voided; of a slip empty_exit or released."""
    state_words: Words
    enterprise_seal: str
    finance_seal: str
    """Who sealed, '' while missing."""
    copies: int
    """Reprints so far."""
    print_state: str
    used_at: str
    lane: str
    mode: str


@dataclass(frozen=True, slots=True)
class VerdictView:
    """The answer to one scan. `verdict`: open ask_guard refuse."""

    verdict: str
    why: Why | None
    ticket: TicketView | None
    plate_pass: str
    plate_seen: str
    confidence_permille: int
    overridable: bool
    at: str
    picture: str
    """Key for GET /gate/<gate>/picture/<key>; '' when there is none."""
    overridden_by: str
    barrier: str
    """'' opened failed."""
    look: LookView | None = None
    plate_asked: bool = False
    """A person must say whether it is this truck: the page shows the plate and two buttons."""
    plate_by: str = ""
    """Who compared the plate and said that it is."""


@dataclass(frozen=True, slots=True)
class PassageView:
    """One line of today's list at the gate."""

    at: str
    plate: str
    net_kg: int | None
    verdict: str
    words: Words


@dataclass(frozen=True, slots=True)
class GateView:
    """All a gate page shows."""

    gate: str
    name: Words
    barrier: Words
    barrier_ok: bool
    vehicle_on_loop: bool | None
    link: LinkView
    last: VerdictView | None
    today: tuple[PassageView, ...]
    released_today: int
    alarms: tuple[AlarmView, ...]


@dataclass(frozen=True, slots=True)
class QueueView:
    """The board for drivers."""

    plant_name: str
    waiting: tuple[QueueEntry, ...]
    serving: tuple[QueueEntry, ...]


def as_json(view: object) -> dict[str, Any]:
    """A view as plain JSON values; Words become {"zh","en"}."""
    result = _plain(asdict(view))  # type: ignore[call-overload]
    assert isinstance(result, dict)
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, Words):
        return {"zh": value.zh, "en": value.en}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Done:
    """A command was carried out: the words for the screen, and the ticket it concerns, if any."""

    words: Words
    ticket: str | None = None
