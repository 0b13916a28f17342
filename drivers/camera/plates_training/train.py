"""Trains the reading net on drawn plates: `python -m drivers.camera.plates_training.train --minutes 70 --out DIR`.

Warm start by position: the generator knows where each character stands, so at first every column is told what it shows;
then CTC, which needs to be told only the text. What is measured and exported is the running mean of the weights.
"""

import argparse
import json
import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from drivers.camera.plates.alphabet import CHARACTERS, CLASS_OF, PROVINCES, SPECIAL
from drivers.camera.plates_training import dev_set
from drivers.camera.plates_training.batches import STEPS, Batch, batches
from drivers.camera.plates_training.net import PlateNet

BATCH = 64
PEAK_RATE = 3e-3
WARM_SHARE = 0.06
"""Share of the run that is told by position."""
FLAT_SHARE = 0.25
"""Share of the run at the peak rate; a cosine to nothing follows."""
RAMP_BATCHES = 2500
PROVINCE_WEIGHT = 0.3
_HANZI = torch.tensor([CLASS_OF[character] for character in PROVINCES + SPECIAL])
REPORT_S = 120.0
MEAN_DECAY = 0.998
"""Share of the running mean that the old mean keeps at each update, once the run is old enough for a long memory."""
UPDATE_EVERY = 2


def to_input(lines: NDArray[np.uint8]) -> Tensor:
    """N x 32 x 128 x 3 BGR to what the net takes: N x 3 x 32 x 128 RGB, -1..1."""
    rgb = torch.from_numpy(lines[..., ::-1].copy()).permute(0, 3, 1, 2)
    return (rgb.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def loss_of(characters: Tensor, colors: Tensor, batch: Batch, by_position: bool) -> Tensor:
    """What the net is told about one batch; `characters` N x C x 32 and `colors` N x 5 are its logits."""
    classes = torch.from_numpy(batch.classes)
    lengths = (classes > 0).sum(dim=1)
    if by_position:
        weight = torch.ones(len(CHARACTERS))
        weight[0] = 0.35
        text = functional.cross_entropy(characters, torch.from_numpy(batch.columns), weight=weight)
    else:
        likely = functional.log_softmax(characters.permute(2, 0, 1), dim=2)
        steps = torch.full((len(classes),), STEPS)
        text = functional.ctc_loss(likely, classes, steps, lengths, zero_infinity=True)
        text = text + PROVINCE_WEIGHT * province_loss(likely.permute(1, 0, 2), batch)
    color = functional.cross_entropy(colors, torch.from_numpy(batch.colors), ignore_index=-1)
    return text + 0.1 * color


def province_loss(likely: Tensor, batch: Batch) -> Tensor:
    """Which hanzi stands first, if one does: asked once more, since telling 31 of them apart is the hardest of it all.

    `likely`: N x 32 x C log-probabilities. Counted is how they are shared among the hanzi in three columns about the
    first character, so that the columns in which CTC spells remain its own choice.
    """
    first = torch.from_numpy(np.clip((batch.columns > 0).argmax(axis=1), 1, STEPS - 2))
    windows = torch.stack([likely[torch.arange(len(first)), first + move] for move in (-1, 0, 1)])
    hanzi = torch.logsumexp(windows[..., _HANZI], dim=0)
    told = (_HANZI[None] == torch.from_numpy(batch.classes[:, :1])).float().argmax(dim=1)
    return functional.cross_entropy(hanzi, told)


def rate_at(progress: float, step: int) -> float:
    """Learning rate at `progress` 0..1 of the run."""
    rise = min(1.0, step / 200 + 0.02)
    if progress < FLAT_SHARE:
        return PEAK_RATE * rise
    return PEAK_RATE * rise * (0.5 * (1 + math.cos(math.pi * (progress - FLAT_SHARE) / (1 - FLAT_SHARE))) + 0.003)


def read_all(net: nn.Module, lines: NDArray[np.uint8]) -> list[str]:
    """The net's free reading of each line."""
    net.eval()
    texts: list[str] = []
    with torch.no_grad():
        for start in range(0, len(lines), 64):
            best = net(to_input(lines[start : start + 64]))[0].argmax(dim=1).numpy()
            texts += [dev_set.spell(row) for row in best]
    net.train()
    return texts


def follow(mean: list[Tensor], now: list[Tensor], updates: Tensor | int) -> None:
    """One update of the running mean, in place. Its memory grows with the run, so the first weights leave no trace."""
    decay = min(MEAN_DECAY, (1 + int(updates)) / (10 + int(updates)))
    for old, new in zip(mean, now, strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


class Training:
    """One run: the net, its running mean, and the log in `out`."""

    def __init__(self, seed: int, out: Path, photos: Path) -> None:
        torch.manual_seed(seed)
        self.net = PlateNet(len(CHARACTERS)).to(memory_format=torch.channels_last).train()
        self.mean = AveragedModel(self.net, multi_avg_fn=follow, use_buffers=True)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=PEAK_RATE, weight_decay=1e-3)
        self.sets = dev_set.load(photos)
        self.out = out
        self.step = 0
        self.loss = 0.0

    def learn(self, batch: Batch, progress: float) -> None:
        """One step."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(progress, self.step)
        with torch.autocast("cpu", torch.bfloat16):
            characters, colors = self.net(to_input(batch.lines))
        loss = loss_of(characters.float(), colors.float(), batch, progress < WARM_SHARE)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self.loss = 0.98 * self.loss + 0.02 * loss.item() if self.step > 1 else loss.item()
        if self.step % UPDATE_EVERY == 0:
            self.mean.update_parameters(self.net)

    def report(self, minutes: float) -> None:
        """Measure the mean of the weights on the photos, log it, and keep the weights."""
        line: dict[str, float | int] = {"minutes": round(minutes, 1), "samples": self.step * BATCH}
        line["loss"] = round(self.loss, 4)
        for one in self.sets:
            result = dev_set.score(one, read_all(self.mean, one.lines))
            line[one.name] = round(100 * result.exact, 1)
            line[f"{one.name}_no_province"] = round(100 * result.without_province, 1)
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        self._keep(self.mean.module.state_dict(), "reader.pt")
        self._keep(
            {
                "net": self.net.state_dict(),
                "mean": self.mean.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
            },
            "run.pt",
        )

    def resume(self) -> None:
        """Go on from what `report` kept in `out`."""
        kept = torch.load(self.out / "run.pt", weights_only=True)
        self.net.load_state_dict(kept["net"])
        self.mean.load_state_dict(kept["mean"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.step = kept["step"]

    def _keep(self, what: dict[str, object], name: str) -> None:
        new = self.out / f"{name}.new"
        torch.save(what, new)
        new.replace(self.out / name)


def train(seed: int, minutes: float, steps: int, out: Path, photos: Path, began_at: float = -1) -> None:
    """Until `minutes` of wall time or `steps` are over, whichever is first; the rate falls to nothing by then.

    `began_at` 0 or more goes on with the run kept in `out` as if that many minutes had passed.
    """
    out.mkdir(parents=True, exist_ok=True)
    training = Training(seed, out, photos)
    if began_at >= 0:
        training.resume()
    reported = time.monotonic()
    began = reported - 60 * max(0.0, began_at)
    for batch in batches(seed, BATCH, RAMP_BATCHES, training.step):
        now = time.monotonic()
        progress = max((now - began) / 60 / minutes, training.step / steps)
        if progress >= 1:
            break
        if now - reported >= REPORT_S:
            reported = now
            training.report((now - began) / 60)
        training.learn(batch, progress)
    training.report((time.monotonic() - began) / 60)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="most wall time")
    parser.add_argument("--steps", type=int, default=10**9, help="most steps of 64 plates; makes a run repeatable")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photos", type=Path, default=Path("../shared/plates"), help="photos to measure on, if any")
    parser.add_argument("--resume-at", type=float, default=-1, help="minutes already run: go on with the run in --out")
    told = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    train(told.seed, told.minutes, told.steps, told.out, told.photos, told.resume_at)


if __name__ == "__main__":
    main()
