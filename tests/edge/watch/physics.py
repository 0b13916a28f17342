"""The load on a deck over time: axles roll on and off, bodies bounce, people climb, goods fall, wind blows.

A `Scene` is written like a film: `drive`, `stand`, `pour`, …; each call moves its cursor `t_s`. `render` gives the load
in kg at 50 Hz, before any indicator. Magnitudes: dynamic axle load below 10 km/h is within a few per cent of the static
one (COST 323, low-speed weighing in motion), body bounce 1.5–3.5 Hz with damping 0.1–0.25, a wheel loader's
bucket of 2.5–6.5 t empties in 1–3 s every 25–45 s, a bunker's chute gives 0.1–0.35 t/s.
"""

import random
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.edge.watch.trucks import Truck

DT_S = 0.02
TYRE_M = 0.25
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prop:
    """A jack or wedge under the deck at `at_m`: carries `share` of the load right above it, less towards `reach_m`."""

    at_m: float
    share: float
    reach_m: float = 6.0
    gap_kg: float = 0.0

    def carries(self, places: Array, loads: Array) -> Array:
        """What it takes off the load cells, kg over time, of axle loads at places (axles × time)."""
        near = np.clip(1 - np.abs(places - self.at_m) / self.reach_m, 0, 1)
        taken: Array = np.maximum(self.share * (loads * near).sum(axis=0) - self.gap_kg, 0.0)
        return taken


@dataclass
class Scene:
    """One lane's film. `deck_m` long; a truck's place is that of its front axle."""

    rng: random.Random
    deck_m: float = 18.0
    wind_kg: float = 5.0
    t_s: float = 0.0
    prop: Prop | None = None
    truck: Truck | None = None
    goods_kg: float = 0.0
    place_m: float = -1.0
    carried_kg: float = 0.0
    """What a prop carried of the truck that stood here last."""
    axles_s: list[float] = field(default_factory=list)
    """When an axle came on or went off."""
    _parts: list[Array] = field(default_factory=list)
    _laid: list[tuple[float, Array]] = field(default_factory=list)
    _lasting: list[tuple[float, float]] = field(default_factory=list)

    # Writing the film.

    def stand(self, seconds: float) -> None:
        """Nothing moves."""
        count = max(1, round(seconds / DT_S))
        load, _ = self._cells(np.full(count, self.place_m))
        shake = 4.0 if self.truck is not None and self.place_m > 0 else 0.0
        self._add(load + self._noise(count, 1) * shake)

    def drive(self, to_m: float, speed: float) -> None:
        """The truck rolls to `to_m` at up to `speed` m/s; each axle that comes on shakes the deck, so does braking."""
        assert self.truck is not None
        way = _way(to_m - self.place_m, speed, self.rng.uniform(0.35, 0.8)) + self.place_m
        load, steps = self._cells(way)
        moving = np.abs(np.gradient(way, DT_S)) > 0.05
        rough = self.rng.uniform(0.004, 0.012)
        self._bounces(steps)
        start_s = self.t_s
        self._add(load * (1 + rough * self._noise(len(way), 6) * moving))
        if load[-1] > 500:
            self.bounce(start_s + len(way) * DT_S - 0.3, float(load[-1]) * self.rng.uniform(0.005, 0.025))
        self.place_m = to_m

    def pour(self, kg: float, seconds: float) -> None:
        """Goods fall into the truck: evenly with some noise for a chute, in one go with an impact for a bucket."""
        count = max(2, round(seconds / DT_S))
        if seconds > 5:
            flow = np.maximum(0.1, 1 + 0.3 * self._noise(count, 40))
        else:
            flow = np.sin(np.linspace(0, np.pi, count)) + 0.02
            self.bounce(self.t_s + seconds * 0.6, kg * self.rng.uniform(0.08, 0.3))
        added = np.cumsum(flow) / flow.sum() * kg
        before, _ = self._cells(np.full(count, self.place_m))
        self.goods_kg += kg
        after, _ = self._cells(np.full(count, self.place_m))
        self._add(before + (after - before) * added / kg + self._noise(count, 2) * 5)

    def lay(self, kg: float, at_s: float, seconds: float, ramp_s: float) -> None:
        """Something stands on the deck (or holds it up) from `at_s` on for `seconds`, then goes."""
        count, ramp = max(2, round(seconds / DT_S)), max(1, round(ramp_s / DT_S))
        rise = np.clip(np.arange(count) / ramp, 0, 1)
        self._laid.append((at_s, kg * np.minimum(rise, rise[::-1])))

    def lay_curve(self, at_s: float, curve: Array) -> None:
        """A load by its own curve, 50 Hz."""
        self._laid.append((at_s, curve))

    def push_down(self, kg: float, seconds: float) -> None:
        """A loader's bucket presses on the heap, by hand on the lever: never with a steady force."""
        count = round(seconds / DT_S)
        rise = np.clip(np.arange(count) / 25, 0, 1)
        self.lay_curve(self.t_s, kg * np.minimum(rise, rise[::-1]) * (1 + 0.15 * self._noise(count, 20)))

    def drip(self, since_s: float, kg: float, seconds: float | None = None) -> None:
        """So much has run off the truck and the deck evenly, since then, for so long (until now)."""
        count = max(2, round((self.t_s - since_s) / DT_S))
        running = count if seconds is None else max(2, min(count, round(seconds / DT_S)))
        self.lay_curve(since_s, -kg * np.clip(np.arange(count) / running, 0, 1))
        self.goods_kg -= kg

    def switch(self, kg: float, at_s: float) -> None:
        """From this moment on the cells say `kg` more: a radio in the junction box, or a zero that has moved."""
        self._lasting.append((at_s, kg))

    def person(self, at_s: float, seconds: float, kg: float | None = None) -> None:
        """Somebody steps on and off; negative kg: out of the cab and off the deck, and back."""
        weight = kg if kg is not None else self.rng.uniform(55, 100)
        self.lay(weight, at_s, seconds, self.rng.uniform(0.4, 1.2))
        self.bounce(at_s, abs(weight) * 0.3)

    def bounce(self, at_s: float, kg: float) -> None:
        """A damped swing of the truck's body."""
        damping, pulse = self.rng.uniform(0.08, 0.25), 2 * np.pi * self.rng.uniform(1.5, 3.5)
        time = np.arange(0, 6 / (damping * pulse), DT_S)
        self._laid.append((at_s, kg * np.exp(-damping * pulse * time) * np.sin(pulse * time)))

    # The result.

    def render(self) -> Array:
        """Load over time, kg at 50 Hz."""
        load = np.concatenate(self._parts)
        for at_s, curve in self._laid:
            first = max(0, round(at_s / DT_S))
            part = load[first : first + len(curve)]
            part += curve[: len(part)]
        for at_s, kg in self._lasting:
            load[max(0, round(at_s / DT_S)) :] += kg
        gusts = self._noise(len(load), 150) * self.wind_kg
        out: Array = load + gusts * (1 + np.clip(load, 0, 20000) / 20000)
        return out

    # Parts of it.

    def _add(self, part: Array) -> None:
        self._parts.append(part)
        self.t_s += len(part) * DT_S

    def _cells(self, way: Array) -> tuple[Array, list[tuple[int, float]]]:
        """What the load cells carry with the front axle at `way`, and where axles came on or went: (index, kg)."""
        if self.truck is None:
            return np.zeros(len(way)), []
        loads_kg = np.array(self.truck.axles_kg(self.goods_kg))[:, None]
        places = way[None, :] - np.array(self.truck.model.places_m)[:, None]
        on = np.clip(places / TYRE_M, 0, 1) * np.clip((self.deck_m - places) / TYRE_M, 0, 1)
        uneven = np.array([random.Random(f"{self.truck.plate} {axle}").uniform(-0.03, 0.03) for axle in range(len(on))])
        loads = loads_kg * on * (1 + uneven[:, None] * (1 - on.mean(axis=0)))  # the road beside the deck is not level
        steps = [
            (int(index), float(loads_kg[axle, 0]))
            for axle in range(len(on))
            for index in np.nonzero(np.diff((on[axle] > 0.5).astype(int)))[0]
        ]
        carried = self.prop.carries(places, loads) if self.prop else 0.0
        cells: Array = loads.sum(axis=0) - carried
        if self.prop is not None and on.mean(axis=0)[-1] == 1:
            self.carried_kg = float(loads.sum(axis=0)[-1] - cells[-1])
        return cells, steps

    def _bounces(self, steps: list[tuple[int, float]]) -> None:
        for index, kg in steps:
            self.axles_s.append(self.t_s + index * DT_S)
            self.bounce(self.t_s + index * DT_S, kg * self.rng.uniform(0.02, 0.1))

    def _noise(self, count: int, smooth: int) -> Array:
        """Noise of standard deviation 1, smooth over so many points."""
        noise = np.random.default_rng(self.rng.randrange(2**32)).standard_normal(count + smooth - 1)
        if smooth == 1:
            return noise
        total = np.cumsum(np.concatenate(([0.0], noise)))
        out: Array = (total[smooth:] - total[:-smooth]) / smooth**0.5
        return out


def _way(distance_m: float, speed: float, accel: float) -> Array:
    """Place over time of a truck that starts, rolls and stops."""
    length, sign = abs(distance_m), 1.0 if distance_m >= 0 else -1.0
    top = min(speed, (length * accel) ** 0.5)
    ramp_s, total_s = top / accel, length / top + top / accel
    time = np.arange(0, total_s + DT_S, DT_S)
    way = np.where(
        time < ramp_s,
        accel * time**2 / 2,
        np.where(
            time < total_s - ramp_s,
            top * (time - ramp_s / 2),
            length - accel * np.clip(total_s - time, 0, None) ** 2 / 2,
        ),
    )
    out: Array = sign * way
    return out
