"""Surfaces on a grid of rays -> Gaussians, by SHARP's rules (apple/ml-sharp, ``models/``).

SHARP's network starts from, and corrects: one Gaussian on each cell's ray, as far as the surface,
its standard deviation the cell's pitch at that depth, so that size in the picture is the same for
all. Without a network to correct them the rules need two additions, both here:

- A Gaussian lies in its surface: its axes are the tangents of the surface along the grid's rows and
  columns. In the photo's own view that changes nothing (each still covers its cell), but a slope
  seen from the side stays closed.
- Its deviation is SIGMA pitches and it is nearly opaque: sharp, and hardly any background shines
  through. Where the photo is dark hardly any would be too much: there it is wider.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sharp_xr.gaussians import COVARIANCE_ENTRIES, Float32, Gaussians
from sharp_xr.model.grid import Grid

SIGMA = 0.65
"""Standard deviation in cells: less leaves the corners between four cells open, more blurs."""
DARK_SIGMA = 0.85
"""The same where the photo is dark: there even a hundredth of a bright background would shine."""
DARK = 0.06
"""Linear light up to which a cell counts as dark, in part."""
OPACITY = 0.98
"""Of a Gaussian in its middle."""
THICKNESS = 0.1
"""Standard deviation across the surface, in pitches."""
STEEPEST = 20.0
"""Depth between two cells that a Gaussian spans at most, in pitches."""


def surface_gaussians(
    inverse: Float32,
    edges: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    grid: Grid,
    colors: Float32,
    opacities: Float32 | None = None,
    sigmas: Float32 | None = None,
    steepest: float = STEEPEST,
) -> Gaussians:
    """One Gaussian per cell, row by row.

    Args:
        inverse: [rows, columns] inverse depth, 1/m.
        edges: where the surface is torn: [rows, columns - 1] between neighbours in a row,
            [rows - 1, columns] between neighbours in a column.
        grid: the cells.
        colors: [rows, columns, 3] linear.
        opacities: [rows, columns]; OPACITY without.
        sigmas: [rows, columns] deviations in cells; SIGMA without.
        steepest: depth between two cells that a Gaussian spans at most, in pitches.
    """
    depth = 1.0 / inverse
    x, y = grid.slopes()
    rays = np.empty((*inverse.shape, 3), np.float32)
    rays[..., 0], rays[..., 1], rays[..., 2] = x[None, :], y[:, None], 1.0
    means = rays * depth[..., None]
    pitch = depth / np.float32(grid.fx)
    limit = np.float32(steepest) * pitch
    along_row = _tangents(depth, edges[0], rays, limit, axis=1, focal=grid.fx)
    along_column = _tangents(depth, edges[1], rays, limit, axis=0, focal=grid.fy)
    variances = np.float32(SIGMA) ** 2 if sigmas is None else sigmas * sigmas
    covariances = np.empty((*inverse.shape, 6), np.float32)
    for k, (a, b) in enumerate(COVARIANCE_ENTRIES):
        spread = along_row[..., a] * along_row[..., b] + along_column[..., a] * along_column[..., b]
        covariances[..., k] = variances * spread
        if a == b:
            covariances[..., k] += (np.float32(THICKNESS) * pitch) ** 2
    if opacities is None:
        opacities = np.full(inverse.shape, OPACITY, np.float32)
    return Gaussians(
        means.reshape(-1, 3), covariances.reshape(-1, 6), colors.reshape(-1, 3), opacities.ravel()
    )


def deviations(colors: Float32) -> Float32:
    """Standard deviations in cells [rows, columns] for a photo [rows, columns, 3], linear."""
    light = torch.from_numpy(np.ascontiguousarray(colors.max(2)))[None, None]
    # A dark cell beside a bright one stays small, or it would darken that one.
    nearby = functional.max_pool2d(light, 5, 1, 2)[0, 0].numpy()
    share = np.clip(1.0 - nearby / DARK, 0.0, 1.0)
    result: Float32 = (SIGMA + (DARK_SIGMA - SIGMA) * share).astype(np.float32)
    return result


def _tangents(
    depth: Float32,
    edges: NDArray[np.bool_],
    rays: Float32,
    limit: Float32,
    axis: int,
    focal: float,
) -> Float32:
    """[rows, columns, 3] how a surface point moves from one cell to the next along the axis.

    d(z r) = z dr + r dz, with dz the root mean square over the neighbours that the surface is not
    torn from: at a step beside a flat neighbour the mean would reach half way only.
    """
    difference = np.where(edges, np.float32(0), np.diff(depth, axis=axis))
    whole = (~edges).astype(np.float32)
    before = ((0, 0), (1, 0)) if axis == 1 else ((1, 0), (0, 0))
    after = ((0, 0), (0, 1)) if axis == 1 else ((0, 1), (0, 0))
    count = np.pad(whole, before) + np.pad(whole, after)
    one, other = np.pad(difference, before), np.pad(difference, after)
    change = np.sqrt((one * one + other * other) / np.maximum(count, 1))
    result: Float32 = rays * np.copysign(np.minimum(change, limit), one + other)[..., None]
    result[..., 0 if axis == 1 else 1] += depth / np.float32(focal)
    return result


def joined(parts: list[Gaussians]) -> Gaussians:
    """All of them as one cloud, in that order."""
    return Gaussians(
        np.concatenate([part.means for part in parts]),
        np.concatenate([part.covariances for part in parts]),
        np.concatenate([part.colors for part in parts]),
        np.concatenate([part.opacities for part in parts]),
    )
