"""Where the lines between the answers are drawn: figures of the shipped nets, chosen by
`python -m drivers.camera.plates_training.choose_thresholds` and kept beside them."""

import math
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MODELS = Path(__file__).parent / "models"
SHIPPED_READER = MODELS / "reader.onnx"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All in nat (natural logarithm of a likelihood), but for what says otherwise.

    `temperature`: the reading net's logits are divided by it, so that it is as sure as it is often right.
    `margin`: never above 0, for an expected plate must lead every plate that nobody expects: by so much below 0.
    `lead`: so far it must be ahead of every other expected plate.
    `plate`: the least mean log-likelihood a character of a plate has; below there is no plate.
    """

    temperature: float
    margin: float
    lead: float
    plate: float


_ALLOWED = {"temperature": (0.1, 10), "margin": (-20, 0), "lead": (0, 20), "plate": (-20, 0)}


@lru_cache(maxsize=4)
def shipped(path: Path = MODELS / "thresholds.toml") -> Thresholds:
    """The thresholds beside the nets. OSError or ValueError when the file is damaged, or says what cannot be meant."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        limits = Thresholds(**{name: float(told[name]) for name in Thresholds.__slots__})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    for name, (least, most) in _ALLOWED.items():
        value = getattr(limits, name)
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError(f"{path}: {name} = {value}; allowed: {least:g} to {most:g}")
    return limits
