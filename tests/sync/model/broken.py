"""Protocols with one rule broken, each with a world that is large enough to show it. The checker must catch every one.

The first seven are how such systems are often built. The others break the rules of terms, copies and recovery.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sync.allotment import InstanceState
from sync.messages import Term
from sync.terms import Told
from tests.sync.model.office_rules import sent_grant, with_office, with_seat
from tests.sync.model.plant_rules import PlantSteps, closed_with, told_return
from tests.sync.model.protocol import LineSteps, Protocol
from tests.sync.model.values import Books, Bounds, Box, Head, Mode, Office, Plant, Seat, State, begun


class CachedBalance(Protocol):
    """Usual practice: a plant sells against the balance of head office that it saw last."""

    def line_steps(self, head: Head, place: int, plant: Plant) -> LineSteps:
        yield from super().line_steps(head, place, plant)
        if plant.left_fen < head.paid_fen and plant.left_fen < self.bounds.sold:
            believed = plant.books.counters.grant(head.paid_fen)
            yield (
                "sells by the balance it saw",
                head,
                self.sells(plant._replace(books=Books(believed, plant.books.term))),
            )


class DeltaGrants(Protocol):
    """A grant says "one more" instead of the total, and arrives twice."""

    def takes_grant(self, books: Books, term: Term, granted_fen: int) -> Books:
        if books.counters.granted_fen >= self.bounds.granted:
            return books
        return super().takes_grant(books, term, books.counters.granted_fen + 1)


class RestoreWithoutFence(Protocol):
    """A backup of a plant's books comes up and sells."""

    def restores_copy(self, plant: Plant, backup: Books) -> Plant:
        return plant._replace(box=Box.LIVE, books=backup)


class TimerReclaim(Protocol):
    """Head office takes money back from a plant that it has not heard for a while."""

    def line_steps(self, head: Head, place: int, plant: Plant) -> LineSteps:
        yield from super().line_steps(head, place, plant)
        seat = head.offices[0].seats[place]
        if seat is not None:
            reclaimed = seat._replace(counters=seat.counters.returned(seat.counters.granted_fen))
            yield "time is up", with_office(head, 0, with_seat(head.offices[0], place, reclaimed)), plant


class ReturnSentBeforeCommit(Protocol):
    """The plant tells of a return, and crashes before it is on disk."""

    def gives_back(self, plant: Plant, amount_fen: int = 1) -> Iterator[Plant]:
        yield from super().gives_back(plant, amount_fen)
        yield told_return(plant, plant.books.counters.returned_fen + amount_fen)


class GrantSentBeforeCommit(Protocol):
    """Head office sends a grant, and crashes before it is on disk."""

    def line_steps(self, head: Head, place: int, plant: Plant) -> LineSteps:
        yield from super().line_steps(head, place, plant)
        office, seat = head.offices[0], head.offices[0].seats[place]
        if seat is not None and seat.counters.granted_fen < self.bounds.granted and self.may_grant(office, seat):
            yield "grants, crashes", head, sent_grant(plant, office.term, seat.counters.granted_fen + 1)


class RestoreWithoutReconcile(Protocol):
    """Head office's backup is started as if nothing had happened."""

    def restores(self, head: Head, backup: Office) -> Head:
        return head._replace(offices=(backup,), terms=head.terms + 1)


class PlantTakesOlderTerms(Protocol):
    """A plant takes every signed grant, whatever its term."""

    def takes_grant(self, books: Books, term: Term, granted_fen: int) -> Books:
        return self.adopts(books, term)._replace(counters=books.counters.grant(granted_fen))


class PlantGoesBack(Protocol):
    """A plant follows the term that it heard last, newer or not."""

    def adopts(self, books: Books, term: Term) -> Books:
        return books._replace(term=term)

    def takes_grant(self, books: Books, term: Term, granted_fen: int) -> Books:
        return Books(books.counters.grant(granted_fen), term)


class OldStateCounts(Protocol):
    """A plant counts as told by a STATE of whatever term."""

    def judges(self, office: Office, state: State) -> Told:
        judged = super().judges(office, state)
        return Told.LAST_WORD if judged is Told.WAITING and not state.fenced else judged


class NumbersWithoutId(Protocol):
    """A term is a number only, so that books restored twice from one backup serve the same term twice."""

    def new_term(self, highest: int, serial: int) -> Term:
        return begun(highest, 0)


class AsksSomePlants(Protocol):
    """Reconciling ends when most plants have told."""

    def may_finish(self, head: Head, office: Office) -> bool:
        told = [seat.told_number == office.term.number for seat in office.unsettled]
        return sum(told) * 2 >= len(told)


class SecondTermAsksNobody(Protocol):
    """A rival's number is outbid while reconciling, and those who told before are not asked again."""

    def begins_term(self, head: Head, number: int, office: Office) -> tuple[Head, Office]:
        before = office.term.number
        head, after = super().begins_term(head, number, office)
        if office.mode is Mode.RECONCILING:
            for place, seat in enumerate(after.seats):
                if seat is not None and seat.told_number == before:
                    after = with_seat(after, place, seat._replace(told_number=after.term.number))
        return with_office(head, number, after), after


class CopyCountsAsTold(Protocol):
    """The STATE of a fenced copy counts as the plant's last word, while the original may still run."""

    def judges(self, office: Office, state: State) -> Told:
        return super().judges(office, state._replace(fenced=False))


class CopyCloses(Protocol):
    """A fenced copy obeys the order to close the epoch, and head office settles by it."""

    def plant_steps(self, plant: Plant) -> PlantSteps:
        yield from super().plant_steps(plant)
        if plant.copy is not None:
            yield "copy closes the epoch", closed_with(plant, plant.copy)


class SettlesFromBackup(Protocol):
    """A lost box is settled from a backup of its disk, which lacks the last tickets."""

    def evidence_fen(self, plant: Plant) -> int:
        if plant.backup is None:
            return plant.left_fen
        return plant.backup.counters.spent_fen - plant.backup.counters.voided_fen


class GrantsBeforeTold(Protocol):
    """A box that is enrolled after a restore gets grants at once."""

    def may_grant(self, office: Office, seat: Seat) -> bool:
        return office.mode is Mode.NORMAL and seat.counters.state is InstanceState.OPEN and office.free_fen >= 1


class TellsBeforeCommit(Protocol):
    """A plant tells the new term, and crashes before it has adopted it on disk."""

    def hears_terms(self, plant: Plant, terms: Iterator[Term]) -> PlantSteps:
        for name, heard in super().hears_terms(plant, terms):
            yield name, heard
            yield f"{name}, crashes", heard._replace(books=plant.books)


class RefundsForgotten(Protocol):
    """Reconciling ends without the refunds made since the backup."""

    def all_booked(self, head: Head, office: Office) -> bool:
        return True


class RefundsWhileReconciling(Protocol):
    """Money is paid back that seems free to books which have forgotten grants."""

    def may_refund(self, office: Office) -> bool:
        return office.free_fen >= 1


class NettedSilently(Protocol):
    """A payment undone is taken from what is granted next, not covered first."""

    def covers(self, office: Office) -> Office:
        return office


@dataclass(frozen=True, slots=True)
class Control:
    """A broken protocol, a small world that shows it, and in how many steps."""

    broken: type[Protocol]
    bounds: Bounds
    steps: int
    after: tuple[str, ...] = ()
    """Where the shortest story is long: its first steps, as `Search.run` takes them."""
    promise_only: bool = True
    """Search for goods that nobody paid for, not for the first invariant that falls."""


_ONE = Bounds(paid=1, granted=1, sold=1)
_TWICE = Bounds(paid=1, granted=1, sold=1, backups=1, terms=3)
_REFUND = Bounds(paid=1, granted=1, sold=1, refunded=1, backups=1, terms=2)
_RESTORE = "office is restored from a backup of term 1"

COMMON = (
    Control(CachedBalance, _ONE, 3),
    Control(DeltaGrants, Bounds(paid=1, granted=2, sold=2), 6),
    Control(RestoreWithoutFence, Bounds(paid=1, granted=1, sold=1, copies=True), 7),
    Control(TimerReclaim, _ONE, 8),
    Control(ReturnSentBeforeCommit, Bounds(paid=1, granted=1, sold=1, returned=1), 9),
    Control(GrantSentBeforeCommit, _ONE, 7),
    Control(RestoreWithoutReconcile, Bounds(paid=1, granted=1, sold=1, backups=1, terms=2), 9),
)
"""The seven of how such systems are often built."""
RECOVERY = (
    Control(PlantTakesOlderTerms, _TWICE, 14),
    Control(PlantGoesBack, _TWICE, 14),
    Control(OldStateCounts, _TWICE, 12),
    Control(NumbersWithoutId, _TWICE, 18),
    Control(AsksSomePlants, _TWICE, 12),
    Control(
        SecondTermAsksNobody,
        Bounds(paid=1, granted=1, sold=1, backups=1, offices=2, terms=4),
        22,
        ("pay", "office is backed up", _RESTORE, "A/1: hears term 2", "A/1: office 1 hears STATE 0 of term 2"),
    ),
    Control(
        CopyCountsAsTold,
        Bounds(paid=1, granted=1, sold=1, copies=True, backups=1, terms=2),
        16,
        ("pay", "office is backed up", "A/1: is backed up", "A/1: backup is restored", "A/1: office 0 grants 1"),
    ),
    Control(CopyCloses, Bounds(paid=1, granted=1, sold=1, copies=True), 11),
    Control(SettlesFromBackup, Bounds(paid=1, granted=1, sold=1, copies=True, deaths=True, paper=True), 10),
    Control(
        GrantsBeforeTold,
        Bounds(enrolled=0, paid=1, granted=1, sold=1, backups=2, terms=4),
        20,
        ("pay", "office is backed up", _RESTORE, "office 0 is reconciled", "office is backed up",
         "office is restored from a backup of term 2", "office 0 is reconciled"),
    ),
    Control(TellsBeforeCommit, Bounds(paid=1, granted=1, sold=1, backups=1, terms=2), 14),
    Control(RefundsForgotten, _REFUND, 12),
    Control(RefundsWhileReconciling, _REFUND, 7),
    Control(NettedSilently, Bounds(paid=1, granted=1, undone=1, returned=1), 2, promise_only=False),
)  # fmt: skip
"""The rules of terms, copies and recovery, one broken at a time."""
