"""The composer: base Gaussians and corrections become Gaussians in normalised space (section 7).

Each attribute is corrected where it is free of bounds (the inverse of its activation), by a delta
times a factor that slows its learning, and brought back. No parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.sharp.config import LAYERS
from sharp_xr.model.sharp.initializer import Base

POSITION_FACTOR = 1e-3
COLOR_FACTOR = 0.1
MAX_SCALE = 10.0
"""A Gaussian is 0 to 10 times as large as the base one."""
_SCALE_SLOPE = MAX_SCALE / (MAX_SCALE - 1.0)
_SCALE_OFFSET = math.log((1 / MAX_SCALE) / (1 - 1 / MAX_SCALE))
"""With these two a delta of 0 changes nothing, and a small one by its own size."""


@dataclass(frozen=True)
class NdcGaussians:
    """Metres, but x and y of the means still NDC times depth. In order of layer, row, column."""

    means: Tensor
    """[B, N, 3]."""
    scales: Tensor
    """[B, N, 3] along the axes of the quaternion."""
    quats: Tensor
    """[B, N, 4] (w, x, y, z), not normalised."""
    colors: Tensor
    """[B, N, 3] linear RGB."""
    opacities: Tensor
    """[B, N]."""


def compose(base: Base, delta: Tensor) -> NdcGaussians:
    """The base, and [B, 14, L, h, w] -> N = L h w Gaussians per picture."""
    position, inverse, scale = delta[:, 0:2], delta[:, 2:3], delta[:, 3:6]
    quat, color, opacity = delta[:, 6:10], delta[:, 10:13], delta[:, 13:14]
    ndc = base.ndc + POSITION_FACTOR * position
    corrected = softplus_inverse(base.inverse_depth) + POSITION_FACTOR * inverse
    z = 1.0 / (functional.softplus(corrected) + 1e-3)
    means = torch.cat([z * ndc, z], dim=1)
    # The base scale is proportional to base depth, and scaled by corrected over base depth.
    cell = 4.0 / (2 * delta.shape[4])
    scales = cell * z * MAX_SCALE * torch.sigmoid(_SCALE_SLOPE * scale + _SCALE_OFFSET)
    unit = torch.tensor([1.0, 0.0, 0.0, 0.0], device=delta.device, dtype=delta.dtype)
    colors = torch.logit(base.colors.clamp(0.01, 0.99)) + COLOR_FACTOR * color
    metres = base.global_scale[:, None, None]
    return NdcGaussians(
        means=_rows(means) * metres,
        scales=_rows(scales) * metres,
        quats=_rows(unit[None, :, None, None, None] + quat),
        colors=linear_from_srgb(_rows(torch.sigmoid(colors))),
        opacities=torch.sigmoid(_rows(opacity))[..., 0],
    )


def scale_correction(size: Tensor) -> Tensor:
    """The delta that makes a Gaussian ``size`` times as large as the base one, 0 to MAX_SCALE."""
    return (torch.logit(size / MAX_SCALE) - _SCALE_OFFSET) / _SCALE_SLOPE


def softplus_inverse(x: Tensor) -> Tensor:
    """log(exp(x) - 1), written so that large x do not overflow; x is at least 1e-6."""
    x = x.clamp(min=1e-6)
    return x + torch.log(-torch.expm1(-x))


def linear_from_srgb(srgb: Tensor) -> Tensor:
    """Decodes colours (IEC 61966-2-1)."""
    curve = ((srgb + 0.055) / 1.055).clamp(min=0.0) ** 2.4
    return torch.where(srgb <= 0.04045, srgb / 12.92, curve)


def _rows(x: Tensor) -> Tensor:
    """[B, C, L, h, w] -> [B, L h w, C]."""
    assert x.shape[2] == LAYERS
    return x.permute(0, 2, 3, 4, 1).flatten(1, 3)
