"""Where the learned corrections of `lite_gaussians.py` begin: at the Gaussians of `lite.py`.

    depth of two layers, blurred --surfaces.py, layers.py--> both surfaces on the photo's cells
    surfaces --> base: where, what colour           (SHARP's base Gaussians, see composer.py)
             --> corrections: how large, how tilted, how opaque   (what a head that says 0 leaves)

The rules run on the CPU and have no gradient. The depth that they sharpened keeps its own: what is
multiplied with it, the ratio of sharp to blurred, counts as a constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sharp_xr.gaussians import Float32, srgb_from_linear
from sharp_xr.model.grid import Grid
from sharp_xr.model.initializer import OPACITY, SIGMA, tangents
from sharp_xr.model.layers import Edges, behind
from sharp_xr.model.second_layer import RECESS, STEEPEST, bent
from sharp_xr.model.sharp.composer import scale_correction
from sharp_xr.model.sharp.config import ATTRIBUTES, LAYERS
from sharp_xr.model.surfaces import surfaces

DEPTH = 0.25
"""Deviation across the surface, in pitches. The rules have less, and the photo's own view is almost
the same; from more a head learns sooner to smear, for who leans, what it is unsure of."""
MOST_CELLS = 9.0
"""Deviation along an axis, in cells; the composer's limit is 10."""


@dataclass(frozen=True)
class Start:
    """Of B pictures, on h x w cells."""

    ratio: Tensor
    """[B, 2, h, w] inverse depth of the surfaces over what was given, at the cells."""
    colors: Tensor
    """[B, 3, 2, h, w] sRGB."""
    correction: Tensor
    """[B, 14, 2, h, w] what ``compose`` takes: sizes, tilt and opacity alone."""
    there: Tensor
    """[B, h, w] 1 where a lean uncovers the second layer; elsewhere it has no Gaussians."""


@torch.no_grad()
def start(image: Tensor, inverse: Tensor, cells: Tensor, focal_over_width: Tensor) -> Start:
    """By the rules.

    Args:
        image: [B, 3, h, w] sRGB 0..1, on the cells.
        inverse: [B, 2, h', w'] 1/m as the network says it, blurred.
        cells: [B, 2, h, w] the same at the cells.
        focal_over_width: [B].
    """
    pictures = (image.detach() * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    small = inverse.detach().float().cpu().numpy()
    lenses = focal_over_width.tolist()
    each = [_of_one(*one) for one in zip(pictures, small, lenses, strict=True)]
    depth, colors, correction, there = (
        torch.stack(parts).to(image.device) for parts in zip(*each, strict=True)
    )
    return Start(depth / cells.detach(), colors, correction, there)


def _of_one(
    picture: NDArray[np.uint8], small: Float32, focal_over_width: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inverse depth [2, h, w], colours [3, 2, h, w], corrections, where there is a second layer."""
    rows, columns = picture.shape[:2]
    focal = focal_over_width * columns
    grid = Grid(rows, columns, focal, focal, columns / 2, rows / 2)
    seen = surfaces(np.ascontiguousarray(small), np.ascontiguousarray(picture), grid)
    hidden = behind(seen.inverse, seen.edges, grid, seen.colors, seen.learned)
    there = np.isfinite(hidden.lean)
    far = np.where(there, bent(hidden.inverse, there), seen.learned)
    far = np.minimum(far, RECESS * seen.inverse).astype(np.float32)
    torn = (~(there[:, 1:] & there[:, :-1]), ~(there[1:] & there[:-1]))
    flat = np.full(far.shape, SIGMA, np.float32)
    shapes = torch.stack(
        [
            _shape(seen.inverse, seen.edges, grid, seen.sigmas),
            _shape(far, torn, grid, flat, STEEPEST),
        ],
        1,
    )
    correction = torch.zeros(ATTRIBUTES, LAYERS, rows, columns)
    correction[3:10] = shapes
    correction[13] = math.log(OPACITY / (1 - OPACITY))
    paint = np.where(there[..., None], hidden.colors, seen.colors)
    colors = torch.from_numpy(srgb_from_linear(np.stack([seen.shown, paint])))
    depth = torch.from_numpy(np.stack([seen.inverse, far]))
    return depth, colors.permute(3, 0, 1, 2), correction, torch.from_numpy(there.astype(np.float32))


def _shape(
    inverse: Float32, edges: Edges, grid: Grid, sigmas: Float32, steepest: float = STEEPEST
) -> Tensor:
    """[7, h, w] corrections of a Gaussian's three sizes and of its quaternion: it lies in the
    surface, and spreads from a cell to the next in row and column."""
    along_row, along_column = (
        torch.from_numpy(tangent) for tangent in tangents(inverse, edges, grid, steepest)
    )
    # The composer's space: x and y in half pictures, so that a cell is 2 / w of depth wide.
    half = grid.columns / (2 * grid.fx)
    cell = (2 / grid.columns) / torch.from_numpy(inverse)[..., None]
    stretch = torch.tensor([half, half, 1.0])
    one, other = along_row / stretch / cell, along_column / stretch / cell
    # Turned among themselves by one Jacobi rotation they are orthogonal, their spread the same.
    angle = torch.atan2(2 * _dot(one, other), _dot(one, one) - _dot(other, other)) / 2
    cos, sin = angle.cos(), angle.sin()
    one, other = cos * one + sin * other, cos * other - sin * one
    length, width = (axis.norm(dim=-1, keepdim=True).clamp(min=1e-3) for axis in (one, other))
    first, second = one / length, other / width
    normal = torch.cross(first, second, dim=-1)
    size = torch.cat([length, width], -1) * torch.from_numpy(sigmas)[..., None]
    size = torch.cat([size, torch.full_like(length, DEPTH * half)], -1)
    scale = scale_correction(size.clamp(0.02, MOST_CELLS))
    tilt = quaternion(torch.stack([first, second, normal], -1))
    tilt = tilt - torch.tensor([1.0, 0.0, 0.0, 0.0])
    return torch.cat([scale, tilt], -1).permute(2, 0, 1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1, keepdim=True)


def quaternion(rotation: Tensor) -> Tensor:
    """[..., 3, 3] -> [..., 4] (w, x, y, z), w at least 0; of those turns by the real part 0 any.

    Of the four ways to take it from the matrix, the one with the largest divisor (Shepperd 1978).
    """
    m = rotation
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = torch.stack([xx + yy + zz, xx - yy - zz, yy - xx - zz, zz - xx - yy], -1) + 1
    a, b, c = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    d, e, f = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    w, x, y, z = squares.unbind(-1)
    ways = torch.stack(
        [
            torch.stack([w, a, b, c], -1),
            torch.stack([a, x, d, e], -1),
            torch.stack([b, d, y, f], -1),
            torch.stack([c, e, f, z], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    chosen = ways.gather(-2, best).squeeze(-2)
    chosen = functional.normalize(chosen, dim=-1)
    return torch.where(chosen[..., :1] < 0, -chosen, chosen)
