"""What a press on the lane page does to the books: tare, load complete, leave empty. Runs inside one transaction.

Each function asks the domain, then writes weighing, decision, ticket, hold, pass, seals and print job together, so
that a commit has all of them or none. Nothing here prints, opens or sends.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from edge.domain.account import post_hold, spendable_fen
from edge.domain.decision import HOLDS, Cleared, LoadFacts, decide
from edge.domain.exit_pass import ENDLESS, ExitPass
from edge.domain.plate_check import Agreement, Place, PlateCheck
from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.scale_monitor import Capture, ScaleRules
from edge.domain.ticket import EmptySlip, OutboundTicket, SealKind, SealMark
from edge.domain.visit import HeldLoad, Visit, VisitEvent, VisitState, next_state
from edge.signing import new_pass_id
from edge.station import plates
from edge.station.epoch import bar
from edge.station.eyes import Seen
from edge.station.notices import end_visit, moved
from edge.station.plant import Plant
from edge.station.views import Done
from edge.store.books import Books
from sync.fields import Mode
from sync.records import Held, Sealed, SlipIssued, Ticketed, Weighed
from sync.units import format_fen, format_kg


@dataclass(frozen=True, slots=True)
class Press:
    """One press of a button at a lane: where, on what scale, by whom, with the weight that was stable then."""

    lane: str
    indicator: str
    rules: ScaleRules
    capture: Capture
    seen: Seen
    by: str
    compared: plates.Compared | None = None
    """Who has compared this truck's plate since it stands there."""

    @property
    def same(self) -> bool | None:
        """What that person said; None when nobody was asked."""
        return self.compared.same if self.compared else None


def weigh_tare(books: Books, plant: Plant, visit: Visit, press: Press) -> Done | Refusal:
    """First weighing of the empty truck."""
    following = next_state(visit.state, VisitEvent.WEIGH_TARE)
    if isinstance(following, Refusal):
        return following
    plate = plates.check_visit(books, visit, press.seen).told(press.same)
    if plate.refusal is not None:
        return _doubted(books, Place.TARE, visit, press, plate, plate.refusal)
    now = books.clock.now()
    tare_kg = press.capture.gross_kg
    books.tell(_weighed(plant, books, visit, press, "tare"))
    books.visits.put(replace(visit, state=following, tare_kg=tare_kg, tare_at=now))
    books.captured(press.lane, visit.visit)
    return Done(Words(f"皮重 {format_kg(tare_kg)} kg", f"Tare {format_kg(tare_kg)} kg"))


def load_complete(books: Books, plant: Plant, visit: Visit, press: Press) -> Done | Refusal:
    """装车完成: weigh, decide, and either book the ticket or hold the truck with its numbers.

    Pressing again after the ticket answers with that ticket. A hold answered the same for the same weight is not
    written twice.
    """
    if visit.ticket:
        return already_ticketed(visit)
    if (barred := bar(books.mode)) is not None:
        return barred
    permitted = next_state(visit.state, VisitEvent.CLEAR)
    if isinstance(permitted, Refusal):
        return permitted
    if visit.tare_kg is None:
        raise AssertionError(f"{visit.visit} is {visit.state} without a tare")
    facts = _facts(books, plant, visit, visit.tare_kg, press)
    outcome = decide(facts)
    if isinstance(outcome, Cleared):
        return _issue(books, plant, visit, press, outcome)
    if outcome.reason is Reason.PLATE_UNSURE:
        return _doubted(books, Place.LOAD, visit, press, facts.plate, outcome)
    if outcome.reason not in HOLDS:
        return outcome
    if visit.held is None or (visit.held.gross_kg, visit.held.refusal) != (press.capture.gross_kg, outcome):
        _hold(books, plant, visit, press, outcome)
        if facts.plate.before:
            _doubted(books, Place.LOAD, visit, press, facts.plate, outcome)
    return outcome


def recheck(books: Books, plant: Plant, visit: Visit, press: Press) -> Done | Refusal:
    """再核对: load complete once more, of a load that was held. A load nobody completed is not checked again."""
    if visit.state is VisitState.HELD or visit.ticket:
        return load_complete(books, plant, visit, press)
    words = visit.state.words
    return refuse(Reason.NOT_NOW, event="再核对", event_en="check again", state=words.zh, state_en=words.en)


def leave_empty(books: Books, plant: Plant, visit: Visit, press: Press) -> Done | Refusal:
    """The truck goes without goods: weighed again, it must be as light as it came. Its slip opens the gate once."""
    permitted = next_state(visit.state, VisitEvent.LEAVE_EMPTY)
    if isinstance(permitted, Refusal):
        return permitted
    if visit.tare_kg is None:
        raise AssertionError(f"{visit.visit} is {visit.state} without a tare")
    plate = plates.check_visit(books, visit, press.seen).told(press.same)
    if plate.refusal is not None:
        return _doubted(books, Place.EMPTY, visit, press, plate, plate.refusal)
    over_kg = press.capture.gross_kg - visit.tare_kg
    if over_kg > plant.empty_tolerance_kg:
        return refuse(Reason.NOT_EMPTY, over_kg=over_kg, allowed_kg=plant.empty_tolerance_kg)
    books.tell(_weighed(plant, books, visit, press, "empty"))
    _issue_slip(books, plant, visit, visit.tare_kg, press)
    end_visit(books, visit, VisitEvent.LEAVE_EMPTY, by=press.by, reason="空车出门")
    books.captured(press.lane, visit.visit)
    return Done(Words(f"{visit.plate} 空车,请取空车出门证", f"{visit.plate} is empty: take the slip to the gate"))


def unload(books: Books, visit: Visit, by: str) -> Done | Refusal:
    """Second way out of a hold: take goods off, then press load complete again."""
    following = next_state(visit.state, VisitEvent.UNLOAD)
    if isinstance(following, Refusal):
        return following
    books.visits.put(replace(visit, state=following, held=None))
    books.ledger.append(moved(visit, VisitEvent.UNLOAD, following, books.clock.now(), by))
    return Done(Words("请卸货,然后重按装车完成", "Unload, then press load complete again"))


def _facts(books: Books, plant: Plant, visit: Visit, tare_kg: int, press: Press) -> LoadFacts:
    notice = visit.notice
    counters = books.accounts.get(notice.account)
    rules = press.rules
    spendable = spendable_fen(counters, visit.hold_fen)
    today = plant.business_date(books.clock.now())
    return LoadFacts(
        gross_kg=press.capture.gross_kg,
        minimum_net_kg=plant.minimum_net_kg,
        limits=notice.limits(tare_kg, rules.maximum_kg, rules.division_kg, spendable),
        plate=plates.check_visit(books, visit, press.seen).told(press.same),
        product=notice.product,
        stock_kg=books.stock_kg(notice.product),
        credit_due=notice.credit_due,
        responsible=notice.responsible,
        overdue=bool(notice.credit_due) and books.clock.trusted() and notice.credit_due < today,
    )


def _hold(books: Books, plant: Plant, visit: Visit, press: Press, why: Refusal) -> None:
    now = books.clock.now()
    net_kg = max(0, press.capture.gross_kg - (visit.tare_kg or 0))
    counters = books.accounts.get(visit.notice.account)
    books.tell(_weighed(plant, books, visit, press, "gross"))
    books.ledger.append(
        Held(
            visit=visit.visit,
            notice=visit.notice.notice,
            plate=visit.plate,
            account=visit.notice.account,
            reason=why.reason.value,
            net_kg=net_kg,
            amount_fen=why.number("amount_fen"),
            available_fen=spendable_fen(counters, visit.hold_fen),
            over_kg=why.number("over_kg"),
            over_fen=why.number("over_fen"),
            at=now,
            operator=press.by,
        )
    )
    held = HeldLoad(press.capture.gross_kg, why, now)
    books.visits.put(replace(visit, state=VisitState.HELD, held=held))
    books.captured(press.lane, visit.visit)


def _issue(books: Books, plant: Plant, visit: Visit, press: Press, cleared: Cleared) -> Done:
    ticket = _ticket(books, plant, visit, press, cleared)
    counters = books.accounts.get(ticket.account)
    books.accounts.put(ticket.account, post_hold(counters, visit.hold_fen, ticket.amount_fen))
    books.stock_moved(ticket.product, ticket.net_kg)
    books.tell(_weighed(plant, books, visit, press, "gross"))
    row = books.ledger.append(_ticketed(ticket))
    exit_pass = _exit_pass(
        books, plant, ticket.pass_id, ticket.plate, ticket.gross_at,
        number=ticket.number, net_kg=ticket.net_kg, product_code=ticket.product_code,
    )  # fmt: skip
    seals = [SealMark(SealKind.ENTERPRISE, press.by, ticket.gross_at)]
    state = VisitState.TICKETED
    if plant.finance_seals_by_rule:
        seals.append(SealMark(SealKind.FINANCE, "按授权", ticket.gross_at))
        state = VisitState.SEALED
    books.tickets.add(ticket, plant.pass_key.write(exit_pass), row.mark, seals)
    for seal in seals:
        books.ledger.append(_sealed(ticket.ticket, seal))
    books.print_jobs.add(ticket.ticket, press.lane, press.by)
    books.visits.put(replace(visit, state=state, hold_fen=0, wanted_fen=0, held=None, ticket=ticket.ticket))
    books.captured(press.lane, visit.visit)
    return Done(
        Words(
            f"{ticket.ticket} 净重 {format_kg(ticket.net_kg)} kg,￥{format_fen(ticket.amount_fen)},请取单出门",
            f"{ticket.ticket}: net {format_kg(ticket.net_kg)} kg, ¥{format_fen(ticket.amount_fen)}; take the ticket",
        ),
        ticket.ticket,
    )


def _issue_slip(books: Books, plant: Plant, visit: Visit, tare_kg: int, press: Press) -> None:
    slip = EmptySlip(
        visit=visit.visit,
        pass_id=new_pass_id(),
        plate=visit.plate,
        tare_kg=tare_kg,
        exit_kg=press.capture.gross_kg,
        lane=press.lane,
        operator=press.by,
        at=books.clock.now(),
    )
    row = books.ledger.append(SlipIssued(notice=visit.notice.notice, **asdict(slip)))
    exit_pass = _exit_pass(books, plant, slip.pass_id, slip.plate, slip.at, number=0, net_kg=0, product_code=0)
    books.slips.add(slip, plant.pass_key.write(exit_pass), row.mark)
    books.print_jobs.add(slip.visit, press.lane, press.by)


def seal_ticket(books: Books, ticket: str, seal: SealMark) -> None:
    """Set one seal, with its record."""
    books.tickets.seal(ticket, seal)
    books.ledger.append(_sealed(ticket, seal))


def _sealed(ticket: str, seal: SealMark) -> Sealed:
    return Sealed(ticket=ticket, seal=seal.kind.value, person=seal.person, at=seal.at)


def _ticket(books: Books, plant: Plant, visit: Visit, press: Press, cleared: Cleared) -> OutboundTicket:
    notice, now = visit.notice, books.clock.now()
    assert visit.tare_kg is not None and visit.tare_at is not None  # the decision needed them
    number = books.tickets.next_number()
    return OutboundTicket(
        ticket=plant.ticket_name(number),
        number=number,
        visit=visit.visit,
        notice=notice.notice,
        account=notice.account,
        customer_id=notice.customer_id,
        customer_name=notice.customer_name,
        product=notice.product,
        product_code=notice.product_code,
        plate=visit.plate,
        mode=notice.mode,
        tare_kg=visit.tare_kg,
        gross_kg=press.capture.gross_kg,
        net_kg=cleared.net_kg,
        price_fen_per_t=notice.price_fen_per_t,
        amount_fen=cleared.amount_fen,
        hold_fen=max(visit.hold_fen, cleared.amount_fen),
        tare_at=visit.tare_at,
        gross_at=now,
        business_date=plant.business_date(now),
        lane=press.lane,
        operator=press.by,
        pass_id=new_pass_id(),
        pickup_person=notice.pickup_person,
        carrier=notice.carrier,
        freight_fen=notice.freight_fen,
        credit_due=notice.credit_due,
        responsible=notice.responsible,
    )


def _ticketed(ticket: OutboundTicket) -> Ticketed:
    skipped = {"product_code", "pickup_person", "mode"}
    fields = {name: getattr(ticket, name) for name in Ticketed.model_fields if name not in skipped}
    return Ticketed(mode=Mode(ticket.mode.value), **fields)


def _exit_pass(
    books: Books, plant: Plant, pass_id: str, plate: str, at: datetime, *, number: int, net_kg: int, product_code: int
) -> ExitPass:
    return ExitPass(
        plant_number=plant.number,
        epoch=plant.epoch,
        number=number,
        pass_id=pass_id,
        net_kg=net_kg,
        plate_hash=plant.pass_key.plate_hash(plate),
        issued_at=at,
        ttl_minutes=plant.pass_minutes if books.clock.trusted() else ENDLESS,
        product_code=product_code,
    )


def already_ticketed(visit: Visit) -> Done:
    """The answer to a second press: the ticket that stands."""
    return Done(Words(f"已出单 {visit.ticket}", f"Already ticketed: {visit.ticket}"), visit.ticket)


def _doubted(books: Books, place: Place, visit: Visit, press: Press, plate: PlateCheck, why: Refusal) -> Refusal:
    """Not weighed because of the plate; what was seen is on record all the same."""
    plates.doubt(books, plates.Standpoint(place, press.lane, visit.visit, visit.plate), press.seen, plate, press.by)
    return why


def _weighed(plant: Plant, books: Books, visit: Visit, press: Press, role: str) -> Weighed:
    capture = press.capture
    agreement = plates.check_visit(books, visit, press.seen).agreement
    by_eye = agreement in (Agreement.ASK, Agreement.NOT_SEEN)
    return Weighed.model_validate(
        {
            "weighment": f"{visit.visit}#{books.ledger.head().seq + 1}",
            "visit": visit.visit,
            "role": role,
            "gross_kg": capture.gross_kg,
            "lane": press.lane,
            "indicator": press.indicator,
            "division_kg": press.rules.division_kg,
            "operator": press.by,
            "at": books.clock.now(),
            "frames": tuple(frame.hex() for frame in capture.frames),
            "curve_kg": capture.curve_kg,
            "curve_step_ms": capture.curve_step_ms,
            "plate_seen": press.seen.plate,
            "picture_sha256": press.seen.picture,
            "software": plant.software,
            "look": plates.look_record(press.seen),
            "plate_by": press.compared.by if by_eye and press.compared and press.compared.same else "",
        }
    )
