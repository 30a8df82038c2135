"""Gaussians of the second layer, from what layers.py grew behind the torn edges.

They have twice the pitch: what is invented has no fine detail. There is no third layer, so this one
has no edges: where it meets two depths it bends from one to the other, or its own edges would be
black holes. And it stays behind the visible layer, whose sharp cells it would else cover.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model.grid import Grid, in_blocks
from sharp_xr.model.initializer import surface_gaussians
from sharp_xr.model.layers import Edges, behind

MOST = 46_000
"""Gaussians at most; those that a small lean uncovers come first."""
RECESS = 0.99
"""Ratio of inverse depths by which the layer is behind the visible one at least."""
BENDS = 8
"""Rounds of smoothing; each reaches two cells of this layer further."""
STEEPEST = 8.0
"""Depth between two cells that a Gaussian spans at most, in pitches: more looks like hair."""


def second_layer(
    inverse: Float32, edges: Edges, grid: Grid, colors: Float32, learned: Float32 | None = None
) -> Gaussians:
    """Behind the visible layer: its inverse depth, its torn edges, its cells and linear colours;
    ``learned`` is a network's inverse depth of what is behind, [rows, columns]."""
    hidden = behind(inverse, edges, grid, colors, learned)
    half = grid.halved()
    leans = in_blocks(hidden.lean)  # [rows, columns, 4]
    covered = np.isfinite(leans)
    share = np.maximum(covered.sum(2), 1).astype(np.float32)
    depth = (in_blocks(hidden.inverse) * covered).sum(2) / share
    paint = (in_blocks(hidden.colors) * covered[..., None]).sum(2) / share[..., None]
    lean = leans.min(2)
    there = np.isfinite(lean)
    front = in_blocks(inverse).min(2)
    recessed = np.minimum(bent(depth, there), RECESS * front)
    surface = np.where(there, recessed, front).astype(np.float32)
    # At its own border the layer meets cells that have nothing behind, and those are not in it.
    torn = (~(there[:, 1:] & there[:, :-1]), ~(there[1:] & there[:-1]))
    gaussians = surface_gaussians(surface, torn, half, paint, steepest=STEEPEST)
    return gaussians[_first_uncovered(lean).ravel()]


def bent(depth: Float32, there: NDArray[np.bool_]) -> Float32:
    """Depth smoothed over the cells that are there."""
    mask = torch.from_numpy(there.astype(np.float32))[None, None]
    values = torch.from_numpy(depth.astype(np.float32))[None, None] * mask
    share = functional.avg_pool2d(mask, 5, 1, 2).clamp_min(1e-6)
    for _ in range(BENDS):
        values = functional.avg_pool2d(values, 5, 1, 2) / share * mask
    result: Float32 = values[0, 0].numpy()
    return result


def _first_uncovered(lean: Float32) -> NDArray[np.bool_]:
    """The MOST cells that the smallest leans uncover, all if they are fewer."""
    chosen: NDArray[np.bool_] = np.isfinite(lean)
    if np.count_nonzero(chosen) > MOST:
        chosen = lean <= np.partition(lean.ravel(), MOST - 1)[MOST - 1]
    return chosen
