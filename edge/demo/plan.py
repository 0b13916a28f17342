"""Who comes to load, with what in mind: a seeded list of trucks, each with the part it plays. Pure.

Masses kg on the scale's divisions, money fen, prices fen per tonne.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sync.road_limits import road_limit_kg
from sync.units import amount_fen

DIVISION_KG = 20
PRODUCTS = (("冶金焦 25-60 mm", 1, 198_000), ("焦粉", 2, 86_000), ("冶金焦 60-80 mm", 3, 205_500))
CUSTOMERS = (
    ("C001", "孝丰建材有限公司"),
    ("C002", "湖州示例铸造有限公司"),
    ("C003", "安吉石灰厂"),
    ("C004", "长兴示例钢铁有限公司"),
    ("C005", "德清热处理厂"),
)
CARRIERS = ("顺达运输队", "浙北货运站")
SALESMEN = ("王业务", "陈业务")
_VEHICLES = (
    (6, True, 14_200, 16_400), (6, True, 14_200, 16_400), (5, True, 13_000, 14_600), (4, False, 11_400, 12_600),
)  # fmt: skip
"""Axles, articulated, least and most tare in kg."""
_PROVINCES = ("浙A", "浙B", "浙E", "浙F", "苏E", "皖P", "沪A", "赣G")
_PLATE_CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


class Part(StrEnum):
    """What is special about a truck's visit."""

    PLAIN = "plain"
    TOPS_UP = "tops_up"
    """Loads more than is paid; finance books another payment, and the hold clears by itself."""
    UNLOADS = "unloads"
    """Loads more than is paid and takes the excess off again."""
    OVERLOAD = "overload"
    """Loads more than the road allows."""
    FORGED_PASS = "forged_pass"
    USED_PASS = "used_pass"
    """Comes back with a copy of the pass that has been used."""
    OTHER_PLATE = "other_plate"
    """Another truck shows this truck's pass first."""
    LEAVES_EMPTY = "leaves_empty"
    VOIDED = "voided"
    """The ticket is made void before the truck leaves; its pass is shown at the gate all the same."""
    CANCELLED = "cancelled"


SPECIAL = (
    Part.TOPS_UP, Part.UNLOADS, Part.OVERLOAD, Part.FORGED_PASS, Part.USED_PASS, Part.OTHER_PLATE, Part.LEAVES_EMPTY,
    Part.VOIDED, Part.CANCELLED,
)  # fmt: skip
"""In the order in which a short run takes them: half of the trucks are plain."""
_NEEDS_LINK = frozenset({Part.TOPS_UP})
_OVER_BALANCE = frozenset({Part.TOPS_UP, Part.UNLOADS})


@dataclass(frozen=True, slots=True)
class Order:
    """One truck's visit as it is meant to go."""

    index: int
    notice: str
    plate: str
    part: Part
    mode: str
    customer_id: str
    customer_name: str
    product: str
    product_code: int
    price_fen_per_t: int
    axles: int
    articulated: bool
    tare_kg: int
    wish_net_kg: int
    """How much the driver would like to load."""
    limit_kg: int | None
    funds_kg: int
    """For so much money is paid (or credit approved) for this visit."""
    excess_kg: int
    """By how much an over-balance or overload truck goes over."""

    @property
    def funds_fen(self) -> int:
        """What is paid for this visit."""
        return amount_fen(self.funds_kg, self.price_fen_per_t)

    @property
    def road_limit_kg(self) -> int:
        """Legal gross mass."""
        return road_limit_kg(self.axles, self.articulated)


def thirds(trucks: int) -> tuple[int, int]:
    """First and last-but-one index of the middle third, during which the link is cut; equal when there is none."""
    third = trucks // 3
    return third, trucks - third if third else third


def plan(trucks: int, seed: int) -> list[Order]:
    """A run of so many trucks: every special part once where there is room, the rest plain, all sale modes."""
    dice = random.Random(seed)
    begin, end = thirds(trucks)
    parts = [Part.PLAIN] * trucks
    for part in SPECIAL[: trucks // 2]:
        free = [at for at, taken in enumerate(parts) if taken is Part.PLAIN]
        linked = [at for at in free if not begin <= at < end]
        parts[dice.choice(linked if part in _NEEDS_LINK else free)] = part
    maker = _Maker(dice, seed)
    return [maker.order(index, part) for index, part in enumerate(parts)]


def endless(seed: int) -> Iterator[Order]:
    """Trucks for ever: about every third one special, all parts in turn."""
    dice = random.Random(seed)
    maker = _Maker(dice, seed)
    specials: list[Part] = []
    index = 0
    while True:
        special = index > 0 and dice.random() < 0.4
        if special and not specials:
            specials = list(SPECIAL)
        yield maker.order(index, specials.pop(0) if special else Part.PLAIN)
        index += 1


class _Maker:
    """Draws one truck after another; no plate twice."""

    def __init__(self, dice: random.Random, seed: int) -> None:
        self._dice = dice
        self._seed = seed
        self._plates: set[str] = set()
        self._plain = 0

    def order(self, index: int, part: Part) -> Order:
        """The next truck."""
        dice = self._dice
        axles, articulated, lightest_kg, heaviest_kg = dice.choice(_VEHICLES)
        if part in _OVER_BALANCE:
            axles, articulated, lightest_kg, heaviest_kg = _VEHICLES[0]
        tare_kg = _grid(dice.randint(lightest_kg, heaviest_kg))
        room_kg = road_limit_kg(axles, articulated) - tare_kg
        wish_kg = _grid(room_kg - dice.randint(0, 6_000))
        mode = self._mode(part)
        product, code, price = dice.choice(PRODUCTS)
        limit_kg = _grid(dice.randint(16_000, room_kg)) if part is Part.PLAIN and dice.random() < 0.3 else None
        customer_id, name = dice.choice(CUSTOMERS)
        if part in _OVER_BALANCE:
            # Their own accounts: how far they go over must not depend on what others left there.
            customer_id, name = f"D{index + 1:03}", f"散户{index + 1}号({name[:2]})"
        # No truck holds more than three quarters of its gross limit: head office reserves as much.
        most_kg = limit_kg or road_limit_kg(axles, articulated) * 3 // 4
        paid_kg = _grid(dice.randint(18_000, 24_000)) if part in _OVER_BALANCE else most_kg
        return Order(
            index=index,
            notice=f"FH{self._seed % 1000:03}-{index + 1:05}",
            plate=self._plate(),
            part=part,
            mode=mode,
            customer_id=customer_id,
            customer_name=name,
            product=product,
            product_code=code,
            price_fen_per_t=price,
            axles=axles,
            articulated=articulated,
            tare_kg=tare_kg,
            wish_net_kg=wish_kg,
            limit_kg=limit_kg,
            funds_kg=paid_kg,
            excess_kg=_grid(dice.randint(200, 2_600)),
        )

    def _mode(self, part: Part) -> str:
        if part in _OVER_BALANCE:
            return "prepaid"
        self._plain += 1
        return ("prepaid", "credit", "consigned", "prepaid")[self._plain % 4 - 1]

    def _plate(self) -> str:
        while True:
            tail = "".join(self._dice.choice(_PLATE_CHARACTERS[:-10]) for _ in range(self._dice.randint(0, 1)))
            tail += "".join(self._dice.choice(_PLATE_CHARACTERS[-10:]) for _ in range(5 - len(tail)))
            plate = self._dice.choice(_PROVINCES) + tail
            if plate not in self._plates:
                self._plates.add(plate)
                return plate


def _grid(mass_kg: int) -> int:
    return mass_kg // DIVISION_KG * DIVISION_KG
