"""Colours at silhouettes without the other side's.

A photo's pixel at an edge shows both sides at once. Taken as it is, it puts a fringe of background
on every foreground that moves away from it, and the reverse. Here each cell near a torn edge is
compared with the mean colours of the clean cells of both sides nearby, near F and far B: its share
of F is (I - B)(F - B) / |F - B|^2, and as far as it is a mixture it takes its own side's mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.model.kernels import kernel, over_rows

WIDTH = 1
"""Cells of a silhouette, on either side."""
REACH = 4
"""Cells around a silhouette's cell in which both sides are looked at."""
SIDE_RATIO = 1.15
"""Depths within this ratio are of one side."""
DISTINCT = 0.05
"""Distance of F and B (linear RGB) from which a share can be told."""


def unmixed(colors: Float32, inverse: Float32) -> Float32:
    """Colours [rows, columns, 3] (linear) with each cell's own side only."""
    result = np.empty_like(colors)
    beside = np.empty(inverse.shape, np.bool_)
    rows = len(inverse)
    over_rows(rows, lambda first, end: mark_silhouettes(inverse, first, end, beside))
    over_rows(rows, lambda first, end: unmix(colors, inverse, beside, first, end, result))
    return result


@kernel
def mark_silhouettes(inverse: Float32, first: int, end: int, beside: NDArray[np.bool_]) -> None:
    """True where a cell within WIDTH is of another side."""
    rows, columns = inverse.shape
    for i in range(first, end):
        for j in range(columns):
            own = inverse[i, j]
            beside[i, j] = False
            for y in range(max(i - WIDTH, 0), min(i + WIDTH + 1, rows)):
                for x in range(max(j - WIDTH, 0), min(j + WIDTH + 1, columns)):
                    ratio = inverse[y, x] / own
                    if ratio > SIDE_RATIO or ratio * SIDE_RATIO < 1.0:
                        beside[i, j] = True


@kernel
def unmix(
    colors: Float32,
    inverse: Float32,
    beside: NDArray[np.bool_],
    first: int,
    end: int,
    result: Float32,
) -> None:
    """Rows first to end of the result, see the module."""
    rows, columns = inverse.shape
    own_side, other_side = np.empty(3, np.float32), np.empty(3, np.float32)
    for i in range(first, end):
        for j in range(columns):
            for c in range(3):
                result[i, j, c] = colors[i, j, c]
            if not beside[i, j]:
                continue
            own = inverse[i, j]
            own_count, other_count = 0, 0
            own_side[:] = 0.0
            other_side[:] = 0.0
            for y in range(max(i - REACH, 0), min(i + REACH + 1, rows)):
                for x in range(max(j - REACH, 0), min(j + REACH + 1, columns)):
                    if beside[y, x]:
                        continue
                    ratio = inverse[y, x] / own
                    if ratio > SIDE_RATIO or ratio * SIDE_RATIO < 1.0:
                        other_count += 1
                        for c in range(3):
                            other_side[c] += colors[y, x, c]
                    else:
                        own_count += 1
                        for c in range(3):
                            own_side[c] += colors[y, x, c]
            if own_count < 3 or other_count < 3:
                continue
            along, length = np.float32(0.0), np.float32(0.0)
            for c in range(3):
                own_side[c] /= own_count
                other_side[c] /= other_count
                apart = own_side[c] - other_side[c]
                along += (colors[i, j, c] - other_side[c]) * apart
                length += apart * apart
            if length < DISTINCT * DISTINCT:
                continue
            share = min(max(along / length, np.float32(0.0)), np.float32(1.0))
            for c in range(3):
                result[i, j, c] = own_side[c] + share * share * (colors[i, j, c] - own_side[c])
