"""Batches drawn by a process of their own, so that the net never waits for its plates."""

import multiprocessing
import multiprocessing.queues
import queue
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.alphabet import CLASS_OF
from drivers.camera.plates_training.generator import Generator

LENGTH = 8
"""Most characters on a plate."""
STEPS = 32
"""Columns of the net's output; each stands for four pixels of the line."""
BATCHES_A_TERM = 1000
_WAITING = 48
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Batch:
    """`lines` N x 32 x 128 x 3 BGR; `classes` N x 8, 0 beyond the text; `columns` N x 32, the class at each column."""

    lines: NDArray[np.uint8]
    classes: NDArray[np.int64]
    columns: NDArray[np.int64]
    colors: NDArray[np.int64]


def make_batch(generator: Generator, size: int, level: float) -> Batch:
    """The generator's next `size` samples."""
    samples = [generator.sample(level) for _ in range(size)]
    classes = np.zeros((size, LENGTH), np.int64)
    columns = np.zeros((size, STEPS), np.int64)
    for index, sample in enumerate(samples):
        told = [CLASS_OF[character] for character in sample.plate.text]
        classes[index, : len(told)] = told
        columns[index, np.clip(np.round(sample.columns / 4 - 0.5), 0, STEPS - 1).astype(int)] = told
    return Batch(
        lines=np.stack([sample.line for sample in samples]),
        classes=classes,
        columns=columns,
        colors=np.array([sample.color for sample in samples], np.int64),
    )


def level_at(number: int, ramp: int) -> float:
    """How hard batch `number` is: 0.35 at first, 1 from batch `ramp` on."""
    return 0.35 + 0.65 * min(1.0, number / max(1, ramp))


def batches(seed: int, size: int, ramp: int, first: int = 0) -> Iterator[Batch]:
    """An endless row of batches, the same for one seed.

    `first`: with which batch to begin, rounded up to a whole term. The process that draws them is replaced after each
    term, and the new one reads the glyph files again.
    """
    context = multiprocessing.get_context("spawn")
    term = -(-first // BATCHES_A_TERM)
    while True:
        ready: multiprocessing.queues.Queue[Batch] = context.Queue(_WAITING)
        drawer = context.Process(target=_draw, args=(ready, seed, term, size, ramp), daemon=True)
        drawer.start()
        try:
            for _ in range(BATCHES_A_TERM):
                try:
                    yield ready.get(timeout=_PATIENCE_S)
                except queue.Empty as error:
                    raise RuntimeError(f"no batch drawn within {_PATIENCE_S:.0f} s; see the drawer's trace") from error
        finally:
            drawer.terminate()
            drawer.join()
        term += 1


def _draw(ready: "multiprocessing.queues.Queue[Batch]", seed: int, term: int, size: int, ramp: int) -> None:
    cv2.setNumThreads(1)
    generator = Generator(np.random.SeedSequence((seed, term)).generate_state(1)[0].item())
    for number in range(BATCHES_A_TERM):
        ready.put(make_batch(generator, size, level_at(term * BATCHES_A_TERM + number, ramp)))
    ready.close()
    ready.join_thread()
