"""Trucks of a bulk yard: axles, tares, loads and how their tares spread from visit to visit.

Axle spacings and masses: GB 1589-2016 (31 t four axles, 49 t six axles) and data sheets of common 8×4 dumpers and 6×4
tractors with side-wall trailers. A full tank more or less: two 400 l tanks, 0.84 kg/l, is ±340 kg.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """One kind of truck: axle places behind the front axle in m, how the tare and the goods lie on them."""

    places_m: tuple[float, ...]
    tare_share: tuple[float, ...]
    load_share: tuple[float, ...]
    tare_kg: tuple[int, int]
    gross_kg: int


MODELS = (
    Model((0, 3.3), (0.55, 0.45), (0.25, 0.75), (2700, 3400), 7500),
    Model((0, 3.8, 5.15), (0.38, 0.31, 0.31), (0.12, 0.44, 0.44), (9500, 12000), 25000),
    Model((0, 1.9, 5.2, 6.55), (0.27, 0.25, 0.24, 0.24), (0.12, 0.14, 0.37, 0.37), (12000, 15500), 31000),
    Model(
        (0, 3.6, 9.8, 11.1, 12.4), (0.38, 0.22, 0.135, 0.135, 0.13), (0.06, 0.25, 0.23, 0.23, 0.23), (13000, 15500),
        43000,
    ),
    Model(
        (0, 3.3, 4.65, 10.5, 11.8, 13.1), (0.33, 0.16, 0.16, 0.12, 0.115, 0.115), (0.05, 0.19, 0.19, 0.19, 0.19, 0.19),
        (14000, 17500), 49000,
    ),
)  # fmt: skip
OFTEN = (4, 10, 36, 15, 35)
EARLIER = (0, 1, 2, 3, 4, 6, 9, 14, 20)


@dataclass(frozen=True)
class Truck:
    """One truck on one visit: its axles carry `tare_kg` (with today's fuel, mud and cab) and later the goods."""

    plate: str
    model: Model
    tare_kg: float
    history_kg: tuple[int, ...]

    def axles_kg(self, goods_kg: float) -> list[float]:
        """Load of each axle."""
        model = self.model
        return [
            self.tare_kg * own + goods_kg * part for own, part in zip(model.tare_share, model.load_share, strict=True)
        ]


def today_kg(rng: random.Random) -> float:
    """How far this visit's tare is from the truck's own: fuel, mud or snow, a passenger."""
    fuel = rng.uniform(-340, 340) if rng.random() < 0.8 else rng.uniform(-400, 400)
    mud = rng.uniform(0, 250) if rng.random() < 0.3 else 0.0
    return fuel + mud + (rng.uniform(55, 100) if rng.random() < 0.25 else 0.0)


def make_truck(rng: random.Random, division_kg: int, *, at_least: int = 0, heavier_kg: float = 0.0) -> Truck:
    """A truck with its earlier tares (`at_least` of them); `heavier_kg` is what a cheat brought along today."""
    model = rng.choices(MODELS, OFTEN)[0]
    own = rng.uniform(*model.tare_kg)
    scale = min(1.0, own / 9000)  # a small truck has a small tank and carries little mud
    earlier = rng.choice([count for count in EARLIER if count >= at_least])
    history = tuple(round((own + scale * today_kg(rng)) / division_kg) * division_kg for _ in range(earlier))
    plate = f"浙F{rng.randrange(10000, 99999)}"
    return Truck(plate, model, own + scale * today_kg(rng) + heavier_kg, history)
