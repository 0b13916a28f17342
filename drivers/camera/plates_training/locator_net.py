"""The two nets of the locator, in plain convolutions that `cv2.dnn` runs as they are.

`PlateFinder` looks at the whole picture at stride 8: where is a plate's middle, and where from there are its corners?
`RimFinder` looks at one found place again, laid flat with its surroundings: where exactly is the rim, is it a plate?
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from drivers.camera.plates.rims import HEIGHT, WIDTH

STRIDE = 8
OUTPUTS = 10
"""Per cell: heat, two rows (both logits), then x and y of tl, tr, br, bl from the cell's middle, in `REACH_PX`."""
REACH_PX = 32.0
RIM_WIDTH, RIM_HEIGHT = WIDTH, HEIGHT
"""Pixels of a place laid flat for the second look."""


def _block(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _block(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class PlateFinder(nn.Module):
    """Nx3xHxW (RGB, x / 127.5 - 1; H and W multiples of 32) to Nx10x(H/8)x(W/8), `OUTPUTS` says what."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_block(3, 8, 2), _block(8, 16, 2))
        self.fine = nn.Sequential(_block(16, 32, 2), _Residual(32))
        self.middle = nn.Sequential(_block(32, 56, 2), _Residual(56))
        self.coarse = nn.Sequential(_block(56, 64, 2), _Residual(64), _Residual(64))
        self.to_middle = nn.Conv2d(64, 56, 1)
        self.to_fine = nn.Conv2d(56, 32, 1)
        self.merge_middle = _block(56, 56)
        self.merge_fine = _block(32, 40)
        self.kind = nn.Conv2d(40, 2, 1)
        self.corners = nn.Conv2d(40, 8, 1)
        nn.init.constant_(self.kind.weight, 0.0)
        nn.init.constant_(self.kind.bias, -4.0)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.merge_middle(middle + functional.interpolate(self.to_middle(coarse), scale_factor=2.0))
        fine = self.merge_fine(fine + functional.interpolate(self.to_fine(middle), scale_factor=2.0))
        return torch.cat([self.kind(fine), self.corners(fine)], 1)


class RimFinder(nn.Module):
    """Nx3x64x128 (RGB, x / 127.5 - 1) to the kind, Nx2: plate, two rows (logits); and the corners, Nx4x16x32.

    The corners are four maps (tl, tr, br, bl) at stride 4. Each corner is the mean position under its map's softmax, so
    a plate moved in the picture moves its corners, whatever was seen in training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(_block(3, 16, 2), _block(16, 24, 2), _Residual(24))
        self.middle = nn.Sequential(_block(24, 40, 2), _Residual(40))
        self.coarse = nn.Sequential(_block(40, 64, 2), _Residual(64))
        self.to_middle = nn.Conv2d(64, 40, 1)
        self.to_fine = nn.Conv2d(40, 24, 1)
        self.merge_middle = _block(40, 40)
        self.merge_fine = _block(24, 32)
        self.corners = nn.Conv2d(32, 4, 3, 1, 1)
        self.kind = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(x)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.merge_middle(middle + functional.interpolate(self.to_middle(coarse), scale_factor=2.0))
        fine = self.merge_fine(fine + functional.interpolate(self.to_fine(middle), scale_factor=2.0))
        return self.kind(coarse), self.corners(fine)


def mean_positions(maps: Tensor) -> Tensor:
    """Nx4xHxW maps to Nx4x2: mean x and y under each map's softmax, as shares of the picture's width and height."""
    high, wide = maps.shape[2:]
    weights = torch.softmax(maps.flatten(2), dim=2).view_as(maps)
    across = (torch.arange(wide) + 0.5) / wide
    down = (torch.arange(high) + 0.5) / high
    return torch.stack([(weights.sum(2) * across).sum(2), (weights.sum(3) * down).sum(2)], dim=2)
