"""Random plate texts: every province equally often, whatever the roads of one city show."""

from dataclasses import dataclass

import numpy as np

from drivers.camera.plates.alphabet import DIGITS, LETTERS, PROVINCES
from drivers.readings import PlateColor


@dataclass(frozen=True)
class Plate:
    """What a plate says, its colour, and in how many rows."""

    text: str
    color: PlateColor
    rows: int = 1


_SHARES: dict[str, float] = {
    "blue": 0.47,
    "yellow": 0.14,
    "two_rows": 0.15,
    "green_small": 0.10,
    "green_large": 0.06,
    "white": 0.05,
    "black": 0.03,
}
KINDS = tuple(_SHARES)
_CUMULATED = np.cumsum(list(_SHARES.values()))


def _one(rng: np.random.Generator, of: str) -> str:
    return of[int(rng.integers(len(of)))]


def _serial(rng: np.random.Generator, length: int) -> str:
    """Digits with up to three letters among them, every sign about equally often over many plates."""
    signs = [_one(rng, DIGITS) for _ in range(length)]
    for place in rng.permutation(length)[: int(rng.integers(0, min(4, length)))]:
        signs[place] = _one(rng, LETTERS)
    return "".join(signs)


def random_plate(rng: np.random.Generator, kind: str | None = None) -> Plate:
    """A plate of `kind` (one of KINDS), or of a kind drawn by its share."""
    if kind is None:
        kind = KINDS[min(int(np.searchsorted(_CUMULATED, rng.random())), len(KINDS) - 1)]
    office = _one(rng, LETTERS)
    if kind in ("blue", "black") and rng.random() < 0.02:
        office = "0"  # the O of old police plates; the face has one shape for both
    head = _one(rng, PROVINCES) + office
    if kind == "blue":
        return Plate(head + _serial(rng, 5), PlateColor.BLUE)
    if kind == "yellow":
        learner = rng.random() < 0.2
        return Plate(head + (_serial(rng, 4) + "学" if learner else _serial(rng, 5)), PlateColor.YELLOW)
    if kind == "two_rows":
        trailer = rng.random() < 0.45
        return Plate(head + (_serial(rng, 4) + "挂" if trailer else _serial(rng, 5)), PlateColor.YELLOW, rows=2)
    if kind == "green_small":
        mark = _one(rng, "DF") if rng.random() < 0.65 else _one(rng, "ABCEGHJK")
        return Plate(head + mark + _serial(rng, 1) + "".join(_one(rng, DIGITS) for _ in range(4)), PlateColor.GREEN)
    if kind == "green_large":
        mark = _one(rng, "DF") if rng.random() < 0.65 else _one(rng, "ABCEGHJK")
        return Plate(head + "".join(_one(rng, DIGITS) for _ in range(5)) + mark, PlateColor.GREEN)
    if kind == "white":
        return Plate(head + _serial(rng, 4) + "警", PlateColor.WHITE)
    return _black(rng, head)


def _black(rng: np.random.Generator, head: str) -> Plate:
    draw = rng.random()
    if draw < 0.6:
        return Plate("粤Z" + _serial(rng, 4) + _one(rng, "港澳"), PlateColor.BLACK)
    if draw < 0.75:
        return Plate("使" + "".join(_one(rng, DIGITS) for _ in range(6)), PlateColor.BLACK)
    if draw < 0.85:
        return Plate("京A" + "".join(_one(rng, DIGITS) for _ in range(4)) + "使", PlateColor.BLACK)
    return Plate(head + _serial(rng, 4) + "领", PlateColor.BLACK)
