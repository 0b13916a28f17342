"""One long random life of a group of plants with large amounts, by the same rules as the search.

Where the search visits every small world, a walk goes deep: five plants, box after box, head office restored again and
again, thousands of steps in one world. What was sent stays in a bag and is delivered at random, old or new.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sync.allotment import InstanceState
from sync.messages import Term
from tests.sync.model.office_rules import with_office, with_seat
from tests.sync.model.protocol import Protocol
from tests.sync.model.values import Air, Bounds, Box, Mode, Office, Plant, State, late_for

Message = TypeVar("Message")
PLANTS = "ABCDE"
EPOCHS = 6
BAG = 24
"""Messages of one kind kept per plant epoch; a newer one takes the place of any older one, not of the oldest."""
BOX_LOST = 0.25  # of the occasions
MOST_FEN = 5_000_000_00


@dataclass(slots=True)
class Bag:
    """What was sent to and from one plant epoch."""

    grants: list[tuple[Term, int]] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    returns: list[int] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)


class Walk:
    """One world, taken from step to step. `seed` repeats it."""

    def __init__(self, protocol: type[Protocol], seed: int) -> None:
        boxes = tuple(plant for _ in range(EPOCHS) for plant in PLANTS)
        bounds = Bounds(boxes=boxes, enrolled=len(PLANTS), granted=2**62, terms=10_000, zombies=True)
        self._rules = protocol(bounds)
        self._random = random.Random(seed)
        self.head, plants = self._rules.start()
        self.plants = list(plants)
        self.bags = [Bag() for _ in boxes]
        self.dispatched_fen = 0
        self.late_fen = 0
        self.broken = ""
        frequent = [self._sells, self._grants, self._hears_grant, self._hears_state] * 16
        usual = [self._pays, self._gives_back, self._hears_return, self._hears_term, self._voids] * 3
        self._steps: list[Callable[[], None]] = [
            *frequent, *usual, *[self._everybody_tells] * 3, self._backs_up, self._loses_box, self._settles,
            self._office_fault, self._bank_fault,
        ]  # fmt: skip

    def run(self, steps: int) -> int:
        """Take so many steps, or as many as it takes to break an invariant (`broken` says which); how many it took."""
        for taken in range(steps):
            self._random.choice(self._steps)()
            if self.dispatched_fen - self.late_fen > self.head.paid_fen - self.head.refunded_fen:
                self.broken = "more is dispatched than was paid"
            if self.broken:
                return taken + 1
        return steps

    @property
    def share(self) -> float:
        """How much of what was paid has left, 0 to 1: an empty world proves nothing."""
        paid_fen = self.head.paid_fen - self.head.refunded_fen
        return self.dispatched_fen / paid_fen if paid_fen else 0.0

    # Plants.

    def _sells(self) -> None:
        place, plant = self._live()
        available_fen = plant.books.counters.available_fen
        if plant.box is Box.LIVE and available_fen > 0:
            self._put(place, self._rules.sells(plant, self._part(available_fen)))

    def _voids(self) -> None:
        place, plant = self._live()
        net_fen = plant.books.counters.spent_fen - plant.books.counters.voided_fen
        if plant.box is Box.LIVE and net_fen > 0 and plant.papered_fen is None:
            self._put(place, self._rules.voids(plant, self._random.randint(1, min(net_fen, 1_000_00))))

    def _gives_back(self) -> None:
        place, plant = self._live()
        available_fen = plant.books.counters.available_fen
        if plant.box is Box.LIVE and available_fen > 0:
            self._put(place, next(self._rules.gives_back(plant, self._part(available_fen))))

    def _hears_grant(self) -> None:
        place, plant = self._live()
        if plant.box is Box.LIVE and self.bags[place].grants:
            term, granted_fen = self._random.choice(self.bags[place].grants[-self._random.choice((1, BAG)) :])
            self._put(place, plant._replace(books=self._rules.takes_grant(plant.books, term, granted_fen)))

    def _hears_term(self) -> None:
        place, plant = self._live()
        if self.bags[place].terms:
            self._hear(place, plant, self._random.choice(self.bags[place].terms))

    def _hear(self, place: int, plant: Plant, term: Term) -> None:
        heard = [after for _, after in self._rules.hears_terms(plant, iter((term,)))]
        if heard:
            self._put(place, self._random.choice(heard))  # the box, or a copy of its books

    def _backs_up(self) -> None:
        place, plant = self._live()
        if plant.backup is None or self._random.random() < 0.7:
            self._put(place, plant._replace(backup=plant.books))
        else:
            self._put(place, self._rules.restores_copy(plant, plant.backup))

    def _loses_box(self) -> None:
        """Dead, or only believed dead; the next epoch is enrolled at once."""
        place, plant = self._live()
        following = place + len(PLANTS)
        if following >= len(self.plants) or following in self.head.enrolled or self._random.random() > BOX_LOST:
            return
        if plant.box is Box.LIVE and self._random.random() < 0.3:
            self._put(place, next(self._rules.closes(plant)))
        elif self._random.random() < 0.6:
            self._put(place, plant._replace(box=Box.GONE))
        self._enrol(len(self.head.offices) - 1, following)

    # Head office.

    def _grants(self) -> None:
        number, office = self._office()
        place, plant = self._live()
        seat = office.seats[place]
        if seat is not None and self._rules.may_grant(office, seat):
            amount_fen = self._part(office.free_fen)
            granted, sent = self._rules.grants(office, seat, plant, amount_fen)
            self._put_office(number, with_seat(office, place, granted))
            self._put(place, sent)

    def _hears_return(self) -> None:
        number, office = self._office()
        place, plant = self._live()
        seat = office.seats[place]
        if seat is not None and self.bags[place].returns:
            counters = seat.counters.hear_return(self._random.choice(self.bags[place].returns))
            self._put_office(number, with_seat(office, place, seat._replace(counters=counters)))
            self._look(place)

    def _hears_state(self) -> None:
        number, office = self._office()
        place, plant = self._live()
        if office.seats[place] is not None and self.bags[place].states:
            self._tell(number, place, self._random.choice(self.bags[place].states))

    def _tell(self, number: int, place: int, state: State) -> None:
        self.head = self._rules.hears_state(self.head, number, place, state)
        self._send_terms()
        self._look(place)

    def _settles(self) -> None:
        number, _ = self._office()
        for place in sorted(self.head.enrolled):
            self._settle(number, place)

    def _settle(self, number: int, place: int) -> None:
        office, plant = self.head.offices[number], self.plants[place]
        seat = office.seats[place]
        if seat is None:
            return
        counters = seat.counters
        if counters.state is InstanceState.SETTLED:
            late_fen = late_for(seat, plant) - seat.charged_fen
            if late_fen > 0:
                seat = seat._replace(counters=counters.charge(late_fen), charged_fen=seat.charged_fen + late_fen)
                self._put_office(number, with_seat(office, place, seat))
        elif plant.box is Box.CLOSED and plant.air.final_fen is not None:
            seat = seat._replace(counters=counters.settle(plant.air.final_fen))
            self._put_office(number, with_seat(office, place, seat))
        elif plant.box is Box.GONE or (counters.state is InstanceState.CLOSING and self._random.random() < 0.02):
            settled = seat._replace(
                counters=counters.settle(self._rules.evidence_fen(plant)), papered_fen=plant.left_fen
            )
            self._put_office(number, with_seat(office, place, settled))
            self._put(place, plant.papered)

    def _everybody_tells(self) -> None:
        """A good day: the people do what a halted or restored head office asks of them."""
        number, office = self._office()
        if office.mode is Mode.NORMAL:
            return
        if office.mode is Mode.HALTED:
            self.head = self._rules.begins_term(self.head, number, office)[0]
            self._send_terms()
        for place in sorted(self.head.enrolled):
            if self.head.offices[number].seats[place] is None:
                self._enrol(number, place)
            self._settle(number, place)
            self._hear(place, self.plants[place], self.head.offices[number].term)
            if self.bags[place].states and self._random.random() < 0.9:
                self._tell(number, place, self.bags[place].states[-1])
        head, office = self.head, self.head.offices[number]
        exposure_fen = office.exposure_fen + head.undone_fen - office.undone_fen
        office = office._replace(paid_fen=head.paid_fen, refunded_fen=head.refunded_fen)
        office = office._replace(undone_fen=head.undone_fen, exposure_fen=exposure_fen)
        if self._rules.may_finish(self.head, office):
            office = office._replace(mode=Mode.NORMAL)
        self._put_office(number, office)

    def _office_fault(self) -> None:
        """Its books are copied, or restored; sometimes the machine that they replace runs on."""
        number, office = self._office()
        if not self.head.backups or self._random.random() < 0.6:
            kept = sorted(self.head.backups, key=lambda backup: backup.paid_fen)[-2:]
            self.head = self.head._replace(backups=frozenset((*kept, office)))
        elif self._random.random() < 0.15:
            backup = self._random.choice(sorted(self.head.backups, key=lambda each: (each.paid_fen, each.term.number)))
            self.head = self._rules.restores(self.head, backup)
            self._send_terms()

    def _pays(self) -> None:
        number = len(self.head.offices) - 1
        office, paid_fen = self.head.offices[number], self._random.randint(1, MOST_FEN)
        if office.paid_fen == self.head.paid_fen:
            self.head = self.head._replace(paid_fen=self.head.paid_fen + paid_fen)
            self._put_office(number, office._replace(paid_fen=office.paid_fen + paid_fen))

    def _bank_fault(self) -> None:
        """A refund, or a cheque that bounces."""
        number = len(self.head.offices) - 1
        office = self.head.offices[number]
        if (office.refunded_fen, office.undone_fen) != (self.head.refunded_fen, self.head.undone_fen):
            return
        if self._random.random() < 0.5 and self._rules.may_refund(office):
            amount_fen = self._random.randint(1, max(1, office.free_fen // 4))
            self.head = self.head._replace(refunded_fen=self.head.refunded_fen + amount_fen)
            self._put_office(number, office._replace(refunded_fen=office.refunded_fen + amount_fen))
        elif (left_fen := office.paid_fen - office.refunded_fen - office.undone_fen) > 0:
            amount_fen = self._random.randint(1, max(1, left_fen // 300))
            self.head = self.head._replace(undone_fen=self.head.undone_fen + amount_fen)
            undone = office._replace(
                undone_fen=office.undone_fen + amount_fen, exposure_fen=office.exposure_fen + amount_fen
            )
            self._put_office(number, undone)

    def _live(self) -> tuple[int, Plant]:
        """Mostly a plant's newest epoch, sometimes an older one, which may be a zombie."""
        column = self._random.randrange(len(PLANTS))
        mine = [place for place in range(column, len(self.plants), len(PLANTS)) if place in self.head.enrolled]
        place = mine[-1] if self._random.random() < 0.85 else self._random.choice(mine)
        return place, self.plants[place]

    def _office(self) -> tuple[int, Office]:
        number = self._random.randrange(len(self.head.offices))
        return number, self.head.offices[number]

    def _part(self, most_fen: int) -> int:
        """All of it, or some of it."""
        return most_fen if self._random.random() < 0.3 else self._random.randint(1, most_fen)

    def _enrol(self, number: int, place: int) -> None:
        office = self.head.offices[number]
        if any(office.seats[older] is None for older in self._rules.bounds.older_epochs(place)):
            return
        known = with_office(self.head, number, self._rules.enrols(office, place))
        self.head = known._replace(enrolled=known.enrolled | {place})
        self._keep(self.bags[place].terms, office.term)

    def _send_terms(self) -> None:
        for place, term in sorted(self.head.acks, key=lambda ack: (ack[0], ack[1].number)):
            self._keep(self.bags[place].terms, term)
        self.head = self.head._replace(acks=frozenset())

    def _put_office(self, number: int, office: Office) -> None:
        self.head = with_office(self.head, number, self._rules.covers(office))
        self.broken = self.broken or self._rules.broken_head(self.head)

    def _put(self, place: int, plant: Plant) -> None:
        """Take a plant's next value; what it sent goes into its bag."""
        before, bag = self.plants[place], self.bags[place]
        if plant.books is not before.books or plant.copy is not before.copy:
            plant = self._rules.tells(plant)
        for grant in plant.air.grants:
            self._keep(bag.grants, grant)
        for state in sorted(plant.air.states, key=lambda state: state.fenced):
            self._keep(bag.states, state)
        if plant.air.returned_fen:
            self._keep(bag.returns, plant.air.returned_fen)
        self.plants[place] = plant._replace(air=Air(final_fen=plant.air.final_fen))
        self.dispatched_fen += plant.left_fen - before.left_fen
        self.late_fen += plant.late_fen - before.late_fen
        self._look(place)

    def _keep(self, messages: list[Message], message: Message) -> None:
        if len(messages) >= BAG:
            del messages[self._random.randrange(BAG)]
        messages.append(message)

    def _look(self, place: int) -> None:
        self.broken = self.broken or self._rules.broken_line(self.head, place, self.plants[place])
