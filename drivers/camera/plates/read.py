"""Reads plates that are laid flat: one net, one line of 32 x 128 pixels a plate."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from drivers.camera.plates.alphabet import CHARACTERS
from drivers.camera.plates.found import Image
from drivers.camera.plates.likelihood import Line
from drivers.camera.plates.rectify import HEIGHT, WIDTH
from drivers.camera.plates.thresholds import SHIPPED_READER, shipped
from drivers.readings import PlateColor

COLORS: tuple[PlateColor, ...] = tuple(PlateColor)
"""The colour net's classes, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One line as the net reads it, without grammar.

    `confidences` 0..1 are those of the text's characters, `colors` of `COLORS`; `line` is T x C log-probabilities.
    """

    text: str
    confidences: tuple[float, ...]
    colors: tuple[float, ...]
    line: Line

    @property
    def color(self) -> PlateColor:
        """The likeliest."""
        return COLORS[int(np.argmax(self.colors))]


class Reader:
    """The net. One object belongs to one thread. OSError or ValueError when the file is missing or is no such net."""

    def __init__(self, model: Path = SHIPPED_READER, temperature: float | None = None) -> None:
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(model.read_bytes(), np.uint8))
        except cv2.error as error:
            raise ValueError(f"{model}: not a net that can be read ({error.err})") from None
        try:
            outputs = self._forward([np.zeros((HEIGHT, WIDTH, 3), np.uint8)])
        except cv2.error as error:
            raise ValueError(f"{model}: not a net that reads plates ({error.err})") from None
        if [output.shape[:2] for output in outputs] != [(1, len(CHARACTERS)), (1, len(COLORS))]:
            raise ValueError(f"{model}: not a net that reads plates (answers {[output.shape for output in outputs]})")
        self._temperature = shipped().temperature if temperature is None else temperature

    def read(self, line: Image) -> Reading:
        """One plate, 32 x 128 x 3 BGR."""
        return self.read_all([line])[0]

    def read_all(self, lines: Sequence[Image]) -> tuple[Reading, ...]:
        """Several at once, which is faster than one after another. ValueError for another size."""
        if any(line.shape != (HEIGHT, WIDTH, 3) for line in lines):
            raise ValueError(f"want lines of {HEIGHT}x{WIDTH}x3, have {[line.shape for line in lines]}")
        if not lines:
            return ()
        characters, colors = self._forward(lines)
        return tuple(
            _reading(_log_softmax(seen.T / self._temperature), color)
            for seen, color in zip(characters, colors, strict=True)
        )

    def _forward(self, lines: Sequence[Image]) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], ...]:
        """Logits: N x characters x T, and N x colours."""
        self._net.setInput(cv2.dnn.blobFromImages(lines, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True), "plate")
        return tuple(np.asarray(output, np.float32) for output in self._net.forward(["characters", "color"]))


def _reading(line: Line, color: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Reading:
    sure = np.exp(line.max(axis=1))
    runs = [(index, list(run)) for index, run in groupby(range(len(line)), key=lambda at: int(line[at].argmax()))]
    kept = [(CHARACTERS[index], float(max(sure[at] for at in run))) for index, run in runs if index]
    return Reading(
        "".join(character for character, _ in kept),
        tuple(confidence for _, confidence in kept),
        tuple(np.exp(_log_softmax(color)).tolist()),
        line,
    )


def _log_softmax(logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Line:
    high = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(high - np.log(np.exp(high).sum(axis=-1, keepdims=True)), np.float32)
