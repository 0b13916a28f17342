"""One scan against the books: read the code, decide, and in the same transaction use the pass or record the refusal."""

from dataclasses import dataclass, replace
from datetime import timedelta

from edge.domain.exit_pass import ENDLESS, ExitPass, GateDecision, PassFacts, Verdict, decide_exit
from edge.domain.pass_code import PassUnreadable
from edge.domain.plate_check import Agreement, Place, PlateCheck, check_plate
from edge.domain.refusal import Reason, Refusal, Words, reason_title, refuse
from edge.domain.visit import VisitEvent, VisitState, next_state
from edge.signing import PassForged
from edge.station import plates
from edge.station.eyes import Seen
from edge.station.plant import Plant
from edge.station.ticket_view import SEAL_WORDS, paper_view
from edge.station.views import PassageView
from edge.store.books import Books
from edge.store.slips import StoredSlip
from edge.store.tickets import StoredTicket
from sync.records import RECORDS, Exited, GateRefused

RELEASED = Words("放行", "released")
_REMEMBERED = 1000
_DOUBTS = frozenset({Reason.PLATE_UNSURE, Reason.PLATE_DIFFERS})


@dataclass(frozen=True, slots=True)
class Scan:
    """What came in at a gate: the pass (or why it is none), what the camera saw, who scanned, and an
    override if any.
    """

    gate: str
    exit_pass: ExitPass | Refusal
    seen: Seen
    by: str
    override_name: str = ""
    override_reason: str = ""
    overruled: tuple[Reason, ...] = ()
    """What the gate had said no for, in the order in which it was shown and overridden."""
    compared: plates.Compared | None = None
    """The guard has compared the plate."""
    told_now: bool = False
    """It is news, to be written down with what follows from it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision that was committed, and the ticket or slip it is about."""

    decision: GateDecision
    stored: StoredTicket | StoredSlip | None


def read_code(plant: Plant, code: str) -> ExitPass | Refusal:
    """The pass in a scanned text, when it is one, signed by us, of this plant and epoch."""
    try:
        exit_pass = plant.pass_key.read(code)
    except PassUnreadable:
        return refuse(Reason.PASS_UNREADABLE)
    except PassForged:
        return refuse(Reason.PASS_FORGED)
    if (exit_pass.plant_number, exit_pass.epoch) != (plant.number, plant.epoch):
        return refuse(Reason.PASS_OTHER_PLANT)
    return exit_pass


def pass_gate(books: Books, plant: Plant, scan: Scan) -> Outcome:
    """Decide and write: a used pass with its exit, or a refusal. Nothing opens before this is committed."""
    if isinstance(scan.exit_pass, Refusal):
        return _refused(books, scan, GateDecision(Verdict.REFUSE, scan.exit_pass), None, "")
    stored = books.paper_of(scan.exit_pass)
    facts = _facts(books, plant, stored) if stored else None
    expired_at = _expired_at(books, plant, scan.exit_pass)
    plate = check_plate(facts.plate if facts else "", scan.seen.match)
    plate = plate.asks_if(Agreement.AGREES, _doubted_before(books, scan.exit_pass))
    if facts is not None and scan.compared is not None and scan.told_now:
        standpoint = plates.Standpoint(Place.GATE, scan.gate, facts.visit, facts.plate, facts.ticket)
        plates.decided(books, standpoint, scan.seen, scan.compared)
    told = plate.told(scan.compared.same if scan.compared else None)
    decision = decide_exit(scan.exit_pass, facts, told, expired_at, frozenset(scan.overruled))
    if decision.verdict is not Verdict.OPEN or facts is None:
        return _refused(books, scan, decision, stored, facts.ticket if facts else "")
    _release(books, scan, facts, plate)
    return Outcome(decision, books.paper_of(scan.exit_pass))


def _doubted_before(books: Books, exit_pass: ExitPass) -> bool:
    """Whether a gate was unsure of this pass's truck before, or saw another one: each scan is a new picture, and of
    many pictures of a clone one is misread.
    """
    return any(
        exit_pass.pass_id in body and GateRefused.model_validate_json(body).reason in _DOUBTS
        for _, body in books.ledger.bodies(GateRefused.KIND, _REMEMBERED)
    )


def _facts(books: Books, plant: Plant, stored: StoredTicket | StoredSlip) -> PassFacts:
    used_at = plant.local(stored.used_at) if stored.used_at else None
    if isinstance(stored, StoredSlip):
        slip = stored.slip
        return PassFacts(
            ticket=slip.visit,
            visit=slip.visit,
            plate=slip.plate,
            net_kg=0,
            pass_id=slip.pass_id,
            # Its visit is over, so the truck may be registered again and load: then it is not empty any more.
            voided=books.visits.arrived_after(slip.plate, slip.visit),
            sealed=True,
            missing_seal=("", ""),
            used_at=used_at,
        )
    missing = stored.missing_seal
    return PassFacts(
        ticket=stored.ticket.ticket,
        visit=stored.ticket.visit,
        plate=stored.ticket.plate,
        net_kg=stored.ticket.net_kg,
        pass_id=stored.ticket.pass_id,
        voided=stored.voided,
        sealed=missing is None,
        missing_seal=SEAL_WORDS[missing] if missing else ("", ""),
        used_at=used_at,
    )


def _expired_at(books: Books, plant: Plant, exit_pass: ExitPass) -> str | None:
    """When the pass ran out; None while it is valid, and when our clock is in doubt or was when it was printed."""
    clock, ends = books.clock, exit_pass.issued_at + timedelta(minutes=exit_pass.ttl_minutes)
    if exit_pass.ttl_minutes == ENDLESS or not clock.trusted() or clock.now() <= ends:
        return None
    return plant.local(ends)


def _release(books: Books, scan: Scan, facts: PassFacts, plate: PlateCheck) -> None:
    now = books.clock.now()
    if facts.used_at is None:
        books.tickets.use_pass(facts.pass_id, facts.ticket, scan.gate, now)
    visit = books.visits.get(facts.visit)
    assert visit is not None  # every paper has its visit
    following = next_state(visit.state, VisitEvent.RELEASE)
    if isinstance(following, VisitState):
        books.visits.put(replace(visit, state=following))
        books.vacate(visit.visit)
    asked = plate.agreement is Agreement.ASK
    books.tell(
        Exited(
            ticket=facts.ticket,
            visit=facts.visit,
            pass_id=facts.pass_id,
            gate=scan.gate,
            plate_seen=scan.seen.plate,
            operator=scan.by,
            at=now,
            override_name=scan.override_name,
            override_reason=scan.override_reason,
            override_of=" ".join(scan.overruled),
            picture_sha256=scan.seen.picture,
            look=plates.look_record(scan.seen),
            plate_by=scan.compared.by if asked and scan.compared and scan.compared.same else "",
        )
    )


def _refused(
    books: Books, scan: Scan, decision: GateDecision, stored: StoredTicket | StoredSlip | None, ticket: str
) -> Outcome:
    assert decision.why is not None
    books.ledger.append(
        GateRefused(
            gate=scan.gate,
            reason=decision.why.reason.value,
            ticket=ticket,
            pass_id=scan.exit_pass.pass_id if isinstance(scan.exit_pass, ExitPass) else "",
            plate_seen=scan.seen.plate,
            operator=scan.by,
            at=books.clock.now(),
            look=plates.look_record(scan.seen),
        )
    )
    return Outcome(decision, stored)


def passages(books: Books, plant: Plant, gate: str, business_date: str) -> list[PassageView]:
    """What passed, or was refused, at a gate on a business date, newest first; at most the last 1000 of each."""
    found: list[tuple[int, PassageView]] = []
    for kind in (Exited.KIND, GateRefused.KIND):
        for seq, body in books.ledger.bodies(kind, _REMEMBERED):
            record = RECORDS[kind].model_validate_json(body)
            assert isinstance(record, Exited | GateRefused)
            if record.gate == gate and plant.business_date(record.at) == business_date:
                found.append((seq, _passage(books, plant, record)))
    return [view for _, view in sorted(found, key=lambda item: -item[0])]


def _passage(books: Books, plant: Plant, record: Exited | GateRefused) -> PassageView:
    stored = books.paper(record.ticket) if record.ticket else None
    view = paper_view(plant, stored) if stored else None
    plate, net_kg = (view.plate, view.net_kg) if view else (record.plate_seen, None)
    if isinstance(record, Exited):
        return PassageView(plant.local_minute(record.at), plate, net_kg, Verdict.OPEN.value, RELEASED)
    words = reason_title(Reason(record.reason))
    return PassageView(plant.local_minute(record.at), plate, net_kg, Verdict.REFUSE.value, words)
