"""A camera whose frames say their number, in fields of light: which frame was handed out is read from its pixels."""

import cv2
import numpy as np

from drivers.camera.plates.found import Image
from drivers.camera.simulated import VirtualCamera

BITS = 16


def bars(number: int) -> bytes:
    """A small JPEG that says its number: white and black fields, and some noise as every sensor has it."""
    image = np.random.default_rng(number).integers(90, 160, (96, 20 * BITS, 3)).astype(np.uint8)
    for bit in range(BITS):
        image[30:66, bit * 20 : bit * 20 + 20] = 240 if number >> bit & 1 else 15
    return cv2.imencode(".jpg", image)[1].tobytes()


def number_of(image: Image) -> int:
    """What the fields say."""
    return sum(1 << bit for bit in range(BITS) if image[40:56, bit * 20 + 6 : bit * 20 + 14].mean() > 128)


class Counting(VirtualCamera):
    """The virtual camera with frames that cost nothing to draw. `sent` is the last number it sent."""

    def frame(self) -> bytes:
        if self.frozen.is_set():
            return bars(self.frames)
        self.frames += 1
        return bars(self.frames)
