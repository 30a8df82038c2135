"""`lite` as a whole small SHARP: depth in two layers, and learned corrections of its Gaussians.

    photo [B, 3, H, W] --LiteNetwork--> y of two layers [B, 2, H/2, W/2], features [B, C, H/2, W/2]
      |                                      |  x depth_alignment (training only)
      |                                      v
      +--> lite_start.py: a Gaussian per cell and layer, by the rules of lite.py
      |                                      |
      +--features, enlarged--> head --> 14 corrections each, added to the rules' --> composer.py

The cells are the photo's pixels, or squares of ``stride`` of them. Unlike SHARP, which squeezes a
photo into a square, this keeps its aspect: NDC is by half the width along both axes. A new head
says 0, so that a training begins with what the rules make: edges sharp, and behind them the layer
that a lean uncovers.
"""

from __future__ import annotations

import dataclasses
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
from sharp_xr.model.lite_start import start
from sharp_xr.model.sharp.composer import NdcGaussians, compose
from sharp_xr.model.sharp.config import ATTRIBUTES, LAYERS
from sharp_xr.model.sharp.depth_alignment import ScaleMapEstimator
from sharp_xr.model.sharp.initializer import Base
from sharp_xr.model.sharp.initializer import normalised as near_one
from sharp_xr.model.sharp.network import Parts

SEEN = 3 + 3 + LAYERS + 1
"""What the head sees of a cell: the photo, the second layer's colour, both inverse depths, whether
a lean uncovers the second layer."""


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
        inverse = self._inverse(self.depth.layers(features), disparity_factor, image.shape[-1])
        wide = functional.interpolate(
            inverse, image.shape[-2:], mode="bilinear", align_corners=False
        )
        scale = None
        if true_depth is not None:
            scale = self.depth_alignment.between(1 / wide[:, :1], true_depth)
            wide = wide / scale
            inverse = inverse / functional.avg_pool2d(scale, 2)
        gaussians, base, delta = self.corrected(image, inverse, features, disparity_factor)
        return Parts(gaussians, base, delta, 1 / wide, scale)

    def corrected(
        self, image: Tensor, inverse: Tensor, features: Tensor, focal_over_width: Tensor
    ) -> tuple[NdcGaussians, Base, Tensor]:
        """Gaussians, what the rules begin them with, and the head's corrections.

        Args:
            image: [B, 3, H, W] sRGB 0..1; here of any size.
            inverse: [B, 2, h, w] 1/m of both layers, blurred.
            features: [B, C, h', w'] of the same pictures.
            focal_over_width: [B].
        """
        with torch.autocast(image.device.type, enabled=False):
            inverse = inverse.float()
            small = functional.avg_pool2d(image.float(), self.config.stride)
            cells = functional.interpolate(
                inverse, small.shape[-2:], mode="bilinear", align_corners=False
            )
            begun = start(small, inverse, cells, focal_over_width)
            near, global_scale = near_one(1 / (cells * begun.ratio))
            sharp = 1 / near
        there = begun.there[:, None]
        seen = torch.cat([small, begun.colors[:, :, 1], sharp, there], 1) * 2 - 1
        delta = self.head(seen, features)
        base = Base(cell_centres(sharp), sharp[:, None], begun.colors, global_scale)
        made = compose(base, begun.correction + delta)
        present = torch.stack([torch.ones_like(begun.there), begun.there], 1).flatten(1)
        opacities = made.opacities * present
        return dataclasses.replace(made, opacities=opacities), base, delta

    @staticmethod
    def _inverse(y: Tensor, factor: Tensor, width: int) -> Tensor:
        """y [B, 2, h, w] of a picture so wide -> 1/m."""
        with torch.autocast(y.device.type, enabled=False):
            focal_px = factor * width
            inverse = y.float().exp() * (CANONICAL_FOCAL_PX / focal_px)[:, None, None, None]
            return inverse.clamp(1 / FAR_M, 1 / NEAR_M)


class CorrectionHead(nn.Module):
    """What cells look like and what the decoder knows of them -> corrections [B, 14, 2, h, w]."""

    def __init__(self, config: LiteGaussiansConfig) -> None:
        super().__init__()
        width = config.width
        self.seen = nn.Conv2d(SEEN, width, 3, padding=1)
        self.known = nn.Conv2d(config.depth.decoder[-1], width, 1)
        self.blocks = nn.ModuleList(Residual(width) for _ in range(config.blocks))
        self.out = nn.Conv2d(width, ATTRIBUTES * LAYERS, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, seen: Tensor, features: Tensor) -> Tensor:
        """[B, SEEN, h, w] and [B, C, h', w'] -> [B, 14, 2, h, w]."""
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
