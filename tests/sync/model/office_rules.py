"""What head office may do, and what it does with what it hears. Each method is one commit there.

`office` is one life of its books; `place` is a plant epoch's place in `Office.seats`.
"""

from sync.allotment import InstanceState, OfficeCounters, covered_fen
from sync.messages import Term
from sync.terms import Told, judge_told, may_be_granted
from tests.sync.model.values import Bounds, Head, Mode, Office, Plant, Seat, State, begun


class OfficeRules:
    """Head office's half of the protocol. `bounds` keeps its world finite and takes part in no decision."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds

    # Money.

    def covers(self, office: Office) -> Office:
        """Whatever is free covers payments undone first, in the commit that made it free, before any grant. What seems
        free to books that are being reconciled may be granted already."""
        if office.mode is not Mode.NORMAL:
            return office
        return office._replace(exposure_fen=office.exposure_fen - covered_fen(office.exposure_fen, office.free_fen))

    def may_refund(self, office: Office) -> bool:
        """Only what is free, and only where it is known."""
        return office.mode is Mode.NORMAL and office.free_fen >= 1

    def may_grant(self, office: Office, seat: Seat) -> bool:
        """OPEN, free, and the plant epoch has told in this term. Nothing is ever taken back from one that is silent."""
        return (
            office.mode is Mode.NORMAL
            and seat.counters.state is InstanceState.OPEN
            and may_be_granted(office.term, seat.told_number)
            and office.free_fen >= 1
        )

    def grants(self, office: Office, seat: Seat, plant: Plant, amount_fen: int = 1) -> tuple[Seat, Plant]:
        """The total is raised and committed, then sent with the term."""
        counters = seat.counters.grant(amount_fen, office.free_fen)
        return seat._replace(counters=counters), sent_grant(plant, office.term, counters.granted_fen)

    # Plant epochs.

    def enrols(self, office: Office, place: int) -> Office:
        """A new key. This plant's older epochs get no more grants; what they have stays reserved, so that the old box
        may go on, dead or not."""
        seats = list(office.seats)
        for older in self.bounds.older_epochs(place):
            seat = seats[older]
            if seat is not None and seat.counters.state is InstanceState.OPEN:
                closing = OfficeCounters(
                    seat.counters.granted_fen, seat.counters.returned_seen_fen, InstanceState.CLOSING
                )
                seats[older] = seat._replace(counters=closing)
        seats[place] = Seat()
        return office._replace(seats=tuple(seats))

    def evidence_fen(self, plant: Plant) -> int:
        """Settle a lost box: its disk, or two persons with stubs and gate log, say what left."""
        return plant.left_fen

    # Terms.

    def begins_term(self, head: Head, number: int, office: Office) -> tuple[Head, Office]:
        """Above every number known, with an id of its own. Told to every plant epoch, by any message. Nobody has told
        in it yet, whoever told in the one before."""
        serial = head.terms + 1
        term = self.new_term(max(office.term.number, office.foreign), serial)
        office = office._replace(term=term, mode=Mode.RECONCILING)
        acks = head.acks | {(place, term) for place, seat in enumerate(office.seats) if seat is not None}
        return head._replace(terms=serial, acks=acks, offices=_put(head, number, office)), office

    def new_term(self, highest: int, serial: int) -> Term:
        """`next_term` of the shipped code."""
        return begun(highest, serial)

    def restores(self, head: Head, backup: Office) -> Head:
        """Restored books begin a new term before they do anything else. The machine they replace may run on."""
        kept = head.offices if len(head.offices) < self.bounds.offices else head.offices[:-1]
        head = head._replace(offices=(*kept, backup))
        return self.begins_term(head, len(kept), backup)[0]

    def judges(self, office: Office, state: State) -> Told:
        """Whether a STATE is the plant's last word."""
        return judge_told(office.term, state.term, fenced=state.fenced)

    def may_finish(self, head: Head, office: Office) -> bool:
        """Every plant epoch that is not settled has told in this term; and two persons sign that every box that was
        ever enrolled is in the books, and every refund and undone payment since the backup is booked again."""
        return (
            all(seat.told_number == office.term.number for seat in office.unsettled)
            and all(office.seats[place] is not None for place in head.enrolled)
            and self.all_booked(head, office)
        )

    def all_booked(self, head: Head, office: Office) -> bool:
        """What went out of the fund: no plant can tell that. Forgotten payments only make people wait."""
        return office.refunded_fen == head.refunded_fen and office.undone_fen == head.undone_fen

    def hears_state(self, head: Head, number: int, place: int, state: State) -> Head:
        """Grants that the books have forgotten count again; then the term decides what the STATE is worth. A settled
        epoch has nothing more to say: its box may be a thief's."""
        office = head.offices[number]
        seat = office.seats[place]
        assert seat is not None
        if seat.counters.state is InstanceState.SETTLED:
            return head
        lost = state.granted_fen > seat.counters.granted_fen
        if lost:
            seat = seat._replace(counters=seat.counters.recovered(state.granted_fen, 0))
            office = with_seat(office, place, seat)
            head = head._replace(offices=_put(head, number, office))
        told = self.judges(office, state)
        if told is Told.RIVAL:
            assert state.term is not None
            return self._hears_rival(head, number, state.term.number)
        if lost and office.mode is Mode.NORMAL:
            return self.begins_term(head, number, office)[0]
        if told is Told.LAST_WORD:
            office = with_seat(office, place, seat._replace(told_number=office.term.number))
        return head._replace(offices=_put(head, number, office))

    def _hears_rival(self, head: Head, number: int, foreign: int) -> Head:
        """Books in use halt: perhaps they are on the machine that was replaced. Restored ones outbid the number."""
        office = head.offices[number]
        office = office._replace(foreign=max(office.foreign, foreign))
        if office.mode is Mode.RECONCILING:
            return self.begins_term(head, number, office)[0]
        office = office._replace(mode=Mode.HALTED)
        return head._replace(offices=_put(head, number, office))


def with_seat(office: Office, place: int, seat: Seat) -> Office:
    """The office with one seat changed."""
    return office._replace(seats=(*office.seats[:place], seat, *office.seats[place + 1 :]))


def sent_grant(plant: Plant, term: Term, granted_fen: int) -> Plant:
    """GRANT is sent, and stays in the air; the same bytes may be carried by hand."""
    return plant._replace(air=plant.air._replace(grants=plant.air.grants | {(term, granted_fen)}))


def _put(head: Head, number: int, office: Office) -> tuple[Office, ...]:
    return (*head.offices[:number], office, *head.offices[number + 1 :])


def with_office(head: Head, number: int, office: Office) -> Head:
    """The world's head with one of its offices changed."""
    return head._replace(offices=_put(head, number, office))
