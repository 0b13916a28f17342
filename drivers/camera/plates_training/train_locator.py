"""Trains the locator's two nets on drawn scenes alone and writes them as ONNX.

    python -m drivers.camera.plates_training.train_locator --seed 1 --minutes 60 --out DIR [--checkpoint-minutes 3]

One thread. DIR gets `locator.onnx`, `rims.onnx`, `locator.pt` (both nets' weights) and `log.txt`, anew at every
checkpoint.
`--resume FILE` begins with the weights of a `locator.pt`.
"""

import argparse
import math
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from drivers.camera.plates_training.locator_net import RIM_HEIGHT, RIM_WIDTH, PlateFinder, RimFinder, mean_positions
from drivers.camera.plates_training.locator_samples import (
    NEAR,
    PlaceBatch,
    SceneBatch,
    guesses,
    place_batch,
    scene_batch,
)
from drivers.camera.plates_training.scenes import Plate, make_plates

PICTURE_WIDTH, PICTURE_HEIGHT = 512, 384
"""The picture size that `locator.onnx` takes; the net itself takes any multiple of 32."""
_BATCH = 16
_PLATES = 1500
_NEW_PLATES = 3
_PEAK_RATE = 3e-3
_WARM_UP = 0.02
_MINUTE_S = 60


def finder_loss(output: Tensor, batch: SceneBatch) -> Tensor:
    """Focal loss of the heat, plus rows and corners where a plate is near (errors in shares of the plate's height)."""
    heat_logit, rows_logit, corners = output[:, 0], output[:, 1], output[:, 2:]
    heat = torch.sigmoid(heat_logit)
    is_middle = (batch.heat == 1).float()
    hit = functional.logsigmoid(heat_logit) * (1 - heat) ** 2 * is_middle
    miss = functional.logsigmoid(-heat_logit) * heat**2 * (1 - batch.heat) ** 4
    plates = is_middle.sum().clamp(min=1)
    near = (batch.heat > NEAR).float() * batch.heat
    cells = near.sum().clamp(min=1)
    off = functional.smooth_l1_loss(
        corners * batch.weight[:, None], batch.corners * batch.weight[:, None], beta=0.1, reduction="none"
    )
    rows = functional.binary_cross_entropy_with_logits(rows_logit, batch.rows, reduction="none")
    return -(hit + miss).sum() / plates + 2 * (off.mean(dim=1) * near).sum() / cells + 0.3 * (rows * near).sum() / cells


def rim_loss(kind: Tensor, maps: Tensor, batch: PlaceBatch) -> Tensor:
    """Is it a plate; and of plates the rows and the corners (errors in pixels of the flat picture)."""
    sure = functional.binary_cross_entropy_with_logits(kind[:, 0], batch.is_plate)
    plates = batch.is_plate.sum().clamp(min=1)
    rows = functional.binary_cross_entropy_with_logits(kind[:, 1], batch.two_rows, reduction="none")
    pixels = torch.tensor([RIM_WIDTH, RIM_HEIGHT], dtype=torch.float32)
    off = functional.smooth_l1_loss(mean_positions(maps) * pixels, batch.corners * pixels, beta=1.0, reduction="none")
    corners = (off.mean(dim=(1, 2)) * batch.is_plate).sum() / plates
    return sure + 0.3 * (rows * batch.is_plate).sum() / plates + 0.5 * corners


def rate(progress: float) -> float:
    """Learning rate at a share 0..1 of the training: a short rise, then half a cosine down to nearly nothing."""
    if progress < _WARM_UP:
        return _PEAK_RATE * progress / _WARM_UP
    return _PEAK_RATE * (0.01 + 0.99 * (1 + math.cos(math.pi * min(progress, 1.0))) / 2)


def export(net: nn.Module, example: Tensor, path: Path, names: Sequence[str]) -> None:
    """Writes the net as ONNX that `cv2.dnn` reads."""
    was_training = net.training
    net.eval()
    with warnings.catch_warnings():  # the old exporter's output is what cv2.dnn takes without surprises
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (example,), str(path), input_names=names[:1], output_names=names[1:], opset_version=17, dynamo=False
        )
    net.train(was_training)


class Training:
    """Both nets, their optimizer and their data; `step` makes one batch and learns from it."""

    def __init__(self, seed: int, out: Path) -> None:
        torch.manual_seed(seed)
        self.rng = np.random.default_rng(seed)
        self.out = out
        self.finder = PlateFinder().to(memory_format=torch.channels_last)
        self.rims = RimFinder().to(memory_format=torch.channels_last)
        self.plates: list[Plate] = make_plates(self.rng, _PLATES)
        weights = [*self.finder.parameters(), *self.rims.parameters()]
        self.optimizer = torch.optim.AdamW(weights, lr=_PEAK_RATE, weight_decay=1e-2)
        self.steps = 0
        self.losses: list[tuple[float, float]] = []

    def step(self, progress: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate(progress)
        for plate in make_plates(self.rng, _NEW_PLATES):
            self.plates[self.rng.integers(len(self.plates))] = plate
        batch = scene_batch(self.rng, self.plates, _BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            output = self.finder(batch.pictures)
        output = output.float()
        guessed = guesses(output.detach().numpy(), batch.heat.numpy())
        places = place_batch(self.rng, batch.scenes, guessed)
        with torch.autocast("cpu", torch.bfloat16):
            kind, maps = self.rims(places.pictures)
        found, rimmed = finder_loss(output, batch), rim_loss(kind.float(), maps.float(), places)
        self.optimizer.zero_grad()
        (found + rimmed).backward()
        nn.utils.clip_grad_norm_([*self.finder.parameters()], 5.0)
        nn.utils.clip_grad_norm_([*self.rims.parameters()], 5.0)
        self.optimizer.step()
        self.steps += 1
        self.losses.append((found.item(), rimmed.item()))

    def save(self, minutes: float) -> None:
        """Writes the weights, both ONNX files and a line of the log."""
        torch.save({"finder": self.finder.state_dict(), "rims": self.rims.state_dict()}, self.out / "locator.pt")
        picture = torch.zeros(1, 3, PICTURE_HEIGHT, PICTURE_WIDTH)
        export(self.finder, picture, self.out / "locator.onnx", ("picture", "plates"))
        export(
            self.rims, torch.zeros(1, 3, RIM_HEIGHT, RIM_WIDTH), self.out / "rims.onnx", ("place", "kind", "corners")
        )
        found, rimmed = np.mean(self.losses, axis=0)
        self.losses.clear()
        line = f"{minutes:.1f} min, {self.steps * _BATCH} scenes, loss: finder {found:.4f}, rims {rimmed:.4f}"
        with (self.out / "log.txt").open("a", encoding="utf-8") as log:
            log.write(line + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Trains the plate locator on drawn scenes.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--checkpoint-minutes", type=float, default=3.0)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    training = Training(options.seed, options.out)
    if options.resume is not None:
        state = torch.load(options.resume, weights_only=True)
        training.finder.load_state_dict(state["finder"])
        training.rims.load_state_dict(state["rims"])
    began = saved = time.monotonic()
    while (minutes := (time.monotonic() - began) / _MINUTE_S) < options.minutes:
        training.step(minutes / options.minutes)
        if time.monotonic() - saved > options.checkpoint_minutes * _MINUTE_S:
            training.save(minutes)
            saved = time.monotonic()
    if training.losses:
        training.save(minutes)


if __name__ == "__main__":
    main()
