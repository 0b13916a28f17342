"""What the books say of the scale watch: alarms, told with the weighing they belong to and seen by a person. Each runs
inside one transaction. No alarm refuses a ticket; none goes away by itself.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.scale_watch import Finding, Signature, WatchKind
from edge.station.plant import Plant
from edge.station.views import Done, ScaleAlarmView
from edge.store.books import Books
from edge.store.scale_alarms import SIGNATURE, StoredScaleAlarm
from sync.canonical import canonical, parse
from sync.records import MOST_CURVE_POINTS, ScaleAlarmed, ScaleAlarmSeen, Weighed

_TARES = 20
_SHOWN_POINTS = 60
_MOST_NOTE = 200
_SAME_EVENT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Booked:
    """A weighing that a press has booked, and what its truck weighed empty before, oldest first."""

    weighed: Weighed
    plate: str
    tares_kg: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of the watch on one lane, and the visit and weighing it belongs to, '' for none."""

    finding: Finding
    lane: str
    indicator: str
    visit: str
    weighment: str
    at: datetime


def booked_since(books: Books, seq: int) -> list[Booked]:
    """The weighing among the ledger rows behind `seq`, or none."""
    told = [row.body for row in books.ledger.rows_after(seq, 10) if row.kind == Weighed.KIND]
    return [_booked(books, Weighed.model_validate_json(body)) for body in told]


def _booked(books: Books, weighed: Weighed) -> Booked:
    visit = books.visits.get(weighed.visit)
    plate = visit.plate if visit else ""
    tares_kg = books.visits.tares_kg(plate, weighed.visit, _TARES) if weighed.role == "tare" else []
    return Booked(weighed, plate, tuple(tares_kg))


def about(finding: Finding, standing: str, captured: str) -> str:
    """The visit that a finding is about: the one on the lane; of a zero that drifted the one weighed last, for the next
    may be called already.
    """
    return captured if finding.kind is WatchKind.ZERO_DRIFT else standing


def tell(books: Books, plant: Plant, found: Sequence[Found]) -> None:
    """Write findings to the ledger, each event of its own: what stands unseen silences nothing. Only what is found
    again at once, as after a restart, is the same event.
    """
    for each in found:
        finding = each.finding
        last = books.scale_alarms.newest(each.lane, finding.kind.value, each.visit)
        if last is not None and timedelta(0) <= each.at - last.told.at < _SAME_EVENT:
            continue
        visit = books.visits.get(each.visit) if each.visit else None
        told = ScaleAlarmed(
            lane=each.lane,
            kind=finding.kind.value,
            zh=finding.words.zh[:300],
            en=finding.words.en[:600],
            numbers=dict(finding.numbers),
            visit=each.visit,
            weighment=each.weighment,
            plate=visit.plate if visit else "",
            curve_kg=finding.curve_kg[-MOST_CURVE_POINTS:],
            curve_step_ms=finding.curve_step_ms,
            indicator=each.indicator,
            business_date=plant.business_date(each.at),
            at=each.at,
        )
        books.scale_alarms.add(books.ledger.append(told).seq, told)


def see(books: Books, lane: str, alarm: int, by: str, note: str, name: str = "") -> Done | Refusal:
    """确认报警: a person has looked, and says what it was. Who (`name` is what they are called), when and what are a
    record of their own."""
    note = note.strip()[:_MOST_NOTE]
    if not note:
        return refuse(Reason.REASON_MISSING)
    stored = books.scale_alarms.get(alarm)
    if stored is None or stored.told.lane != lane or stored.seen is not None:
        return refuse(Reason.ALARM_UNKNOWN)
    seen = ScaleAlarmSeen(
        alarm=alarm, lane=lane, visit=stored.told.visit, person=by, person_name=name, note=note, at=books.clock.now()
    )
    books.scale_alarms.see(alarm, books.ledger.append(seen).seq)
    return Done(Words("报警已确认,已记入账本", "Alarm acknowledged, on record"))


def alarm_view(plant: Plant, stored: StoredScaleAlarm) -> ScaleAlarmView:
    """An alarm as pages show it, its curve thinned out."""
    told, seen = stored.told, stored.seen
    step = max(1, -(-len(told.curve_kg) // _SHOWN_POINTS))
    return ScaleAlarmView(
        alarm=stored.seq,
        at=plant.local(told.at),
        kind=told.kind,
        words=Words(told.zh, told.en),
        visit=told.visit,
        plate=told.plate,
        curve_kg=told.curve_kg[::step],
        curve_step_ms=told.curve_step_ms * step,
        seen_by=seen.person if seen else "",
        seen_at=plant.local(seen.at) if seen else "",
        note=seen.note if seen else "",
    )


def read_signature(books: Books, lane: str) -> Signature | None:
    """How this lane's indicator spoke before the restart; None when that was never known."""
    kept = books.text(_key(lane))
    return Signature(**parse(kept.encode())) if kept else None


def keep_signature(books: Books, lane: str, signature: Signature) -> None:
    """Keep how the indicator speaks, so that one replaced while the program was off is noticed."""
    books.keep(_key(lane), canonical(asdict(signature)))


def _key(lane: str) -> str:
    return f"{SIGNATURE} {lane}"
