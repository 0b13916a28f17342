"""The trained net as ONNX for cv2.dnn: `python -m drivers.camera.plates_training.export WEIGHTS.pt reader.onnx`.

Every batch norm is folded into the convolution before it. The file is written only if cv2.dnn answers as PyTorch does.
"""

import argparse
import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from drivers.camera.plates.alphabet import CHARACTERS
from drivers.camera.plates.rectify import HEIGHT, WIDTH
from drivers.camera.plates_training.net import PlateNet

OPSET = 17
MOST_DIFFERENCE = 1e-3
MOST_BYTES = 2_500_000


class ExportRefused(Exception):
    """The file would not do what the net does, or is too large."""


def folded(net: nn.Module) -> nn.Module:
    """`net` with each batch norm folded into the convolution before it; changes `net` itself."""
    for name, child in net.named_children():
        if isinstance(child, nn.Sequential):
            for place in range(len(child) - 1):
                if isinstance(child[place], nn.Conv2d) and isinstance(child[place + 1], nn.BatchNorm2d):
                    child[place] = fuse_conv_bn_eval(child[place], child[place + 1])
                    child[place + 1] = nn.Identity()
        setattr(net, name, folded(child))
    return net


def export(weights: Path, target: Path) -> float:
    """`write` the net with these weights."""
    net = PlateNet(len(CHARACTERS))
    net.load_state_dict(torch.load(weights, weights_only=True))
    return write(net, target)


def write(net: PlateNet, target: Path) -> float:
    """Write `net` to `target`, which folds it; the largest difference between cv2.dnn and PyTorch.

    ExportRefused leaves the old file as it was.
    """
    net.eval()
    probe = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (4, 3, HEIGHT, WIDTH)).astype(np.float32))
    with torch.no_grad():
        wanted = [output.numpy() for output in net(probe)]
    new = target.with_suffix(".new")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            folded(net).eval(),
            (probe[:1],),
            str(new),
            input_names=["plate"],
            output_names=["characters", "color"],
            opset_version=OPSET,
            dynamo=False,
        )
    difference = _difference(new, probe.numpy(), wanted)
    size = new.stat().st_size
    if difference > MOST_DIFFERENCE or size > MOST_BYTES:
        new.unlink()
        raise ExportRefused(f"differs by {difference:.1e} (most {MOST_DIFFERENCE}), {size} bytes (most {MOST_BYTES})")
    new.replace(target)
    return difference


def _difference(model: Path, probe: NDArray[np.float32], wanted: list[NDArray[np.float32]]) -> float:
    reader = cv2.dnn.readNetFromONNX(str(model))
    worst = 0.0
    for index in range(len(probe)):
        reader.setInput(probe[index : index + 1])
        answers = dict(zip(("characters", "color"), reader.forward(["characters", "color"]), strict=True))
        for name, all_wanted in zip(answers, wanted, strict=True):
            worst = max(worst, float(np.abs(answers[name] - all_wanted[index : index + 1]).max()))
    return worst


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("target", type=Path)
    told = parser.parse_args()
    difference = export(told.weights, told.target)
    print(f"{told.target}: {told.target.stat().st_size} bytes, cv2.dnn within {difference:.1e} of PyTorch")  # noqa: T201


if __name__ == "__main__":
    main()
