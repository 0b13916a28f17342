"""Six frauds, done by people who know the scale: sizes worth stealing, at the moment that suits them.

Each draws its numbers from the seed. All but `replaced` are one visit after one honest one on the same lane. A plate
that has been here before has at least three tares; `unknown_plate` takes them away.
"""

import dataclasses
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from edge.domain.scale_watch import Finding, Role, WatchRules
from tests.edge.watch.honest import make_lane
from tests.edge.watch.indicator import Indicator, make_indicator
from tests.edge.watch.lane import Lane
from tests.edge.watch.physics import DT_S, Prop
from tests.edge.watch.trucks import Truck, make_truck
from tests.edge.watch.visits import Film, Plan, perform, write_visit


@dataclass(frozen=True)
class Tried:
    """What came of it."""

    findings: tuple[Finding, ...]
    stolen_kg: float


@dataclass(frozen=True)
class Cheat:
    """Somebody on a lane, with a plan; `size_kg` fixes how much is stolen, else the fraud draws it."""

    lane: Lane
    waits_s: Mapping[Role, float] = field(default_factory=dict)
    """A thief, too, waits until the weight is booked."""
    size_kg: float | None = None
    unknown_plate: bool = False

    @property
    def rng(self) -> random.Random:
        """His dice are the lane's."""
        return self.lane.rng

    def size(self, least_kg: float, most_kg: float) -> float:
        """How much this time."""
        drawn = self.rng.uniform(least_kg, most_kg)
        return drawn if self.size_kg is None else self.size_kg

    def truck(self, heavier_kg: float = 0.0) -> Truck:
        """The cheat's truck."""
        truck = make_truck(self.rng, self.lane.indicator.division_kg, at_least=3, heavier_kg=heavier_kg)
        return dataclasses.replace(truck, history_kg=()) if self.unknown_plate else truck

    def visit(self, truck: Truck, plan: Plan | None = None) -> Film:
        """The visit he cheats in."""
        return write_visit(self.rng, truck, plan, self.waits_s)


Fraud = Callable[[Cheat], tuple[Film, float]]


def radio_tare_standing(cheat: Cheat) -> tuple[Film, float]:
    """Switched in while the truck stands for its tare; off again under a falling bucket, or while it rolls away."""
    size_kg, rng = cheat.size(500, 2500), cheat.rng
    film = cheat.visit(cheat.truck())
    film.scene.switch(size_kg, rng.uniform(film.at_s["first"] + 2.5, film.at_s["tare"] - 0.7))
    film.scene.switch(-size_kg, _hidden_s(film))
    return film, size_kg


def radio_gross_standing(cheat: Cheat) -> tuple[Film, float]:
    """Switched in while the loaded truck stands; off while it rolls away."""
    size_kg, rng = cheat.size(500, 3000), cheat.rng
    film = cheat.visit(cheat.truck())
    since_s = film.at_s.get("second", film.at_s.get("loaded", 0.0))
    film.scene.switch(-size_kg, rng.uniform(since_s + 2.5, film.at_s["gross"] - 0.7))
    film.scene.switch(size_kg, film.at_s["left"] + rng.uniform(2.0, 3.5))
    return film, size_kg


def radio_tare_rolling(cheat: Cheat) -> tuple[Film, float]:
    """Slipped in while the truck still rolls on for its tare: nothing in the curve tells it from an axle."""
    size_kg, rng = cheat.size(1200, 2500), cheat.rng
    film = cheat.visit(cheat.truck())
    last_s = [at_s for at_s in film.scene.axles_s if at_s < film.at_s["first"]][-3:]
    film.scene.switch(size_kg, rng.choice(last_s) + rng.uniform(-0.2, 0.2))
    film.scene.switch(-size_kg, _hidden_s(film))
    return film, size_kg


def radio_gross_rolling(cheat: Cheat) -> tuple[Film, float]:
    """Slipped in together with an axle of the loaded truck that rolls on, out with one that rolls off: by somebody who
    stands beside the deck and presses within 0.2 s.
    """
    size_kg, rng = cheat.size(500, 3000), cheat.rng
    film = cheat.visit(cheat.truck(), Plan(loads_here=False))
    axles_s = film.scene.axles_s
    on_s = rng.choice([at_s for at_s in axles_s if film.at_s["away"] + 15 < at_s < film.at_s["second"]][-3:])
    off_s = rng.choice([at_s for at_s in axles_s if at_s > film.at_s["left"]][:3])
    film.scene.switch(-size_kg, on_s + rng.uniform(-0.2, 0.2))
    film.scene.switch(size_kg, off_s + rng.uniform(-0.2, 0.2))
    return film, size_kg


def water_here(cheat: Cheat) -> tuple[Film, float]:
    """Tared with a full tank that is let out while the truck is loaded on the deck."""
    size_kg, rng = cheat.size(1200, 3000), cheat.rng
    plan = Plan(loads_here=True, loses_kg=size_kg, drain_kg_s=rng.uniform(3, 12))
    return cheat.visit(cheat.truck(size_kg), plan), size_kg


def water_elsewhere(cheat: Cheat) -> tuple[Film, float]:
    """Tared with a full tank that is let out in the yard."""
    size_kg = cheat.size(1200, 3000)
    return cheat.visit(cheat.truck(size_kg), Plan(loads_here=False, loses_kg=size_kg)), size_kg


def second_axle(cheat: Cheat) -> tuple[Film, float]:
    """A car's or a truck's axle rolls on behind the truck, before or after it stops, and off again after the tare."""
    size_kg, rng = cheat.size(1200, 7000), cheat.rng
    film = cheat.visit(cheat.truck())
    on_s = film.at_s["first"] + rng.uniform(-2, 3)
    off_s = (
        film.booked_s[Role.TARE] + rng.uniform(1.5, 4)
        if "load" in film.at_s
        else film.at_s["away"] + rng.uniform(0.5, 3)
    )
    film.scene.lay(size_kg, on_s, off_s - on_s, rng.uniform(0.3, 0.6))
    for at_s in (on_s + 0.3, off_s):
        film.scene.bounce(at_s, size_kg * rng.uniform(0.03, 0.1))
    return film, size_kg


def jack(cheat: Cheat) -> tuple[Film, float]:
    """Under the loaded truck somebody lifts the deck with a jack, stroke by stroke, and lets go as it leaves."""
    size_kg, rng = cheat.size(800, 3000), cheat.rng
    film = cheat.visit(cheat.truck())
    since_s = film.at_s.get("second", film.at_s.get("loaded", 0.0))
    strokes = max(3, round(size_kg / rng.uniform(60, 180)))
    pause_s = min(rng.uniform(0.4, 2.5), (film.at_s["gross"] - since_s - 1.5) / strokes)
    end_s = film.at_s["left"] + 2.0
    time = np.arange(0, end_s - since_s, DT_S)
    done = np.clip((time - 0.5) / (strokes * pause_s), 0, 1) * strokes
    film.scene.lay_curve(
        since_s, -size_kg / strokes * (np.floor(done) + np.clip((done % 1) * 3, 0, 1) * (done < strokes))
    )
    return film, size_kg


def prop(cheat: Cheat) -> tuple[Film, float]:
    """A wedge or jack stands under the deck before the loaded truck comes, where it carries enough to be worth it."""
    rng = cheat.rng
    truck = cheat.truck()
    while True:
        gap_kg = rng.choice((0.0, 0.0, rng.uniform(0, 1500)))
        under = Prop(rng.uniform(2, 16), rng.uniform(0.1, 0.6), rng.uniform(4, 7), gap_kg)
        film = cheat.visit(truck, Plan(loads_here=False, prop=under))
        stolen_kg = film.scene.carried_kg
        if (stolen_kg >= 800) if cheat.size_kg is None else abs(stolen_kg - cheat.size_kg) < cheat.size_kg / 5:
            return film, stolen_kg


def plate_swap(cheat: Cheat) -> tuple[Film, float]:
    """A heavier truck is tared under the plate of the one that is loaded."""
    size_kg = cheat.size(1200, 4000)
    return cheat.visit(cheat.truck(size_kg), Plan(loads_here=False, loses_kg=size_kg)), size_kg


def _hidden_s(film: Film) -> float:
    """When nobody sees an offset go: under the first goods that fall, or as the truck rolls away."""
    return film.pours_s[0] + 0.6 if film.pours_s else film.at_s["away"] + 2.5


def try_fraud(
    fraud: Fraud, seed: int, size_kg: float | None = None, *, unknown: bool = False, rules: WatchRules | None = None
) -> Tried:
    """One honest visit, then the fraud, then an empty deck."""
    lane = _honest_visits(make_lane(random.Random(seed), rules or WatchRules()), 1)
    before, stolen_kg = len(lane.found), 0.0

    def write(on: Lane, waits_s: Mapping[Role, float]) -> Film:
        nonlocal stolen_kg
        if waits_s.get(Role.TARE) == math.inf:  # sent away without a tare: nothing can be stolen
            return Cheat(on, waits_s).visit(make_truck(on.rng, on.indicator.division_kg))
        film, stolen_kg = fraud(Cheat(on, waits_s, size_kg, unknown))
        return film

    lane, _ = perform(lane, write)
    return Tried(tuple(lane.found[before:]), stolen_kg)


def replaced(seed: int, rules: WatchRules | None = None, *, clone: bool = False) -> Tried:
    """Between two trucks another indicator is connected: another make, or the same make with something set otherwise or
    with a weighing memory of its own. A `clone` has the same make, the same settings and no memory.
    """
    lane = make_lane(random.Random(seed), rules or WatchRules())
    lane.indicator.alibi = 0 if clone else lane.indicator.alibi
    lane = _honest_visits(lane, 2)
    before = len(lane.found)
    lane.indicator = _other(lane.rng, lane.indicator, clone)
    lane.now_ms += lane.rng.randrange(20_000, 300_000)
    lane = _honest_visits(lane, 2)
    return Tried(tuple(lane.found[before:]), 0.0)


def _honest_visits(lane: Lane, count: int) -> Lane:
    def write(on: Lane, waits_s: Mapping[Role, float]) -> Film:
        truck = make_truck(on.rng, on.indicator.division_kg)
        return write_visit(on.rng, truck, Plan(loads_here=False), waits_s)

    for _ in range(count):
        lane, _film = perform(lane, write)
    return lane


def _other(rng: random.Random, old: Indicator, clone: bool) -> Indicator:
    while True:
        new = make_indicator(rng)
        if clone or rng.random() < 0.5:  # the same make sends the same kind of frame
            new = dataclasses.replace(
                new, rate_hz=old.rate_hz, division_kg=old.division_kg, decimals=old.decimals, flagged=old.flagged
            )
            new.alibi = rng.randrange(1, max(2, old.alibi)) if old.alibi else 0
            if clone or rng.random() < 0.5:
                new.rate_hz = old.rate_hz
        sent = (new.rate_hz, new.division_kg, new.decimals, new.flagged, bool(new.alibi))
        if clone or new.alibi or sent != (old.rate_hz, old.division_kg, old.decimals, old.flagged, bool(old.alibi)):
            return new
