"""Depth of a network, blurred and small, made sharp and aligned with the photo's edges.

    inverse depth [h, w] --bilinear--> half grid --snap, snap, median--> half grid
                                                                  |
                         grid <--median-- settle <-- snap <---bilinear

Everything is done on inverse depth, in which planes are linear. Where the depth is smooth over a
window nothing changes but the size. Where it is not, the window holds two sides, and each cell is
snapped to one of them: to the side whose colours it has, which the cell's own blurred depth decides
when colours do not. So no Gaussian floats half way between an object and what is behind it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sharp_xr.gaussians import Float32
from sharp_xr.model.grid import Grid, resized
from sharp_xr.model.kernels import kernel, over_rows

LEAN_M = 0.3
"""How far a head moves when the size of a step in depth is judged."""
STEP_CELLS = 3.0
"""The parallax of a step, in cells of the full grid at LEAN_M, from which it is an edge."""
SLOPE_RATIO, EDGE_RATIO = 1.10, 1.22
"""Ratio of the farthest to the nearest depth in a window: up to the first it is a slope and stays,
from the second on it is an edge and is snapped, between them it is snapped in part."""
SLOPE_SHARE, EDGE_SHARE = 0.40, 0.25
"""Share of a window's samples that lie half way between its sides: on a slope all depths are
equally frequent, at an edge those between the sides are rare. In between, snapped in part."""
CRUMB_REACH, CRUMB_RATIO = 2, 1.3
"""Within so many cells of both sides, whose depths have at least that ratio, there is no third."""
COLOR_SIGMA = 14.0
"""Standard deviation of colours that count as alike, in units of 1/255."""


def aligned(inverse: Float32, image: NDArray[np.uint8], grid: Grid) -> Float32:
    """Sharp inverse depth [rows, columns] on the grid.

    Args:
        inverse: [h, w] inverse depth, 1/m, of the whole photo at any size.
        image: [rows, columns, 3] sRGB of the grid.
        grid: its cells.
    """
    half = grid.halved()
    step = STEP_CELLS / (LEAN_M * grid.fx)
    small = enlarged(inverse, half.rows, half.columns)
    guide = resized(image, half.rows, half.columns).astype(np.float32)
    reach = max(3, round(1.7 * half.columns / inverse.shape[1]) + 3)
    for _ in range(2):
        small = _snapped(small, guide, reach, step)
    small = _median(small)
    full = enlarged(small, grid.rows, grid.columns)
    return _median(_settled(_snapped(full, image.astype(np.float32), 4, step), step))


def enlarged(values: Float32, rows: int, columns: int) -> Float32:
    """[h, w] -> [rows, columns], bilinear, pixel areas aligned."""
    tensor = torch.from_numpy(np.ascontiguousarray(values))[None, None]
    result: Float32 = functional.interpolate(
        tensor, size=(rows, columns), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    return result


def _snapped(inverse: Float32, guide: Float32, reach: int, step: float) -> Float32:
    result = np.empty_like(inverse)
    stride = max(1, reach // 4)

    def work(first: int, end: int) -> None:
        snap(inverse, guide, reach, stride, step, COLOR_SIGMA, first, end, result)

    over_rows(len(inverse), work)
    return result


def _settled(inverse: Float32, step: float) -> Float32:
    result = np.empty_like(inverse)

    def work(first: int, end: int) -> None:
        settle(inverse, step, first, end, result)

    over_rows(len(inverse), work)
    return result


def _median(inverse: Float32) -> Float32:
    result = np.empty_like(inverse)

    def work(first: int, end: int) -> None:
        median_3x3(inverse, first, end, result)

    over_rows(len(inverse), work)
    return result


@kernel
def snap(
    inverse: Float32,
    guide: Float32,
    reach: int,
    stride: int,
    step: float,
    sigma: float,
    first: int,
    end: int,
    result: Float32,
) -> None:
    """Rows first to end of ``result``: see the module.

    A window has two sides if its nearest and its farthest sample differ by ``step`` (1/m) and by
    SLOPE_RATIO. Samples of the middle part belong to neither side: they are the blur.
    """
    for i in range(first, end):
        for j in range(inverse.shape[1]):
            own = inverse[i, j]
            low, high = _extremes(inverse, i, j, reach, stride)
            if high - low < step or high < SLOPE_RATIO * low:
                result[i, j] = own
                continue
            odds, near, far, between = _sides(inverse, guide, i, j, reach, stride, sigma, low, high)
            # The cell's own blurred depth counts as well, like a clear difference in colour.
            odds += 6.0 * ((own - low) / (high - low) - 0.5)
            certainty = min((high / low - SLOPE_RATIO) / (EDGE_RATIO - SLOPE_RATIO), 1.0)
            doubt = (between - EDGE_SHARE) / (SLOPE_SHARE - EDGE_SHARE)
            certainty *= min(max(1.0 - doubt, 0.0), 1.0)
            result[i, j] = own + certainty * ((near if odds > 0.0 else far) - own)


@kernel
def _extremes(inverse: Float32, i: int, j: int, reach: int, stride: int) -> tuple[float, float]:
    """Least and greatest inverse depth in a window."""
    rows, columns = inverse.shape
    low, high = inverse[i, j], inverse[i, j]
    for di in range(-reach, reach + 1, stride):
        y = min(max(i + di, 0), rows - 1)
        for dj in range(-reach, reach + 1, stride):
            q = inverse[y, min(max(j + dj, 0), columns - 1)]
            low, high = min(low, q), max(high, q)
    return low, high


@kernel
def _sides(
    inverse: Float32,
    guide: Float32,
    i: int,
    j: int,
    reach: int,
    stride: int,
    sigma: float,
    low: float,
    high: float,
) -> tuple[float, float, float, float]:
    """Of the two sides in a window: the log odds that the cell has the near one's colours, the near
    and the far one's inverse depth (mean over what looks like the cell), the share between them."""
    rows, columns = inverse.shape
    sharpness = -0.5 / (sigma * sigma)
    spread = -0.5 / (0.6 * reach) ** 2
    between, samples = 0, 0
    near_like, near_all, near_sum = 1e-6, 1e-6, 1e-6 * high
    far_like, far_all, far_sum = 1e-6, 1e-6, 1e-6 * low
    for di in range(-reach, reach + 1, stride):
        y = min(max(i + di, 0), rows - 1)
        for dj in range(-reach, reach + 1, stride):
            x = min(max(j + dj, 0), columns - 1)
            q = inverse[y, x]
            share = (q - low) / (high - low)
            samples += 1
            if 0.3 < share < 0.7:
                between += 1
                continue
            difference = 0.0
            for c in range(3):
                difference += (guide[y, x, c] - guide[i, j, c]) ** 2
            weight = math.exp(spread * (di * di + dj * dj))
            like = weight * (math.exp(sharpness * difference) + 1e-3)
            if share > 0.5:
                near_like += like
                near_all += weight
                near_sum += like * q
            else:
                far_like += like
                far_all += weight
                far_sum += like * q
    odds = math.log(near_like / near_all) - math.log(far_like / far_all)
    return odds, near_sum / near_like, far_sum / far_like, between / samples


@kernel
def median_3x3(inverse: Float32, first: int, end: int, result: Float32) -> None:
    """Rows first to end of ``result``: single cells on the wrong side go."""
    rows, columns = inverse.shape
    window = np.empty(9, np.float32)
    for i in range(first, end):
        for j in range(columns):
            n = 0
            for di in range(-1, 2):
                for dj in range(-1, 2):
                    value = inverse[min(max(i + di, 0), rows - 1), min(max(j + dj, 0), columns - 1)]
                    k = n
                    while k > 0 and window[k - 1] > value:
                        window[k] = window[k - 1]
                        k -= 1
                    window[k] = value
                    n += 1
            result[i, j] = window[4]


@kernel
def settle(inverse: Float32, step: float, first: int, end: int, result: Float32) -> None:
    """Rows first to end of ``result``: crumbs between two sides go to the nearer one.

    What is within CRUMB_REACH cells of both, and of a depth between, cannot be told by colours any
    more (or it would have been snapped), and must not hang in the air.
    """
    rows, columns = inverse.shape
    for i in range(first, end):
        for j in range(columns):
            own = inverse[i, j]
            low, high = own, own
            for y in range(max(i - CRUMB_REACH, 0), min(i + CRUMB_REACH + 1, rows)):
                for x in range(max(j - CRUMB_REACH, 0), min(j + CRUMB_REACH + 1, columns)):
                    low, high = min(low, inverse[y, x]), max(high, inverse[y, x])
            result[i, j] = own
            if high - low > step and high > CRUMB_RATIO * low:
                share = (own - low) / (high - low)
                if 0.15 < share < 0.85:
                    result[i, j] = high if share > 0.5 else low
