"""Teaches the reading net a site's own crops, half and half with drawn plates so that it forgets no other province.

It starts from the shipped ONNX file, whose initialisers have the names of `PlateNet`'s weights: it needs no other file.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from drivers.camera.plates.alphabet import CHARACTERS, CLASS_OF, canonical
from drivers.camera.plates.evaluate import Case, Label
from drivers.camera.plates.found import Corners, Image, grown
from drivers.camera.plates.likelihood import best_path, log_likelihoods
from drivers.camera.plates.rectify import rectify
from drivers.camera.plates.thresholds import SHIPPED_READER
from drivers.camera.plates_training import effects
from drivers.camera.plates_training.batches import LENGTH, STEPS, make_batch
from drivers.camera.plates_training.export import folded, write
from drivers.camera.plates_training.generator import Generator
from drivers.camera.plates_training.net import PlateNet
from drivers.camera.plates_training.site import DOUBT_NAT, Crops, compare, doubtful, look_again, objections, picture_of
from drivers.camera.plates_training.train import to_input

_Texts: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Lines N x 32 x 128 x 3 BGR, and their classes N x 8, 0 beyond the text."""

HALF = 32
"""Real and drawn plates of one step, each."""
PEAK_RATE = 1e-3
RISE_STEPS = 30
MEAN_DECAY = 0.99
DOUBT_AFTER = 0.4
"""Share of the run after which labels are doubted: what is wrong was not learned by then, what is true was."""
PROBES = 1200
"""Drawn plates that say how far the net may go from the shipped one."""
SHARES = (1.0, 0.8, 0.6, 0.4, 0.2)
_HARDNESS = 0.35
"""How much weather is added to crops: they have their own."""


class WrongNet(Exception):
    """An ONNX file that is no `PlateNet`."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A crop to learn from, and where the plate is in it."""

    label: Label
    image: Image
    corners: Corners
    rows: int

    @classmethod
    def of(cls, case: Case) -> "Lesson":
        """The crop of a case with a sighting."""
        assert case.sighting is not None
        return cls(case.label, picture_of(case), case.sighting.corners, case.sighting.plate.rows)

    def line(self, rng: np.random.Generator | None = None) -> Image:
        """As the reader gets it; with `rng` found a little elsewhere and in slightly other weather."""
        if rng is None:
            return rectify(self.image, self.corners, self.rows)
        corners = grown(self.corners, float(rng.normal(1.01, 0.025)), float(rng.normal(1.01, 0.06)))
        size = np.ptp(self.corners, axis=0)
        corners = corners + (rng.normal(0, 0.008, 2) * size + rng.normal(0, 0.008, (4, 2)) * size).astype(np.float32)
        light = rectify(self.image, corners.astype(np.float32), self.rows).astype(np.float32)
        light = effects.exposure(rng, light, _HARDNESS)
        light = effects.blur(rng, light, _HARDNESS)
        light = effects.grain(rng, light, _HARDNESS)
        return np.clip(light, 0, 255).astype(np.uint8)


def load(model: Path) -> PlateNet:
    """The net of an exported file, its batch norms folded as they are in the file. WrongNet; OSError."""
    net = PlateNet(len(CHARACTERS))
    folded(net.eval())
    try:
        graph = onnx.load_model_from_string(model.read_bytes()).graph
        weights = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer}
        net.load_state_dict(weights)
    except OSError:
        raise
    except Exception as error:  # protobuf and torch each have their own for a file that is something else
        raise WrongNet(f"{model}: no reading net that this version of the trainer exported") from error
    return net


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of it. `objections` say why the net must not be installed; `left_out` are crops nobody learned from or
    measured by, each with why; `facts` go on the net's card.
    """

    facts: dict[str, Any]
    left_out: list[tuple[Label, str]]
    objections: list[str]


def teach(
    crops: Crops, in_use: Path, target: Path, *, seed: int, steps: int, say: Callable[[int], None] = lambda step: None
) -> Taught:
    """Write a net that learned from the crops to `target`, and measure it beside the one in use.

    OSError, ValueError, WrongNet, ExportRefused.
    """
    doubted = tune(SHIPPED_READER, crops.learn, target, seed=seed, steps=steps, say=say)
    again = look_again(crops, target)
    left_out = [*crops.left_out, *doubted, *doubtful(crops.check, again)]
    before, after = compare(crops.check, again, left_out, (in_use, target))
    facts = {
        "learned_crops": len(crops.learn) - len(doubted),
        "learned_plates": crops.plates[0],
        "checked_plates": crops.plates[1],
        "left_out": len(left_out),
        "exam_before": asdict(before),
        "exam_after": asdict(after),
    }
    return Taught(facts, left_out, list(objections(before, after)))


def tune(
    shipped: Path,
    cases: Sequence[Case],
    target: Path,
    *,
    seed: int,
    steps: int,
    say: Callable[[int], None] = lambda step: None,
) -> list[tuple[Label, str]]:
    """Write the taught net to `target`; the crops whose labels were doubted, each with why.

    The same seed, steps and crops give the same net on one machine. `say` is told each step.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    lessons = _Lessons([Lesson.of(case) for case in cases], np.random.default_rng(seed))
    drawn = Generator(int(np.random.SeedSequence((seed, len(cases))).generate_state(1)[0]))
    net = load(shipped).to(memory_format=torch.channels_last).train()
    mean = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(MEAN_DECAY))
    optimizer = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE, weight_decay=1e-3)
    doubted: list[tuple[Label, str]] = []
    for step in range(steps):
        if step == int(DOUBT_AFTER * steps):
            doubted = lessons.doubt(mean)
        real, made = lessons.batch(), make_batch(drawn, HALF, 1.0)
        _learn(net, optimizer, _joined(real, (made.lines, made.classes)), _rate(step, steps))
        mean.update_parameters(net)
        say(step + 1)
    write(unforgetting(load(shipped), mean.module, drawn), target)
    return doubted


def unforgetting(old: PlateNet, new: PlateNet, drawn: Generator) -> PlateNet:
    """As much of what was learned as costs no drawn plates (others than those it learned from), at least a fifth of it.

    Its weights lie on the way from the old net to the new one, where what the crops taught survives longer than what
    was forgotten for it (Wortsman and others, Robust fine-tuning of zero-shot models, 2022).
    """
    samples = [drawn.sample() for _ in range(PROBES)]
    pixels = np.stack([sample.line for sample in samples])
    texts = [canonical(sample.plate.text) for sample in samples]

    def right(net: nn.Module) -> int:
        return sum(best_path(line) == text for line, text in zip(_lines_of(net, pixels), texts, strict=True))

    before, first, last = right(old), old.state_dict(), new.state_dict()
    blend = copy.deepcopy(old)
    for share in SHARES:
        blend.load_state_dict({name: first[name] + share * (last[name] - first[name]) for name in first})
        if right(blend) >= before:
            break
    return blend


def _rate(step: int, steps: int) -> float:
    return PEAK_RATE * min(1.0, (step + 1) / RISE_STEPS) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _learn(net: nn.Module, optimizer: torch.optim.Optimizer, texts: _Texts, rate: float) -> None:
    """One step, by CTC. Colours are not taught: a crop's colour was told by the net itself."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    lines, classes = texts
    likely = functional.log_softmax(net(to_input(lines))[0].permute(2, 0, 1), dim=2)
    lengths = (classes > 0).sum(axis=1)
    loss = functional.ctc_loss(
        likely,
        torch.from_numpy(classes),
        torch.full((len(classes),), STEPS),
        torch.from_numpy(lengths),
        zero_infinity=True,
    )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()


def _joined(one: _Texts, other: _Texts) -> _Texts:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


class _Lessons:
    """The crops, drawn plate by plate: a truck that comes daily counts no more than one that came once."""

    def __init__(self, lessons: Sequence[Lesson], rng: np.random.Generator) -> None:
        self._rng = rng
        self._by_plate: dict[str, list[Lesson]] = {}
        for lesson in lessons:
            self._by_plate.setdefault(lesson.label.plate, []).append(lesson)

    def batch(self) -> _Texts:
        plates = list(self._by_plate)
        rng = self._rng
        chosen = []
        for at in rng.integers(len(plates), size=HALF):
            of = self._by_plate[plates[at]]
            chosen.append(of[int(rng.integers(len(of)))])
        classes = np.zeros((HALF, LENGTH), np.int64)
        for row, lesson in enumerate(chosen):
            classes[row, : len(lesson.label.plate)] = [CLASS_OF[each] for each in lesson.label.plate]
        return np.stack([lesson.line(rng) for lesson in chosen]), classes

    def doubt(self, net: nn.Module) -> list[tuple[Label, str]]:
        """Drop the crops whose labels the net by now holds for impossible; says which."""
        lessons = [lesson for them in self._by_plate.values() for lesson in them]
        doubted: list[tuple[Label, str]] = []
        self._by_plate = {}
        pixels = np.stack([lesson.line() for lesson in lessons])
        for lesson, line in zip(lessons, _lines_of(net, pixels), strict=True):
            free = best_path(line)
            said, read = log_likelihoods(line, [lesson.label.plate, free]).tolist()
            if read - said > DOUBT_NAT:
                doubted.append((lesson.label, f"reads {free}"))
            else:
                self._by_plate.setdefault(lesson.label.plate, []).append(lesson)
        if not self._by_plate:
            raise ValueError("not one label agrees with its crop; are the files and plates of labels.csv in order?")
        return doubted


def _lines_of(net: nn.Module, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """T x C log-probabilities of each line of N x 32 x 128 x 3 BGR."""
    lines: list[NDArray[np.float32]] = []
    net.eval()
    with torch.no_grad():
        for start in range(0, len(pixels), 2 * HALF):
            likely = torch.log_softmax(net(to_input(pixels[start : start + 2 * HALF]))[0], dim=1)
            lines += [each.T for each in likely.numpy()]
    net.train()
    return lines
