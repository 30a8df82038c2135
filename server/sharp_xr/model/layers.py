"""The second layer: what stands behind the foreground, as far as a leaning head can see it.

At a torn edge the far side goes on behind the near one. From each far cell at an edge (a seed) the
layer grows into the nearer cells around it, nearest seed first:

    visible    f f f f s | n n n n n n n      s seed, n nearer than s
    behind               | s s s s s s s      depth of the seed
                           <-- as far as a lean of REACH_M uncovers -->

A cell at distance d from its seed is uncovered by a lean of b metres when
focal * b * (1/z_near - 1/z_far) >= d. Colours are those of the far side mirrored at the edge, which
keeps its texture, fading to their mean the farther it goes; never of the foreground.

At the edge the layer has the seed's depth, so that it goes on without a step. Farther behind it has
that of a network's second layer, which knows more of what is hidden than the edge does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sharp_xr.gaussians import Float32
from sharp_xr.model.edges import LEAN_M, STEP_CELLS
from sharp_xr.model.grid import Grid
from sharp_xr.model.kernels import kernel

EDGE_RATIO = 1.02
"""Ratio of the depths of two neighbouring cells from which the surface between them is torn."""
REACH_M = 0.5
"""Metres that a head may lean and still find the gap filled."""
CRUMB_CELLS, OPEN_RATIO = 4, 1.25
"""A seed has no cell farther away by this ratio within that many cells."""
MARGIN_CELLS = 2
"""Seeds lie this far from the edge: the cells at it are mixtures of both sides."""
LEARNED_M = 0.3
"""Metres of lean from which on the second layer's depth is the network's alone; sooner, and a true
edge's own depth is lost (24 held-out views)."""

Edges = tuple[NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True)
class Behind:
    """The second layer on the same grid as the first."""

    lean: Float32
    """[rows, columns] metres of lean that uncover the cell; infinite where nothing is behind."""
    inverse: Float32
    """[rows, columns] inverse depth, 1/m; the first layer's where nothing is behind."""
    colors: Float32
    """[rows, columns, 3] linear."""


def torn_edges(inverse: Float32, grid: Grid) -> Edges:
    """Where neighbours in a row [rows, columns - 1], in a column [rows - 1, columns] are torn."""
    step = STEP_CELLS / (LEAN_M * grid.fx)
    torn = []
    for axis in (1, 0):
        one = inverse[:, :-1] if axis == 1 else inverse[:-1]
        other = inverse[:, 1:] if axis == 1 else inverse[1:]
        near, far = np.maximum(one, other), np.minimum(one, other)
        torn.append((near - far > step) & (near > EDGE_RATIO * far))
    return torn[0], torn[1]


def behind(
    inverse: Float32, edges: Edges, grid: Grid, colors: Float32, learned: Float32 | None = None
) -> Behind:
    """Grow the second layer from all torn edges.

    Args:
        inverse: [rows, columns] 1/m, of the visible layer.
        edges: where it is torn.
        grid: its cells.
        colors: [rows, columns, 3] linear, of the visible layer.
        learned: [rows, columns] 1/m, a network's second layer; without it, that of the seeds.
    """
    rows, columns = inverse.shape
    source = np.full((rows, columns), -1, np.int32)
    reach = float(REACH_M * grid.fx)
    open_ground = _open_ground(inverse)
    grow(inverse, edges[0], edges[1], open_ground, reach, source)
    # What no such seed reaches is better filled from a crumb than not at all.
    grow(inverse, edges[0], edges[1], np.ones_like(open_ground), reach, source)
    lean = np.full((rows, columns), np.inf, np.float32)
    depth = inverse.copy()
    filled = colors.copy()
    fill(inverse, colors, source, float(grid.fx), lean, depth, filled)
    if learned is not None:
        depth = _as_learned(depth, learned, lean)
    return Behind(lean, *smoothed(depth, filled, source))


def _as_learned(depth: Float32, learned: Float32, lean: Float32) -> Float32:
    """From the seeds' inverse depth at the edge to the learned one: a mean of logarithms."""
    share = np.where(np.isfinite(lean), np.minimum(lean / LEARNED_M, 1), 0).astype(np.float32)
    result: Float32 = depth ** (1 - share) * learned**share
    return result


def _open_ground(inverse: Float32) -> NDArray[np.bool_]:
    """[rows, columns] where no cell nearby is much farther away: what a seed must stand on.

    Between a silhouette and its background there may be crumbs of some depth between. Grown from
    them the layer would hang in the air, and the background would have holes behind it.
    """
    near_first = torch.from_numpy(-inverse)[None, None]
    farthest = -functional.max_pool2d(near_first, 2 * CRUMB_CELLS + 1, 1, CRUMB_CELLS)[0, 0].numpy()
    result: NDArray[np.bool_] = inverse <= OPEN_RATIO * farthest
    return result


def smoothed(depth: Float32, colors: Float32, source: NDArray[np.int32]) -> tuple[Float32, Float32]:
    """Without the seams between the areas of different seeds, the more the farther from a seed."""
    for radius in (2, 4):
        nearby_depth, nearby_colors = np.empty_like(depth), np.empty_like(colors)
        blur(depth, colors, source, radius, nearby_depth, nearby_colors)
        depth, colors = nearby_depth, nearby_colors
    return depth, colors


@kernel
def grow(
    inverse: Float32,
    torn_row: NDArray[np.bool_],
    torn_column: NDArray[np.bool_],
    may_seed: NDArray[np.bool_],
    reach: float,
    source: NDArray[np.int32],
) -> None:
    """source [rows, columns]: the index of each covered cell's nearest seed, -1 elsewhere.

    Cells that have a source before stay as they are.

    A brush fire: a cell that found a nearer seed tells its neighbours, until none changes.
    """
    rows, columns = inverse.shape
    size = rows * columns
    queue = np.empty(size, np.int32)
    waits = np.zeros(size, np.bool_)
    squared = np.full(size, 1 << 30, np.int32)
    found = source.ravel()
    squared[found >= 0] = 0
    head, count = 0, 0
    for i in range(rows):
        for j in range(columns):
            for axis in range(2):
                y, x = (i, j + 1) if axis == 0 else (i + 1, j)
                if y >= rows or x >= columns:
                    continue
                if not (torn_row[i, j] if axis == 0 else torn_column[i, j]):
                    continue
                near, far = i * columns + j, y * columns + x
                if inverse[i, j] < inverse[y, x]:
                    near, far = far, near
                if squared[near] > 1 and may_seed[far // columns, far % columns]:
                    squared[near] = 1
                    found[near] = far
                    queue[(head + count) % size] = near
                    waits[near] = True
                    count += 1
    while count > 0:
        cell = queue[head]
        head = (head + 1) % size
        count -= 1
        waits[cell] = False
        seed = found[cell]
        si, sj = seed // columns, seed % columns
        far_side = inverse[si, sj]
        i, j = cell // columns, cell % columns
        for di in range(-1, 2):
            for dj in range(-1, 2):
                y, x = i + di, j + dj
                if y < 0 or x < 0 or y >= rows or x >= columns or (di == 0 and dj == 0):
                    continue
                there = inverse[y, x]
                if there < 1.015 * far_side:
                    continue
                distance = (y - si) * (y - si) + (x - sj) * (x - sj)
                other = y * columns + x
                limit = reach * (there - far_side)
                if distance >= squared[other] or distance > limit * limit:
                    continue
                squared[other] = distance
                found[other] = seed
                if not waits[other]:
                    waits[other] = True
                    queue[(head + count) % size] = other
                    count += 1


@kernel
def fill(
    inverse: Float32,
    colors: Float32,
    source: NDArray[np.int32],
    focal: float,
    lean: Float32,
    depth: Float32,
    filled: Float32,
) -> None:
    """Lean, depth and mirrored colour of every cell that has a seed."""
    rows, columns = inverse.shape
    for i in range(rows):
        for j in range(columns):
            seed = source[i, j]
            if seed < 0:
                continue
            si, sj = seed // columns, seed % columns
            di, dj = float(si - i), float(sj - j)
            distance = np.sqrt(di * di + dj * dj)
            far_side = inverse[si, sj]
            lean[i, j] = distance / (focal * (inverse[i, j] - far_side))
            # Out of the edge's mixed cells first, then as far as the cell is behind the edge.
            fold = distance
            while True:
                step = (MARGIN_CELLS + fold) / distance
                y, x = int(round(si + di * step)), int(round(sj + dj * step))
                if 0 <= y < rows and 0 <= x < columns:
                    q = inverse[y, x]
                    if 0.8 * far_side < q < 1.02 * far_side:
                        break
                if fold < 1.0:
                    y, x = si, sj
                    break
                fold *= 0.5
            depth[i, j] = min(inverse[y, x], far_side)
            for c in range(3):
                filled[i, j, c] = colors[y, x, c]


@kernel
def blur(
    depth: Float32,
    colors: Float32,
    source: NDArray[np.int32],
    radius: int,
    blurred_depth: Float32,
    blurred_colors: Float32,
) -> None:
    """Mean over the layer's cells of like depth in a window, sparsely sampled."""
    rows, columns = depth.shape
    step = max(1, radius // 2)
    for i in range(rows):
        for j in range(columns):
            own = depth[i, j]
            blurred_depth[i, j] = own
            for c in range(3):
                blurred_colors[i, j, c] = colors[i, j, c]
            seed = source[i, j]
            if seed < 0:
                continue
            total, sum_depth, red, green, blue = 0.0, 0.0, 0.0, 0.0, 0.0
            si, sj = seed // columns, seed % columns
            away = abs(i - si) + abs(j - sj)
            for di in range(-radius, radius + 1, step):
                for dj in range(-radius, radius + 1, step):
                    y, x = i + di, j + dj
                    if y < 0 or x < 0 or y >= rows or x >= columns or source[y, x] < 0:
                        continue
                    if abs(depth[y, x] - own) > 0.15 * own:
                        continue
                    total += 1.0
                    sum_depth += depth[y, x]
                    red += colors[y, x, 0]
                    green += colors[y, x, 1]
                    blue += colors[y, x, 2]
            share = min(away / (8.0 * radius), 1.0)
            blurred_depth[i, j] = sum_depth / total
            blurred_colors[i, j, 0] += share * (red / total - colors[i, j, 0])
            blurred_colors[i, j, 1] += share * (green / total - colors[i, j, 1])
            blurred_colors[i, j, 2] += share * (blue / total - colors[i, j, 2])
