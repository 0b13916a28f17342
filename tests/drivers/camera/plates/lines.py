"""Lines as the reading net gives them, made by hand: what is seen at each of 32 steps."""

from collections.abc import Mapping

import numpy as np

from drivers.camera.plates.alphabet import CHARACTERS, CLASS_OF
from drivers.camera.plates.likelihood import Line

STEPS = 32


def line_of(text: str, sure: float = 0.97, unsure: Mapping[int, tuple[str, float]] | None = None) -> Line:
    """A line that reads `text`, each character at two steps and `sure` there.

    `unsure` gives, for the character at a place, another character ("" for none) that has this probability in its
    stead; the right one gets nearly all the rest.
    """
    left = 1 - sure
    seen = np.full((STEPS, len(CHARACTERS)), left / (len(CHARACTERS) - 1))
    seen[:, 0] = sure
    apart = (STEPS - 2) / len(text)
    for at, character in enumerate(text):
        step = 1 + round(at * apart)
        rows = slice(step, step + 2)
        seen[rows] = left / (len(CHARACTERS) - 1)
        rival, share = (unsure or {}).get(at, ("", 0.0))
        seen[rows, CLASS_OF[character]] = sure - share
        if share:
            seen[rows, CLASS_OF[rival] if rival else 0] = share
    return np.asarray(np.log(seen / seen.sum(axis=1, keepdims=True)), np.float32)
