"""What the model is made of: the money that truly moved, head offices, plant epochs, and everything that was ever sent.

One account; amounts are int fen, and money moves one fen at a time. Nothing here decides anything: the rules are in
`rules`, and they ask `sync.allotment` and `sync.terms`.
"""

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import NamedTuple

from sync.allotment import InstanceState, OfficeCounters, PlantCounters, free_fen
from sync.messages import Term
from sync.terms import first_term, next_term

FIRST = first_term()


@cache
def begun(highest: int, serial: int) -> Term:
    """The term that a head office begins above `highest`. `serial` counts the terms of the whole world: it tells apart
    two that were begun at the same number, as the random ids do."""
    return next_term(highest)


class Books(NamedTuple):
    """What one plant epoch has on its disk, and what a backup copies."""

    counters: PlantCounters = PlantCounters()
    term: Term | None = None


class Box(Enum):
    """The machine of one plant epoch."""

    LIVE = "live"
    CLOSED = "closed"
    """Its `EpochClosed` is committed: no debit, no void, no grant."""
    GONE = "gone"
    """Burnt, stolen, broken: it never acts again."""


class State(NamedTuple):
    """STATE as far as a term needs it. A return is told apart from it, as it is: in a record of its own, too."""

    term: Term | None
    granted_fen: int
    fenced: bool


class Air(NamedTuple):
    """Everything ever sent between one plant epoch and any head office. Each may arrive at any time, any number of
    times, or never. Carried top-up codes are grants that take their time."""

    grants: frozenset[tuple[Term, int]] = frozenset()
    states: frozenset[State] = frozenset()
    returned_fen: int = 0
    """The highest return told; every smaller one was told before it."""
    final_fen: int | None = None
    """The net spend in `EpochClosed`."""


class Plant(NamedTuple):
    """One plant epoch: its machine, a copy of its books, what was sent, and what truly left through its gate."""

    box: Box = Box.LIVE
    books: Books = Books()
    backup: Books | None = None
    copy: Books | None = None
    """A backup that was restored: it runs FENCED, perhaps beside the original."""
    air: Air = Air()
    left_fen: int = 0
    """GHOST net of goods that left. No restore takes it back."""
    papered_fen: int | None = None
    """GHOST what had left when the epoch was first settled by paper; more is late."""

    @property
    def late_fen(self) -> int:
        """What a box, believed dead, sold after it was settled by paper."""
        return 0 if self.papered_fen is None else max(0, self.left_fen - self.papered_fen)

    @property
    def papered(self) -> "Plant":
        """Two persons have just signed for what left so far."""
        first_fen = self.left_fen if self.papered_fen is None else min(self.papered_fen, self.left_fen)
        return self._replace(papered_fen=first_fen)


class Mode(Enum):
    """How far a head office may trust its books."""

    NORMAL = "normal"
    HALTED = "halted"
    """A plant follows another head office's term: a person must decide which of the two goes on."""
    RECONCILING = "reconciling"
    """The books are restored: every plant epoch is asked what it has."""


class Seat(NamedTuple):
    """One plant epoch as one head office knows it."""

    counters: OfficeCounters = OfficeCounters()
    told_number: int = 0
    """The term in which it told its last word."""
    late_heard_fen: int = 0
    papered_fen: int | None = None
    """GHOST what had left when these books settled it by paper."""
    charged_fen: int = 0
    """Of the late tickets in suspense 挂账, what finance has charged."""


def late_for(seat: Seat, plant: Plant) -> int:
    """What comes to these books as late tickets, in fen."""
    return 0 if seat.papered_fen is None else max(0, plant.left_fen - seat.papered_fen)


class Office(NamedTuple):
    """One life of head office's books."""

    term: Term = FIRST
    mode: Mode = Mode.NORMAL
    paid_fen: int = 0
    refunded_fen: int = 0
    undone_fen: int = 0
    exposure_fen: int = 0
    """敞口: of the payments undone, what no free money has covered yet."""
    seats: tuple[Seat | None, ...] = ()
    foreign: int = 0
    """The highest number of another's term that was heard of."""

    @property
    def fund_fen(self) -> int:
        return self.paid_fen - self.refunded_fen - (self.undone_fen - self.exposure_fen)

    @property
    def free_fen(self) -> int:
        return free_fen(self.fund_fen, tuple(seat.counters for seat in self.seats if seat is not None))

    @property
    def unsettled(self) -> tuple[Seat, ...]:
        return tuple(seat for seat in self.seats if seat and seat.counters.state is not InstanceState.SETTLED)


class Head(NamedTuple):
    """Head office's side of the world."""

    offices: tuple[Office, ...]
    """Those that run. The last is the one people use; an older one is a machine that nobody switched off."""
    backups: frozenset[Office] = frozenset()
    acks: frozenset[tuple[int, Term]] = frozenset()
    """Every term that was ever told to a plant epoch, by its place."""
    enrolled: frozenset[int] = frozenset()
    """GHOST the plant epochs that exist, whichever head office enrolled them. People know it."""
    paid_fen: int = 0
    """GHOST money that truly came."""
    refunded_fen: int = 0
    """GHOST money that truly went back."""
    undone_fen: int = 0
    """GHOST cheques that truly bounced."""
    terms: int = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a world is. What is 0, False or one is left out of it."""

    boxes: tuple[str, ...] = ("A", "B")
    """One letter per plant; a letter again is that plant's next epoch."""
    enrolled: int = 2
    """How many of them exist from the start."""
    paid: int = 2
    granted: int = 2
    sold: int = 2
    returned: int = 0
    voids: bool = False
    copies: bool = False
    deaths: bool = False
    closing: bool = False
    paper: bool = False
    zombies: bool = False
    """A box that is settled by paper may not be dead at all."""
    undone: int = 0
    refunded: int = 0
    backups: int = 0
    offices: int = 1
    """Head offices that run at the same time: above one, a replaced machine is not switched off."""
    terms: int = 1

    def older_epochs(self, place: int) -> tuple[int, ...]:
        """The places of this plant's earlier epochs."""
        return tuple(other for other in range(place) if self.boxes[other] == self.boxes[place])
