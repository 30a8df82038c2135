"""The definition of correct for gradients: reference.py's formulas in float64 torch, all Gaussians
at all pixels at once, left to autograd. No code is shared with the rasterizer that it judges."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sharp_xr.render import RenderSettings, View

ENTRY = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
"""Column of the six stored numbers that an entry of the symmetric matrix is in."""


def dense(
    means: Tensor,
    covariances: Tensor,
    colors: Tensor,
    opacities: Tensor,
    poses: Tensor,
    views: Sequence[View],
    settings: RenderSettings,
) -> tuple[Tensor, Tensor, Tensor]:
    """rgb [V, 3, H, W] in linear light, depth [V, H, W] and alpha [V, H, W]."""
    pictures = [
        picture(means, covariances, colors, opacities, pose, view, settings)
        for pose, view in zip(poses, views, strict=True)
    ]
    rgb, depth, alpha = zip(*pictures, strict=True)
    return torch.stack(rgb), torch.stack(depth), torch.stack(alpha)


def picture(
    means: Tensor,
    covariances: Tensor,
    colors: Tensor,
    opacities: Tensor,
    pose: Tensor,
    view: View,
    settings: RenderSettings,
) -> tuple[Tensor, Tensor, Tensor]:
    rotation, translation = pose[:3, :3], pose[:3, 3]
    points = means @ rotation.T + translation  # [N, 3] camera
    ahead = (points[:, 2] >= settings.near) & (opacities >= 1 / 255)
    points, opacities, colors = points[ahead], opacities[ahead], colors[ahead]
    full = covariances[ahead][:, torch.tensor(ENTRY)]  # [N, 3, 3]
    turned = jacobian(points, view) @ rotation
    spread = turned @ full @ turned.mT + settings.eps2d * torch.eye(2, dtype=means.dtype)
    det = spread[:, 0, 0] * spread[:, 1, 1] - spread[:, 0, 1] ** 2
    drawn = torch.nonzero((spread[:, 0, 0] > 0) & (det > 0))[:, 0]
    drawn = drawn[torch.argsort(points[drawn, 2].detach(), stable=True)]
    points, spread, det = points[drawn], spread[drawn], det[drawn]
    alphas = opacities[drawn, None, None] * torch.exp(-exponents(points, spread, det, view))
    alphas = alphas.clamp(max=settings.max_alpha)
    alphas = torch.where(alphas >= 1 / 255, alphas, torch.zeros_like(alphas))
    after = torch.cumprod(1 - alphas, 0)
    before = torch.cat([torch.ones_like(after[:1]), after])[:-1]
    weights = torch.where(after > 1e-4, before * alphas, torch.zeros_like(alphas))  # [N, H, W]
    cover = weights.sum(0)
    background = torch.tensor(settings.background, dtype=means.dtype)[:, None, None]
    rgb = torch.einsum("nhw,nc->chw", weights, colors[drawn]) + (1 - cover) * background
    depth = torch.einsum("nhw,n->hw", weights, points[:, 2]) / cover.clamp(min=1e-10)
    return rgb, depth, cover


def jacobian(points: Tensor, view: View) -> Tensor:
    """[N, 3] camera points -> [N, 2, 3] pixels per metre, held near the frustum."""
    x, y, z = points.unbind(1)
    rim_x, rim_y = 0.15 * view.width / view.fx, 0.15 * view.height / view.fy
    u = (x / z).clamp(-view.cx / view.fx - rim_x, (view.width - view.cx) / view.fx + rim_x)
    v = (y / z).clamp(-view.cy / view.fy - rim_y, (view.height - view.cy) / view.fy + rim_y)
    zero = torch.zeros_like(z)
    first = torch.stack([view.fx / z, zero, -view.fx * u / z], 1)
    second = torch.stack([zero, view.fy / z, -view.fy * v / z], 1)
    return torch.stack([first, second], 1)


def exponents(points: Tensor, spread: Tensor, det: Tensor, view: View) -> Tensor:
    """[N, H, W] half of the squared Mahalanobis distance from each centre to each pixel's."""
    x, y, z = points.unbind(1)
    rows = torch.arange(view.height, dtype=points.dtype)[:, None] + 0.5
    columns = torch.arange(view.width, dtype=points.dtype)[None, :] + 0.5
    dx = columns - (x / z * view.fx + view.cx)[:, None, None]
    dy = rows - (y / z * view.fy + view.cy)[:, None, None]
    xx, xy, yy = (spread[:, i, j, None, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    return 0.5 * (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / det[:, None, None]
