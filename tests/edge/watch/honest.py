"""Honest days: many visits on lanes with all kinds of indicators."""

import random
from collections.abc import Mapping

from edge.domain.scale_watch import Role, WatchRules
from tests.edge.watch.indicator import make_indicator
from tests.edge.watch.lane import Lane
from tests.edge.watch.trucks import make_truck
from tests.edge.watch.visits import Film, perform, write_visit

VISITS_A_DAY = 20
DAMAGE = (0.0, 0.0001, 0.001)
"""Shares of damaged frames of the lanes: on 0.1 % every second truck has several."""


def make_lane(rng: random.Random, rules: WatchRules) -> Lane:
    """A lane with an indicator of its own; two in five have loops."""
    return Lane(make_indicator(rng), rules, rng, has_loops=rng.random() < 0.4)


def honest_day(seed: int, visits: int = VISITS_A_DAY, rules: WatchRules | None = None) -> Lane:
    """One lane's day. Zero drifts with the temperature, up to 20 kg/h, a quarter of an hour from truck to truck."""
    lane = make_lane(random.Random(seed), rules or WatchRules())
    lane.indicator.damage = random.Random(f"damage {seed}").choice(DAMAGE)
    hourly_kg = lane.rng.uniform(-20, 20)

    def write(on: Lane, waits_s: Mapping[Role, float]) -> Film:
        film = write_visit(on.rng, make_truck(on.rng, on.indicator.division_kg), waits_s=waits_s)
        film.scene.switch(hourly_kg / 4, 1.0)
        return film

    for _ in range(visits):
        if lane.has_loops:
            lane.watch.loops(False, lane.now_ms)
        lane, _film = perform(lane, write)
        if lane.rng.random() < 0.03:  # the power fails
            lane.now_ms += lane.rng.randrange(10_000, 300_000)
        lane.indicator.zero_kg -= hourly_kg / 4  # the next film starts where this one ended
    return lane
