"""Covariances to rotations and lengths: the 3 x 3 symmetric eigenproblem, a million at a time.

    A = mean I + spread B      B has trace 0 and eigenvalues 2 cos(phi), 2 cos(phi +- 120 degrees)
    det B / 2 = cos(3 phi)     its sign says which eigenvalue stands alone: the largest or the least
    B - alone I                the axis of that one: the only direction that this maps to zero
    the plane across it        one rotation solves the 2 x 2 problem that is left

The textbook's closed form takes all three eigenvalues from the cosines. It loses half of the digits
where two are close, as they are for flat and needle-like Gaussians. Here only the one that stands
alone comes from there: the others are 1.7 away or more (of 2 at most), so it and its axis are as
exact as the arithmetic, and so is all that follows (Eberly, "A Robust Eigensolver for 3x3 Symmetric
Matrices", 2014, goes this way too). No iteration and no branch: all is float64 in straight lines,
of which the compiler does eight covariances at once where the processor can.

Compiled on first use, cached on disk; holds no GIL, so that frames go on while a scene is stored.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Symmetric = tuple[float, float, float, float, float, float]
"""xx, xy, xz, yy, yz, zz."""

_LANES = 256
"""Covariances at a time, each of their numbers in its own row: what vector instructions want."""
_ROUND = 1e-24
"""(spread / mean)^2 of a ball. float32 covariances that are no balls have 1e-15 at least."""
_COSINE = (
    0.8660298487869713,
    0.16642906792122408,
    -0.04600539858141295,
    0.01764249302231372,
    -0.0040994380361026785,
)
"""cos(acos(h) / 3) for h in 0..1 to 5e-6, a minimax polynomial: where Newton's step begins."""

# "contract" lets the compiler multiply and add in one; nothing here relies on the order of sums.
_kernel = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"})
_inlined = numba.njit(
    nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True
)


@_kernel
def decompose_into(
    covariances: NDArray[np.float32], quats: NDArray[np.float32], scales: NDArray[np.float32]
) -> None:
    """[N, 6] covariances -> [N, 4] quaternions (w, x, y, z; w >= 0) and [N, 3] falling lengths."""
    lanes = np.zeros((6, _LANES), np.float32)
    shapes = np.empty((7, _LANES), np.float32)
    for start in range(0, len(covariances), _LANES):
        count = min(_LANES, len(covariances) - start)
        for i in range(count):
            for k in range(6):
                lanes[k, i] = covariances[start + i, k]
        _decompose_lanes(lanes, shapes)
        for i in range(count):
            for k in range(4):
                quats[start + i, k] = shapes[k, i]
            for k in range(3):
                scales[start + i, k] = shapes[4 + k, i]


@_inlined
def _choose(condition: bool, yes: Vector, no: Vector) -> Vector:
    return (
        yes[0] if condition else no[0],
        yes[1] if condition else no[1],
        yes[2] if condition else no[2],
    )


@_inlined
def _mixed(a: float, u: Vector, b: float, v: Vector) -> Vector:
    return a * u[0] + b * v[0], a * u[1] + b * v[1], a * u[2] + b * v[2]


@_inlined
def _dot(u: Vector, v: Vector) -> float:
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


@_inlined
def _product(m: Symmetric, v: Vector) -> Vector:
    xx, xy, xz, yy, yz, zz = m
    return _dot((xx, xy, xz), v), _dot((xy, yy, yz), v), _dot((xz, yz, zz), v)


@_inlined
def _normalised(m: Symmetric) -> tuple[float, float, Symmetric]:
    """mean, spread and B of the module's first line; for a ball spread and B are zero."""
    xx, xy, xz, yy, yz, zz = m
    mean = (xx + yy + zz) / 3.0
    xx, yy, zz = xx - mean, yy - mean, zz - mean
    squares = (xx * xx + yy * yy + zz * zz + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0
    spread = math.sqrt(squares) if squares > _ROUND * mean * mean else 0.0
    k = 1.0 / spread if spread > 0.0 else 0.0
    return mean, spread, (xx * k, xy * k, xz * k, yy * k, yz * k, zz * k)


@_inlined
def _adjugate(m: Symmetric) -> Symmetric:
    """Of a singular matrix with the null vector n it is a multiple of n n^T."""
    xx, xy, xz, yy, yz, zz = m
    return (
        *(yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy),
        *(xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy),
    )


@_inlined
def _lone_axis(b: Symmetric) -> tuple[Vector, bool]:
    """The unit eigenvector of B whose eigenvalue stands alone; whether that is the least one."""
    c = _adjugate(b)
    h = 0.5 * (b[0] * c[0] + b[1] * c[1] + b[2] * c[2])
    a = abs(h)
    t = (((_COSINE[4] * a + _COSINE[3]) * a + _COSINE[2]) * a + _COSINE[1]) * a + _COSINE[0]
    t = (8.0 * t * t * t + a) / (12.0 * t * t - 3.0)  # Newton's step for 4 t^3 - 3 t = a
    alone = -2.0 * t if h < 0.0 else 2.0 * t
    xx, xy, xz, yy, yz, zz = _adjugate((b[0] - alone, b[1], b[2], b[3] - alone, b[4], b[5] - alone))
    # Every column is a multiple of the axis. The longest has lost the fewest digits.
    axis = _choose(xx >= yy, (xx, xy, xz), (xy, yy, yz))
    axis = _choose(zz > max(xx, yy), (xz, yz, zz), axis)
    k = 1.0 / math.sqrt(_dot(axis, axis))
    return (axis[0] * k, axis[1] * k, axis[2] * k), h < 0.0


@_inlined
def _across(n: Vector) -> tuple[Vector, Vector]:
    """u, v, right-handed with n (Duff et al. 2017, "Building an Orthonormal Basis, Revisited")."""
    x, y, z = n
    sign = -1.0 if z < 0.0 else 1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    return (1.0 + sign * x * x * a, sign * b, -sign * x), (b, sign + y * y * a, -y)


@_inlined
def _solve_plane(b: Symmetric, u: Vector, v: Vector) -> tuple[Vector, Vector, float, float]:
    """B in the plane of u and v: its two eigenvectors and their eigenvalues, the larger first."""
    bu, bv = _product(b, u), _product(b, v)
    uu, uv, vv = _dot(u, bu), _dot(u, bv), _dot(v, bv)
    difference, twice = uu - vv, 2.0 * uv
    r = math.sqrt(difference * difference + twice * twice)
    # (difference + r, twice) and (twice, r - difference) are parallel: take the one that does not
    # cancel, and (1, 0) where any direction will do.
    long = max(r + abs(difference), 1e-150)
    k = 1.0 / math.sqrt(long * long + twice * twice)
    c = long * k if difference >= 0.0 else twice * k
    s = twice * k if difference >= 0.0 else long * k
    total = uu + vv
    return _mixed(c, u, s, v), _mixed(c, v, -s, u), 0.5 * (total + r), 0.5 * (total - r)


@_inlined
def _quaternion(a: Vector, b: Vector, c: Vector) -> tuple[float, float, float, float]:
    """Of the rotation with these columns or, since an axis has no sign, their negatives in pairs.

    Of those four rotations the least one is taken. Its w is 1/2 or more: no case to distinguish.
    """
    best, sa, sb = a[0] + b[1] + c[2], 1.0, 1.0
    for trace, ta, tb in (
        (a[0] - b[1] - c[2], 1.0, -1.0),
        (b[1] - a[0] - c[2], -1.0, 1.0),
        (c[2] - a[0] - b[1], -1.0, -1.0),
    ):
        sa = ta if trace > best else sa
        sb = tb if trace > best else sb
        best = max(best, trace)
    sc = sa * sb
    k = 0.5 / math.sqrt(1.0 + best)
    x, y, z = sb * b[2] - sc * c[1], sc * c[0] - sa * a[2], sa * a[1] - sb * b[0]
    return (1.0 + best) * k, x * k, y * k, z * k


@_inlined
def _length(variance: float) -> float:
    """Rounding can leave a flat Gaussian's least variance below zero. NaN stays."""
    return math.sqrt(0.0 if variance < 0.0 else variance)


@_kernel
def _decompose_lanes(lanes: NDArray[np.float32], shapes: NDArray[np.float32]) -> None:
    """[6, _LANES] covariances -> [7, _LANES] quaternions and lengths."""
    for i in range(_LANES):
        mean, spread, b = _normalised(
            (
                *(np.float64(lanes[0, i]), np.float64(lanes[1, i]), np.float64(lanes[2, i])),
                *(np.float64(lanes[3, i]), np.float64(lanes[4, i]), np.float64(lanes[5, i])),
            )
        )
        axis, least = _lone_axis(b)
        major, minor, high, low = _solve_plane(b, *_across(axis))
        alone = -(high + low)  # the trace is zero
        w, x, y, z = _quaternion(
            _choose(least, major, axis), _choose(least, minor, major), _choose(least, axis, minor)
        )
        turned = 0.0 < spread < np.inf  # neither a ball nor infinite nor NaN
        shapes[0, i] = w if turned else 1.0
        shapes[1, i] = x if turned else 0.0
        shapes[2, i] = y if turned else 0.0
        shapes[3, i] = z if turned else 0.0
        shapes[4, i] = _length(mean + spread * (high if least else alone))
        shapes[5, i] = _length(mean + spread * (low if least else high))
        shapes[6, i] = _length(mean + spread * (alone if least else low))
