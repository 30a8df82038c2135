"""Four Gaussians become one: of their mean, covariance and colour, weighted by what they cover.

That is moment matching, the covariance a little wider (see ``COVER``), and an opacity that lets as
much light through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render.cpu.compilation import allocating_kernel, kernel

f32 = np.float32
Indices = NDArray[np.int64]

MOST_RATIO = f32(1.06)
"""Of the depths in one group."""
MOST_SPREAD = f32(4.0)
"""Distance of a part from the middle, in deviations of the widest part."""
MOST_OPACITY = 0.995
COVER, COVER_OPAQUE = 0.55, 1.0
"""Area of a merged Gaussian, as a share of what its parts have together, where they are of opacity
``SOLID[0]`` or less and where they are of ``SOLID[1]``. True moments have half of it, and leave
seams between squares of cells, which have corners where a Gaussian has none; the seams of an opaque
surface show most, while more area blurs."""
SOLID = (0.85, 0.98)
MOST_WIDENING = 8.0
NEVER = f32(np.inf)


@dataclass(frozen=True)
class Merged:
    """G Gaussians in the place of four each."""

    gaussians: Gaussians
    cost: Float32
    """[G] squared error of the photo's picture, in square radians; infinite at an edge."""


def merged(gaussians: Gaussians, groups: Indices, shown: Float32) -> Merged:
    count = len(groups)
    means, covariances = np.empty((count, 3), np.float32), np.empty((count, 6), np.float32)
    colors, opacities = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    cost = np.empty(count, np.float32)
    merge_groups(
        gaussians.means,
        gaussians.covariances,
        gaussians.colors,
        gaussians.opacities,
        groups,
        means,
        covariances,
        colors,
        opacities,
        cost,
    )
    return Merged(Gaussians(means, covariances, colors, opacities), cost * shown)


@allocating_kernel
def merge_groups(
    means: Float32,
    covariances: Float32,
    colors: Float32,
    opacities: Float32,
    groups: Indices,
    new_means: Float32,
    new_covariances: Float32,
    new_colors: Float32,
    new_opacities: Float32,
    cost: Float32,
) -> None:
    """Fill the rows of the new arrays, a group each."""
    weights, areas = np.empty(4, np.float64), np.empty(4, np.float64)
    for g in range(len(groups)):
        group = groups[g]
        total = weigh(means, covariances, opacities, group, weights, areas)
        mean, color = new_means[g], new_colors[g]
        for axis in range(3):
            mean[axis] = color[axis] = 0
            for k in range(4):
                mean[axis] += f32(weights[k] * means[group[k], axis])
                color[axis] += f32(weights[k] * colors[group[k], axis])
        opacity = total / max(areas.sum(), 1e-30)
        solid = min(max((opacity - SOLID[0]) / (SOLID[1] - SOLID[0]), 0.0), 1.0)
        area = areas.sum() * (COVER + solid * (COVER_OPAQUE - COVER))
        spread(means, covariances, group, weights, mean, area, new_covariances[g])
        covered = area_of(new_covariances[g])
        depth = 0.0
        for k in range(4):
            depth += np.log1p(-min(np.float64(opacities[group[k]]), MOST_OPACITY)) * areas[k]
        new_opacities[g] = f32(min(-np.expm1(depth / max(covered, 1e-30)), MOST_OPACITY))
        cost[g] = error_of(means, covariances, colors, group, weights, total, mean, color)


@kernel
def weigh(
    means: Float32,
    covariances: Float32,
    opacities: Float32,
    group: Indices,
    weights: NDArray[np.float64],
    areas: NDArray[np.float64],
) -> float:
    """Each part's area and share of what all cover, which is returned, in square metres."""
    total = 0.0
    for k in range(4):
        areas[k] = area_of(covariances[group[k]])
        weights[k] = opacities[group[k]] * areas[k]
        total += weights[k]
    for k in range(4):
        weights[k] = weights[k] / total if total > 0 else 0.25
    return total


@kernel
def area_of(covariance: Float32) -> float:
    """As the photo's camera sees it, but for constants and the distance."""
    xx, xy, yy = np.float64(covariance[0]), np.float64(covariance[1]), np.float64(covariance[3])
    return float(np.sqrt(max(xx * yy - xy * xy, 1e-30)))


@allocating_kernel
def spread(
    means: Float32,
    covariances: Float32,
    group: Indices,
    weights: NDArray[np.float64],
    mean: Float32,
    area: float,
    covariance: Float32,
) -> None:
    """The parts' covariances, and that of their means times what makes the area."""
    own, apart = np.zeros(6), np.zeros(6)
    for k in range(4):
        part = group[k]
        x, y, z = means[part, 0] - mean[0], means[part, 1] - mean[1], means[part, 2] - mean[2]
        entry = 0
        for a, b in ((x, x), (x, y), (x, z), (y, y), (y, z), (z, z)):
            own[entry] += weights[k] * covariances[part, entry]
            apart[entry] += weights[k] * a * b
            entry += 1
    # det(own + f apart) = area^2 in x and y.
    square = apart[0] * apart[3] - apart[1] * apart[1]
    linear = own[0] * apart[3] + own[3] * apart[0] - 2 * own[1] * apart[1]
    rest = own[0] * own[3] - own[1] * own[1] - area * area
    root = np.sqrt(max(linear * linear - 4 * square * rest, 0.0))
    factor = -2 * rest / (linear + root) if linear + root > 0 else 1.0
    factor = min(max(factor, 1.0), MOST_WIDENING)
    for entry in range(6):
        covariance[entry] = f32(own[entry] + factor * apart[entry])


@kernel
def error_of(
    means: Float32,
    covariances: Float32,
    colors: Float32,
    group: Indices,
    weights: NDArray[np.float64],
    total: float,
    mean: Float32,
    color: Float32,
) -> np.float32:
    """Of the colours, which are compared as a screen shows them: by their square roots."""
    nearest, farthest = f32(np.inf), f32(-np.inf)
    widest = farther = difference = 0.0
    for k in range(4):
        part = group[k]
        nearest, farthest = min(nearest, means[part, 2]), max(farthest, means[part, 2])
        widest = max(widest, np.float64(covariances[part, 0] + covariances[part, 3]))
        x, y = np.float64(means[part, 0] - mean[0]), np.float64(means[part, 1] - mean[1])
        farther = max(farther, x * x + y * y)
        for channel in range(3):
            shown, wanted = max(color[channel], f32(0)), max(colors[part, channel], f32(0))
            difference += weights[k] * (np.sqrt(shown) - np.sqrt(wanted)) ** 2
    if not (nearest > 0) or farthest > MOST_RATIO * nearest:
        return NEVER
    if farther > MOST_SPREAD * MOST_SPREAD * widest:
        return NEVER
    return f32((difference + 1e-5) * total / (mean[2] * mean[2]))
