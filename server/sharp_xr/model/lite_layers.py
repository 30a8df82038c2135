"""What the network of `lite` is built of: see `lite_network.py` for the whole."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME" does: with stride 2, more right and below.

    The ImageNet weights were trained with that; half a pixel of shift is half a pixel of parallax.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        total = kernel - stride  # sides are multiples of the stride
        self.pad = (total // 2, total - total // 2)

    def forward(self, x: Tensor) -> Tensor:
        low, high = self.pad
        return super().forward(functional.pad(x, (low, high, low, high)))


EPSILON, MOMENTUM = 1e-3, 0.01
"""Of all norms; EfficientNet's."""


def norm(channels: int) -> nn.BatchNorm2d:
    """What follows a convolution."""
    return nn.BatchNorm2d(channels, EPSILON, MOMENTUM)


class Block(nn.Module):
    """Inverted residual: widen 1 x 1, filter each channel, narrow 1 x 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int):
        super().__init__()
        inner = inputs * expand
        self.expand = (
            nn.Sequential(SameConv(inputs, inner, 1), norm(inner), nn.ReLU6(inplace=True))
            if expand > 1
            else nn.Identity()
        )
        self.depthwise = nn.Sequential(
            SameConv(inner, inner, kernel, stride, groups=inner),
            norm(inner),
            nn.ReLU6(inplace=True),
        )
        self.project = nn.Sequential(SameConv(inner, outputs, 1), norm(outputs))
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.is_residual else y


class Join(nn.Module):
    """Doubles the size of x and joins the encoder's features of that size."""

    def __init__(self, inputs: int, skip: int, outputs: int, kernels: tuple[int, ...]):
        super().__init__()
        # A 1 x 1 convolution of both, concatenated; that of the smaller one before it is enlarged,
        # which is the same and costs a quarter.
        self.deep = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.skip = nn.Conv2d(skip, outputs, 1, bias=False)
        self.mix = nn.Sequential(norm(outputs), nn.ReLU(inplace=True))
        for kernel in kernels:
            self.mix.extend(_separable(outputs, kernel))

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        x = self.deep(x)
        larger = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        y: Tensor = self.mix(larger + self.skip(features))
        return y


def _separable(channels: int, kernel: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False),
        norm(channels),
        nn.Conv2d(channels, channels, 1, bias=False),
        norm(channels),
        nn.ReLU(inplace=True),
    ]


class Attention(nn.Module):
    """Adds to each cell what it takes from all the others (Vaswani et al. 2017, section 3.2).

    Nothing, before it is trained.
    """

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.asked = nn.Linear(channels, 3 * channels)
        self.told = nn.Linear(channels, channels)
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        cells = x.flatten(2).transpose(1, 2)
        query, key, value = (
            t.view(b, h * w, self.heads, c // self.heads).transpose(1, 2)
            for t in self.asked(self.norm(cells)).chunk(3, -1)
        )
        found = functional.scaled_dot_product_attention(query, key, value)
        y: Tensor = self.told(found.transpose(1, 2).reshape(b, h * w, c))
        return x + y.transpose(1, 2).reshape(b, c, h, w)


class ZeroNorm(nn.BatchNorm2d):
    """The last of a residual block that begins by adding nothing (Goyal et al. 2017, section 5.1).

    It has to be trained: with it, all before it would stay as it is.
    """

    def __init__(self, channels: int):
        super().__init__(channels, EPSILON, MOMENTUM)
        nn.init.zeros_(self.weight)


def refinement(channels: int, blocks: int, expand: int, attentive: bool) -> nn.Sequential:
    """Residual blocks, each behind an attention if wanted; nothing is changed before training."""
    layers: list[nn.Module] = []
    for _ in range(blocks):
        block = Block(channels, channels, 7, 1, expand)
        block.project[1] = ZeroNorm(channels)
        layers += [Attention(channels), block] if attentive else [block]
    return nn.Sequential(*layers)
