"""What light, weather and a camera do to a plate. Each takes and gives HxWx3 float32 BGR in 0..255."""

import cv2
import numpy as np
from numpy.typing import NDArray

Light = NDArray[np.float32]
Rng = np.random.Generator

_NOISE = np.random.default_rng(0).standard_normal((3, 256, 512)).astype(np.float32)


def exposure(rng: Rng, image: Light, level: float) -> Light:
    """Gain, colour cast, haze, darkness and burnt light."""
    draw = rng.random()
    if draw < 0.14 * level:  # dusk and night
        gain = rng.uniform(0.18, 0.6)
    elif draw < 0.3 * level:  # burnt
        gain = rng.uniform(1.2, 1.9)
    else:
        gain = float(np.exp(rng.normal(0, 0.25 * level)))
    cast = np.exp(rng.normal(0, 0.12 * level, 3)).astype(np.float32)
    image = image * (np.float32(gain) * cast)
    if rng.random() < 0.22 * level:  # haze: less contrast about a mean
        keep = np.float32(rng.uniform(0.35, 0.95))
        image = image * keep + np.float32(rng.uniform(0, 200)) * (1 - keep)
    return image + np.float32(rng.uniform(-15, 25) * level)


def uneven(rng: Rng, image: Light, level: float) -> Light:
    """A shadow's edge, a gradient or a glare across the plate."""
    height, width = image.shape[:2]
    draw = rng.random()
    if draw < 0.2 * level:
        ramp = np.linspace(rng.uniform(0.4, 1.3), rng.uniform(0.4, 1.3), width, dtype=np.float32)
        return image * ramp[None, :, None]
    if draw < 0.35 * level:
        shade = np.ones((height, width), np.float32)
        a, b = rng.uniform(-0.3, 1.3, 2) * width
        edge = np.array([[a, 0], [b, height], [2 * width, height], [2 * width, 0]], np.int32)
        cv2.fillPoly(shade, [edge], (float(rng.uniform(0.25, 0.7)),))
        return image * (shade if rng.random() < 0.5 else shade[:, ::-1])[..., None]
    if draw < 0.43 * level:
        glow = np.zeros((height, width), np.float32)
        center = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(glow, center, int(rng.integers(height // 6 + 1, height)), (float(rng.uniform(40, 200)),), -1)
        return image + cv2.GaussianBlur(glow, (0, 0), height / 5)[..., None]
    return image


def infrared(rng: Rng, image: Light) -> Light:
    """One channel only, as an infrared lamp at night shows it: a mix of the channels, bright or dim."""
    mix = rng.dirichlet((1.0, 1.5, 1.5)).astype(np.float32)
    grey = image @ mix
    low, high = rng.uniform(0, 60), rng.uniform(110, 255)
    span = max(1.0, float(grey.max() - grey.min()))
    grey = (grey - grey.min()) / np.float32(span) * np.float32(high - low) + np.float32(low)
    return np.repeat(grey[..., None], 3, axis=2)


def dirt(rng: Rng, image: Light) -> Light:
    """Mud: splashes of one colour, some half transparent, sometimes the plate's lower edge."""
    height, width = image.shape[:2]
    cover: Light = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 7))):
        center = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(1, max(2, width // 16) + 1)), int(rng.integers(1, max(2, height // 6) + 1))
        cv2.ellipse(cover, center, axes, int(rng.integers(180)), 0, 360, (float(rng.uniform(0.3, 0.95)),), -1)
    if rng.random() < 0.3:
        ramp = np.linspace(-0.6, rng.uniform(0.2, 0.7), height, dtype=np.float32)[:, None]
        cover = np.maximum(cover, np.repeat(ramp, width, axis=1))
    soft = np.clip(cv2.GaussianBlur(cover, (0, 0), 0.8), 0, 1)[..., None]
    color = np.float32(rng.uniform(30, 160)) * rng.uniform(0.7, 1.15, 3).astype(np.float32)
    return np.asarray(image * (1 - soft) + color * soft, np.float32)


def rain(rng: Rng, image: Light) -> Light:
    """Streaks and drops in front of the plate."""
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.float32)
    slant = rng.uniform(-0.3, 0.3)
    for _ in range(int(rng.integers(4, 22))):
        x, y, length = rng.uniform(0, width), rng.uniform(-0.3, 0.9) * height, rng.uniform(0.15, 0.6) * height
        start, end = (int(x), int(y)), (int(x + slant * length), int(y + length))
        cv2.line(streaks, start, end, (float(rng.uniform(20, 110)),), 1, cv2.LINE_AA)
    return image + streaks[..., None]


def blur(rng: Rng, image: Light, level: float) -> Light:
    """Out of focus, moving, or over-sharpened by the camera; `image` at the camera's own resolution."""
    draw = rng.random()
    height = image.shape[0]
    if draw < 0.26 * level:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.35, 1.0) * max(0.7, height / 32)), np.float32)
    if draw < 0.4 * level:
        length = int(rng.integers(3, max(4, height // 5)))
        kernel = np.zeros((length, length), np.float32)
        angle = (
            rng.uniform(0, np.pi) if rng.random() < 0.4 else rng.normal(0, 0.15) + (np.pi / 2) * (rng.random() < 0.4)
        )
        reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
        middle = (length - 1) / 2
        start = tuple(int(round(v)) for v in middle - reach)
        end = tuple(int(round(v)) for v in middle + reach)
        cv2.line(kernel, start, end, (1.0,), 1)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.float32)
    if draw < 0.6 * level:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 1.4))
        return np.asarray(image + (image - soft) * np.float32(rng.uniform(0.5, 2.0)), np.float32)
    return image


def grain(rng: Rng, image: Light, level: float) -> Light:
    """Sensor noise, sometimes coarse and coloured as night cameras have it."""
    height, width = image.shape[:2]
    y, x = int(rng.integers(256 - height)), int(rng.integers(512 - width))
    noise = _NOISE[:, y : y + height, x : x + width]
    strength = np.float32(abs(rng.normal(0, 5 * level)))
    if rng.random() < 0.5:
        return np.asarray(image + noise[0][..., None] * strength, np.float32)
    return np.asarray(image + noise.transpose(1, 2, 0) * strength, np.float32)


def jpeg(rng: Rng, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Through a camera's compression. Takes and gives uint8."""
    packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(22, 92))])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
