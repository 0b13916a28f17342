"""Pictures with plates drawn by ourselves: the default run needs no photograph."""

import cv2
import numpy as np

from drivers.camera.plates.face import draw_face
from drivers.camera.plates.found import Image
from drivers.readings import PlateColor

WIDTH, HEIGHT = 800, 600


def yard(seed: int = 1) -> Image:
    """An empty lane: sky, wall, ground, a grille and a lamp, with a camera's noise."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    picture[:] = np.linspace(190, 90, HEIGHT, dtype=np.float32)[:, None, None]
    cv2.rectangle(picture, (120, 90), (690, 520), (70, 75, 90), -1)
    for y in range(300, 350, 12):
        cv2.rectangle(picture, (260, y), (540, y + 6), (25, 25, 30), -1)
    cv2.circle(picture, (170, 400), 40, (200, 220, 230), -1)
    cv2.circle(picture, (640, 400), 40, (200, 220, 230), -1)
    picture += np.random.default_rng(seed).normal(0, 3, picture.shape)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0).clip(0, 255), np.uint8)


def photo(
    text: str, color: PlateColor, *, rows: int = 1, width: float = 150, tilt: float = 0.0, light: float = 1.0
) -> Image:
    """The lane with a plate of this width in pixels, leaning by `tilt` degrees, `light` times as bright."""
    face, _ = draw_face(text, color, px_per_mm=1.0, rows=rows)
    picture = yard()
    high, wide = face.shape[:2]
    scale, lean = width / wide, np.deg2rad(tilt)
    across = np.array([np.cos(lean), np.sin(lean)]) * width
    down = np.array([-np.sin(lean) * 0.6, np.cos(lean)]) * high * scale
    first = np.array([WIDTH / 2, 440.0]) - (across + down) / 2
    target = np.array([first, first + across, first + across + down, first + down], np.float32)
    source = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    # The face is averaged down first: warping alone would skip its pixels.
    small = cv2.resize(face, None, fx=min(1.0, 2 * scale), fy=min(1.0, 2 * scale), interpolation=cv2.INTER_AREA)
    source *= np.array([small.shape[1] / wide, small.shape[0] / high], np.float32)
    way = cv2.getPerspectiveTransform(source, target)
    laid = cv2.warpPerspective(small, way, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    where = cv2.warpPerspective(np.full(small.shape[:2], 255, np.uint8), way, (WIDTH, HEIGHT)) > 127
    picture[where] = laid[where]
    lit = cv2.GaussianBlur(picture, (3, 3), 0.6).astype(np.float32) * light
    lit += np.random.default_rng(2).normal(0, 2, lit.shape)
    return np.asarray(lit.clip(0, 255), np.uint8)
