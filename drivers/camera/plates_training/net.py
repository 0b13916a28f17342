"""The reading net: plain 3x3 convolutions over a 32 x 128 line, 32 columns out, one character or blank in each."""

import torch
from torch import Tensor, nn

COLORS = 5


def _conv(
    inward: int, outward: int, kernel: tuple[int, int] = (3, 3), stride: int = 1, flat: bool = False
) -> nn.Module:
    """Convolution, batch norm, ReLU. `flat` pads in width only, so a kernel two high joins two rows into one."""
    padding = (0 if flat else kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inward, outward, kernel, stride, padding, bias=False), nn.BatchNorm2d(outward), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class PlateNet(nn.Module):
    """N x 3 x 32 x 128 (RGB, -1..1) -> characters N x `classes` x 32 (logits), colour N x 5 (logits).

    Height is halved five times, width only twice: a column stands for four pixels, and a character is 12 pixels wide.
    """

    def __init__(self, classes: int, widths: tuple[int, ...] = (16, 32, 64, 96, 128), dropout: float = 0.1) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.body = nn.Sequential(
            _conv(3, a, stride=2),
            _conv(a, b),
            nn.MaxPool2d(2),
            _Residual(b),
            _conv(b, c),
            nn.MaxPool2d((2, 1)),
            _Residual(c),
            _conv(c, d),
            nn.MaxPool2d((2, 1)),
            _conv(d, d),
        )
        self.reader = nn.Sequential(
            _conv(d, e, (2, 3), flat=True), _conv(e, e, (1, 5)), nn.Dropout(dropout), nn.Conv2d(e, classes, 1)
        )
        self.painter = nn.Sequential(
            nn.AvgPool2d(2),
            _conv(3, 16, stride=2),
            _conv(16, 32, stride=2),
            nn.AvgPool2d((4, 16)),
            nn.Flatten(),
            nn.Linear(32, COLORS),
        )
        """Looks at the picture itself: what the reader keeps of it is shapes, and the two learn apart."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.reader(self.body(x)).squeeze(2), self.painter(x)
