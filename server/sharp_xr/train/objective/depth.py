"""Terms on depth and on its adjustment."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.train.objective.image import pixel_mean

SCALES = 6
"""Halvings of the scale map that must be smooth; a small map has fewer."""


def disparity_error(depth: Tensor, true: Tensor) -> Tensor:
    """L_depth = mean |1 / D_1 - 1 / D_true|, weight 0.2: the visible layer, after adjustment.

    Args:
        depth: [B, 2, H, W] metres.
        true: [B, 1, H, W] metres, 0 where it is unknown.
    """
    known = (true > 0).to(depth.dtype)[:, 0]
    inverse = torch.where(true > 0, 1 / true.clamp(min=1e-6), 0.0)
    return pixel_mean((1 / depth[:, :1] - inverse).abs()[:, 0], known)


def second_layer_tv(depth: Tensor) -> Tensor:
    """L_tv = mean |d_x 1 / D_2| + |d_y 1 / D_2|, weight 1. Depth [B, 2, H, W] metres."""
    return total_variation(1 / depth[:, 1:])


def scale_error(scale: Tensor) -> Tensor:
    """L_scale = mean |S - 1|, weight 0.1. Scale map [B, 1, H, W].

    The paper prints mean |S|, whose least is a map of zeros; the identity must cost nothing.
    """
    return (scale - 1).abs().mean((1, 2, 3))


def scale_roughness(scale: Tensor) -> Tensor:
    """L_grad-scale = sum over k = 1 ... 6 of TV(S shrunk 2^k times), weight 5."""
    result = scale.new_zeros(len(scale))
    for _ in range(SCALES):
        if min(scale.shape[2:]) < 4:
            break
        scale = functional.avg_pool2d(scale, 2)
        result = result + total_variation(scale)
    return result


def total_variation(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B] mean absolute difference of neighbours, both ways added."""
    along_x = (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))
    along_y = (x[..., 1:, :] - x[..., :-1, :]).abs().mean((1, 2, 3))
    return along_x + along_y
