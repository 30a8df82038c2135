"""`lite` as a whole small SHARP: depth in two layers, and learned corrections of its Gaussians.

    photo [B, 3, H, W] --LiteNetwork--> y of two layers [B, 2, H/2, W/2], features [B, C, H/2, W/2]
      |                                      |  x depth_alignment (training only)
      |                                      v
      +------------------------------> base: a Gaussian per cell and layer (SHARP's rules)
      |                                      |
      +--features, enlarged--> head --> 14 corrections each --> composer.py

The cells are the photo's pixels, or squares of ``stride`` of them. Unlike SHARP, which squeezes a
photo into a square, this keeps its aspect: NDC is by half the width along both axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.model.lite_network import (
    CANONICAL_FOCAL_PX,
    FAR_M,
    LITE,
    NEAR_M,
    TINY,
    LiteConfig,
    LiteNetwork,
    normalised,
)
from sharp_xr.model.sharp.composer import NdcGaussians, compose
from sharp_xr.model.sharp.config import ATTRIBUTES, LAYERS
from sharp_xr.model.sharp.depth_alignment import ScaleMapEstimator
from sharp_xr.model.sharp.initializer import Base
from sharp_xr.model.sharp.initializer import normalised as near_one
from sharp_xr.model.sharp.network import Parts

OPACITIES = 4.0, 2.0
"""Logits that a new network's layers begin with: the photo is opaque from the first step on."""
SIZE = -0.45
"""Scale correction to begin with: deviations of 0.65 cells, as ``initializer.py`` has them."""


@dataclass(frozen=True)
class LiteGaussiansConfig:
    """Sizes."""

    depth: LiteConfig = LITE
    width: int = 24
    """Channels of the head."""
    blocks: int = 3
    """Residual blocks of it."""
    stride: int = 1
    """Pixels along a cell's side."""
    alignment: tuple[int, int, int, int, int] = (8, 16, 16, 32, 32)
    """Widths of the U-Net that training aligns depth with."""


LITE_GAUSSIANS = LiteGaussiansConfig()
TINY_GAUSSIANS = LiteGaussiansConfig(TINY, width=8, blocks=1, alignment=(8, 8, 8, 8, 8))
"""For tests."""


class LiteGaussians(nn.Module):
    """See the module. Height and width are multiples of 32."""

    def __init__(self, config: LiteGaussiansConfig = LITE_GAUSSIANS) -> None:
        super().__init__()
        self.config = config
        self.depth = LiteNetwork(config.depth)
        self.head = CorrectionHead(config)
        self.depth_alignment = ScaleMapEstimator(config.alignment, groups=4)

    @staticmethod
    def half_view(height: int, width: int) -> tuple[float, float]:
        """Pixels of one unit of NDC along x and y."""
        return width / 2, width / 2

    def forward(
        self, image: Tensor, disparity_factor: Tensor, true_depth: Tensor | None = None
    ) -> NdcGaussians:
        """Predicts; see :meth:`parts`."""
        return self.parts(image, disparity_factor, true_depth).gaussians

    def parts(
        self, image: Tensor, disparity_factor: Tensor, true_depth: Tensor | None = None
    ) -> Parts:
        """Predicts.

        Args:
            image: [B, 3, H, W] sRGB 0..1.
            disparity_factor: [B] the photo's focal length over its width.
            true_depth: [B, 1, H, W] metres, in training; predicted depth is brought to its scale.
                Where it is 0 it is not known, and taken for right.
        """
        features = self.depth.features(normalised((image * 255).permute(0, 2, 3, 1)))
        depth = self._metres(self.depth.layers(features), disparity_factor, image.shape[-2:])
        scale = None
        if true_depth is not None:
            scale = self.depth_alignment.between(depth[:, :1], true_depth)
            depth = depth * scale
        base, seen = self._base(image, depth)
        delta = self.head(seen, features)
        return Parts(compose(base, delta), base, delta, depth, scale)

    def _metres(self, y: Tensor, factor: Tensor, size: torch.Size) -> Tensor:
        """[B, 2, H/2, W/2] -> metres [B, 2, H, W]; inverse depth is what is interpolated."""
        with torch.autocast(y.device.type, enabled=False):
            focal_px = factor * size[1]
            inverse = y.float().exp() * (CANONICAL_FOCAL_PX / focal_px)[:, None, None, None]
            inverse = inverse.clamp(1 / FAR_M, 1 / NEAR_M)
            wide = functional.interpolate(inverse, size, mode="bilinear", align_corners=False)
            return 1 / wide

    def _base(self, image: Tensor, depth: Tensor) -> tuple[Base, Tensor]:
        """The base Gaussians, and what the head sees of them, [B, 5, h, w]."""
        stride = self.config.stride
        near, global_scale = near_one(depth)
        # The nearest of a cell's pixels: a thin thing in front stays.
        inverse = functional.max_pool2d(1 / near, stride)
        colors = functional.avg_pool2d(image, stride)
        base = Base(cell_centres(inverse), inverse[:, None], colors[:, :, None], global_scale)
        return base, torch.cat([colors, inverse], 1) * 2 - 1


class CorrectionHead(nn.Module):
    """What cells look like and what the decoder knows of them -> corrections [B, 14, 2, h, w]."""

    def __init__(self, config: LiteGaussiansConfig) -> None:
        super().__init__()
        width = config.width
        self.seen = nn.Conv2d(3 + LAYERS, width, 3, padding=1)
        self.known = nn.Conv2d(config.depth.decoder[-1], width, 1)
        self.blocks = nn.ModuleList(Residual(width) for _ in range(config.blocks))
        self.out = nn.Conv2d(width, ATTRIBUTES * LAYERS, 1)
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            start = torch.zeros(ATTRIBUTES, LAYERS)
            start[3:6] = SIZE
            start[13] = torch.tensor(OPACITIES)
            self.out.bias = nn.Parameter(start.flatten())

    def forward(self, seen: Tensor, features: Tensor) -> Tensor:
        """[B, 5, h, w] and [B, C, h', w'] -> [B, 14, 2, h, w]."""
        known = functional.interpolate(
            self.known(features), seen.shape[-2:], mode="bilinear", align_corners=False
        )
        x = self.seen(seen) + known
        for block in self.blocks:
            x = block(x)
        # Added to logits and logarithms: in float32 also where all else is in bf16.
        with torch.autocast(x.device.type, enabled=False):
            delta: Tensor = self.out(x.float())
        return delta.reshape(len(delta), ATTRIBUTES, LAYERS, *delta.shape[2:])


class Residual(nn.Module):
    """``x + conv(relu(conv(relu(x))))``, 3 x 3 each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same."""
        mixed: Tensor = x + self.second(functional.relu(self.first(functional.relu(x))))
        return mixed


def cell_centres(grid: Tensor) -> Tensor:
    """[1, 2, 1, h, w] NDC (by half the width) of the middle of each cell of [B, C, h, w]."""
    rows, columns = grid.shape[-2:]
    y, x = (
        (torch.arange(n, device=grid.device, dtype=grid.dtype) + 0.5 - n / 2) * (2 / columns)
        for n in (rows, columns)
    )
    rows_y, columns_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns_x, rows_y])[None, :, None]
