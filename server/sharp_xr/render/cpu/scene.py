"""Gaussians in the order and layout that the kernels want, made once per scene.

Neighbours stand together in chunks of 64, each chunk a structure of arrays: 13 rows of 64 floats.
A chunk has a hull, eight points around the centres of its Gaussians, so that a frame looks at the
hulls first and at Gaussians only where a hull falls on the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render.cpu.compilation import allocating_kernel, kernel
from sharp_xr.render.cpu.levels import Levels

f32 = np.float32

CHUNK = 64
X, Y, Z, L00, L10, L11, L20, L21, L22, LOG_OPACITY, RED, GREEN, BLUE = range(13)
"""Rows of a chunk: centre, lower Cholesky factor of the covariance (L L^T), log2 of the opacity,
linear colour. The factor gives the determinant of a projected covariance as a sum of squares, where
the covariance's own entries would cancel: needles keep their shape in float32."""
ROWS = 13
MIN_ALPHA = f32(1 / 255)
NEVER_SEEN = f32(-1000.0)
"""log2 of the opacity of a chunk's empty places."""

LOG2_255 = f32(math.log2(255.0))
TWO_LN_2 = f32(2 * math.log(2.0))

MORTON_BITS = 10
"""Per axis."""
DEPTH_LEVELS = 128
"""Of a photo's depths along the curve: so coarse that a chunk is a patch of the picture."""
FRUSTUM_MIN_Z = 1e-2
"""Metres. What lies further back is ordered by where the photo's camera sees it."""


@dataclass(frozen=True, eq=False)
class CpuScene:
    """C chunks."""

    count: int
    """Gaussians, those too faint to be drawn included."""
    rows: Float32
    """[C * 13 * 64] the chunks, flat."""
    hulls: Float32
    """[C, 8, 3] metres, photo axes."""
    reaches: Float32
    """[C, 2] how far from its centre a Gaussian of the chunk is seen at most: in metres, and in
    standard deviations (what eps2d is multiplied by)."""
    levels: Levels = field(default_factory=Levels)

    def __len__(self) -> int:
        return self.count

    def refocused(self, ratio: float) -> CpuScene:
        """See :class:`sharp_xr.render.PreparedScene`. D L is lower triangular as L is, and the
        hull of stretched points is their stretched hull."""
        factor = f32(ratio)
        rows = self.rows.reshape(-1, ROWS, CHUNK).copy()
        for row in (Z, L20, L21, L22):
            rows[:, row] *= factor
        hulls = self.hulls * np.array([1, 1, factor], np.float32)
        reaches = self.reaches * np.array([max(factor, f32(1)), 1], np.float32)  # at most so far
        levels = self.levels.refocused(ratio)
        return CpuScene(self.count, rows.ravel(), hulls, reaches, levels)


def arrange(gaussians: Gaussians) -> CpuScene:
    """Reorder finite Gaussians; those that no pixel can see (opacity below 1/255) are left out."""
    order = visible_order(gaussians)
    chunks = -(-len(order) // CHUNK)
    rows = np.empty(chunks * ROWS * CHUNK, np.float32)
    hulls = np.empty((chunks, 8, 3), np.float32)
    reaches = np.empty((chunks, 2), np.float32)
    fill_chunks(
        order,
        gaussians.means,
        gaussians.covariances,
        gaussians.colors,
        gaussians.opacities,
        rows,
        hulls,
        reaches,
    )
    return CpuScene(len(gaussians), rows, hulls, reaches)


def visible_order(gaussians: Gaussians, depth_levels: int = DEPTH_LEVELS) -> NDArray[np.int64]:
    """Indices of the visible Gaussians along a Morton curve."""
    means = gaussians.means
    sample = sample_of(means)
    if not len(sample):
        return np.empty(0, np.int64)
    # A photo's pixels and log z suit its scene best.
    frustum = is_before_camera(sample)
    points = np.empty_like(sample)
    curve_points(sample, frustum, points)
    low, high = np.percentile(points, [0.5, 99.5], axis=0).astype(np.float32)
    scale = f32(2**MORTON_BITS - 1) / np.maximum(high - low, f32(1e-9))
    if frustum:
        scale[2] *= f32(depth_levels / 2**MORTON_BITS)
    keys = np.empty(len(means), np.uint64)
    visible = morton_keys(means, gaussians.opacities, frustum, low, scale, keys)
    keys = np.sort(keys[:visible])
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def sample_of(means: Float32) -> Float32:
    """[M, 3] some thousands of them."""
    return np.ascontiguousarray(means[:: max(1, len(means) // 4096)])


def is_before_camera(sample: Float32) -> bool:
    """Whether the Gaussians all lie before the photo's camera, as a photo's do. Others may surround
    it."""
    return bool(len(sample) and np.mean(sample[:, 2] > FRUSTUM_MIN_Z) > 0.99)


@kernel
def curve_points(means: Float32, frustum: bool, points: Float32) -> None:
    """[N, 3] metres -> the coordinates that the curve runs through."""
    for i in range(len(means)):
        x, y, z = means[i, 0], means[i, 1], means[i, 2]
        if frustum:
            z = max(z, f32(FRUSTUM_MIN_Z))
            x, y, z = x / z, y / z, f32(math.log(z))
        points[i, 0], points[i, 1], points[i, 2] = x, y, z


@allocating_kernel
def morton_keys(
    means: Float32,
    opacities: Float32,
    frustum: bool,
    low: Float32,
    scale: Float32,
    keys: NDArray[np.uint64],
) -> int:
    """(place on the curve, index) of each visible Gaussian, in 32 + 32 bits; how many."""
    top = f32(2**MORTON_BITS - 1)
    point = np.empty((1, 3), np.float32)
    visible = 0
    for i in range(len(means)):
        if opacities[i] < MIN_ALPHA:
            continue
        curve_points(means[i : i + 1], frustum, point)
        place = np.uint64(0)
        for axis in range(3):
            level = min(max((point[0, axis] - low[axis]) * scale[axis], f32(0)), top)
            place |= spread_bits(np.uint64(level)) << np.uint64(axis)
        keys[visible] = (place << np.uint64(32)) | np.uint64(i)
        visible += 1
    return visible


@kernel
def spread_bits(value: np.uint64) -> np.uint64:
    """Ten bits, two zeros between each and the next."""
    value = (value | (value << np.uint64(16))) & np.uint64(0x030000FF)
    value = (value | (value << np.uint64(8))) & np.uint64(0x0300F00F)
    value = (value | (value << np.uint64(4))) & np.uint64(0x030C30C3)
    return (value | (value << np.uint64(2))) & np.uint64(0x09249249)


@kernel
def fill_chunks(
    order: NDArray[np.int64],
    means: Float32,
    covariances: Float32,
    colors: Float32,
    opacities: Float32,
    rows: Float32,
    hulls: Float32,
    reaches: Float32,
) -> None:
    """Gather; places after the last Gaussian repeat it, unseen."""
    for chunk in range(len(hulls)):
        base = chunk * ROWS * CHUNK
        for lane in range(CHUNK):
            place = chunk * CHUNK + lane
            i = order[min(place, len(order) - 1)]
            at = base + lane
            for k in range(3):
                rows[at + (X + k) * CHUNK] = means[i, k]
                rows[at + (RED + k) * CHUNK] = colors[i, k]
            factorize(covariances[i], rows, at)
            rows[at + LOG_OPACITY * CHUNK] = (
                f32(math.log2(opacities[i])) if place < len(order) else NEVER_SEEN
            )
        enclose(rows[base : base + ROWS * CHUNK], hulls[chunk], reaches[chunk])


@kernel
def enclose(rows: Float32, hull: Float32, reach: Float32) -> None:
    """The hull of one chunk's centres, and how far its Gaussians reach."""
    nearest = f32(np.inf)
    for lane in range(CHUNK):
        nearest = min(nearest, rows[lane + Z * CHUNK])
    # Rays from the photo's camera bound a chunk of it tightly, at depth edges above all; they
    # are no use near or behind the camera.
    along_rays = nearest > f32(FRUSTUM_MIN_Z)
    u0, u1, v0, v1 = f32(np.inf), f32(-np.inf), f32(np.inf), f32(-np.inf)
    farthest = nearest
    reach[:] = 0
    for lane in range(CHUNK):
        z = rows[lane + Z * CHUNK]
        divisor = z if along_rays else f32(1)
        u, v = rows[lane + X * CHUNK] / divisor, rows[lane + Y * CHUNK] / divisor
        u0, u1, v0, v1 = min(u0, u), max(u1, u), min(v0, v), max(v1, v)
        farthest = max(farthest, z)
        # alpha falls to 1/255 at sqrt(2 ln(255 opacity)) standard deviations.
        log_cover = rows[lane + LOG_OPACITY * CHUNK] + LOG2_255
        deviations = math.sqrt(max(log_cover, f32(0)) * TWO_LN_2)
        deviation = math.sqrt(largest_variance(rows, lane))
        reach[0] = max(reach[0], f32(deviations * deviation))
        reach[1] = max(reach[1], f32(deviations))
    for corner in range(8):
        z = farthest if corner & 4 else nearest
        factor = z if along_rays else f32(1)
        hull[corner, 0] = (u1 if corner & 1 else u0) * factor
        hull[corner, 1] = (v1 if corner & 2 else v0) * factor
        hull[corner, 2] = z


@kernel
def factorize(covariance: Float32, rows: Float32, at: int) -> None:
    """Cholesky's factor, with zeros where a covariance is flat (or not positive definite)."""
    xx, xy, xz = np.float64(covariance[0]), np.float64(covariance[1]), np.float64(covariance[2])
    yy, yz, zz = np.float64(covariance[3]), np.float64(covariance[4]), np.float64(covariance[5])
    l00 = math.sqrt(max(xx, 0.0))
    l10, l20 = (xy / l00, xz / l00) if l00 > 0 else (0.0, 0.0)
    l11 = math.sqrt(max(yy - l10 * l10, 0.0))
    l21 = (yz - l20 * l10) / l11 if l11 > 0 else 0.0
    l22 = math.sqrt(max(zz - l20 * l20 - l21 * l21, 0.0))
    rows[at + L00 * CHUNK], rows[at + L10 * CHUNK], rows[at + L11 * CHUNK] = l00, l10, l11
    rows[at + L20 * CHUNK], rows[at + L21 * CHUNK], rows[at + L22 * CHUNK] = l20, l21, l22


@kernel
def largest_variance(rows: Float32, lane: int) -> np.float32:
    """At least the largest eigenvalue of a covariance: trace or Gershgorin's bound, the smaller."""
    l00, l10, l11 = rows[lane + L00 * CHUNK], rows[lane + L10 * CHUNK], rows[lane + L11 * CHUNK]
    l20, l21, l22 = rows[lane + L20 * CHUNK], rows[lane + L21 * CHUNK], rows[lane + L22 * CHUNK]
    xx, yy, zz = l00 * l00, l10 * l10 + l11 * l11, l20 * l20 + l21 * l21 + l22 * l22
    xy, xz, yz = abs(l00 * l10), abs(l00 * l20), abs(l10 * l20 + l11 * l21)
    gershgorin = max(max(xx + xy + xz, yy + xy + yz), zz + xz + yz)
    return min(xx + yy + zz, gershgorin)
