"""A found place laid flat with some of its surroundings, for the net that looks for the plate's rim.

The same function makes the training pictures, so the net sees at work what it saw at school.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.found import Corners, Image, grown

WIDTH, HEIGHT = 128, 64
"""Pixels of the flat picture."""
ALONG, ACROSS = 1.4, 1.7
"""How much longer and higher than the found place it is."""


def flatten(image: Image, corners: Corners) -> tuple[Image, NDArray[np.float64]]:
    """The place and its surroundings as `HEIGHT` x `WIDTH` x 3 BGR, and the 3x3 matrix from picture to flat pixels."""
    goal = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    around = grown(corners, ALONG, ACROSS)
    to_flat = np.asarray(cv2.getPerspectiveTransform(around, goal), np.float64)
    fine = int(np.clip(round(float(np.linalg.norm(around[1] - around[0])) / WIDTH), 1, 4))
    # pixel middles lie half a pixel from the corners that the matrix speaks of
    half_in = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    half_out = np.array([[fine, 0, -0.5], [0, fine, -0.5], [0, 0, 1]])
    warp = half_out @ to_flat @ half_in
    flat = cv2.warpPerspective(image, warp, (WIDTH * fine, HEIGHT * fine), borderMode=cv2.BORDER_REPLICATE)
    if fine > 1:
        flat = cv2.resize(flat, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(flat, np.uint8), to_flat


def mean_positions(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """The net's Nx4xHxW maps to Nx4x2 corners in flat pixels: the mean position under each map's softmax."""
    count, corners, high, wide = maps.shape
    flat = maps.reshape(count, corners, -1)
    weights = np.exp(flat - flat.max(axis=2, keepdims=True))
    weights = (weights / weights.sum(axis=2, keepdims=True)).reshape(maps.shape)
    across = (np.arange(wide, dtype=np.float32) + 0.5) * (WIDTH / wide)
    down = (np.arange(high, dtype=np.float32) + 0.5) * (HEIGHT / high)
    return np.stack([weights.sum(axis=2) @ across, weights.sum(axis=3) @ down], axis=2).astype(np.float32)
