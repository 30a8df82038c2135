"""The initializer: two depth maps become two Gaussians per 2 x 2 pixels (section 4).

    disparity --> depth, normalised to start at 1 --> base Gaussians (where, how large, what colour)
                                                 \\-> features for the Gaussian decoder

No parameters. All in normalised space: x and y in units of half the picture (NDC), depth in units
of the nearest depth, so that the network sees the same numbers for a tabletop and a valley.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MIN_DISPARITY, MAX_DISPARITY = 1e-4, 1e4
FARTHEST = 100.0
"""Normalised depth: what is farther is put here."""
STRIDE = 2
"""Pixels per Gaussian."""


@dataclass(frozen=True)
class Base:
    """What the network's corrections are added to; [B, C, L, h, w], L layers, h = w = S/2."""

    ndc: Tensor
    """[1, 2, 1, h, w] x and y of the cells' centres, -1 is left and top."""
    inverse_depth: Tensor
    """[B, 1, L, h, w] normalised."""
    colors: Tensor
    """[B, 3, 1 or L, h, w] sRGB."""
    global_scale: Tensor
    """[B] metres per unit of normalised depth."""


def metric_depth(disparity: Tensor, disparity_factor: Tensor) -> Tensor:
    """[B, 2, S, S] disparity, [B] focal length over width -> metres."""
    factor = disparity_factor[:, None, None, None]
    return factor / disparity.clamp(MIN_DISPARITY, MAX_DISPARITY)


def normalised(depth: Tensor) -> tuple[Tensor, Tensor]:
    """[B, 2, S, S] metres -> the same in about 1 to 100; and [B] metres per unit.

    The nearest pixel of both layers decides: one wrong pixel scales the whole picture.
    """
    global_scale = depth.amin(dim=(1, 2, 3)) + 1e-6
    return (depth / global_scale[:, None, None, None]).clamp(max=FARTHEST), global_scale


def initialize(image: Tensor, depth: Tensor) -> tuple[Base, Tensor]:
    """The base Gaussians, and the decoder's input.

    Args:
        image: [B, 3, S, S] sRGB 0..1.
        depth: [B, 2, S, S] metres.

    Returns:
        The base, and features [B, 5, S, S]: colours and both inverse depths, each as 2 v - 1.
    """
    near_one, global_scale = normalised(depth)
    inverse = 1.0 / near_one
    base = Base(
        ndc=cell_centres(image.shape[2] // STRIDE, image),
        # The nearest of four pixels: a thin thing in front stays.
        inverse_depth=functional.max_pool2d(inverse, STRIDE)[:, None],
        colors=functional.avg_pool2d(image, STRIDE)[:, :, None],
        global_scale=global_scale,
    )
    return base, torch.cat([image, inverse], dim=1) * 2.0 - 1.0


def cell_centres(cells: int, like: Tensor) -> Tensor:
    """[1, 2, 1, cells, cells] NDC of the middle of each cell; dtype and device as ``like``."""
    index = torch.arange(cells, device=like.device, dtype=like.dtype)
    centre = 2.0 * (2.0 * index + 1.0) / (STRIDE * cells) - 1.0
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    return torch.stack([x, y])[None, :, None]
