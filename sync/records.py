"""The record types of the plant's ledger, version 1: what its rows say. The one place that names their fields,
but for those about plates (`sync.plate_records`).

A row is `kind` + canonical JSON body. Amounts int fen, masses int kg, times ISO 8601 with zone. A reader ignores fields
it does not know; an unknown `kind` is stored, shown and otherwise ignored, so an older head office can serve a newer
plant.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from sync.fields import Fen, Kg, Mode, Name, PersonName, Wire
from sync.plate_records import PlateDecided, PlateLook, PlateQuestioned
from sync.record import Record as Record


class NoticeTaken(Record):
    """发货通知单 accepted by the plant; its hold is placed (it may be short: `wanted_fen` − `hold_fen` is missing)."""

    KIND = "notice_taken"
    notice: Name
    version: int
    visit: str
    account: Name
    plate: Name
    hold_fen: Fen
    wanted_fen: Fen
    order_sha256: str = ""
    """`sync.orders.digest` of the document as the plant understood it; '' in records older than this field."""


class NoticeRefused(Record):
    """A notice the plant could not take (expired, known, for another plant); nothing is held."""

    KIND = "notice_refused"
    notice: Name
    version: int
    reason: Name


class HoldChanged(Record):
    """The hold of a visit was raised or lowered to `hold_fen`."""

    KIND = "hold"
    visit: str
    notice: Name
    account: Name
    hold_fen: Fen


class VisitMoved(Record):
    """A visit changed state without weight or money, or ended; `released_fen` is the hold given back."""

    KIND = "visit"
    visit: str
    notice: Name
    plate: Name
    event: Name
    state: Name
    at: AwareDatetime
    operator: str = ""
    lane: str = ""
    reason: str = ""
    account: str = ""
    released_fen: Fen = 0
    look: PlateLook | None = None
    """At an arrival: what the entrance's camera saw."""


class Weighing(Record):
    """What a capture says. `role` is tare, gross or empty."""

    KIND = "weighment"
    weighment: str
    visit: str
    role: Literal["tare", "gross", "empty"]
    gross_kg: Kg
    lane: Name
    indicator: Name
    division_kg: int
    operator: str
    at: AwareDatetime
    plate_seen: str = ""
    picture_sha256: str = ""
    software: str = ""
    look: PlateLook | None = None
    plate_by: str = ""
    """The person whose eyes compared the plate, where the camera was not sure."""


class Weighed(Weighing):
    """One capture with its evidence, which is nine tenths of it."""

    frames: tuple[str, ...] = ()
    """The raw frames that made the stable weight, hex, oldest first."""
    curve_kg: tuple[int, ...] = ()
    """Weight about the capture, oldest first, one point each `curve_step_ms`."""
    curve_step_ms: int = 0


class Held(Record):
    """Load complete was answered no: the truck waits. What is over is given in kg and fen."""

    KIND = "held"
    visit: str
    notice: Name
    plate: Name
    account: Name
    reason: Name
    net_kg: Kg
    amount_fen: Fen
    available_fen: Fen
    over_kg: Kg
    over_fen: Fen
    at: AwareDatetime
    operator: str


class Ticketed(Record):
    """出库单: the goods are debited. `hold_fen` ends, `amount_fen` of it is spent."""

    KIND = "ticket"
    ticket: Name
    number: int
    visit: str
    notice: Name
    account: Name
    customer_id: Name
    customer_name: Name
    product: Name
    plate: Name
    mode: Mode
    tare_kg: Kg
    gross_kg: Kg
    net_kg: Kg
    price_fen_per_t: Fen
    amount_fen: Fen
    hold_fen: Fen
    tare_at: AwareDatetime
    gross_at: AwareDatetime
    business_date: str
    lane: Name
    operator: str
    pass_id: str
    carrier: str = ""
    freight_fen: Fen = 0
    credit_due: str = ""
    responsible: str = ""


class SlipIssued(Record):
    """空车出门证: an empty truck may leave; other records name this slip by its visit, in the place of a ticket."""

    KIND = "empty_slip"
    visit: Name
    notice: Name
    plate: Name
    tare_kg: Kg
    exit_kg: Kg
    lane: Name
    operator: str
    pass_id: str
    at: AwareDatetime


class Sealed(Record):
    """An electronic seal on a ticket: `enterprise` (企管部) or `finance` (财务)."""

    KIND = "seal"
    ticket: Name
    seal: Literal["enterprise", "finance"]
    person: Name
    at: AwareDatetime


class Exited(Record):
    """The pass is used and the barrier was told to open. An override carries who and why."""

    KIND = "exit"
    ticket: Name
    """The ticket's number; of an empty truck's slip the visit's, so that both fields are the same."""
    visit: str
    pass_id: str
    gate: Name
    plate_seen: str
    operator: str
    at: AwareDatetime
    override_name: str = ""
    override_reason: str = ""
    override_of: str = ""
    """The reasons the gate had said no for, when they were overridden, with spaces between them."""
    picture_sha256: str = ""
    look: PlateLook | None = None
    plate_by: str = ""
    """As of a weighing."""


class GateRefused(Record):
    """A scan that did not open the barrier."""

    KIND = "gate_refused"
    gate: Name
    reason: Name
    ticket: str = ""
    pass_id: str = ""
    plate_seen: str = ""
    operator: str
    at: AwareDatetime
    look: PlateLook | None = None


class Voided(Record):
    """A ticket taken back before exit, by two persons. The number stays used."""

    KIND = "void"
    ticket: Name
    visit: str
    account: Name
    amount_fen: Fen
    pass_id: str
    first_person: Name
    second_person: Name
    reason: Name
    at: AwareDatetime


class Printed(Record):
    """A print job ended: `copy_number` 0 is the original, n ≥ 1 is 补打 n. `result` is sent or failed."""

    KIND = "print"
    job: int
    ticket: Name
    copy_number: int
    result: Literal["sent", "failed", "unknown"]
    detail: str = ""
    at: AwareDatetime


class Granted(Record):
    """The plant saw head office's cumulative grant. `by` is who scanned it as a top-up code 充值码, '' by link."""

    KIND = "grant"
    account: Name
    granted_fen: Fen
    by: str = ""


class Returned(Record):
    """The plant gives money back; `returned_fen` is cumulative."""

    KIND = "return"
    account: Name
    returned_fen: Fen
    reason: str = ""


class TermAdopted(Record):
    """The plant follows this term of head office from here on; grants of an earlier one, however late, are void."""

    KIND = "term"
    number: int
    id: str


class FinalCounters(Wire):
    """One account when its plant epoch was closed."""

    granted_fen: Fen
    returned_fen: Fen
    spent_fen: Fen
    voided_fen: Fen


class EpochClosed(Record):
    """The plant epoch is over: no hold is open, and nothing is debited, voided or granted in it any more.

    `accounts` tells those that spent most, so many as fit a message: at most 2 000.
    """

    KIND = "closed"
    accounts: dict[str, FinalCounters]
    at: AwareDatetime


class StockSeen(Record):
    """The plant saw the cumulative quantity received into its yard."""

    KIND = "stock"
    product: Name
    received_kg: Annotated[int, Field(ge=0, le=10**12)]


class Alarm(Record):
    """Something a person should look at."""

    KIND = "alarm"
    source: Name
    what: Name
    at: AwareDatetime


MOST_CURVE_POINTS = 300
Point = Annotated[int, Field(ge=-(10**6), le=10**6)]
"""A weight on a curve, kg; below zero where a scale drifted."""


class ScaleAlarmed(Record):
    """称重报警: what the scale watch found, with the weight curve about it. It refuses no ticket: people look at it and
    say so by `ScaleAlarmSeen`. `zh` and `en` say it in words; `numbers` have their unit in the name."""

    KIND = "scale_alarm"
    lane: Name
    kind: Name
    zh: Annotated[str, Field(max_length=300)]
    en: Annotated[str, Field(max_length=600)]
    numbers: Annotated[dict[Name, int], Field(max_length=20)]
    visit: str = ""
    """Whose truck it concerns, as far as one does."""
    weighment: str = ""
    plate: str = ""
    curve_kg: Annotated[tuple[Point, ...], Field(max_length=MOST_CURVE_POINTS)]
    """Weight about the event, oldest first, one point each `curve_step_ms`."""
    curve_step_ms: int
    indicator: Name
    business_date: str
    at: AwareDatetime


class ScaleAlarmSeen(Record):
    """确认报警: a person looked at an alarm. `alarm` is the ledger row that told it."""

    KIND = "scale_alarm_seen"
    alarm: Annotated[int, Field(ge=1, le=2**53)]
    lane: Name
    visit: str = ""
    person: Name
    person_name: PersonName = ""
    note: Annotated[str, Field(max_length=200)] = ""
    at: AwareDatetime


class ScaleCommanded(Record):
    """仪表命令: what a person tells a weighing indicator (`zero`), written before it is sent. What became of it stands
    in the `ScaleCommandEnded` that names this row; where that is missing it may or may not have been done."""

    KIND = "scale_command"
    lane: Name
    command: Name
    indicator: Name
    weight_kg: int
    """As shown before."""
    range_kg: Annotated[int, Field(ge=0)] = 0
    """So far from zero it may be set to zero; 0 in rows of older programs."""
    visit: str = ""
    """Whom the books have at this lane, done and driving off; '' nobody."""
    person: Name
    person_name: PersonName = ""
    business_date: str
    at: AwareDatetime


class ScaleCommandEnded(Record):
    """What became of the command that ledger row `commanded` told: `done`, `refused`, or `unknown` (no answer)."""

    KIND = "scale_command_ended"
    commanded: Annotated[int, Field(ge=1, le=2**53)]
    lane: Name
    result: Name
    what: Annotated[str, Field(max_length=300)]
    """In words, "中文 / English"."""
    weight_kg: int | None
    """As shown afterwards; None when no weight came."""
    at: AwareDatetime


RECORDS: dict[str, type[Record]] = {
    record.KIND: record
    for record in (
        NoticeTaken, NoticeRefused, HoldChanged, VisitMoved, Weighed, Held, Ticketed, SlipIssued, Sealed, Exited,
        GateRefused, Voided, Printed, Granted, Returned, TermAdopted, EpochClosed, StockSeen, Alarm,
        ScaleAlarmed, ScaleAlarmSeen, ScaleCommanded, ScaleCommandEnded, PlateQuestioned, PlateDecided,
    )
}  # fmt: skip
