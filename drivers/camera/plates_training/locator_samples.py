"""Scenes and places in them, as the tensors that the locator's two nets learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from drivers.camera.plates.found import Corners, grown, overlap
from drivers.camera.plates.rims import flatten
from drivers.camera.plates_training.backdrops import Picture
from drivers.camera.plates_training.locator_net import OUTPUTS, REACH_PX, RIM_HEIGHT, RIM_WIDTH, STRIDE
from drivers.camera.plates_training.scenes import Plate, Scene, make_scene, pose

WIDTH, HEIGHT = 256, 224
"""Pixels of a training scene: less than the net sees at work, so that there are more of them in an hour."""
NEAR = 0.35
"""Cells with more heat than this learn the corners."""
_SAME_PLATE = 0.25
_OTHER_PLACE = 0.1
_AWAY = 0.02
_NO_PLATE = -1
_PLACES_A_SCENE = 2
_ANYWHERE = 0.3
"""How often a place is drawn at random; the finder's own mistakes teach more."""


@dataclass(frozen=True, slots=True)
class SceneBatch:
    """`pictures` Nx3xHxW; at stride 8: `heat` NxHxW, `corners` Nx8xHxW, `rows` NxHxW (1 is two), and `weight` NxHxW.

    The weight is 0 where there is nothing to learn about corners, else `REACH_PX` over the plate's height.
    """

    scenes: Sequence[Scene]
    pictures: Tensor
    heat: Tensor
    corners: Tensor
    rows: Tensor
    weight: Tensor


@dataclass(frozen=True, slots=True)
class PlaceBatch:
    """`pictures` Nx3x64x128; `is_plate` and `two_rows` N of 0 or 1; `corners` Nx4x2 as shares of width and height."""

    pictures: Tensor
    is_plate: Tensor
    two_rows: Tensor
    corners: Tensor


def as_input(pictures: Sequence[Picture]) -> Tensor:
    """BGR pictures of one size as the nets take them: Nx3xHxW, RGB, -1..1, channels last in memory."""
    stacked = torch.from_numpy(np.stack(pictures)[..., ::-1].copy())
    scaled: Tensor = (stacked.float() / 127.5 - 1).permute(0, 3, 1, 2)
    return scaled


def scene_batch(rng: np.random.Generator, plates: Sequence[Plate], size: int) -> SceneBatch:
    """`size` new scenes with what is to be found in them."""
    scenes = [make_scene(rng, plates, WIDTH, HEIGHT) for _ in range(size)]
    height, width = scenes[0].image.shape[:2]
    goals = np.zeros((size, OUTPUTS + 1, height // STRIDE, width // STRIDE), np.float32)
    for goal, scene in zip(goals, scenes, strict=True):
        for quad, rows in zip(scene.quads, scene.rows, strict=True):
            _mark(goal, quad, int(rows))
    all_goals = torch.from_numpy(goals)
    heat, rows_map, weight, corners = all_goals[:, 0], all_goals[:, 1], all_goals[:, 2], all_goals[:, 3:]
    return SceneBatch(scenes, as_input([scene.image for scene in scenes]), heat, corners, rows_map, weight)


def _mark(goal: NDArray[np.float32], quad: Corners, rows: int) -> None:
    """Writes one plate into a scene's goal: heat, rows, weight and corners."""
    cells_high, cells_wide = goal.shape[1:]
    middle = quad.mean(axis=0)
    x = np.arange(cells_wide, dtype=np.float32)[None] * STRIDE + STRIDE / 2
    y = np.arange(cells_high, dtype=np.float32)[:, None] * STRIDE + STRIDE / 2
    long = float(np.linalg.norm(quad[1] + quad[2] - quad[0] - quad[3])) / 2
    high = float(np.linalg.norm(quad[3] + quad[2] - quad[0] - quad[1])) / 2
    reach_x, reach_y = max(0.13 * long, 6.0), max(0.2 * high, 6.0)
    heat = np.exp(-(((x - middle[0]) / reach_x) ** 2 + ((y - middle[1]) / reach_y) ** 2) / 2).astype(np.float32)
    column, row = (np.clip(middle // STRIDE, 0, (cells_wide - 1, cells_high - 1))).astype(int)
    heat[row, column] = 1.0
    mine = (heat > goal[0]) & (heat > NEAR)
    goal[0] = np.maximum(goal[0], heat)
    goal[1][mine] = rows - 1
    goal[2][mine] = REACH_PX / max(high, 6.0)
    for index, (corner_x, corner_y) in enumerate(quad):
        goal[3 + 2 * index][mine] = ((corner_x - x + 0 * y) / REACH_PX)[mine]
        goal[4 + 2 * index][mine] = ((corner_y - y + 0 * x) / REACH_PX)[mine]


def guesses(output: NDArray[np.float32], heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Two places a scene, Nx2x4x2 corners in pixels: the finder's hottest cell, and its hottest one away from plates.

    `output` is the finder's, Nx10xHxW; `heat` is what it should be, NxHxW.
    """
    count, _, _, wide = output.shape
    hot = output[:, 0]
    away = np.where(heat < _AWAY, hot, -np.inf)
    both = np.stack([hot.reshape(count, -1).argmax(axis=1), away.reshape(count, -1).argmax(axis=1)], axis=1)
    rows, columns = np.divmod(both, wide)
    middles = (np.stack([columns, rows], axis=2) * STRIDE + STRIDE / 2).astype(np.float32)
    corners = output[np.arange(count)[:, None], 2:, rows, columns].reshape(count, 2, 4, 2) * REACH_PX
    return np.asarray(middles[:, :, None] + corners, np.float32)


def place_batch(rng: np.random.Generator, scenes: Sequence[Scene], guessed: NDArray[np.float32]) -> PlaceBatch:
    """Places to look at again: every plate found badly on purpose, the finder's own guesses, places without a plate.

    At most `_PLACES_A_SCENE` times the scenes, drawn from all of these.
    """
    places: list[tuple[Scene, Corners, int]] = []
    for scene, its_guesses in zip(scenes, guessed, strict=True):
        places += [(scene, _jittered(rng, quad), index) for index, quad in enumerate(scene.quads)]
        candidates = [*its_guesses, _anywhere(rng, scene)] if rng.random() < _ANYWHERE else list(its_guesses)
        places += [(scene, one, index) for one in candidates if (index := _whose(scene, one)) is not None]
    pictures: list[Picture] = []
    labels: list[tuple[float, float, NDArray[np.float32]]] = []
    for pick in rng.permutation(len(places)):
        scene, corners, index = places[pick]
        sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
        if sides.min() < 3 or sides.max() > 2000:
            continue
        picture, to_flat = flatten(scene.image, corners)
        pictures.append(picture)
        if index == _NO_PLATE:
            labels.append((0.0, 0.0, np.zeros((4, 2), np.float32)))
        else:
            flat = cv2.perspectiveTransform(scene.quads[index][None], to_flat)[0]
            share = (np.asarray(flat) / (RIM_WIDTH, RIM_HEIGHT)).clip(0, 1).astype(np.float32)
            labels.append((1.0, float(scene.rows[index] - 1), share))
        if len(pictures) == _PLACES_A_SCENE * len(scenes):
            break
    plate, rows, goals = zip(*labels, strict=True)
    return PlaceBatch(as_input(pictures), torch.tensor(plate), torch.tensor(rows), torch.from_numpy(np.stack(goals)))


def _whose(scene: Scene, corners: Corners) -> int | None:
    """Which plate these corners are about: its index, `_NO_PLATE`, or None where it is hard to say."""
    shares = [overlap(corners, quad) for quad in scene.quads]
    if not shares or max(shares) < _OTHER_PLACE:
        return _NO_PLATE
    return int(np.argmax(shares)) if max(shares) > _SAME_PLATE else None


def _jittered(rng: np.random.Generator, quad: Corners) -> Corners:
    """The corners as a careless finder gives them: moved, grown or cut, turned, and each a little off by itself."""
    long = float(np.linalg.norm(quad[1] + quad[2] - quad[0] - quad[3])) / 2
    high = float(np.linalg.norm(quad[3] + quad[2] - quad[0] - quad[1])) / 2
    ease = rng.uniform(0.2, 1.0)
    corners = grown(quad, float(np.exp(rng.normal(0, 0.12 * ease))), float(np.exp(rng.normal(0, 0.18 * ease))))
    turn = rng.normal(0, 0.08 * ease)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle = corners.mean(axis=0)
    moved = rng.normal(0, (0.06 * long * ease, 0.14 * high * ease)) + rng.normal(0, 0.07 * high * ease, (4, 2))
    return ((corners - middle) @ spin + middle + moved).astype(np.float32)


def _anywhere(rng: np.random.Generator, scene: Scene) -> Corners:
    height, width = scene.image.shape[:2]
    long = float(np.exp(rng.uniform(np.log(24), np.log(200))))
    middle = rng.uniform(0, (width, height), 2)
    return np.asarray(pose(rng, long, float(rng.choice([2.0, 3.14]))) + middle, np.float32)
