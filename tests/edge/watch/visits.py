"""What honest people do on a lane, as films: a truck comes, is tared, loads here or elsewhere, is weighed, goes."""

import copy
import dataclasses
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.domain.scale_watch import Role, Work
from tests.edge.watch.lane import Lane, Press
from tests.edge.watch.physics import Prop, Scene
from tests.edge.watch.trucks import Truck

AT_ONCE_S = 1.4
"""A weight that is booked so soon after its button keeps nobody waiting."""
LONGER_S = 30.0
LONGEST_S = 240.0
"""Where a scale does not come to rest, a truck waits half a minute more, and again; after so long it leaves unweighed,
and nothing is loaded without a tare."""


@dataclass
class Film:
    """One visit: the scene, who presses what when, when the cable is off, what the loops see, when what happens."""

    scene: Scene
    truck: Truck
    presses: list[Press] = field(default_factory=list)
    cuts: list[tuple[float, float]] = field(default_factory=list)
    loops: list[tuple[float, bool]] = field(default_factory=list)
    waits_s: Mapping[Role, float] = field(default_factory=dict)
    """So long after its button a weight is booked: until then nobody loads or leaves."""
    booked_s: dict[Role, float] = field(default_factory=dict)
    at_s: dict[str, float] = field(default_factory=dict)
    pours_s: list[float] = field(default_factory=list)

    def mark(self, name: str) -> None:
        """Remember this moment."""
        self.at_s[name] = self.scene.t_s

    def press(self, role: Role, at_s: float, until_s: float) -> None:
        """A weighing button at a moment, pressed again until the truck leaves."""
        truck = self.truck
        self.presses.append(Press(at_s, lambda lane: lane.press(role, truck), role, until_s))
        self.at_s[role.value] = at_s
        self.booked_s[role] = at_s + self.waits_s.get(role, 0.0)

    def begin(self, work: Work) -> None:
        """From now on this may change the weight."""

        def act(lane: Lane) -> bool:
            lane.work = work
            return True

        self.presses.append(Press(self.scene.t_s, act))

    def play(self, lane: Lane) -> None:
        """Run it on the lane."""
        lane.play(self.scene, self.presses, self.cuts, self.loops)


@dataclass(frozen=True)
class Plan:
    """How this visit goes where a cheat would choose; an honest one leaves it to chance."""

    loads_here: bool | None = None
    loses_kg: float = 0.0
    """What the truck leaves between tare and gross: elsewhere, or here at `drain_kg_s` (water)."""
    drain_kg_s: float = 0.0
    prop: Prop | None = None
    prop_at_tare: bool = False


def write_visit(
    rng: random.Random, truck: Truck, plan: Plan | None = None, waits_s: Mapping[Role, float] | None = None
) -> Film:
    """One whole visit."""
    plan = plan or Plan()
    scene = Scene(rng, wind_kg=rng.choice((1.0, 2.0, 4.0)))
    film = Film(scene, truck, waits_s=waits_s or {})
    _empty(film, rng.uniform(6, 15))
    scene.prop = plan.prop if plan.prop_at_tare else None
    _arrive(film, "first")
    _weigh(film, Role.TARE, "first")
    if film.waits_s.get(Role.TARE) == math.inf:
        _go(film)
        return film
    here = rng.random() < 0.6 if plan.loads_here is None else plan.loads_here
    room_kg = (truck.model.gross_kg - truck.tare_kg) * rng.uniform(0.75, 0.99)
    if here:
        film.begin(Work.LOAD)
        film.mark("load")
        _load_here(film, room_kg)
        if plan.loses_kg:
            drained_s = min(plan.loses_kg / plan.drain_kg_s, scene.t_s - film.at_s["load"])
            scene.drip(film.at_s["load"], plan.drain_kg_s * drained_s, drained_s)
        film.mark("loaded")
    else:
        _leave(film, "away")
        _empty(film, rng.uniform(5, 12))
        film.begin(Work.LOAD)
        film.truck = dataclasses.replace(truck, tare_kg=truck.tare_kg - plan.loses_kg)
        scene.goods_kg, scene.prop = room_kg, plan.prop
        _arrive(film, "second")
    _weigh(film, Role.GROSS, "loaded" if here else "second")
    film.begin(Work.NONE)
    scene.stand(rng.uniform(2, 15))
    _go(film)
    if rng.random() < 0.03:  # the cable, while no weight is waited for
        off_s = rng.choice((1.0, film.at_s["tare"] + 2, film.at_s["gross"] + 2))
        film.cuts.append((off_s, off_s + rng.uniform(0.3, 4)))
    return film


def perform(lane: Lane, write: Callable[[Lane, Mapping[Role, float]], Film]) -> tuple[Lane, Film]:
    """Play a film on the lane: the lane after it. A film is written beforehand, yet at a plant nobody loads or drives
    on before the weight is booked: where a weight came late, the same visit is written again with that wait in it.
    """
    waits_s: dict[Role, float] = {}
    while True:
        stage = copy.deepcopy(lane)
        film = write(stage, dict(waits_s))
        film.play(stage)
        late_s = {role: late for role, late in stage.late_s.items() if late > waits_s.get(role, 0.0) + AT_ONCE_S}
        if not late_s:
            return stage, film
        for role, late in late_s.items():
            wait_s = min(late, waits_s.get(role, 0.0) + LONGER_S)
            waits_s[role] = wait_s if wait_s <= LONGEST_S else math.inf


def _go(film: Film) -> None:
    _leave(film, "left")
    film.scene.prop = None
    _empty(film, film.scene.rng.uniform(8, 12))


def _empty(film: Film, seconds: float) -> None:
    scene, rng = film.scene, film.scene.rng
    scene.truck = None
    start_s = scene.t_s
    if rng.random() < 0.1:
        scene.person(start_s + 0.5, min(rng.uniform(3, 8), seconds - 3.5))
    if rng.random() < 0.03:
        left = rng.uniform(10, 150)  # mud on the deck, until the operator zeroes or someone sweeps
        scene.switch(left, start_s + 0.2)
    scene.stand(seconds)
    film.presses.append(Press(start_s + seconds - 1.2, lambda lane: lane.zero_when_off()))


def _arrive(film: Film, name: str) -> None:
    """Roll on, at times with a stop on the way, too far, or back and forth."""
    scene, rng = film.scene, film.scene.rng
    scene.truck, scene.place_m = film.truck, -1.0
    reach = film.truck.model.places_m[-1]
    stop_m = rng.uniform(reach + 0.8, scene.deck_m - 0.6)
    speed = rng.uniform(0.5, 2.2)
    film.loops.append((scene.t_s, True))
    chance = rng.random()
    if chance < 0.1:
        scene.drive(rng.uniform(0.5, stop_m - 0.5), speed)
        scene.stand(rng.uniform(0.5, 12))
    elif chance < 0.13:
        scene.drive(scene.deck_m + rng.uniform(0.3, 1.0), speed)
        scene.stand(rng.uniform(0.5, 4))
    elif chance < 0.16:
        scene.drive(stop_m * rng.uniform(0.5, 0.9), speed)
        scene.stand(rng.uniform(0.5, 3))
        scene.drive(stop_m * rng.uniform(0.2, 0.5), 0.6)
        scene.stand(rng.uniform(0.5, 3))
    scene.drive(stop_m, speed if chance >= 0.16 else 0.7)
    film.mark(name)


def _weigh(film: Film, role: Role, since: str) -> None:
    """Stand; the driver may climb out; the dispatcher presses; some wait until the driver is back."""
    scene, rng = film.scene, film.scene.rng
    start_s = film.at_s[since]
    press_s = start_s + rng.uniform(5, 10)
    stay_s = press_s - start_s + rng.uniform(5, 12)
    if rng.random() < 0.5:
        out_s = start_s + rng.uniform(0.3, 4)
        scene.person(out_s, rng.uniform(5, max(6.0, stay_s - 2)), -rng.uniform(60, 100))
        if rng.random() < 0.2:
            scene.person(out_s + rng.uniform(0.2, 2), stay_s - 5, -rng.uniform(55, 100))
    if rng.random() < 0.05:
        scene.person(start_s + rng.uniform(0, 6), rng.uniform(3, 8))
    stay_s += min(film.waits_s.get(role, 0.0), LONGEST_S)
    film.press(role, press_s, start_s + stay_s)
    scene.stand(stay_s)


def _load_here(film: Film, goods_kg: float) -> None:
    scene, rng = film.scene, film.scene.rng
    driver = rng.random() < 0.3
    start_s = scene.t_s
    if rng.random() < 0.65:
        size = rng.uniform(2500, 6500)
        left = goods_kg
        while left > 300:
            scene.stand(rng.uniform(12, 32))
            part = min(left, size * rng.uniform(0.8, 1.1))
            film.pours_s.append(scene.t_s)
            scene.pour(part, rng.uniform(1, 3))
            left -= part
            if rng.random() < 0.12:  # the loader levels the heap: presses on it, lets go
                scene.stand(2)
                scene.push_down(rng.uniform(150, 1500), rng.uniform(1, 5))
                scene.stand(7)
    else:
        parts = rng.randint(1, 3)
        for _ in range(parts):
            scene.stand(rng.uniform(6, 20))
            film.pours_s.append(scene.t_s)
            scene.pour(goods_kg / parts, goods_kg / parts / rng.uniform(100, 350))
    scene.stand(rng.uniform(3, 10))
    if driver:
        scene.person(start_s, scene.t_s - start_s, -80)
    if rng.random() < 0.3:  # wet goods drip
        lost_kg = rng.uniform(0.02, 0.2) * (scene.t_s - start_s)
        scene.drip(start_s, lost_kg)


def _leave(film: Film, name: str) -> None:
    scene, rng = film.scene, film.scene.rng
    film.mark(name)
    if rng.random() < 0.05:
        scene.drive(rng.uniform(scene.place_m + 0.5, scene.deck_m + 8), rng.uniform(0.5, 1.5))
        scene.stand(rng.uniform(1, 15))
    reach = film.truck.model.places_m[-1]
    scene.drive(scene.deck_m + reach + 1.5, rng.uniform(0.8, 2.5))
    film.loops.append((scene.t_s, False))
    scene.truck = None
