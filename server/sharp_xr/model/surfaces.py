"""Small blurred depth and a sharp photo -> the two surfaces that a photo's Gaussians lie in.

inverse depth of two layers --edges.py--> visible one, sharp on the photo's edges
photo on the grid --matting.py--> its colours --sharpening.py--> against the Gaussians' blur
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.model.edges import aligned, enlarged
from sharp_xr.model.grid import Grid, to_linear
from sharp_xr.model.initializer import deviations
from sharp_xr.model.layers import Edges, torn_edges
from sharp_xr.model.matting import unmixed
from sharp_xr.model.sharpening import sharpened

NEAREST_M, FARTHEST_M = 0.1, 200.0
"""Depths that leave here."""


@dataclass(frozen=True)
class Surfaces:
    """On a grid of rows x columns cells."""

    grid: Grid
    inverse: Float32
    """[rows, columns] 1/m of the visible one."""
    edges: Edges
    """Where it is torn."""
    learned: Float32
    """[rows, columns] 1/m that the network says of the one behind, blurred."""
    colors: Float32
    """[rows, columns, 3] linear, of the visible one."""
    shown: Float32
    """The same, for Gaussians that overlap."""
    sigmas: Float32
    """[rows, columns] deviations of those, in cells."""


def surfaces(small: Float32, image: NDArray[np.uint8], grid: Grid) -> Surfaces:
    """Of both layers' inverse depth [2, h, w], 1/m, and the photo [rows, columns, 3], sRGB."""
    inverse = within(aligned(small[0], image, grid))
    colors = unmixed(to_linear(image), inverse)
    sigmas = deviations(colors)
    return Surfaces(
        grid,
        inverse,
        torn_edges(inverse, grid),
        within(enlarged(small[1], grid.rows, grid.columns)),
        colors,
        sharpened(colors, inverse, sigmas),
        sigmas,
    )


def within(inverse: Float32) -> Float32:
    """Inverse depth of any shape, brought between FARTHEST_M and NEAREST_M."""
    result: Float32 = np.clip(inverse, 1 / FARTHEST_M, 1 / NEAREST_M)
    return result
