"""Trains the colour half of a trained net: `python -m drivers.camera.plates_training.train_color IN.pt OUT.pt`.

It looks at the picture through layers of its own, so it needs no reading to learn from, and it is shown every colour
often: on the road, and so in the other half's training, white and black plates are rare.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from drivers.camera.plates.alphabet import CHARACTERS
from drivers.camera.plates_training.generator import COLORS, NO_COLOR, Generator
from drivers.camera.plates_training.net import PlateNet
from drivers.camera.plates_training.train import to_input

BATCH = 64
PEAK_RATE = 4e-3
SHARES = {
    "blue": 0.28,
    "yellow": 0.14,
    "two_rows": 0.14,
    "green_small": 0.12,
    "green_large": 0.12,
    "white": 0.1,
    "black": 0.1,
}


def train_color(net: PlateNet, seed: int, steps: int) -> float:
    """Train `net.painter` from nothing for `steps` batches; the share right among the last fifth of them."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    generator = Generator(seed)
    painter = net.painter
    for module in painter.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()
    painter.train()
    optimizer = torch.optim.AdamW(painter.parameters(), lr=PEAK_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    right = seen = 0
    for step in range(steps):
        kinds = rng.choice(list(SHARES), BATCH, p=list(SHARES.values()))
        samples = [generator.sample(1.0, str(kind)) for kind in kinds]
        told = torch.tensor([sample.color for sample in samples])
        colors = painter(to_input(np.stack([sample.line for sample in samples])))
        optimizer.zero_grad()
        functional.cross_entropy(colors, told, ignore_index=NO_COLOR).backward()
        optimizer.step()
        schedule.step()
        if step >= steps * 4 // 5:
            right += int((colors.argmax(dim=1) == told)[told != NO_COLOR].sum())
            seen += int((told != NO_COLOR).sum())
    painter.eval()
    return right / seen


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=800)
    told = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    net = PlateNet(len(CHARACTERS))
    kept = torch.load(told.weights, weights_only=True)
    net.load_state_dict({name: weight for name, weight in kept.items() if not name.startswith("painter")}, strict=False)
    share = train_color(net, told.seed, told.steps)
    torch.save(net.state_dict(), told.out)
    print(f"{told.out}: {len(COLORS)} colours, {share:.1%} right on the last drawn plates")  # noqa: T201


if __name__ == "__main__":
    main()
