"""Covariances to rotations and lengths: the 3 x 3 symmetric eigenproblem, a million at a time.

Cyclic Jacobi rotations in float64 (Golub and Van Loan, section 8.5): each one zeroes one of the
three numbers beside the diagonal; five rounds bring any matrix to working precision, usually
three. Chosen over the closed form (a cubic's roots), which loses half of the digits for flat and
needle-like Gaussians, and over LAPACK, whose call costs more than the work.

Compiled on first use, cached on disk; holds no GIL, so that frames go on while a scene is stored.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

_ROUNDS = 8  # a bound; the loop ends when the matrix is diagonal to 1e-30 of its size


@numba.njit(nogil=True, cache=True, error_model="numpy")
def decompose_into(
    covariances: NDArray[np.float32], quats: NDArray[np.float32], scales: NDArray[np.float32]
) -> None:
    """[N, 6] covariances -> [N, 4] quaternions (w, x, y, z; w >= 0) and [N, 3] falling lengths."""
    matrix = np.empty((3, 3))
    axes = np.empty((3, 3))
    for n in range(len(covariances)):
        if not np.isfinite(covariances[n]).all():
            quats[n] = np.array([1.0, 0.0, 0.0, 0.0])
            scales[n] = np.nan
            continue
        _unpack(covariances[n], matrix)
        _diagonalize(matrix, axes)
        _sort(matrix, axes)
        for k in range(3):
            # Rounding can leave a flat Gaussian's least variance below zero.
            scales[n, k] = 0.0 if matrix[k, k] < 0.0 else math.sqrt(matrix[k, k])
        _quaternion(axes, quats[n])


@numba.njit(nogil=True, cache=True, inline="always")
def _unpack(row: NDArray[np.float32], matrix: NDArray[np.float64]) -> None:
    matrix[0, 0], matrix[1, 1], matrix[2, 2] = row[0], row[3], row[5]
    matrix[0, 1] = matrix[1, 0] = row[1]
    matrix[0, 2] = matrix[2, 0] = row[2]
    matrix[1, 2] = matrix[2, 1] = row[4]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _diagonalize(matrix: NDArray[np.float64], axes: NDArray[np.float64]) -> None:
    """``matrix`` becomes diagonal; the columns of ``axes`` its unit eigenvectors, right-handed."""
    for i in range(3):
        for j in range(3):
            axes[i, j] = 1.0 if i == j else 0.0
    for _ in range(_ROUNDS):
        off = matrix[0, 1] ** 2 + matrix[0, 2] ** 2 + matrix[1, 2] ** 2
        size = matrix[0, 0] ** 2 + matrix[1, 1] ** 2 + matrix[2, 2] ** 2
        if off <= 1e-30 * size:
            break
        _rotate(matrix, axes, 0, 1)
        _rotate(matrix, axes, 0, 2)
        _rotate(matrix, axes, 1, 2)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _rotate(matrix: NDArray[np.float64], axes: NDArray[np.float64], p: int, q: int) -> None:
    """One Jacobi rotation in the plane of axes p and q, after which matrix[p, q] is zero."""
    off = matrix[p, q]
    if off == 0.0:
        return
    theta = (matrix[q, q] - matrix[p, p]) / (2.0 * off)
    sign = 1.0 if theta >= 0.0 else -1.0
    t = sign / (abs(theta) + math.sqrt(theta * theta + 1.0))
    c = 1.0 / math.sqrt(t * t + 1.0)
    s = t * c
    matrix[p, p] -= t * off
    matrix[q, q] += t * off
    matrix[p, q] = matrix[q, p] = 0.0
    r = 3 - p - q
    rp, rq = matrix[r, p], matrix[r, q]
    matrix[r, p] = matrix[p, r] = c * rp - s * rq
    matrix[r, q] = matrix[q, r] = s * rp + c * rq
    for i in range(3):
        ip, iq = axes[i, p], axes[i, q]
        axes[i, p] = c * ip - s * iq
        axes[i, q] = s * ip + c * iq


@numba.njit(nogil=True, cache=True)
def _sort(matrix: NDArray[np.float64], axes: NDArray[np.float64]) -> None:
    """Largest variance first. A swap turns one axis round, which keeps the three right-handed."""
    for p, q in ((0, 1), (1, 2), (0, 1)):
        if matrix[p, p] < matrix[q, q]:
            matrix[p, p], matrix[q, q] = matrix[q, q], matrix[p, p]
            for i in range(3):
                axes[i, p], axes[i, q] = axes[i, q], -axes[i, p]


@numba.njit(nogil=True, cache=True)
def _quaternion(r: NDArray[np.float64], quat: NDArray[np.float32]) -> None:
    """Of a rotation matrix; the largest of the four numbers is found by a root (Shepperd 1978)."""
    trace = r[0, 0] + r[1, 1] + r[2, 2]
    if trace >= max(r[0, 0], r[1, 1], r[2, 2]):
        w, x, y, z = 1.0 + trace, r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]
    elif r[0, 0] >= max(r[1, 1], r[2, 2]):
        w, x = r[2, 1] - r[1, 2], 1.0 + r[0, 0] - r[1, 1] - r[2, 2]
        y, z = r[1, 0] + r[0, 1], r[0, 2] + r[2, 0]
    elif r[1, 1] >= r[2, 2]:
        w, x = r[0, 2] - r[2, 0], r[1, 0] + r[0, 1]
        y, z = 1.0 + r[1, 1] - r[0, 0] - r[2, 2], r[2, 1] + r[1, 2]
    else:
        w, x, y = r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[2, 1] + r[1, 2]
        z = 1.0 + r[2, 2] - r[0, 0] - r[1, 1]
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    if w < 0.0:  # q and -q are the same rotation
        norm = -norm
    quat[0], quat[1], quat[2], quat[3] = w / norm, x / norm, y / norm, z / norm
