"""The drawn scenes: they follow from their seed, plates lie where they say, and plate-free ones have none."""

import cv2
import numpy as np

from drivers.camera.plates_training.scenes import make_plates, make_scene, pose

WIDTH, HEIGHT = 320, 256


def test_a_scene_follows_from_its_seed() -> None:
    def scene(seed: int) -> tuple[bytes, bytes]:
        rng = np.random.default_rng(seed)
        made = make_scene(rng, make_plates(rng, 4), WIDTH, HEIGHT, count=1)
        return made.image.tobytes(), made.quads.tobytes()

    assert scene(3) == scene(3)
    assert scene(3) != scene(4)


def test_plates_lie_in_the_picture_clockwise_from_the_top_left_corner() -> None:
    rng = np.random.default_rng(7)
    plates = make_plates(rng, 20)
    seen = 0
    for _ in range(40):
        scene = make_scene(rng, plates, WIDTH, HEIGHT)
        assert scene.image.shape == (HEIGHT, WIDTH, 3) and scene.image.dtype == np.uint8
        assert len(scene.quads) == len(scene.rows) <= 3
        for quad in scene.quads:
            seen += 1
            assert (quad >= -0.01).all() and (quad <= (WIDTH + 0.01, HEIGHT + 0.01)).all()
            top_left, top_right, bottom_right, bottom_left = quad
            assert top_left[0] < top_right[0] and bottom_left[0] < bottom_right[0]
            assert top_left[1] < bottom_left[1] and top_right[1] < bottom_right[1]
            assert cv2.isContourConvex(quad)
    assert seen > 20


def test_the_corners_are_the_plates_own() -> None:
    """Laid flat by its corners, the plate in a scene looks like the plate that was laid in; moved corners do not."""
    rng = np.random.default_rng(11)
    alike: list[float] = []
    moved: list[float] = []
    for _ in range(80):
        plates = make_plates(rng, 1)
        scene = make_scene(rng, plates, WIDTH, HEIGHT, count=1)
        if not len(scene.quads) or np.linalg.norm(scene.quads[0][1] - scene.quads[0][0]) < 80:
            continue
        face = cv2.cvtColor(plates[0].face, cv2.COLOR_BGR2GRAY)
        grey = cv2.cvtColor(scene.image, cv2.COLOR_BGR2GRAY)
        size = face.shape[::-1]
        goal = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
        high = np.linalg.norm(scene.quads[0][3] - scene.quads[0][0])
        for quad, into in ((scene.quads[0], alike), (scene.quads[0] + np.float32(0.4 * high), moved)):
            flat = cv2.warpPerspective(grey, cv2.getPerspectiveTransform(quad.astype(np.float32), goal), size)
            into.append(abs(float(np.corrcoef(flat.ravel(), face.ravel())[0, 1])) if flat.std() > 1 else 0.0)
    assert len(alike) > 20
    assert np.median(alike) > 0.7
    assert np.median(moved) < 0.3


def test_a_plate_free_scene_has_no_corners() -> None:
    rng = np.random.default_rng(2)
    scene = make_scene(rng, make_plates(rng, 2), WIDTH, HEIGHT, count=0)
    assert scene.quads.shape == (0, 4, 2)


def test_a_pose_keeps_the_plates_size_and_reading_direction() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        quad = pose(rng, 100.0, 440 / 140)
        assert 20 < np.linalg.norm(quad[1] - quad[0]) < 180
        assert quad[1][0] > quad[0][0]
