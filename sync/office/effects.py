"""What a plant's ledger rows mean at head office: shipments, sums per account, incidents, states of notices. Pure.

Rows are fed in ledger order, each exactly once; the store commits the outcome together with the row that caused it, and
`weighgate-office verify` feeds them all again and compares. A row of an unknown kind changes nothing; a row of a known
kind that cannot be read becomes an incident, so that no bad row can stop those behind it.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sync import records as wire
from sync.documents import Notice
from sync.office.clock import time_text
from sync.office.lack import Lack
from sync.office.orders_kept import odd_order, odd_ticket
from sync.office.reading import read_row
from sync.plate_records import PlateDecided, PlateLook, PlateQuestioned
from sync.units import format_fen


@dataclass(slots=True)
class Shipment:
    """One visit of one truck, as far as its plant has told. Times are ISO 8601 UTC text, empty when not yet. Changed by
    `Effects`, row by row.
    """

    visit: str
    state: str = "noticed"
    """noticed, yard, tared, loaded, held, ticketed, released, voided, returned, cancelled, expired, empty"""
    notice: str = ""
    account: str = ""
    customer_id: str = ""
    customer_name: str = ""
    product: str = ""
    plate: str = ""
    mode: str = ""
    ticket: str = ""
    pass_id: str = ""
    lane: str = ""
    tare_kg: int = 0
    gross_kg: int = 0
    net_kg: int = 0
    price_fen_per_t: int = 0
    amount_fen: int = 0
    hold_fen: int = 0
    over_kg: int = 0
    over_fen: int = 0
    reason: str = ""
    business_date: str = ""
    credit_due: str = ""
    carrier: str = ""
    freight_fen: int = 0
    tare_at: str = ""
    gross_at: str = ""
    exit_at: str = ""
    changed_at: str = ""
    changed_seq: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """Something a person should look at: override, void, odd_void, reprint, print, refused, alarm, scale_alarm,
    `COMMAND_KINDS`, plate_same, plate_other, plate_differs, plate_swapped, notice_refused, order_differs, unreadable.
    """

    seq: int
    kind: str
    at: str
    what: str
    details: str = ""
    """The row itself, where nobody could read it."""


@dataclass(slots=True)
class Sums:
    """What the rows add to one account's counters; `returned_fen` is a total, the rest are differences."""

    spent_fen: int = 0
    voided_fen: int = 0
    held_fen: int = 0
    returned_fen: int = 0


_MOST_DETAILS = 4000
_NO_ANSWER = "scale_command_unknown"
COMMAND_ENDS = {"done": "scale_command_done", "refused": "scale_command_refused", "unknown": _NO_ANSWER}
"""What became of a command to an indicator, and the incident that tells it: only what was done reads as done."""
COMMAND_KINDS = frozenset({wire.ScaleCommanded.KIND, *COMMAND_ENDS.values()})
_STATES = {
    "noticed": "noticed", "queued": "yard", "admitted": "yard", "tared": "tared", "loading": "tared", "held": "held",
    "ticketed": "ticketed", "sealed": "ticketed", "released": "released", "closed": "released",
    "cancelled": "cancelled", "expired": "expired", "empty_exit": "empty", "voided": "voided", "returned": "returned",
}  # fmt: skip
"""A plant's own visit states, as head office shows them."""
_BEFORE_TICKET = frozenset({"noticed", "yard", "tared", "loaded", "held"})
_REFUSED = ("refused", "")
_NOTICE_STATES = {"noticed": "taken", "yard": "taken", "tared": "loading", "loaded": "loading"}


@dataclass(slots=True)
class Effects:
    """The outcome of feeding rows: start it with the shipments and notice facts that are already known."""

    shipments: dict[str, Shipment] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    sums: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    incidents: list[Incident] = field(default_factory=list)
    notices: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Notice number → its new state and reason."""
    lacks: list[Lack] = field(default_factory=list)
    alarms: dict[int, wire.ScaleAlarmed] = field(default_factory=dict)
    """Alarms of the scale watch by their rows."""
    seen: dict[int, wire.ScaleAlarmSeen] = field(default_factory=dict)
    """Who first acknowledged the alarm of a row, which may have come long before."""
    issued: Mapping[str, Sequence[Notice]] | None = None
    """Every version of the notices that the rows name, as issued to this instance; None: not to be compared."""

    def feed(self, seq: int, kind: str, body: str, at: str) -> None:
        """Apply one row."""
        self.take(seq, kind, body, at, read_row(kind, body))

    def take(self, seq: int, kind: str, body: str, at: str, read: wire.Record | str | None) -> None:
        """Apply one row that `read_row` has read."""
        if isinstance(read, str):
            self.incidents.append(Incident(seq, "unreadable", at, f"{kind}: {read}", body[:_MOST_DETAILS]))
        elif read is not None and (handler := self._HANDLERS.get(type(read))) is not None:
            handler(self, seq, read, at)

    @property
    def unread_money(self) -> list[tuple[int, str]]:
        """Row and reason of each ticket and void that could not be read: what it says is in no counter."""
        money = (wire.Ticketed.KIND, wire.Voided.KIND)
        return [
            (each.seq, each.what)
            for each in self.incidents
            if each.kind == "unreadable" and each.what.partition(":")[0] in money
        ]

    def _change(self, visit: str, seq: int, at: str, **changes: Any) -> Shipment:
        shipment = self.shipments.setdefault(visit, Shipment(visit))
        state, account, hold_fen = shipment.state, shipment.account, shipment.hold_fen
        shipment.changed_at, shipment.changed_seq = at, seq
        for name, value in changes.items():
            setattr(shipment, name, value)
        self.touched.add(visit)
        account = shipment.account or account
        if account:
            self.sums[account].held_fen += shipment.hold_fen - hold_fen
        if shipment.notice and shipment.state != state:
            self.notices[shipment.notice] = (_NOTICE_STATES.get(shipment.state, shipment.state), shipment.reason)
        return shipment

    def _notice_taken(self, seq: int, record: wire.NoticeTaken, at: str) -> None:
        if self.issued is not None and (odd := odd_order(record, self.issued.get(record.notice, ()))):
            self.incidents.append(Incident(seq, "order_differs", at, odd))
        if record.hold_fen < record.wanted_fen:
            missing_fen = record.wanted_fen - record.hold_fen
            self.lacks.append(Lack(record.notice, record.account, "short", missing_fen))
        state = self.shipments[record.visit].state if record.visit in self.shipments else "noticed"
        self._change(
            record.visit, seq, at, state=state, notice=record.notice, account=record.account, plate=record.plate,
            hold_fen=record.hold_fen,
        )  # fmt: skip
        if self.notices.get(record.notice, _REFUSED)[0] == "refused":
            self.notices[record.notice] = (_NOTICE_STATES.get(state, state), "")

    def _notice_refused(self, seq: int, record: wire.NoticeRefused, at: str) -> None:
        # Only when nothing else was heard: a truck that is loading goes on, whatever came too late for it.
        self.notices.setdefault(record.notice, ("refused", record.reason))
        self.incidents.append(
            Incident(seq, "notice_refused", at, f"{record.notice} v{record.version}: {record.reason}")
        )

    def _hold(self, seq: int, record: wire.HoldChanged, at: str) -> None:
        self._change(record.visit, seq, at, notice=record.notice, account=record.account, hold_fen=record.hold_fen)

    def _moved(self, seq: int, record: wire.VisitMoved, _at: str) -> None:
        before = self.shipments.get(record.visit, Shipment(record.visit))
        state = _STATES.get(record.state, before.state)
        changes: dict[str, Any] = {"state": state, "hold_fen": max(0, before.hold_fen - record.released_fen)}
        if state != before.state:
            changes |= {"reason": record.reason}
        if state != "held":
            changes |= {"over_kg": 0, "over_fen": 0}
        changes |= {"account": record.account or before.account, "notice": record.notice or before.notice}
        self._change(record.visit, seq, time_text(record.at), plate=record.plate, **changes)

    def _weighed(self, seq: int, record: wire.Weighing, _at: str) -> None:
        before = self.shipments.get(record.visit, Shipment(record.visit))
        changes: dict[str, Any] = {"lane": record.lane}
        if record.role == "tare":
            changes |= {"state": "tared", "tare_kg": record.gross_kg, "tare_at": time_text(record.at)}
        elif record.role == "gross":
            net_kg = max(0, record.gross_kg - before.tare_kg)
            changes |= {
                "state": "loaded",
                "gross_kg": record.gross_kg,
                "net_kg": net_kg,
                "gross_at": time_text(record.at),
            }
        if before.state not in _BEFORE_TICKET:
            changes["state"] = before.state
        self._change(record.visit, seq, time_text(record.at), **changes)

    def _held(self, seq: int, record: wire.Held, _at: str) -> None:
        self._change(
            record.visit, seq, time_text(record.at), state="held", notice=record.notice, account=record.account,
            plate=record.plate, net_kg=record.net_kg, amount_fen=record.amount_fen, over_kg=record.over_kg,
            over_fen=record.over_fen, reason=record.reason,
        )  # fmt: skip
        if record.reason in ("over_balance", "over_credit"):
            self.lacks.append(Lack(record.notice, record.account, "held", record.over_fen))

    def _ticketed(self, seq: int, record: wire.Ticketed, _at: str) -> None:
        self._change(
            record.visit, seq, time_text(record.gross_at), state="ticketed", notice=record.notice,
            account=record.account,
            customer_id=record.customer_id, customer_name=record.customer_name, product=record.product,
            plate=record.plate, mode=record.mode.value, ticket=record.ticket, pass_id=record.pass_id, lane=record.lane,
            tare_kg=record.tare_kg, gross_kg=record.gross_kg, net_kg=record.net_kg,
            price_fen_per_t=record.price_fen_per_t, amount_fen=record.amount_fen, hold_fen=0, over_kg=0, over_fen=0,
            reason="", business_date=record.business_date, credit_due=record.credit_due, carrier=record.carrier,
            freight_fen=record.freight_fen, tare_at=time_text(record.tare_at), gross_at=time_text(record.gross_at),
        )  # fmt: skip
        self.sums[record.account].spent_fen += record.amount_fen
        if self.issued is not None and (odd := odd_ticket(record, self.issued.get(record.notice, ()))):
            self.incidents.append(Incident(seq, "order_differs", time_text(record.gross_at), odd))

    def _slip_issued(self, seq: int, record: wire.SlipIssued, _at: str) -> None:
        self._change(
            record.visit, seq, time_text(record.at), notice=record.notice, plate=record.plate, lane=record.lane,
            pass_id=record.pass_id, tare_kg=record.tare_kg,
        )  # fmt: skip

    def _exited(self, seq: int, record: wire.Exited, _at: str) -> None:
        moment = time_text(record.at)
        before = self.shipments.get(record.visit, Shipment(record.visit))
        state = "empty" if before.state == "empty" else "released"  # an empty truck leaves with its slip, without goods
        self._change(record.visit, seq, moment, state=state, exit_at=moment)
        if record.override_name:
            said = f"{record.ticket}: {record.override_name}: {record.override_reason} ({record.override_of})"
            self.incidents.append(Incident(seq, "override", moment, said))

    def _gate_refused(self, seq: int, record: wire.GateRefused, _at: str) -> None:
        said = " ".join(part for part in (record.gate, record.reason, record.ticket, record.plate_seen) if part)
        self.incidents.append(Incident(seq, "refused", time_text(record.at), said))

    def _voided(self, seq: int, record: wire.Voided, _at: str) -> None:
        moment = time_text(record.at)
        said = f"{record.ticket}: {record.first_person}, {record.second_person}: {record.reason}"
        if odd := self._odd_void(record):
            # Its goods are gone, or never were: no honest plant writes this, and it gives no money back.
            self.incidents.append(Incident(seq, "odd_void", moment, f"{said} ({odd})"))
            return
        self._change(record.visit, seq, moment, state="voided", account=record.account, reason=record.reason)
        self.sums[record.account].voided_fen += record.amount_fen
        self.incidents.append(Incident(seq, "void", moment, said))

    def _odd_void(self, record: wire.Voided) -> str:
        """Why a void does not count; '' when it takes back a ticket that stands in the yard."""
        before = self.shipments.get(record.visit)
        if before is None or before.ticket != record.ticket:
            return "no such ticket"
        if before.state != "ticketed":
            return f"the ticket is {before.state}"
        told, kept = (record.account, record.amount_fen), (before.account, before.amount_fen)
        return "" if told == kept else f"the ticket is of {before.account}, {format_fen(before.amount_fen)}"

    def _printed(self, seq: int, record: wire.Printed, _at: str) -> None:
        if record.copy_number > 0:
            said = f"{record.ticket}: 补打 {record.copy_number} ({record.result})"
            self.incidents.append(Incident(seq, "reprint", time_text(record.at), said))
        elif record.result != "sent":
            self.incidents.append(
                Incident(seq, "print", time_text(record.at), f"{record.ticket}: {record.detail or record.result}")
            )

    def _returned(self, _seq: int, record: wire.Returned, _at: str) -> None:
        sums = self.sums[record.account]
        sums.returned_fen = max(sums.returned_fen, record.returned_fen)

    def _alarm(self, seq: int, record: wire.Alarm, _at: str) -> None:
        self.incidents.append(Incident(seq, "alarm", time_text(record.at), f"{record.source}: {record.what}"))

    def _scale_alarmed(self, seq: int, record: wire.ScaleAlarmed, _at: str) -> None:
        self.alarms[seq] = record
        said = " ".join(part for part in (record.plate, record.zh, record.en) if part)
        self.incidents.append(Incident(seq, "scale_alarm", time_text(record.at), said))

    def _scale_commanded(self, seq: int, record: wire.ScaleCommanded, _at: str) -> None:
        said = f"{record.lane}: {record.command} {record.weight_kg} kg, {record.person_name or record.person}"
        self.incidents.append(Incident(seq, "scale_command", time_text(record.at), said))

    def _scale_command_ended(self, seq: int, record: wire.ScaleCommandEnded, _at: str) -> None:
        weight = "—" if record.weight_kg is None else f"{record.weight_kg} kg"
        said = f"{record.lane}: {record.result}, {weight} ({record.what})"
        self.incidents.append(Incident(seq, COMMAND_ENDS.get(record.result, _NO_ANSWER), time_text(record.at), said))

    def _scale_alarm_seen(self, _seq: int, record: wire.ScaleAlarmSeen, _at: str) -> None:
        self.seen.setdefault(record.alarm, record)

    def _plate_questioned(self, seq: int, record: PlateQuestioned, _at: str) -> None:
        if record.agreement == "ask":
            return  # the person's answer is the news, and a row of its own
        kind = "plate_swapped" if record.agreement == "swapped" else "plate_differs"
        said = _plate_words(record.place, record.lane, record.visit, record.claimed, record.look)
        self.incidents.append(Incident(seq, kind, time_text(record.at), said))

    def _plate_decided(self, seq: int, record: PlateDecided, _at: str) -> None:
        paper, who = record.ticket or record.visit, record.name or record.operator
        said = _plate_words(record.place, record.at_device, paper, record.claimed, record.look)
        reason = f": {record.reason}" if record.reason else ""
        self.incidents.append(Incident(seq, f"plate_{record.answer}", time_text(record.at), f"{said}, {who}{reason}"))

    _HANDLERS: ClassVar[dict[type[wire.Record], Callable[["Effects", int, Any, str], None]]] = {
        wire.NoticeTaken: _notice_taken, wire.NoticeRefused: _notice_refused, wire.HoldChanged: _hold,
        wire.VisitMoved: _moved, wire.Weighing: _weighed, wire.Held: _held, wire.Ticketed: _ticketed,
        wire.SlipIssued: _slip_issued, wire.Exited: _exited, wire.GateRefused: _gate_refused, wire.Voided: _voided,
        wire.Printed: _printed, wire.Returned: _returned, wire.Alarm: _alarm,
        wire.ScaleAlarmed: _scale_alarmed, wire.ScaleAlarmSeen: _scale_alarm_seen,
        wire.ScaleCommanded: _scale_commanded, wire.ScaleCommandEnded: _scale_command_ended,
        PlateQuestioned: _plate_questioned, PlateDecided: _plate_decided,
    }  # fmt: skip


def _plate_words(place: str, device: str, paper: str, claimed: str, look: PlateLook | None) -> str:
    """Where, for which paper, which plate it claims and what was read."""
    read = f"{look.free or '—'} {look.confidence_permille // 10}%" if look else "—"
    return f"{place} {device} {paper}: {claimed} / {read}"
