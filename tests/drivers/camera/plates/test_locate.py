"""Finding plates in whole pictures: drawn scenes that no training saw, a region, and pictures that are hardly any."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera.plates.found import Corners, Image
from drivers.camera.plates.locate import MOST, Locator
from drivers.camera.plates_training.measure_locator import union_share
from drivers.camera.plates_training.scenes import Scene, make_plates, make_scene
from tests.reliability import choose_seed

PHOTOS = Path(__file__).parents[5] / "shared" / "plates"
SCENES = 30


@pytest.fixture(scope="module")
def locator() -> Locator:
    cv2.setNumThreads(1)
    return Locator()


def scenes(seed: int, count: int, plates_in_each: int) -> list[Scene]:
    rng = np.random.default_rng(seed)
    plates = make_plates(rng, 60)
    return [make_scene(rng, plates, 640, 480, count=plates_in_each) for _ in range(count)]


def same(found: Corners, plate: Corners) -> bool:
    return union_share(found, plate) >= 0.5


def fair(scene: Scene) -> bool:
    """One plate, at least 60 px long, that a person would see: not drowned in night or glare."""
    if len(scene.quads) != 1:
        return False
    quad = scene.quads[0]
    low, high = np.floor(quad.min(axis=0)).astype(int), np.ceil(quad.max(axis=0)).astype(int)
    part = scene.image[max(low[1], 0) : high[1], max(low[0], 0) : high[0]]
    return bool(np.linalg.norm(quad[1] - quad[0]) >= 60 and cv2.cvtColor(part, cv2.COLOR_BGR2GRAY).std() > 12)


def test_plates_of_drawn_scenes_are_found(locator: Locator) -> None:
    seed = choose_seed()
    fair_ones = [scene for scene in scenes(seed, SCENES, 1) if fair(scene)]
    first = of_three = rows = 0
    for scene in fair_ones:
        found = locator.find(scene.image)
        assert len(found) <= MOST
        first += bool(found) and same(found[0].corners, scene.quads[0])
        hits = [one for one in found[:3] if same(one.corners, scene.quads[0])]
        of_three += bool(hits)
        rows += bool(hits) and hits[0].rows == scene.rows[0]
    told = f"seed {seed}: of {len(fair_ones)} fair scenes {first} first, {of_three} of three, {rows} with their rows"
    assert len(fair_ones) >= SCENES // 6, told
    assert first >= 0.75 * len(fair_ones), told
    assert of_three >= 0.8 * len(fair_ones), told
    assert rows >= 0.75 * len(fair_ones), told


def test_finds_are_in_order_and_their_corners_run_clockwise_from_the_top_left(locator: Locator) -> None:
    for scene in scenes(5, 4, 2):
        found = locator.find(scene.image)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        for one in found:
            assert one.corners.shape == (4, 2) and one.corners.dtype == np.float32 and 0 <= one.score <= 1
            assert one.rows in (1, 2, None)
        for one in found[:1]:
            top_left, top_right, bottom_right, bottom_left = one.corners
            assert top_left[0] < top_right[0] and bottom_left[0] < bottom_right[0]
            assert top_left[1] < bottom_left[1] and top_right[1] < bottom_right[1]


def test_only_the_region_is_looked_at_and_its_finds_lie_in_the_picture(locator: Locator) -> None:
    """Twice the same scene side by side: with a region only one of the two is found, at its own place."""
    scene = next(s for s in scenes(9, 12, 1) if fair(s) and same_first(locator, s))
    both: Image = np.hstack([scene.image, scene.image])
    quad = scene.quads[0]
    for region, away in (((0, 0, 500, 1000), 0.0), ((500, 0, 500, 1000), 640.0)):
        found = locator.find(both, region)
        assert same(found[0].corners, (quad + np.array([away, 0], np.float32)).astype(np.float32))
        middles = [float(one.corners[:, 0].mean()) for one in found]
        assert all(away <= middle <= away + 640 for middle in middles)


def same_first(locator: Locator, scene: Scene) -> bool:
    found = locator.find(scene.image)
    return bool(found) and same(found[0].corners, scene.quads[0])


@pytest.mark.parametrize(
    "region", [(0, 0, 1001, 10), (-1, 0, 10, 10), (0, 0, 0, 10), (900, 0, 200, 10), (0, 990, 5, 11)]
)
def test_a_region_outside_the_picture_is_named(locator: Locator, region: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        locator.find(np.zeros((100, 100, 3), np.uint8), region)


@pytest.mark.parametrize("tone", [0, 114, 255])
def test_an_empty_picture_has_no_plate(locator: Locator, tone: int) -> None:
    assert locator.find(np.full((480, 640, 3), tone, np.uint8)) == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (2, 3000), (3000, 3), (20, 5000), (7, 7)])
def test_odd_pictures_are_looked_at_without_harm(locator: Locator, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert len(locator.find(noise)) <= MOST


def test_a_large_picture_is_looked_at_as_a_small_one(locator: Locator) -> None:
    scene = next(s for s in scenes(9, 12, 1) if fair(s) and same_first(locator, s))
    large = np.asarray(cv2.resize(scene.image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), np.uint8)
    assert same(locator.find(large)[0].corners, (scene.quads[0] * 4).astype(np.float32))


@pytest.mark.skipif(not (PHOTOS / "quads.json").exists(), reason="the photos are not part of the repository")
def test_plates_of_photos_are_found(locator: Locator) -> None:
    quads: dict[str, list[list[float]]] = json.loads((PHOTOS / "quads.json").read_text(encoding="utf-8"))
    names = sorted(quads)[::8]
    hits = 0
    for name in names:
        image = cv2.imdecode(np.frombuffer((PHOTOS / name).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        found = locator.find(np.asarray(image, np.uint8))
        hits += any(same(one.corners, np.array(quads[name], np.float32)) for one in found[:3])
    assert hits >= 0.9 * len(names)
