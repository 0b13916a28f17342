"""Visits every world that a protocol can reach, nearest first, so that the first one broken has the shortest story.

The parts of a world (head office's side, each plant epoch) are kept once and named by a number, and the steps of a part
are worked out once: a world is a tuple of small numbers, and millions of them fit.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from tests.sync.model.protocol import Protocol
from tests.sync.model.values import Head, Plant

Part = TypeVar("Part")
World = tuple[int, ...]
"""The number of the head, then of each plant epoch."""


class Kept(Generic[Part]):
    """Parts by their number, and numbers by their part."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._numbers: dict[Part, int] = {}

    def number(self, part: Part) -> int:
        """The number of a part; a new one gets the next."""
        number = self._numbers.setdefault(part, len(self.parts))
        if number == len(self.parts):
            self.parts.append(part)
        return number


@dataclass(frozen=True, slots=True)
class Found:
    """What a search saw."""

    states: int
    transitions: int
    exhausted: bool
    """Every reachable world was visited."""
    fullest: int
    """Worlds in which every fen that was paid had left: the others cannot show an excess."""
    broken: str = ""
    story: tuple[str, ...] = ()


class Search:
    """One breadth-first search; `most` is where it gives up.

    `promise_only` looks at the promise alone, and not at the invariants that carry it: a broken protocol is then shown
    with the whole story, up to the goods that nobody paid for.
    """

    def __init__(self, protocol: Protocol, most: int, *, promise_only: bool = False) -> None:
        self._protocol = protocol
        self._most = most
        self._promise_only = promise_only
        self._heads: Kept[Head] = Kept()
        self._plants: Kept[Plant] = Kept()
        self._head_moves: dict[int, tuple[str, list[tuple[str, int]]]] = {}
        self._plant_moves: dict[int, list[tuple[str, int]]] = {}
        self._line_moves: list[dict[tuple[int, int], tuple[str, list[tuple[str, int, int]]]]] = []
        self._came_from: dict[World, World | None] = {}

    def run(self, after: tuple[str, ...] = ()) -> Found:
        """Search; ends at the first world in which an invariant does not hold. `after` names the first steps, where
        the search is of what may follow them."""
        head, plants = self._protocol.start()
        first: World = (self._heads.number(head), *(self._plants.number(plant) for plant in plants))
        self._line_moves = [{} for _ in plants]
        self._came_from = {first: None}
        for name in after:
            first = self._follow(first, name)
        with _uncollected():
            return self._search(first)

    def _search(self, first: World) -> Found:
        frontier, transitions, fullest = [first], 0, 0
        while frontier and len(self._came_from) < self._most:
            following: list[World] = []
            for world in frontier:
                broken, full = self._look(world)
                if broken:
                    return Found(len(self._came_from), transitions, False, fullest, broken, self._story(world))
                fullest += full
                transitions += self._expand(world, following)
            frontier = following
        return Found(len(self._came_from), transitions, not frontier, fullest)

    def _look(self, world: World) -> tuple[str, bool]:
        """What is broken in a world ('' for nothing), and whether all its money has left."""
        parts = self._plants.parts
        plants = [parts[number] for number in world[1:]]
        head = self._heads.parts[world[0]]
        dispatched_fen = sum(plant.left_fen - plant.late_fen for plant in plants)
        if self._protocol.exceeds(head, dispatched_fen):
            return "more is dispatched than was paid", True
        full = dispatched_fen > 0 and dispatched_fen == head.paid_fen - head.refunded_fen
        if self._promise_only:
            return "", full
        broken = self._of_head(world[0])[0]
        for place, number in enumerate(world[1:]):
            broken = broken or self._of_line(place, world[0], number)[0]
        return broken, full

    def _follow(self, world: World, name: str) -> World:
        """The world after the step of this name."""
        following: list[World] = []
        self._expand(world, following)
        (after,) = (each for each in following if self._name(world, each) == name)
        return after

    def _expand(self, world: World, following: list[World]) -> int:
        """Put every world one step further, if it is new, on the list; how many steps there are."""
        came_from, steps = self._came_from, 0
        head, *plants = world
        for _, to_head in self._of_head(head)[1]:
            steps += 1
            after: World = (to_head, *plants)
            if after not in came_from:
                came_from[after] = world
                following.append(after)
        for place, plant in enumerate(plants, start=1):
            before, behind = world[1:place], world[place + 1 :]
            for _, to_plant in self._of_plant(plant):
                steps += 1
                after = (head, *before, to_plant, *behind)
                if after not in came_from:
                    came_from[after] = world
                    following.append(after)
            for _, to_head, to_plant in self._of_line(place - 1, head, plant)[1]:
                steps += 1
                after = (to_head, *before, to_plant, *behind)
                if after not in came_from:
                    came_from[after] = world
                    following.append(after)
        return steps

    def _of_head(self, number: int) -> tuple[str, list[tuple[str, int]]]:
        found = self._head_moves.get(number)
        if found is None:
            head = self._heads.parts[number]
            steps = [(name, self._heads.number(after)) for name, after in self._protocol.head_steps(head)]
            found = self._head_moves[number] = (self._protocol.broken_head(head), steps)
        return found

    def _of_plant(self, number: int) -> list[tuple[str, int]]:
        found = self._plant_moves.get(number)
        if found is None:
            plant = self._plants.parts[number]
            steps = ((name, self._plants.number(after)) for name, after in self._protocol.plant_steps(plant))
            found = self._plant_moves[number] = [step for step in steps if step[1] != number]
        return found

    def _of_line(self, place: int, head_number: int, number: int) -> tuple[str, list[tuple[str, int, int]]]:
        found = self._line_moves[place].get((head_number, number))
        if found is None:
            head, plant = self._heads.parts[head_number], self._plants.parts[number]
            steps = [
                (name, self._heads.number(to_head), self._plants.number(to_plant))
                for name, to_head, to_plant in self._protocol.line_steps(head, place, plant)
            ]
            steps = [step for step in steps if step[1:] != (head_number, number)]
            found = self._line_moves[place][(head_number, number)] = (
                self._protocol.broken_line(head, place, plant),
                steps,
            )
        return found

    def _story(self, world: World) -> tuple[str, ...]:
        """The names of the steps that lead to a world, first to last."""
        names: list[str] = []
        while (before := self._came_from[world]) is not None:
            names.append(self._name(before, world))
            world = before
        return tuple(reversed(names))

    def _name(self, before: World, after: World) -> str:
        for name, head in self._of_head(before[0])[1]:
            if (head, *before[1:]) == after:
                return name
        for place, number in enumerate(before[1:], start=1):
            box = f"{self._protocol.bounds.boxes[place - 1]}/{place}"
            moves = [(name, before[0], to) for name, to in self._of_plant(number)]
            for name, head, to in [*moves, *self._of_line(place - 1, before[0], number)[1]]:
                if (head, *before[1:place], to, *before[place + 1 :]) == after:
                    return f"{box}: {name}"
        raise AssertionError("a world without a way to it")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Millions of tuples, and no circle among them: looking for circles would take most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
