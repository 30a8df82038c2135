"""The Gaussian decoder: what to correct of each base Gaussian (sections 5 and 6).

e0 ... e4 --decoder--> [B, 128, h, w] --+
image, inverse depths --2x2 conv--------+--fusion--+--texture_head---> 32 --1x1--> 22 = 11 x 2
                                                   \\--geometry_head--> 32 --1x1-->  6 =  3 x 2
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sharp_xr.model.sharp.config import ATTRIBUTES, GEOMETRY, LAYERS, SharpConfig
from sharp_xr.model.sharp.decoder import Fusion, MultiresDecoder


class GaussianDecoder(nn.Module):
    """Features for both heads; named ``feature_model`` in the checkpoint."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        dim = config.gaussian_dim
        self.decoder = MultiresDecoder(config.encoder_dims, dim)
        self.image_encoder = ImageEncoder(dim)
        self.fusion = Fusion(dim, double=False)
        self.texture_head = feature_head(config)
        self.geometry_head = feature_head(config)

    def forward(self, initial: Tensor, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """[B, 5, S, S] and e0 ... e4 -> features of geometry and of texture, [B, 32, S/2, S/2]."""
        x = self.fusion(self.decoder(features), self.image_encoder(initial))
        return self.geometry_head(x), self.texture_head(x)


class ImageEncoder(nn.Module):
    """One convolution, 2 x 2 pixels to one cell."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3 + LAYERS, dim, 2, stride=2)

    def forward(self, initial: Tensor) -> Tensor:
        """[B, 5, S, S] -> [B, C, S/2, S/2]."""
        encoded: Tensor = self.conv(initial)
        return encoded


def feature_head(config: SharpConfig) -> nn.Sequential:
    """[B, C, h, w] -> [B, 32, h, w], not negative."""
    dim, hidden, groups = config.gaussian_dim, config.gaussian_hidden, config.gaussian_groups
    return nn.Sequential(
        NormedResidual(dim, hidden, dim, groups),
        NormedResidual(dim, hidden, dim, groups),
        nn.ReLU(),
        nn.Conv2d(dim, config.gaussian_features, 1),
        nn.ReLU(),
    )


class NormedResidual(nn.Module):
    """``u + conv(relu(norm(conv(relu(norm(u))))))``; a 1 x 1 shortcut where the width changes.

    The norms' statistics are over the whole map: working on it in pieces would change the result.
    """

    def __init__(self, dim: int, hidden: int, out: int, groups: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.GroupNorm(groups, dim),
            nn.ReLU(),
            nn.Conv2d(dim, hidden, 3, padding=1),
            nn.GroupNorm(groups, hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, out, 3, padding=1),
        )
        self.shortcut = nn.Identity() if dim == out else nn.Conv2d(dim, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, out, h, w]."""
        result: Tensor = self.shortcut(x) + self.residual(x)
        return result


class PredictionHead(nn.Module):
    """Features -> deltas. Zero before training: then the Gaussians are the base."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        features = config.gaussian_features
        self.geometry_prediction_head = nn.Conv2d(features, GEOMETRY * LAYERS, 1)
        self.texture_prediction_head = nn.Conv2d(features, (ATTRIBUTES - GEOMETRY) * LAYERS, 1)
        for head in (self.geometry_prediction_head, self.texture_prediction_head):
            nn.init.zeros_(head.weight)
            assert head.bias is not None
            nn.init.zeros_(head.bias)

    def forward(self, geometry: Tensor, texture: Tensor) -> Tensor:
        """[B, 32, h, w] twice -> [B, 14, 2, h, w]: x y 1/z, scale 3, quaternion 4, colour 3, 1."""
        heads = (self.geometry_prediction_head, geometry), (self.texture_prediction_head, texture)
        # They are added to logits and logarithms: in float32 also where all else is in bf16.
        with torch.autocast(geometry.device.type, enabled=False):
            deltas = [head(features.to(head.weight.dtype)) for head, features in heads]
        return torch.cat(
            [delta.reshape(len(delta), -1, LAYERS, *delta.shape[2:]) for delta in deltas], dim=1
        )
