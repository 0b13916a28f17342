"""What the locator's nets are told to find is what lies in the scenes. Needs the training extra."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from drivers.camera.plates import rims
from drivers.camera.plates.found import overlap
from drivers.camera.plates_training.locator_net import PlateFinder, RimFinder, mean_positions
from drivers.camera.plates_training.locator_samples import guesses, place_batch, scene_batch
from drivers.camera.plates_training.scenes import make_plates


def test_a_finder_that_says_what_it_was_told_finds_the_plates() -> None:
    rng = np.random.default_rng(1)
    batch = scene_batch(rng, make_plates(rng, 10), 8)
    told = torch.cat([batch.heat[:, None], batch.rows[:, None], batch.corners], 1).numpy()
    first = guesses(told, batch.heat.numpy())[:, 0]
    with_plates = [(scene, guess) for scene, guess in zip(batch.scenes, first, strict=True) if len(scene.quads)]
    assert with_plates
    for scene, guess in with_plates:
        assert min(float(np.abs(guess - quad).max()) for quad in scene.quads) < 0.01


def test_the_second_guess_keeps_away_from_plates() -> None:
    rng = np.random.default_rng(2)
    batch = scene_batch(rng, make_plates(rng, 10), 8)
    output = np.random.default_rng(3).normal(size=(8, 10, *batch.heat.shape[1:])).astype(np.float32)
    output[:, 0] = batch.heat.numpy() * 10 + 0.1 * output[:, 0]
    seconds = guesses(output, batch.heat.numpy())[:, 1].mean(axis=1)
    for scene, middle in zip(batch.scenes, seconds, strict=True):
        for quad in scene.quads:
            assert np.abs(middle - quad.mean(axis=0)).max() > 8


def test_places_are_balanced_and_their_corners_lie_in_the_flat_picture() -> None:
    rng = np.random.default_rng(4)
    batch = scene_batch(rng, make_plates(rng, 10), 8)
    places = place_batch(rng, batch.scenes, np.zeros((8, 2, 4, 2), np.float32))
    assert 8 <= len(places.pictures) <= 16
    assert 0 < float(places.is_plate.sum()) <= len(places.pictures)
    corners = places.corners[places.is_plate == 1].numpy()
    assert ((corners >= 0) & (corners <= 1)).all()
    whole = np.array([[0.5, 0.5]] * 4) + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 3.2
    assert np.mean([overlap(one, whole.astype(np.float32)) for one in corners]) > 0.4


def test_the_nets_answer_in_the_shapes_that_the_product_reads() -> None:
    assert PlateFinder().eval()(torch.zeros(1, 3, 384, 512)).shape == (1, 10, 48, 64)
    kind, maps = RimFinder().eval()(torch.zeros(2, 3, rims.HEIGHT, rims.WIDTH))
    assert kind.shape == (2, 2) and maps.shape == (2, 4, 16, 32)
    ours = rims.mean_positions(maps.detach().numpy()) / (rims.WIDTH, rims.HEIGHT)
    assert np.allclose(ours, mean_positions(maps).detach().numpy(), atol=1e-5)
