"""Where the plate lies in the crop that the reader gets: four corners that are a little off, or an upright box."""

import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float32]
"""4x2: where the plate's corners lie in the crop, as shares of its width and height."""
Rng = np.random.Generator


def by_corners(rng: Rng, rows: int, level: float) -> Quad:
    """As a finder of corners leaves it: grown, or cut into the rim, with a rest of tilt."""
    if rows == 2:
        across, down = rng.uniform(-0.04, 0.06), rng.uniform(-0.05, 0.08)
    elif rng.random() < 0.35:
        across, down = rng.uniform(-0.045, 0.01), rng.uniform(-0.15, 0.02)
    else:
        across, down = rng.uniform(-0.03, 0.07), rng.uniform(-0.06, 0.18)
    left, right = np.clip(rng.normal(across, 0.015, 2), -0.045, 0.12) * level
    top, bottom = np.clip(rng.normal(down, 0.03, 2), -0.16 if rows == 1 else -0.06, 0.3) * level
    slope = rng.normal(0, 0.06 if rows == 1 else 0.03) * level
    lean = rng.normal(0, 0.02) * level
    quad = np.array(
        [
            [left + lean, top - slope],
            [1 - right + lean, top + slope],
            [1 - right - lean, 1 - bottom + slope],
            [left - lean, 1 - bottom - slope],
        ]
    )
    quad += rng.normal(0, 1, (4, 2)) * np.array([0.006, 0.022 if rows == 1 else 0.012]) * level
    return quad.astype(np.float32)


def by_box(rng: Rng, ratio: float, rows: int, level: float) -> tuple[Quad, float]:
    """As an upright box round a plate seen from the side leaves it, and the box's height as a share of its width.

    `ratio` is the plate's own height by width.
    """
    half = np.array([rng.uniform(0.6, 1.05), ratio]) / 2
    plate = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    turn = np.clip(rng.normal(0, 0.09 if rng.random() < 0.5 else 0.2), -0.4, 0.4) * level * (1 if rows == 1 else 0.5)
    plate[:, 0] += np.clip(rng.normal(0, 0.15 if rng.random() < 0.5 else 0.4), -0.75, 0.75) * level * plate[:, 1]
    plate[:, 1] += np.tan(turn) * plate[:, 0]
    squeeze = 1 + rng.normal(0, 0.08) * level * np.sign(plate[:, 0])
    plate[:, 1] = plate[:, 1] * squeeze
    plate += rng.normal(0, 0.006, (4, 2)) * level
    low, high = plate.min(axis=0), plate.max(axis=0)
    size = high - low
    low = low - rng.uniform(-0.02, 0.05, 2) * size * level
    high = high + rng.uniform(-0.02, 0.05, 2) * size * level
    size = high - low
    return ((plate - low) / size).astype(np.float32), float(size[1] / size[0])
