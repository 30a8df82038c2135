"""A rim around the photo, so that a leaning head does not meet a hard black edge at once.

The outermost cells go on outwards at their own depth, in their own colours, blurred and
fading to nothing. Coarse cells will do: a rim has no detail to show.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model.grid import Grid, in_blocks
from sharp_xr.model.initializer import OPACITY, surface_gaussians

WIDTH = 0.12
"""Of the rim, in shares of the photo's longer side."""
RECESS = 0.98
"""Ratio of inverse depths: the rim lies a little behind what it continues and does not cover it."""
OVERLAP = 2
"""Cells of the rim that lie behind the photo's edge: without them a head that leans sees a dark
line there, for what is farther moves less."""
FEWEST_CELLS = 32
"""A photo with a side smaller than this has no rim."""


def rim(inverse: Float32, grid: Grid, colors: Float32) -> Gaussians | None:
    """Gaussians of four times the pitch around a grid of depths and (linear) colours."""
    if min(inverse.shape) < FEWEST_CELLS:
        return None
    coarse = grid.halved().halved()
    small = in_blocks(in_blocks(inverse).mean(2)).mean(2)
    photo = in_blocks(in_blocks(colors).mean(2)).mean(2)
    width = min(round(WIDTH * max(small.shape)), min(small.shape) - 1)
    around = [(width, width), (width, width)]
    wide = np.pad(_calmed(small), around, mode="edge") * np.float32(RECESS)
    beyond = np.pad(photo, [*around, (0, 0)], mode="edge")
    faded = _faded(wide.shape, width)
    outside = Grid(
        wide.shape[0], wide.shape[1], coarse.fx, coarse.fy, coarse.cx + width, coarse.cy + width
    )
    whole = np.zeros(wide.shape, np.bool_)
    rim_colors = np.stack([_calmed(beyond[..., c]) for c in range(3)], axis=2)
    gaussians = surface_gaussians(
        wide, (whole[:, 1:], whole[1:]), outside, rim_colors, OPACITY * faded
    )
    chosen = np.ones(wide.shape, np.bool_)
    inside = slice(width + OVERLAP, -width - OVERLAP)
    chosen[inside, inside] = False
    return gaussians[(chosen & (faded > 0.02)).ravel()]


def _faded(shape: tuple[int, ...], width: int) -> Float32:
    """[rows, columns] 1 on the photo, falling to 0 at the rim's outer side, rounded at corners."""
    rows, columns = (
        np.maximum(0, np.maximum(width - np.arange(n), np.arange(n) - (n - 1 - width)))
        for n in shape
    )
    distance = np.hypot(rows[:, None], columns[None, :]) / width
    result: Float32 = (np.clip(1.0 - distance, 0.0, 1.0) ** 1.5).astype(np.float32)
    return result


def _calmed(values: Float32) -> Float32:
    """Mean over 5 x 5 cells, the border's values repeated beyond it."""
    tensor = torch.from_numpy(np.ascontiguousarray(values))[None, None]
    padded = functional.pad(tensor, (2, 2, 2, 2), mode="replicate")
    result: Float32 = functional.avg_pool2d(padded, 5, 1)[0, 0].numpy()
    return result
