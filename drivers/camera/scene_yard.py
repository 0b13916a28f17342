"""The empty yard as the virtual camera sees it: sky, hall, silos, coke heap, worn concrete. Drawn once."""

from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.found import Image

WIDTH, HEIGHT = 1280, 720
HORIZON = 96
"""Row in which the ground ends; the camera looks down a little."""
FAR_X = 690
"""Column of the vanishing point."""
_GROUND_PX = 1024


class Weather(StrEnum):
    """What a gate camera has to cope with."""

    DAY = "day"
    NIGHT = "night"
    RAIN = "rain"


Plane: TypeAlias = NDArray[np.float32]


def tone(*bgr: float) -> Plane:
    """A colour to calculate with."""
    return np.array(bgr, np.float32)


def pixels(values: Any) -> Image:
    """Brightness cut to 0..255."""
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def clouds(seed: int, width: int, height: int, finest: int = 4, coarsest: int = 128) -> Plane:
    """Noise of several sizes, -1..1, float32, `height` x `width`: clouds, dirt, worn concrete."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    size = coarsest
    while size >= finest:
        grid = random.standard_normal((height // size + 3, width // size + 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * (size / coarsest) ** 0.6
        size //= 2
    return total / max(float(np.abs(total).max()), 1e-6)


@lru_cache(maxsize=3)
def yard(weather: Weather) -> Image:
    """The picture without a truck (720 x 1280 BGR). Not to be written to."""
    image = _sky(weather)
    _buildings(image)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.3), np.uint8)
    far = image[:HORIZON].astype(np.float32)
    image[:HORIZON] = (far * 0.8 + tone(214, 208, 200) * 0.2).astype(np.uint8)  # haze
    ground = _ground(wet=weather is Weather.RAIN)
    image[HORIZON:] = ground[HORIZON:]
    _kerb(image)
    if weather is Weather.RAIN:
        image = _under_rain(image)
    if weather is Weather.NIGHT:
        image = _by_night(image)
    return image


def _sky(weather: Weather) -> Image:
    rows = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    top, low = tone(206, 178, 140), tone(226, 220, 210)
    sky = np.repeat(top * (1 - rows * 5).clip(0, 1) + low * (rows * 5).clip(0, 1), WIDTH, axis=1)
    cover = clouds(3, WIDTH, HEIGHT, 8, 256)[..., None]
    share = 0.75 if weather is Weather.RAIN else 0.4
    sky = sky + (cover + 0.3).clip(0, 1) * share * (236 - sky)
    if weather is Weather.RAIN:
        sky = sky * 0.86
    return pixels(sky)


def _buildings(image: Image) -> None:
    """Everything between the sky and the ground, far enough to be blurred."""
    hall = image[20 : HORIZON + 2, 820:1200]
    stripes = (np.arange(380) % 9 < 2).astype(np.float32)[None, :, None]
    hall[:] = (tone(176, 170, 160) - stripes * 16).astype(np.uint8)
    hall[44:56:, 20:360] = (120, 112, 98)
    cv2.fillPoly(image, [np.array([(810, 22), (1210, 22), (1180, 2), (840, 2)], np.int32)], (92, 104, 150))
    for left in (90, 168, 246):
        width = 66
        shade = np.array(
            [0.62 + 0.42 * np.sin(np.pi * (0.15 + 0.8 * each / width)) for each in range(width)], np.float32
        )
        image[0 : HORIZON + 2, left : left + width] = (tone(196, 196, 192) * shade[None, :, None]).astype(np.uint8)
        image[0 : HORIZON + 2 : 22, left : left + width] = (150, 150, 148)
    heap = np.array(
        [(360, HORIZON + 4), (430, 52), (486, 30), (560, 44), (620, 26), (700, 58), (770, HORIZON + 4)], np.int32
    )
    cv2.fillPoly(image, [heap], (58, 56, 54), cv2.LINE_AA)
    cv2.fillPoly(
        image,
        [np.array([(620, 26), (700, 58), (770, HORIZON + 4), (640, HORIZON + 4)], np.int32)],
        (46, 44, 43),
        cv2.LINE_AA,
    )
    grain = clouds(11, 420, 80, 2, 8)
    part = image[20:100, 355:775]
    dark = (part.max(axis=2) < 70)[..., None]
    part[:] = np.where(dark, (part + grain[..., None] * 26).clip(0, 255), part).astype(np.uint8)
    cv2.rectangle(image, (0, 60), (70, HORIZON + 2), (70, 96, 82), -1)
    trees = clouds(5, 120, 60, 2, 32)
    wood = image[40:100, 1200:1280]
    wood[:] = np.where((trees[:, :80] > -0.25)[..., None], tone(58, 84, 66) + trees[:, :80, None] * 30, wood).astype(
        np.uint8
    )
    for x in (64, 812):
        cv2.line(image, (x, 0), (x, HORIZON), (96, 96, 92), 5, cv2.LINE_AA)


@lru_cache(maxsize=2)
def _ground(*, wet: bool) -> Image:
    """Concrete slabs seen along the lane, with joints, tyre marks, oil and worn yellow lines."""
    size = _GROUND_PX
    grain = clouds(21, size, size, 2, 64) * 0.6 + clouds(22, size, size, 64, 512) * 0.8
    plane = tone(134, 142, 146) + grain[..., None] * tone(20, 20, 20)
    across = np.arange(size, dtype=np.float32)
    for centre in (400, 624):  # where all wheels roll
        plane -= (np.exp(-(((across - centre) / 34) ** 2)) * 22)[None, :, None] * (1 + grain[..., None] * 0.6)
    for at in range(0, size, 128):
        plane[at : at + 2] *= 0.72
    plane[:, 511:513] *= 0.75
    worn = clouds(23, size, size, 2, 16)
    for left in (262, 752):
        line = plane[:, left : left + 12]
        paint = (worn[:, left : left + 12] > -0.28)[..., None]
        line[:] = np.where(paint, tone(60, 168, 206) + grain[:, left : left + 12, None] * 30, line)
    random = np.random.default_rng(24)
    stains = np.zeros((size, size), np.float32)
    for _ in range(26):
        x, y = int(random.normal(512, 90)), int(random.integers(size))
        cv2.ellipse(
            stains, (x, y), tuple(random.integers(4, 20, 2).tolist()), 0, 0, 360, float(random.uniform(0.2, 0.6)), -1
        )
    plane *= 1 - cv2.GaussianBlur(stains, (0, 0), 5)[..., None] * (0.7 + worn[..., None] * 0.5)
    corners = np.array([(262, 0), (762, 0), (762, size), (262, size)], np.float32)
    seen = np.array([(FAR_X - 66, HORIZON), (FAR_X + 66, HORIZON), (1178, HEIGHT + 60), (102, HEIGHT + 60)], np.float32)
    picture = cv2.warpPerspective(
        plane, cv2.getPerspectiveTransform(corners, seen), (WIDTH, HEIGHT),
        flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    depth = np.linspace(0, 1, HEIGHT - HORIZON, dtype=np.float32)[:, None, None]
    picture[HORIZON:] = picture[HORIZON:] * (0.8 + 0.2 * depth) + tone(206, 200, 194) * (1 - depth) ** 3 * 0.22
    if wet:
        # flat water lies in bands, for it is seen nearly from the side
        water = cv2.resize(clouds(31, WIDTH // 4, HEIGHT, 8, 64), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        sheen = ((water + 0.05) * 5).clip(0, 1)[..., None]
        picture = picture * (0.62 - 0.2 * sheen) + tone(172, 166, 160) * sheen * 0.24
    return pixels(picture)


def _kerb(image: Image) -> None:
    """Grass strips, and the red and white posts at the lane's edges."""
    for side in (-1, 1):
        near, far = FAR_X + side * 760, FAR_X + side * 86
        strip = np.array(
            [(far, HORIZON), (far + side * 120, HORIZON), (near + side * 700, HEIGHT), (near, HEIGHT)], np.int32
        )
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(mask, [strip], 255)
        blades = tone(84, 118, 112) + clouds(40 + side, WIDTH, HEIGHT, 2, 32)[..., None] * 34
        image[:] = np.where(mask[..., None] > 0, blades.clip(0, 255), image).astype(np.uint8)
        for step in range(7):
            depth = 0.93**step * 0.62**step
            x, y = round(FAR_X + side * 690 * depth), round(HORIZON + 560 * depth)
            tall, wide = max(4, round(150 * depth)), max(1, round(16 * depth))
            for part in range(4):
                color = (60, 52, 190) if part % 2 == 0 else (222, 224, 224)
                top = y - tall + part * tall // 4
                cv2.rectangle(image, (x - wide, top), (x + wide, top + tall // 4), color, -1, cv2.LINE_AA)


def _under_rain(image: Image) -> Image:
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    dull = cv2.addWeighted(image, 0.5, grey, 0.5, 0)
    return pixels(cv2.convertScaleAbs(dull, alpha=0.74, beta=14))


def _by_night(image: Image) -> Image:
    """A lamp over the lane, a lit window far away, the rest nearly black."""
    dark = image.astype(np.float32) * tone(0.09, 0.075, 0.07)
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    pool = np.exp(-(((xs - 660) / 430) ** 2 + ((ys - 560) / 240) ** 2))[..., None]
    lit = dark + image * pool * tone(0.2, 0.27, 0.33)
    for x, y, size in ((64, 6, 26), (812, 4, 30), (1010, 62, 7), (1090, 62, 7), (905, 62, 5)):
        glow = np.exp(-(((xs - x) ** 2 + (ys - y) ** 2) / (2 * size**2)))[..., None]
        lit += glow * tone(120, 170, 210)
    return pixels(lit)
