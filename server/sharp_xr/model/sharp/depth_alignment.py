"""The depth alignment: training's map from predicted to true depth (section 12, last part).

    1 / predicted depth --+                                             exp
    1 / true depth -------+--conv--> full size --down--> 1/2 ... 1/16    |
                                        |                  |             |
                                        +--conv_out <--up--+--> conv_out-+--> scale map

One photo does not tell the size of things, so training lets this U-Net take out, smoothly over
the picture, what the depth network cannot know; the Gaussians then meet the true pictures, and
losses keep the map near 1. Without true depth there is nothing to align with, so at inference the
map is 1: the weights are loaded and not used.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.model.sharp.config import SharpConfig
from sharp_xr.model.sharp.gaussian_decoder import NormedResidual

NEAREST_M = 1e-4
"""Depths are not taken for less, so that their inverse is finite."""


class DepthAlignment(nn.Module):
    """See the module. Names are the checkpoint's."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.scale_map_estimator = ScaleMapEstimator(config.alignment_dims, config.alignment_groups)

    def forward(self, predicted: Tensor, true: Tensor | None) -> Tensor:
        """The factor that every layer's depth is to be multiplied with.

        Args:
            predicted: depth, metres, [B, L, H, W]; of its layers only the first, the visible one,
                is compared with the truth.
            true: depth, metres, [B, 1, H, W], 0 where it is not known; None at inference.

        Returns:
            [B, 1, H, W], above 0; ones if there is no true depth.
        """
        visible = predicted[:, :1]
        if true is None:
            return torch.ones_like(visible)
        assert true.shape == visible.shape, f"true depth {true.shape}, predicted {visible.shape}"
        return self.scale_map_estimator.between(visible, true)


class ScaleMapEstimator(nn.Module):
    """A U-Net; before training its map is 1 everywhere."""

    def __init__(self, dims: Sequence[int], groups: int) -> None:
        super().__init__()
        self.encoder = AlignmentEncoder(dims, groups)
        self.decoder = AlignmentDecoder(dims, groups)
        self.conv_out = nn.Conv2d(dims[0], 1, 1)
        nn.init.zeros_(self.conv_out.weight)
        assert self.conv_out.bias is not None
        nn.init.zeros_(self.conv_out.bias)

    def between(self, visible: Tensor, true: Tensor) -> Tensor:
        """The factor that brings one depth to the other's scale, both metres, [B, 1, H, W].

        Where the true one is 0 it is not known, and the other is taken for right. In float32
        whatever the rest is in: depth is multiplied with it.
        """
        known = torch.where(true > 0, true, visible.detach())
        inverse = 1.0 / torch.cat([visible, known], dim=1).clamp(min=NEAREST_M)
        with torch.autocast(visible.device.type, enabled=False):
            result: Tensor = self(inverse)
        return result

    def forward(self, inverse: Tensor) -> Tensor:
        """Inverse depths, 1/m, [B, 2, H, W] -> scale map [B, 1, H, W] of any size."""
        size = inverse.shape[-2:]
        # Halving must come out even, or the features on the way up meet others of another size.
        step = 2 ** len(self.encoder.convs_down)
        even = (-(-size[0] // step) * step, -(-size[1] // step) * step)
        features = self.encoder(_resize(inverse, even))
        scale = torch.exp(self.conv_out(self.decoder(features)))
        return _resize(scale, size)


class AlignmentEncoder(nn.Module):
    """Features of five sizes, each half the one before."""

    def __init__(self, dims: Sequence[int], groups: int) -> None:
        super().__init__()
        self.conv_in = nn.Sequential(
            nn.Conv2d(2, dims[0], 3, padding=1), nn.GroupNorm(groups, dims[0]), nn.ReLU()
        )
        self.convs_down = nn.ModuleList(
            nn.Sequential(nn.AvgPool2d(2), *_two_blocks(dim, out, groups))
            for dim, out in zip(dims[:-1], dims[1:], strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 2, H, W] -> [B, dims[i], H / 2^i, W / 2^i]."""
        features = [self.conv_in(x)]
        for down in self.convs_down:
            features.append(down(features[-1]))
        return features


class AlignmentDecoder(nn.Module):
    """Back up; every size is joined by the encoder's features of that size."""

    def __init__(self, dims: Sequence[int], groups: int) -> None:
        super().__init__()
        coarse_first = tuple(reversed(dims))
        joined = [coarse_first[0], *(2 * dim for dim in coarse_first[1:-1])]
        self.convs_up = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), *_two_blocks(dim, out, groups))
            for dim, out in zip(joined, coarse_first[1:], strict=True)
        )
        self.conv_out = nn.Sequential(
            nn.GroupNorm(groups, 2 * dims[0]),
            nn.ReLU(),
            nn.Conv2d(2 * dims[0], dims[0], 1),
            nn.GroupNorm(groups, dims[0]),
            nn.ReLU(),
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """The encoder's features, finest first -> [B, dims[0], H, W]."""
        x = features[-1]
        for up, feature in zip(self.convs_up, reversed(features[:-1]), strict=True):
            x = torch.cat([up(x), feature], dim=1)
        result: Tensor = self.conv_out(x)
        return result


def _two_blocks(dim: int, out: int, groups: int) -> tuple[NormedResidual, NormedResidual]:
    """Both with half their output's width inside; the first one changes the width."""
    return (
        NormedResidual(dim, out // 2, out, groups),
        NormedResidual(out, out // 2, out, groups),
    )


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, pixel centres at halves; the same tensor if it has that size."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return functional.interpolate(x, tuple(size), mode="bilinear", align_corners=False)
