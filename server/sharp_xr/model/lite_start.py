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

from sharp_xr.gaussians import Float32, Gaussians, decompose, srgb_from_linear
from sharp_xr.model.grid import Grid
from sharp_xr.model.initializer import OPACITY, surface_gaussians
from sharp_xr.model.layers import behind
from sharp_xr.model.second_layer import RECESS, STEEPEST, bent
from sharp_xr.model.sharp.composer import scale_correction
from sharp_xr.model.sharp.config import ATTRIBUTES, LAYERS
from sharp_xr.model.surfaces import surfaces

DEPTH = 0.25
"""Least deviation along any axis, in pitches. The rules' surfaces are thinner, and the photo's own
view is almost the same; from this a head learns sooner to smear, for who leans, what is unsure."""
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
    paint = np.where(there[..., None], hidden.colors, seen.colors)
    front = surface_gaussians(seen.inverse, seen.edges, grid, seen.shown, sigmas=seen.sigmas)
    back = surface_gaussians(far, torn, grid, paint, steepest=STEEPEST)
    correction = torch.zeros(ATTRIBUTES, LAYERS, rows, columns)
    correction[3:10] = torch.stack([_shape(layer, grid) for layer in (front, back)], 1)
    correction[13] = math.log(OPACITY / (1 - OPACITY))
    colors = torch.from_numpy(srgb_from_linear(np.stack([seen.shown, paint])))
    depth = torch.from_numpy(np.stack([seen.inverse, far]))
    return depth, colors.permute(3, 0, 1, 2), correction, torch.from_numpy(there.astype(np.float32))


def _shape(layer: Gaussians, grid: Grid) -> Tensor:
    """[7, h, w] corrections that make base Gaussians as long as these, along the same axes."""
    # The composer's space: x and y in half pictures, so that a cell is 2 / w of depth wide.
    half = grid.columns / (2 * grid.fx)
    stretch = np.array([half * half, half * half, half, half * half, half, 1], np.float32)
    quats, lengths = decompose(layer.covariances / stretch)
    cells = lengths / (layer.means[:, 2:] * np.float32(2 / grid.columns))
    sizes = torch.from_numpy(cells).clamp(DEPTH * half, MOST_CELLS)
    tilt = torch.from_numpy(quats) - torch.tensor([1.0, 0.0, 0.0, 0.0])
    shape = torch.cat([scale_correction(sizes), tilt], 1)
    return shape.T.reshape(7, grid.rows, grid.columns)
