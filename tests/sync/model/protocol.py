"""Every step that the rules allow in a world, and what must hold in every one of them.

THEOREM  true dispatched = Σ(spent − voided) ≤ Σ(granted_seen − returned) ≤ Σ(granted − returned_seen) ≤ fund
"""

from collections.abc import Iterator

from sync.allotment import InstanceState
from tests.sync.model.office_rules import OfficeRules, with_office, with_seat
from tests.sync.model.plant_rules import PlantRules
from tests.sync.model.values import FIRST, Bounds, Box, Head, Mode, Office, Plant, Seat, late_for

LineSteps = Iterator[tuple[str, Head, Plant]]


class Protocol(OfficeRules, PlantRules):
    """The rules as they are. A step concerns head office, one plant epoch, or both of them."""

    def __init__(self, bounds: Bounds) -> None:
        OfficeRules.__init__(self, bounds)
        PlantRules.__init__(self, bounds)

    def start(self) -> tuple[Head, tuple[Plant, ...]]:
        """The first plant epochs are enrolled and follow the first term; no money came yet."""
        office = Office(seats=(None,) * len(self.bounds.boxes))
        plants = [Plant()] * len(self.bounds.boxes)
        for place in range(self.bounds.enrolled):
            office = self.enrols(office, place)
            plants[place] = self.tells(Plant()._replace(books=self.adopts(Plant().books, FIRST)))
        return Head(offices=(office,), enrolled=frozenset(range(self.bounds.enrolled))), tuple(plants)

    # Head office by itself.

    def head_steps(self, head: Head) -> Iterator[tuple[str, Head]]:
        """Money comes, goes back, bounces; books are copied, restored, and declared whole. People work at the last of
        the head offices; what it posts, an older one may post as well."""
        newest = len(head.offices) - 1
        yield from self._money(head, newest)
        for number, office in enumerate(head.offices):
            if office.mode is Mode.RECONCILING and self.may_finish(head, office):
                normal = self.covers(office._replace(mode=Mode.NORMAL))
                yield f"office {number} is reconciled", with_office(head, number, normal)
            if office.mode is Mode.HALTED and head.terms < self.bounds.terms:
                yield f"office {number} is told to go on", self.begins_term(head, number, office)[0]
        if len(head.backups) < self.bounds.backups:
            yield "office is backed up", head._replace(backups=head.backups | {head.offices[newest]})
        if head.terms < self.bounds.terms:
            for backup in head.backups:
                yield f"office is restored from a backup of term {backup.term.number}", self.restores(head, backup)

    def _money(self, head: Head, newest: int) -> Iterator[tuple[str, Head]]:
        office = head.offices[newest]
        if head.paid_fen < self.bounds.paid:
            paid = self.covers(office._replace(paid_fen=office.paid_fen + 1))
            yield "pay", with_office(head, newest, paid)._replace(paid_fen=head.paid_fen + 1)
        if head.refunded_fen < self.bounds.refunded and self.may_refund(office):
            refunded = office._replace(refunded_fen=office.refunded_fen + 1)
            yield "refund", with_office(head, newest, refunded)._replace(refunded_fen=head.refunded_fen + 1)
        if head.undone_fen < self.bounds.undone and _may_bounce(office):
            yield (
                "cheque bounces",
                with_office(head, newest, self._bounced(office))._replace(undone_fen=head.undone_fen + 1),
            )
        for number, behind in enumerate(head.offices):
            # What truly happened is posted again into books that forgot it, by its bank reference.
            if behind.paid_fen < head.paid_fen:
                posted = self.covers(behind._replace(paid_fen=behind.paid_fen + 1))
                yield "post a known payment", with_office(head, number, posted)
            if behind.refunded_fen < head.refunded_fen and behind.mode is not Mode.NORMAL:
                posted = behind._replace(refunded_fen=behind.refunded_fen + 1)
                yield "post a known refund", with_office(head, number, posted)
            if behind.undone_fen < head.undone_fen and _may_bounce(behind):
                yield "post a known undone payment", with_office(head, number, self._bounced(behind))

    def _bounced(self, office: Office) -> Office:
        return self.covers(office._replace(undone_fen=office.undone_fen + 1, exposure_fen=office.exposure_fen + 1))

    # Head office and one plant epoch.

    def line_steps(self, head: Head, place: int, plant: Plant) -> LineSteps:
        """What they hear of each other. Any value ever sent, at any time, any number of times, or never."""
        if place in head.enrolled:
            terms = (term for to, term in head.acks if to == place)
            for name, heard in self.hears_terms(plant, terms):
                yield name, head, heard
        for number, office in enumerate(head.offices):
            seat = office.seats[place]
            if seat is not None:
                yield from self._at_office(head, number, place, plant)
            elif all(office.seats[older] is not None for older in self.bounds.older_epochs(place)):
                after = with_office(head, number, self.enrols(office, place))
                known = after._replace(acks=head.acks | {(place, office.term)}, enrolled=head.enrolled | {place})
                yield f"office {number} enrols", known, plant

    def _at_office(self, head: Head, number: int, place: int, plant: Plant) -> LineSteps:
        office = head.offices[number]
        seat = office.seats[place]
        assert seat is not None
        if seat.counters.granted_fen < self.bounds.granted and self.may_grant(office, seat):
            granted, sent = self.grants(office, seat, plant)
            after = with_office(head, number, with_seat(office, place, granted))
            yield f"office {number} grants {granted.counters.granted_fen}", after, sent
        for returned_fen in range(seat.counters.returned_seen_fen + 1, plant.air.returned_fen + 1):
            heard = seat._replace(counters=seat.counters.hear_return(returned_fen))
            after = with_office(head, number, self.covers(with_seat(office, place, heard)))
            yield f"office {number} hears return {returned_fen}", after, plant
        for state in plant.air.states:
            if (after := self.hears_state(head, number, place, state)).terms <= self.bounds.terms:
                number_told = state.term.number if state.term else 0
                yield f"office {number} hears STATE {state.granted_fen} of term {number_told}", after, plant
        yield from self._settling(head, number, place, plant)

    def _settling(self, head: Head, number: int, place: int, plant: Plant) -> LineSteps:
        office = head.offices[number]
        seat = office.seats[place]
        assert seat is not None

        def settled(spend_fen: int, papered_fen: int | None) -> Head:
            after = seat._replace(counters=seat.counters.settle(spend_fen), papered_fen=papered_fen)
            return with_office(head, number, self.covers(with_seat(office, place, after)))

        if seat.counters.state is not InstanceState.SETTLED:
            if plant.air.final_fen is not None:
                yield f"office {number} settles the closed epoch", settled(plant.air.final_fen, None), plant
            if self.bounds.paper and (plant.box is Box.GONE or self.bounds.zombies):
                after = settled(self.evidence_fen(plant), plant.left_fen)
                yield f"office {number} settles by paper", after, plant.papered
            return
        if (late_fen := late_for(seat, plant)) > seat.late_heard_fen:
            late = with_seat(office, place, seat._replace(late_heard_fen=late_fen))
            yield f"office {number} hears a late ticket", with_office(head, number, late), plant
        if seat.late_heard_fen > seat.charged_fen:
            charged = seat._replace(counters=seat.counters.charge(1), charged_fen=seat.charged_fen + 1)
            yield "finance charges it", with_office(head, number, with_seat(office, place, charged)), plant

    # What must hold.

    def broken_head(self, head: Head) -> str:
        """Invariant I1, and exposure before grants; '' while they hold."""
        for office in head.offices:
            if office.mode is Mode.NORMAL:
                if office.exposure_fen and office.free_fen > 0:
                    return "money is free while a payment undone is not covered"
                charged = any(seat.charged_fen for seat in office.seats if seat)
                if office.term is FIRST and office.free_fen < 0 and not charged:
                    return "I1: more is granted than the fund"
        return ""

    def broken_line(self, head: Head, place: int, plant: Plant) -> str:
        """Invariant I3 for every plant epoch that has told; '' while it holds. (I2 is in `PlantCounters` itself.)"""
        for office in head.offices:
            seat = office.seats[place]
            if office.mode is Mode.NORMAL and seat is not None and (broken := _broken_seat(office, seat, plant)):
                return broken
        return ""

    def exceeds(self, head: Head, dispatched_fen: int) -> bool:
        """The promise. A payment undone after its goods left is a loss of business, and shown as exposure."""
        return dispatched_fen > head.paid_fen - head.refunded_fen


def _may_bounce(office: Office) -> bool:
    return office.paid_fen - office.refunded_fen > office.undone_fen


def _broken_seat(office: Office, seat: Seat, plant: Plant) -> str:
    counters, books = seat.counters, plant.books.counters
    if counters.state is InstanceState.SETTLED:
        if counters.settled_spend_fen - seat.charged_fen + late_for(seat, plant) < plant.left_fen:
            return "an epoch is settled for less than what left"
        if counters.settled_spend_fen > max(plant.left_fen, plant.papered_fen or 0):
            return "a late ticket was charged twice"
        return ""
    told = seat.told_number == office.term.number or office.term is FIRST
    if told and plant.books.term == office.term:
        if books.granted_fen > counters.granted_fen or counters.returned_seen_fen > books.returned_fen:
            return "I3: the plant has seen more granted, or returned less, than head office holds"
        if plant.left_fen > counters.outstanding_fen:
            return "a plant dispatched more than head office reserves for it"
    return ""
