"""What one plant epoch may do by itself, and what it does with what it hears. Each method is one commit there."""

from collections.abc import Iterator

from sync.allotment import PlantCounters
from sync.messages import Term
from sync.terms import Heard, hear_term
from tests.sync.model.values import Books, Bounds, Box, Plant, State

PlantSteps = Iterator[tuple[str, Plant]]


class PlantRules:
    """The plant's half of the protocol. `bounds` keeps its world finite and takes part in no decision."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds

    def adopts(self, books: Books, term: Term) -> Books:
        """Any signed message of head office names its term: a newer one is adopted before anything else is done."""
        return books._replace(term=term) if hear_term(books.term, term) is Heard.NEWER else books

    def takes_grant(self, books: Books, term: Term, granted_fen: int) -> Books:
        """GRANT: the total counts if its term is, or becomes, the one this plant follows."""
        if hear_term(books.term, term) is Heard.OLDER:
            return books
        books = self.adopts(books, term)
        return books._replace(counters=books.counters.grant(granted_fen))

    def may_sell(self, counters: PlantCounters) -> bool:
        """A truck gets what is available here, whatever head office may think by now. No clock, no link."""
        return counters.available_fen >= 1

    def sells(self, plant: Plant, amount_fen: int = 1) -> Plant:
        """Notice, hold, ticket: the goods leave. The debit is committed before the pass is printed."""
        counters = plant.books.counters.hold(amount_fen).post(amount_fen, amount_fen)
        return _with(plant, counters)._replace(left_fen=plant.left_fen + amount_fen)

    def voids(self, plant: Plant, amount_fen: int = 1) -> Plant:
        """A ticket is taken back before its truck has left."""
        return _with(plant, plant.books.counters.void(amount_fen))._replace(left_fen=plant.left_fen - amount_fen)

    def gives_back(self, plant: Plant, amount_fen: int = 1) -> Iterator[Plant]:
        """A return, recalled or not: committed first, told then."""
        plant = _with(plant, plant.books.counters.give_back(amount_fen))
        yield told_return(plant, plant.books.counters.returned_fen)

    def closes(self, plant: Plant) -> Iterator[Plant]:
        """The epoch ends by `EpochClosed`; no hold is open. Books that are FENCED never close: they lack tickets."""
        yield closed_with(plant, plant.books)._replace(box=Box.CLOSED)

    def restores_copy(self, plant: Plant, backup: Books) -> Plant:
        """A backup of the plant's books comes up FENCED, on another box or on this one: the witness is not in it. It
        debits nothing and takes no grant. The original may be gone, or may run beside it with the same key."""
        return plant._replace(copy=backup)

    def hears_terms(self, plant: Plant, terms: Iterator[Term]) -> PlantSteps:
        """ACK of some term. A fenced copy follows terms as well: it still tells its rows."""
        for term in terms:
            if plant.box is not Box.GONE:
                yield f"hears term {term.number}", self.tells(plant._replace(books=self.adopts(plant.books, term)))
            if plant.copy is not None:
                yield f"copy hears term {term.number}", self.tells(plant._replace(copy=self.adopts(plant.copy, term)))

    def tells(self, plant: Plant) -> Plant:
        """STATE, after each change. Nothing is told that is not committed."""
        if self.bounds.terms == 1:
            return plant  # what STATE tells beyond the return matters to restored head offices only
        told = set(plant.air.states)
        if plant.box is not Box.GONE:
            told.add(State(plant.books.term, plant.books.counters.granted_fen, fenced=False))
        if plant.copy is not None:
            told.add(State(plant.copy.term, plant.copy.counters.granted_fen, fenced=True))
        return plant._replace(air=plant.air._replace(states=frozenset(told)))

    def plant_steps(self, plant: Plant) -> PlantSteps:
        """Everything that may happen at the plant without hearing ACK."""
        if plant.box is Box.LIVE:
            yield from self._trade(plant)
            for term, granted_fen in plant.air.grants:
                books = self.takes_grant(plant.books, term, granted_fen)
                yield f"hears grant {granted_fen} of term {term.number}", self.tells(plant._replace(books=books))
            if self.bounds.closing:
                for closed in self.closes(plant):
                    yield "closes its epoch", closed
            if self.bounds.deaths:
                yield "dies", plant._replace(box=Box.GONE)
        if self.bounds.copies:
            if plant.box is not Box.GONE:
                yield "is backed up", plant._replace(backup=plant.books)
            if plant.backup is not None:
                yield "backup is restored", self.tells(self.restores_copy(plant, plant.backup))

    def _trade(self, plant: Plant) -> PlantSteps:
        counters = plant.books.counters
        if counters.spent_fen < self.bounds.sold and self.may_sell(counters):
            yield "sells", self.sells(plant)
        # A void of a box that was settled by paper is a late row like its tickets, and left out here.
        if self.bounds.voids and counters.spent_fen > counters.voided_fen and plant.papered_fen is None:
            yield "voids", self.voids(plant)
        if counters.returned_fen < self.bounds.returned and counters.available_fen >= 1:
            for gave in self.gives_back(plant):
                yield "returns", gave


def _with(plant: Plant, counters: PlantCounters) -> Plant:
    return plant._replace(books=plant.books._replace(counters=counters))


def told_return(plant: Plant, returned_fen: int) -> Plant:
    """The record of a return is sent, and stays in the air."""
    most = max(plant.air.returned_fen, returned_fen)
    return plant._replace(air=plant.air._replace(returned_fen=most))


def closed_with(plant: Plant, books: Books) -> Plant:
    """`EpochClosed` is sent, with the net spend of these books."""
    final_fen = books.counters.spent_fen - books.counters.voided_fen
    return plant._replace(air=plant.air._replace(final_fen=final_fen))
