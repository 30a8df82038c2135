"""From the network's normalised space to metres and back to a covariance (section 8).

The principal point is the middle of the photo, so the matrix from (NDC x depth, NDC y depth, depth)
to metres is diagonal: (W / 2f, H / 2f, 1). A covariance becomes D Sigma D; nothing is decomposed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sharp_xr.gaussians import COVARIANCE_ENTRIES
from sharp_xr.model.sharp.composer import NdcGaussians
from sharp_xr.rotation import rotation_rows


def unproject(
    gaussians: NdcGaussians, width: float, height: float, focal_px: float
) -> tuple[Tensor, Tensor]:
    """Means [B, N, 3] and covariances [B, N, 6] (xx, xy, xz, yy, yz, zz) in OpenCV axes, metres.

    Args:
        gaussians: what the composer made.
        width, height, focal_px: of the photo itself, in its own pixels.
    """
    half_view = (width / (2 * focal_px), height / (2 * focal_px), 1.0)
    axes = torch.tensor(half_view, dtype=gaussians.means.dtype, device=gaussians.means.device)
    rows = scaled_axes(gaussians.quats, gaussians.scales, half_view)
    covariances = torch.stack(
        [(rows[i] * rows[j]).sum(-1) for i, j in COVARIANCE_ENTRIES],
        dim=-1,
    )
    return gaussians.means * axes, covariances


def scaled_axes(
    quats: Tensor, scales: Tensor, factors: tuple[float, ...] = (1.0, 1.0, 1.0)
) -> list[Tensor]:
    """The rows of D R S, [..., 3] each: a covariance is their products."""
    unit = (quats / quats.norm(dim=-1, keepdim=True)).unbind(-1)
    return [
        torch.stack(row, dim=-1) * scales * factor
        for row, factor in zip(rotation_rows(*unit), factors, strict=True)
    ]
