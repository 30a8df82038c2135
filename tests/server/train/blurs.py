"""A perceptual network in a line."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


class Blurs:
    name = "blurs"

    def __call__(self, srgb: Tensor) -> list[Tensor]:
        return [functional.avg_pool2d(srgb, 2**k) for k in range(4)]
