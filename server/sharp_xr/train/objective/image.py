"""Terms on pictures: colour and coverage, and where a novel view can be judged at all."""

from __future__ import annotations

import torch
from torch import Tensor

MARGIN = 1.05
"""A pixel counts if it is in the photo, or this near it (NDC: 1 is the photo's border)."""
LEAST_ALPHA = 1e-4
"""Where less is covered nothing is near that could cover it, and the logarithm stays finite."""


def color(drawn: Tensor, true: Tensor, mask: Tensor | None = None) -> Tensor:
    """L_color = mean |I_drawn - I_true|, weight 1.

    Args:
        drawn, true: [B, 3, H, W] sRGB.
        mask: [B, H, W] 1 where it counts; everywhere if None.
    """
    return pixel_mean((drawn - true).abs().mean(1), mask)


def coverage(alpha: Tensor, mask: Tensor | None = None) -> Tensor:
    """L_alpha = BCE(A, 1) = mean -log A, weight 1: no holes. [B, H, W] -> [B]."""
    return pixel_mean(-alpha.clamp(min=LEAST_ALPHA).log(), mask)


def frustum_mask(
    depth: Tensor, target: Tensor, source: Tensor, source_from_target: Tensor, size: Tensor
) -> Tensor:
    """[B, H, W] 1 where the point that a target pixel shows is within the source's picture.

    Args:
        depth: [B, H, W] metres along the target's axis; 0 is unknown, and does not count.
        target, source: [B, 4] fx, fy, cx, cy in px, the centre of the first pixel at (0.5, 0.5).
        source_from_target: [B, 4, 4] OpenCV axes.
        size: [B, 2] width and height of the source's picture, px.
    """
    _, height, width = depth.shape
    y, x = torch.meshgrid(
        torch.arange(height, device=depth.device) + 0.5,
        torch.arange(width, device=depth.device) + 0.5,
        indexing="ij",
    )
    fx, fy, cx, cy = (value[:, None, None] for value in target.to(depth).unbind(1))
    points = torch.stack([(x - cx) / fx * depth, (y - cy) / fy * depth, depth], -1)  # [B, H, W, 3]
    pose = source_from_target.to(depth)
    there = torch.einsum("bij,bhwj->bhwi", pose[:, :3, :3], points) + pose[:, None, None, :3, 3]
    z = there[..., 2]
    ahead = z.clamp(min=1e-6)
    fx, fy, cx, cy = (value[:, None, None] for value in source.to(depth).unbind(1))
    wide, high = (side[:, None, None] for side in size.to(depth).unbind(1))
    u = 2 * (fx * there[..., 0] / ahead + cx) / wide - 1
    v = 2 * (fy * there[..., 1] / ahead + cy) / high - 1
    inside = (u.abs() <= MARGIN) & (v.abs() <= MARGIN) & (z > 0) & (depth > 0)
    return inside.to(depth.dtype)


def pixel_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """[B] mean over the pixels [B, H, W] that count; 0 where none does."""
    if mask is None:
        return values.mean((1, 2))
    return (values * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)
