"""The allotment protocol, checked by visiting every state of a small world. It calls `sync.allotment` for each step.

Two plants sell from one fund. The network delivers any value that was ever sent, at any time, any number of times or
never. A plant may be closed and settled. Each broken variant of the protocol must be caught, or this proves nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from sync.allotment import InstanceState, OfficeCounters, PlantCounters, Shortage, free_fen

FUND_MAX_FEN = 2
GRANTED_MAX_FEN = 3
SPENT_MAX_FEN = 2
STATES_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Side:
    """One plant epoch at both ends, and what was ever sent about it."""

    plant: PlantCounters = PlantCounters()
    office: OfficeCounters = OfficeCounters()
    grants_sent: frozenset[int] = frozenset()
    returns_sent: frozenset[int] = frozenset()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class World:
    fund_fen: int
    sides: tuple[Side, ...]

    @property
    def free_fen(self) -> int:
        return free_fen(self.fund_fen, tuple(side.office for side in self.sides))

    @property
    def dispatched_fen(self) -> int:
        """What really left: the ghost that no message can change."""
        return sum(side.plant.spent_fen - side.plant.voided_fen for side in self.sides)


class Protocol:
    """The rules as they are. Money moves in steps of one fen."""

    def successors(self, world: World) -> Iterator[tuple[str, World]]:
        if world.fund_fen < FUND_MAX_FEN:
            yield "pay", replace(world, fund_fen=world.fund_fen + 1)
        for index, side in enumerate(world.sides):
            for name, changed in self.steps(world, side):
                sides = (*world.sides[:index], changed, *world.sides[index + 1 :])
                yield f"{name} {index}", replace(world, sides=sides)

    def steps(self, world: World, side: Side) -> Iterator[tuple[str, Side]]:
        if (
            side.office.state is InstanceState.OPEN
            and side.office.granted_fen < GRANTED_MAX_FEN
            and world.free_fen >= 1
        ):
            yield from self.grant(world, side)
        for value in side.returns_sent:
            yield "hear return", replace(side, office=side.office.returned(value))
        if side.closed and side.office.state is not InstanceState.SETTLED:
            spend = side.plant.spent_fen - side.plant.voided_fen
            office = replace(side.office, state=InstanceState.SETTLED, settled_spend_fen=spend)
            yield "settle", replace(side, office=office)
        if not side.closed:
            yield from self.plant_steps(world, side)

    def plant_steps(self, world: World, side: Side) -> Iterator[tuple[str, Side]]:
        for value in side.grants_sent:
            yield "hear grant", replace(side, plant=self.take(side.plant, value))
        plant = side.plant
        if self.available(world, plant) >= 1 and plant.spent_fen < SPENT_MAX_FEN:
            yield "sell", replace(side, plant=self.sell(plant))
        if plant.spent_fen > plant.voided_fen:
            yield "void", replace(side, plant=plant.void(1))
        if plant.available_fen >= 1:
            yield from self.give_back(side)
        if plant.held_fen == 0:
            yield "close", replace(side, closed=True)

    def grant(self, world: World, side: Side) -> Iterator[tuple[str, Side]]:
        office = side.office.grant(1, world.free_fen)
        yield "grant", replace(side, office=office, grants_sent=side.grants_sent | {office.granted_fen})

    def take(self, plant: PlantCounters, value: int) -> PlantCounters:
        return plant.grant(value)

    def available(self, world: World, plant: PlantCounters) -> int:
        return plant.available_fen

    def sell(self, plant: PlantCounters) -> PlantCounters:
        return plant.hold(1).post(1, 1)

    def give_back(self, side: Side) -> Iterator[tuple[str, Side]]:
        plant = side.plant.give_back(1)
        yield "return", replace(side, plant=plant, returns_sent=side.returns_sent | {plant.returned_fen})


def explore(protocol: Protocol, sides: int = 2) -> tuple[int, list[str] | None]:
    """Breadth first: the number of states seen, and the shortest way to an over-dispatch if there is one."""
    start = World(0, (Side(),) * sides)
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    frontier = [start]
    while frontier and len(came_from) < STATES_MAX:
        following = []
        for world in frontier:
            for name, changed in protocol.successors(world):
                if changed in came_from:
                    continue
                came_from[changed] = (world, name)
                if changed.dispatched_fen > changed.fund_fen or changed.free_fen < 0:
                    return len(came_from), _way(came_from, changed)
                following.append(changed)
        frontier = following
    return len(came_from), None


def _way(came_from: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    names = []
    while (step := came_from[world]) is not None:
        world, name = step
        names.append(name)
    return names[::-1]


def test_no_state_of_the_small_world_dispatches_more_than_was_paid() -> None:
    states, way = explore(Protocol())
    assert way is None
    assert 50_000 <= states < STATES_MAX, "every state, not only the nearest"


class CachedBalance(Protocol):
    """Usual practice: each plant sells against the balance it last saw."""

    def available(self, world: World, plant: PlantCounters) -> int:
        return world.fund_fen - plant.spent_fen + plant.voided_fen

    def sell(self, plant: PlantCounters) -> PlantCounters:
        return plant.grant(plant.spent_fen + 1).hold(1).post(1, 1)


class DeltaGrants(Protocol):
    """A grant says "one more" instead of the total, and arrives twice."""

    def take(self, plant: PlantCounters, value: int) -> PlantCounters:
        return plant.grant(min(plant.granted_fen + 1, GRANTED_MAX_FEN))


class TimerReclaim(Protocol):
    """Head office takes money back from a plant it has not heard for a while."""

    def steps(self, world: World, side: Side) -> Iterator[tuple[str, Side]]:
        yield from super().steps(world, side)
        yield "reclaim", replace(side, office=side.office.returned(side.office.granted_fen))


class ReturnSentBeforeCommit(Protocol):
    """The plant tells of a return, and crashes before it is on disk."""

    def give_back(self, side: Side) -> Iterator[tuple[str, Side]]:
        yield from super().give_back(side)
        yield "return, crash", replace(side, returns_sent=side.returns_sent | {side.plant.returned_fen + 1})


class GrantSentBeforeCommit(Protocol):
    """Head office sends a grant, and crashes before it is on disk."""

    def grant(self, world: World, side: Side) -> Iterator[tuple[str, Side]]:
        yield from super().grant(world, side)
        yield "grant, crash", replace(side, grants_sent=side.grants_sent | {side.office.granted_fen + 1})


@pytest.mark.parametrize(
    "broken", [CachedBalance, DeltaGrants, TimerReclaim, ReturnSentBeforeCommit, GrantSentBeforeCommit]
)
def test_a_broken_protocol_is_caught(broken: type[Protocol]) -> None:
    _, way = explore(broken())
    assert way is not None
    assert 3 <= len(way) <= 9, way


def test_the_checker_itself_refuses_an_impossible_sale() -> None:
    with pytest.raises(Shortage):
        Protocol().sell(PlantCounters())
