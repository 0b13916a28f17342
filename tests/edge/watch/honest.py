"""Honest days: many visits on lanes with all kinds of indicators."""

import random

from edge.domain.scale_watch import WatchRules
from tests.edge.watch.indicator import make_indicator
from tests.edge.watch.lane import Lane
from tests.edge.watch.trucks import make_truck
from tests.edge.watch.visits import write_visit

VISITS_A_DAY = 20
LATE_MS = 2_500
DAMAGE = (0.0, 0.0001, 0.001)
"""Shares of damaged frames of the lanes: on 0.1 % every second truck has several."""


def make_lane(rng: random.Random, rules: WatchRules) -> Lane:
    """A lane with an indicator of its own; two in five have loops."""
    return Lane(make_indicator(rng), rules, rng, has_loops=rng.random() < 0.4)


def honest_day(seed: int, visits: int = VISITS_A_DAY, rules: WatchRules | None = None) -> Lane:
    """One lane's day; what was found in visits that were not weighed in time does not count. Zero drifts with the
    temperature, up to 20 kg/h, a quarter of an hour from truck to truck."""
    rng = random.Random(seed)
    lane = make_lane(rng, rules or WatchRules())
    lane.indicator.damage = random.Random(f"damage {seed}").choice(DAMAGE)
    hourly_kg = rng.uniform(-20, 20)
    for _ in range(visits):
        film = write_visit(rng, make_truck(rng, lane.indicator.division_kg))
        film.scene.switch(hourly_kg / 4, 1.0)
        if lane.has_loops:
            lane.watch.loops(False, lane.now_ms)
        told = len(lane.found)
        film.play(lane)
        if lane.late_ms > LATE_MS:  # at the plant nobody loads before the tare is booked
            del lane.found[told:]
            lane.dropped += 1
        if rng.random() < 0.03:  # the power fails
            lane.now_ms += rng.randrange(10_000, 300_000)
        lane.indicator.zero_kg -= hourly_kg / 4  # the next film starts where this one ended
    return lane
