"""Colours that, blended as the renderer blends the photo's own view, give the photo.

Gaussians overlap, so a picture of plain pixel colours is a blurred photo. In the source view the
overlap is known: Gaussian k covers cell i with alpha = opacity exp(-d^2 / 2 sigma^2) at distance d,
and alphas are blended from near to far. That is a linear map W of the colours (linear light), and
c <- c + (photo - W c) a few times makes W c the photo.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.model.initializer import OPACITY
from sharp_xr.model.kernels import kernel, over_rows
from sharp_xr.model.matting import SIDE_RATIO

ROUNDS = 6
OVERSHOOT = 0.8

_OFFSETS = np.array(
    sorted(
        ((di, dj) for di in range(-2, 3) for dj in range(-2, 3) if di * di + dj * dj <= 5),
        key=lambda offset: (offset[0] ** 2 + offset[1] ** 2, offset),
    ),
    np.int64,
)
"""[21, 2] rows and columns to the cells that reach this one."""


def sharpened(photo: Float32, inverse: Float32, sigmas: Float32) -> Float32:
    """Colours [rows, columns, 3], 0 to 1 linear, that show a photo of that shape.

    Args:
        photo: [rows, columns, 3] linear.
        inverse: [rows, columns] inverse depth.
        sigmas: [rows, columns] standard deviations in cells.
    """
    rows, columns = inverse.shape
    weights = np.empty((rows, columns, len(_OFFSETS)), np.float32)
    over_rows(
        rows,
        lambda first, end: blending_weights(
            inverse, sigmas, OPACITY, _OFFSETS, first, end, weights
        ),
    )
    limits = np.empty((rows, columns, 3, 2), np.float32)
    over_rows(rows, lambda first, end: color_limits(photo, inverse, SIDE_RATIO, first, end, limits))
    colors = photo
    for _ in range(ROUNDS):
        corrected = np.empty_like(colors)
        before = colors

        def work(first: int, end: int, old: Float32 = before, new: Float32 = corrected) -> None:
            correct(photo, old, limits, weights, _OFFSETS, first, end, new)

        over_rows(rows, work)
        colors = corrected
    return colors


@kernel
def blending_weights(
    inverse: Float32,
    sigmas: Float32,
    opacity: float,
    offsets: NDArray[np.int64],
    first: int,
    end: int,
    weights: Float32,
) -> None:
    """weights [rows, columns, 21]: how much of each neighbour's colour a cell shows."""
    rows, columns = inverse.shape
    count = len(offsets)
    squared = offsets[:, 0] ** 2 + offsets[:, 1] ** 2
    alphas = np.empty(count, np.float32)
    order = np.empty(count, np.int64)
    near = np.empty(count, np.float32)
    for i in range(first, end):
        for j in range(columns):
            n = 0
            for k in range(count):
                weights[i, j, k] = 0.0
                y, x = i + offsets[k, 0], j + offsets[k, 1]
                if y < 0 or x < 0 or y >= rows or x >= columns:
                    continue
                q, sigma = inverse[y, x], sigmas[y, x]
                alphas[k] = opacity * np.exp(-0.5 * squared[k] / (sigma * sigma))
                m = n
                while m > 0 and near[m - 1] < q:
                    near[m], order[m] = near[m - 1], order[m - 1]
                    m -= 1
                near[m], order[m] = q, k
                n += 1
            left = np.float32(1.0)
            for m in range(n):
                k = order[m]
                weights[i, j, k] = left * alphas[k]
                left *= np.float32(1.0) - alphas[k]


@kernel
def color_limits(
    photo: Float32, inverse: Float32, side_ratio: float, first: int, end: int, limits: Float32
) -> None:
    """limits [rows, columns, 3, 2]: least and greatest colour that a cell may get."""
    rows, columns = inverse.shape
    for i in range(first, end):
        for j in range(columns):
            own = inverse[i, j]
            margin = OVERSHOOT
            for c in range(3):
                limits[i, j, c, 0] = limits[i, j, c, 1] = photo[i, j, c]
            for y in range(max(i - 1, 0), min(i + 2, rows)):
                for x in range(max(j - 1, 0), min(j + 2, columns)):
                    ratio = inverse[y, x] / own
                    if ratio > side_ratio or ratio * side_ratio < 1.0:
                        margin = 0.0
                        continue
                    for c in range(3):
                        limits[i, j, c, 0] = min(limits[i, j, c, 0], photo[y, x, c])
                        limits[i, j, c, 1] = max(limits[i, j, c, 1], photo[y, x, c])
            for c in range(3):
                low, high = limits[i, j, c, 0], limits[i, j, c, 1]
                limits[i, j, c, 0] = max(low - margin * (high - low), 0.0)
                limits[i, j, c, 1] = min(high + margin * (high - low), 1.0)


@kernel
def correct(
    photo: Float32,
    old: Float32,
    limits: Float32,
    weights: Float32,
    offsets: NDArray[np.int64],
    first: int,
    end: int,
    new: Float32,
) -> None:
    """new = old + (photo - W old), within the limits."""
    rows, columns = photo.shape[:2]
    shown = np.empty(3, np.float32)
    for i in range(first, end):
        for j in range(columns):
            shown[:] = 0.0
            for k in range(len(offsets)):
                weight = weights[i, j, k]
                if weight == 0.0:
                    continue
                y, x = i + offsets[k, 0], j + offsets[k, 1]
                for c in range(3):
                    shown[c] += weight * old[y, x, c]
            for c in range(3):
                wanted = old[i, j, c] + photo[i, j, c] - shown[c]
                new[i, j, c] = min(max(wanted, limits[i, j, c, 0]), limits[i, j, c, 1])
