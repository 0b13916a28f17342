"""The virtual camera's picture: a truck that drives up to the gate, by day, by night or in rain, or the empty lane.

Everything that does not move is drawn once; a frame is a warped truck on the yard, what the weather does to it, the
sensor's noise (no two frames are the same) and the camera's own clock.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.jpeg_comment import plate_comment, with_comment
from drivers.camera.plates.alphabet import canonical
from drivers.camera.plates.found import Image
from drivers.camera.scene_truck import LEFT_MM, PX_PER_MM, TOP_MM, Sprite, truck
from drivers.camera.scene_yard import FAR_X, HEIGHT, HORIZON, WIDTH, Plane, Weather, pixels, tone, yard
from drivers.readings import PlateColor, PlateReading

__all__ = ["HEIGHT", "WIDTH", "Scene", "Weather", "draw", "plate_color", "prepare"]

_QUALITY = 84
_FAR, _NEAR = 0.21, 0.335
"""Pixels for a millimetre where the truck comes into sight, and where it stands."""
_NEAR_Y = 676.0
"""Row of the wheels where it stands."""
_EYE_MM = 9000.0
"""From the camera to the truck: how strongly a turned truck shrinks towards one side."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What stands before the camera. `near_permille`: 0 far away, 1000 at the barrier.

    `reads` is what a camera that is not sure of the plate reads (for type = "simulated").
    """

    plate: PlateReading | None = None
    weather: Weather = Weather.DAY
    near_permille: int = 1000
    reads: str | None = None


def plate_color(text: str) -> PlateColor:
    """The usual colour of a goods vehicle's plate: eight characters are new energy (green), seven are yellow."""
    return PlateColor.GREEN if len(text.replace("·", "")) == 8 else PlateColor.YELLOW


def prepare(scene: Scene) -> None:
    """Draw once what stays the same, so that the frames of this scene come quickly."""
    yard(scene.weather)
    _noise(scene.weather is Weather.NIGHT)
    if scene.plate is not None:
        text = canonical(scene.plate.text)
        truck(text, scene.plate.color or plate_color(text))


def draw(scene: Scene, number: int = 0, at: datetime | None = None) -> bytes:
    """One frame as JPEG; `number` counts frames, `at` is the camera's clock.

    The plate stands in the picture and, for type = "simulated", in its comment.
    """
    image = yard(scene.weather).copy()
    comment = b""
    if scene.plate is not None:
        box = _drive_up(image, scene, scene.plate, number)
        read = scene.plate
        if scene.reads is not None:
            read = replace(read, text=scene.reads, box=box)
        comment = plate_comment(read, unsure=scene.reads is not None)
    if scene.weather is Weather.RAIN:
        _rain(image, number)
    image = _sensor(image, scene.weather, number)
    _clock(image, at or datetime.now(UTC), number)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    jpeg = data.tobytes()
    return with_comment(jpeg, comment) if comment else jpeg


def _drive_up(image: Image, scene: Scene, plate: PlateReading, number: int) -> tuple[int, int, int, int]:
    """Draws the truck; returns the box of its plate: x, y, width, height."""
    text = canonical(plate.text)
    sprite = truck(text, plate.color or plate_color(text))
    warp = _warp(text, scene.near_permille, number)
    _shadow(image, warp, scene.weather)
    paint = pixels(cv2.warpPerspective(sprite.paint, warp, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR))
    cover = cv2.warpPerspective(sprite.cover, warp, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    if scene.weather is not Weather.DAY:
        paint = _lit(paint, scene.weather)
    cv2.multiply(image, cv2.bitwise_not(cover), image, 1 / 255)
    cv2.add(image, paint, image)
    if scene.weather is not Weather.DAY:
        _lamps(image, sprite, warp, scene.weather)
    corners = cv2.perspectiveTransform(sprite.plate[None], warp)[0]
    x, y, width, height = cv2.boundingRect(corners)
    return x, y, width, height


def _warp(text: str, near_permille: int, number: int) -> Plane:
    """From the sprite's pixels to the picture's: size and place by the distance, turned as this driver stands."""
    random = np.random.default_rng(list(text.encode("utf-8")))
    yaw, roll = random.uniform(-0.2, 0.2), random.uniform(-0.025, 0.025)
    aside_mm = random.uniform(-260, 260)
    near = near_permille / 1000
    scale = _FAR + (_NEAR - _FAR) * near
    part = scale / _NEAR
    y0 = HORIZON + (_NEAR_Y - HORIZON) * part + 1.5 * np.sin(number * 1.7) * (near < 1)
    x0 = FAR_X - (FAR_X - 640) * part + aside_mm * scale
    corners = []
    sprite = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    for u, v in sprite:
        x_mm, y_mm = LEFT_MM * (1 - 2 * u), TOP_MM * (1 - v)
        away = x_mm * np.sin(yaw) + y_mm * 0.12  # the camera hangs higher than the plate
        shrink = _EYE_MM / (_EYE_MM + away)
        x, y = x_mm * np.cos(yaw) * shrink * scale, y_mm * shrink * scale
        corners.append((x0 + x * np.cos(roll) + y * np.sin(roll), y0 - y * np.cos(roll) + x * np.sin(roll)))
    width, height = -2 * LEFT_MM * PX_PER_MM, TOP_MM * PX_PER_MM
    from_px = np.array([(u * width, v * height) for u, v in sprite], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(from_px, np.array(corners, np.float32)), np.float32)


def _shadow(image: Image, warp: Plane, weather: Weather) -> None:
    """Under the truck, and by day to one side of it."""
    to_px = np.array([[(x - LEFT_MM) * PX_PER_MM, (TOP_MM - y) * PX_PER_MM] for x, y in _SHADOW_MM], np.float32)
    points = cv2.perspectiveTransform(to_px[None], warp)[0] / 8
    mask = np.zeros((HEIGHT // 8, WIDTH // 8), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 190 if weather is Weather.DAY else 130)
    dark = cv2.resize(cv2.GaussianBlur(mask, (0, 0), 2.2), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    cv2.multiply(image, cv2.cvtColor(cv2.bitwise_not(dark), cv2.COLOR_GRAY2BGR), image, 1 / 255)


_SHADOW_MM = ((-1350, 130), (1300, 160), (1900, 90), (1700, -170), (-1200, -160))


def _lit(paint: Image, weather: Weather) -> Image:
    if weather is Weather.RAIN:
        return pixels(cv2.convertScaleAbs(paint, alpha=0.74))
    return pixels(cv2.multiply(paint, _lamp_light(), scale=1 / 255))


@lru_cache(maxsize=1)
def _lamp_light() -> Image:
    """How much of each colour the gate's lamp gives, 0..255."""
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    pool = 0.1 + 0.5 * np.exp(-(((xs - 650) / 480) ** 2 + ((ys - 520) / 260) ** 2))
    return pixels(pool[..., None] * tone(205, 232, 255))


def _lamps(image: Image, sprite: Sprite, warp: Plane, weather: Weather) -> None:
    """Headlights that are on, with their glare."""
    strength = 1.0 if weather is Weather.NIGHT else 0.45
    scale = float(np.linalg.norm(warp[:2, 0]))
    glow = _glow()
    size = max(16, round(620 * scale * PX_PER_MM * 2.5))
    small = cv2.resize(glow, (size, size), interpolation=cv2.INTER_AREA)
    for x, y in cv2.perspectiveTransform(np.array([sprite.lamps], np.float32), warp)[0]:
        left, top = round(float(x)) - size // 2, round(float(y)) - size // 2
        into = image[max(0, top) : top + size, max(0, left) : left + size]
        part = small[max(0, -top) : max(0, -top) + into.shape[0], max(0, -left) : max(0, -left) + into.shape[1]]
        cv2.add(into, cv2.convertScaleAbs(part, alpha=strength), into)


@lru_cache(maxsize=1)
def _glow() -> Image:
    """A lamp that looks at us: a white disc, a halo, and the lens' star."""
    ys, xs = np.mgrid[-1:1:256j, -1:1:256j].astype(np.float32)
    away = np.hypot(xs, ys)
    light = np.exp(-((away / 0.12) ** 2)) * 300 + np.exp(-away / 0.16) * 110
    light += np.exp(-np.abs(ys) / 0.012) * np.exp(-np.abs(xs) / 0.25) * 60
    light *= (1 - away).clip(0, 1)
    return pixels(light[..., None] * tone(0.9, 0.97, 1))


def _rain(image: Image, number: int) -> None:
    """Falling drops, and those on the glass before the lens."""
    streaks = _streaks(number % 4)
    at = number * 131 % WIDTH
    cv2.add(image, np.roll(streaks, at, axis=1), image)
    drops, light = _drops()
    blurred = cv2.resize(cv2.resize(image, (WIDTH // 10, HEIGHT // 10), interpolation=cv2.INTER_AREA), (WIDTH, HEIGHT))
    cv2.copyTo(cv2.add(blurred, light), drops, image)


@lru_cache(maxsize=4)
def _streaks(seed: int) -> Image:
    random = np.random.default_rng(100 + seed)
    layer = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(330):
        x, y, length = int(random.integers(WIDTH)), int(random.integers(-40, HEIGHT)), int(random.integers(14, 46))
        cv2.line(layer, (x, y), (x - length // 7, y + length), int(random.integers(18, 58)), 1, cv2.LINE_AA)
    return pixels(cv2.cvtColor(cv2.GaussianBlur(layer, (0, 0), 0.7), cv2.COLOR_GRAY2BGR))


@lru_cache(maxsize=1)
def _drops() -> tuple[Image, Image]:
    """(where drops hang, how much lighter they are)."""
    random = np.random.default_rng(7)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(34):
        x, y, size = int(random.integers(WIDTH)), int(random.integers(HEIGHT)), int(random.integers(4, 15))
        cv2.ellipse(mask, (x, y), (size, round(size * random.uniform(1.0, 1.4))), 0, 0, 360, 255, -1, cv2.LINE_AA)
    light = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    light[mask > 0] = 14
    return (mask > 127).astype(np.uint8), light


def _sensor(image: Image, weather: Weather, number: int) -> Image:
    """The lens is a little soft and dark at its edges; the sensor's noise is strong at night."""
    soft = cv2.GaussianBlur(image, (0, 0), 0.75 if weather is not Weather.NIGHT else 0.95)
    cv2.multiply(soft, _vignette(), soft, 1 / 255)
    random = np.random.default_rng(number)
    left, top = int(random.integers(256)), int(random.integers(256))
    noise = _noise(weather is Weather.NIGHT)[top : top + HEIGHT, left : left + WIDTH]
    return np.asarray(cv2.add(soft, noise, dtype=cv2.CV_8U), np.uint8)


@lru_cache(maxsize=2)
def _noise(night: bool) -> NDArray[np.int16]:
    """More than a picture of it, to be cut out at another place each time; int16."""
    random = np.random.default_rng(9)
    grain = random.standard_normal((HEIGHT + 256, WIDTH + 256, 1), np.float32) * (5.5 if night else 2.4)
    tint = random.standard_normal((HEIGHT + 256, WIDTH + 256, 3), np.float32) * (3.0 if night else 1.2)
    return np.asarray(np.rint(cv2.GaussianBlur(grain + tint, (0, 0), 0.6) * 1.6), np.int16)


@lru_cache(maxsize=1)
def _vignette() -> Image:
    ys, xs = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    fall = 1 - 0.22 * ((xs**2 + ys**2) / 2) ** 1.5
    return np.repeat((fall * 255)[..., None], 3, axis=2).astype(np.uint8)


def _clock(image: Image, at: datetime, number: int) -> None:
    """What every such camera writes into its picture."""
    words = f"{at:%Y-%m-%d %H:%M:%S}  CAM 01  {number:06}"
    for color, off in (((20, 20, 20), 2), ((235, 235, 235), 0)):
        cv2.putText(image, words, (22 + off, 40 + off), cv2.FONT_HERSHEY_DUPLEX, 0.75, color, 1, cv2.LINE_AA)
