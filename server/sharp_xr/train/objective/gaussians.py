"""Terms on the Gaussians themselves: none may float, wander, swell or vanish."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.sharp.composer import NdcGaussians
from sharp_xr.model.sharp.unprojection import scaled_axes

SIGMA = EPSILON = 1e-2
"""Of the floater term: slopes of normalised disparity per cell of SHARP's own grid."""
PAPER_CELLS = 768
"""On a smaller grid a cell is wider and a slope steeper; it is brought back to these."""
FARTHEST_OFFSET = 400.0
"""Raw offset, which the composer multiplies by 1e-3: 0.4 of half a picture."""
LARGEST_PX2, SMALLEST_PX2 = 1e2, 1e-1
"""Variances on the screen, square pixels."""


def floaters(opacities: Tensor, inverse: Tensor) -> Tensor:
    """L_grad = mean alpha_i (1 - exp(-max(0, |grad D^-1(pi(G0_i))| - eps) / sigma)), weight 0.5.

    A base Gaussian lies on the ray of its cell, so pi(G0_i) is the cell.

    Args:
        opacities: [B, N] in order of layer, row, column.
        inverse: [B, 1, L, h, w] normalised inverse depth of the base Gaussians.
    """
    _, _, layers, rows, columns = inverse.shape
    maps = inverse[:, 0]
    wide = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    along_x = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
    along_y = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
    # The root has no slope at 0, where a flat surface is.
    slope = (along_x**2 + along_y**2 + 1e-20).sqrt() * (columns / PAPER_CELLS)
    share = 1 - torch.exp(-functional.relu(slope - EPSILON) / SIGMA)
    return (opacities.view(-1, layers, rows, columns) * share).mean((1, 2, 3))


def offset_hinge(delta: Tensor) -> Tensor:
    """L_delta = mean max(|dx| - 400, 0) + max(|dy| - 400, 0), weight 1.

    Args:
        delta: [B, 14, L, h, w] raw corrections, x and y first.
    """
    beyond = functional.relu(delta[:, :2].abs() - FARTHEST_OFFSET)
    return beyond.sum(1).mean((1, 2, 3))


def splat_hinge(variances: Tensor) -> Tensor:
    """L_splat = mean max(var - 1e2, 0) + max(1e-1 - var, 0), weight 1; [B, N, 2] px^2 -> [B]."""
    hinge = functional.relu(variances - LARGEST_PX2) + functional.relu(SMALLEST_PX2 - variances)
    return hinge.mean((1, 2))


def screen_variances(gaussians: NdcGaussians, width: int) -> Tensor:
    """[B, N, 2] variances along x and y in the input view, px^2, by the projection's Jacobian.

    In the network's space a point (x, y, z) is seen at (x, y) / z, -1 to 1 over ``width`` px.
    """
    x, y, z = gaussians.means.unbind(-1)
    axes = scaled_axes(gaussians.quats, gaussians.scales)  # rows of R S, [B, N, 3] each
    half = width / 2
    seen = [(axes[i] - (at / z)[..., None] * axes[2]) / z[..., None] for i, at in ((0, x), (1, y))]
    return torch.stack([(half * row).pow(2).sum(-1) for row in seen], -1)
