"""From the splats' gradients on every tile to the Gaussians' own: the projection, backwards.

One job is a group of chunks. A chunk's splats are added up over the tiles that hold it, in the
tiles' order, then taken through the formulas of projection.py, 64 Gaussians at a time. Nothing
depends on which thread does it, so any number of them gives the same gradients to the bit.

With C the inverse of the projected covariance S, d the way from the centre m to a pixel, and the
splat's gradient being s = sum e, D = sum e d, M = sum e d d^T (e = d loss / d ln alpha):

    loss by m: C D        loss by S: G = C M C / 2        loss by ln opacity: s

and with S = A V A^T + eps2d, A = J R:    loss by V: A^T G A        loss by A: 2 G A V
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.backward_gradients import (
    GRADIENT,
    ROOMY,
    add_gradient,
    lowest_bit,
    turn_gradients,
)
from sharp_xr.render.cpu.backward_tally import Tally
from sharp_xr.render.cpu.backward_vectors import fetch
from sharp_xr.render.cpu.compilation import kernel
from sharp_xr.render.cpu.projection import FRUSTUM_MARGIN, Lens
from sharp_xr.render.cpu.scene import (
    CHUNK,
    L00,
    L10,
    L11,
    L20,
    L21,
    L22,
    ROWS,
    X,
    Y,
    Z,
)
from sharp_xr.render.cpu.scratch import aligned
from sharp_xr.render.cpu.tickets import take_ticket
from sharp_xr.render.cpu.vectors import LANES

f32 = np.float32

GROUP = 64
"""Chunks to a job."""
S, DY, MYY, DX, MXY, MXX, SPLAT_RED, SPLAT_GREEN, SPLAT_BLUE, SPLAT_DEPTH = range(GRADIENT)
"""Rows of a chunk's sums over the tiles of one view."""
MEANS, COVARIANCES, LOG_OPACITY, COLORS = 0, 3, 9, 10
"""First rows of a chunk's result, which adds up the views."""
RESULT = 13
POSE = 12
"""Rotation row by row, translation."""
LARGEST = f32(1e30)
"""What is beyond has overflowed, or will."""


class Scratch(NamedTuple):
    """One thread's room to work in, rows of a chunk's Gaussians at cache lines."""

    totals: Float32
    sums: Float32
    result: Float32
    poses: Float32
    """[V * POSE * CHUNK] of a group's Gaussians, those of one lane added up."""


def new_scratch(views: int) -> Scratch:
    return Scratch(
        totals=aligned(ROOMY * CHUNK),
        sums=aligned(GRADIENT * CHUNK),
        result=aligned(RESULT * CHUNK),
        poses=aligned(views * POSE * CHUNK),
    )


@kernel
def pairs_by_chunk(
    members: NDArray[np.int32], starts: NDArray[np.int32], pairs: NDArray[np.int32]
) -> None:
    """Chunk c is on the tiles of the pairs[starts[c] : starts[c + 1]], in their order."""
    for i in range(len(starts)):
        starts[i] = 0
    for pair in range(len(members)):
        starts[members[pair] + 1] += 1
    for chunk in range(1, len(starts)):
        starts[chunk] += starts[chunk - 1]
    # Each start moves to its end, which is the next one's start, while its chunk is filled.
    for pair in range(len(members)):
        chunk = members[pair]
        pairs[starts[chunk]] = pair
        starts[chunk] += 1
    for chunk in range(len(starts) - 1, 0, -1):
        starts[chunk] = starts[chunk - 1]
    starts[0] = 0


@kernel
def run_chunks(
    counter: NDArray[np.int64],
    rows: Float32,
    order: NDArray[np.int64],
    opacities: Float32,
    cameras: Float32,
    lens: Lens,
    starts: tuple[NDArray[np.int32], ...],
    pairs: tuple[NDArray[np.int32], ...],
    tallies: tuple[Tally, ...],
    gradients: tuple[Float32, ...],
    scratch: Scratch,
    to_means: Float32,
    to_covariances: Float32,
    to_colors: Float32,
    to_opacities: Float32,
    to_poses: NDArray[np.float64],
) -> None:
    """Groups of chunks until none is left; ``to_poses`` is [groups, V, 12]."""
    chunks = len(rows) // (ROWS * CHUNK)
    result, poses = scratch.result, scratch.poses
    while True:
        group = take_ticket(counter)
        if group >= len(to_poses):
            return
        poses[:] = 0
        for chunk in range(group * GROUP, min(chunks, (group + 1) * GROUP)):
            members = order[chunk * CHUNK : (chunk + 1) * CHUNK]
            for i in members:
                fetch(to_means, 3 * i)
                fetch(to_covariances, 6 * i)
                fetch(to_colors, 3 * i)
                fetch(to_opacities, i)
                fetch(opacities, i)
            result[:] = 0
            base = chunk * ROWS * CHUNK
            for view in range(len(cameras)):
                first, last = starts[view][chunk], starts[view][chunk + 1]
                if first < last:
                    add_pairs(pairs[view], first, last, tallies[view], gradients[view], scratch)
                    pull_chunk(
                        rows[base : base + ROWS * CHUNK],
                        cameras[view],
                        lens,
                        scratch.sums,
                        result,
                        poses[view * POSE * CHUNK : (view + 1) * POSE * CHUNK],
                    )
            hand_out(
                members,
                opacities,
                result,
                to_means,
                to_covariances,
                to_colors,
                to_opacities,
            )
        for view in range(len(cameras)):
            for k in range(POSE):
                total = 0.0
                for lane in range(CHUNK):
                    total += poses[(view * POSE + k) * CHUNK + lane]
                to_poses[group, view, k] = total


@kernel
def add_pairs(
    pairs: NDArray[np.int32],
    first: int,
    last: int,
    tally: Tally,
    gradients: Float32,
    scratch: Scratch,
) -> None:
    """One chunk's gradients of one view, over all tiles; those of the pair that comes next are
    fetched meanwhile."""
    totals, sums = scratch.totals, scratch.sums
    for i in range(len(totals)):
        totals[i] = 0
    for k in range(first, last):
        pair, following = pairs[k], pairs[min(k + 1, len(pairs) - 1)]
        at, lanes = tally.starts[pair] * GRADIENT, tally.lanes[pair]
        ahead = tally.starts[following] * GRADIENT
        while lanes:
            fetch(gradients, ahead)
            ahead += GRADIENT
            add_gradient(gradients, at, totals, lowest_bit(lanes) * ROOMY)
            lanes &= lanes - np.uint64(1)
            at += GRADIENT
    for lane in range(0, CHUNK, LANES):
        turn_gradients(totals, lane * ROOMY, sums, lane, CHUNK)


@kernel
def kept(fine: bool, number: np.float32) -> np.float32:
    """What a Gaussian that overflows asks for is nothing."""
    return number if fine else f32(0)


@kernel
def pull_chunk(
    rows: Float32, camera: Float32, lens: Lens, sums: Float32, result: Float32, pose: Float32
) -> None:
    """Add one view's share to the chunk's result, and lane by lane to the pose's."""
    r00, r01, r02 = camera[0], camera[1], camera[2]
    r10, r11, r12 = camera[3], camera[4], camera[5]
    r20, r21, r22 = camera[6], camera[7], camera[8]
    t0, t1, t2 = camera[9], camera[10], camera[11]
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    width, height, eps2d = f32(lens.width), f32(lens.height), lens.eps2d
    u_high = (width - cx + FRUSTUM_MARGIN * width) / fx
    u_low = -(cx + FRUSTUM_MARGIN * width) / fx
    v_high = (height - cy + FRUSTUM_MARGIN * height) / fy
    v_low = -(cy + FRUSTUM_MARGIN * height) / fy
    for i in range(CHUNK):
        x, y, z = rows[X * CHUNK + i], rows[Y * CHUNK + i], rows[Z * CHUNK + i]
        inverse = f32(1) / (r20 * x + r21 * y + r22 * z + t2)
        u = (r00 * x + r01 * y + r02 * z + t0) * inverse
        v = (r10 * x + r11 * y + r12 * z + t1) * inverse
        uc, vc = max(min(u, u_high), u_low), max(min(v, v_high), v_low)
        a0, a1, a2 = r00 - uc * r20, r01 - uc * r21, r02 - uc * r22
        b0, b1, b2 = r10 - vc * r20, r11 - vc * r21, r12 - vc * r22
        l00, l10, l11 = rows[L00 * CHUNK + i], rows[L10 * CHUNK + i], rows[L11 * CHUNK + i]
        l20, l21, l22 = rows[L20 * CHUNK + i], rows[L21 * CHUNK + i], rows[L22 * CHUNK + i]
        sx, sy = inverse * fx, inverse * fy
        p0, p1 = (a0 * l00 + a1 * l10 + a2 * l20) * sx, (a1 * l11 + a2 * l21) * sx
        q0, q1 = (b0 * l00 + b1 * l10 + b2 * l20) * sy, (b1 * l11 + b2 * l21) * sy
        p2, q2 = a2 * l22 * sx, b2 * l22 * sy
        var_x, var_y = p0 * p0 + p1 * p1 + p2 * p2, q0 * q0 + q1 * q1 + q2 * q2
        cov_xy = p0 * q0 + p1 * q1 + p2 * q2
        m0, m1, m2 = p1 * q2 - p2 * q1, p2 * q0 - p0 * q2, p0 * q1 - p1 * q0
        det = m0 * m0 + m1 * m1 + m2 * m2 + eps2d * (var_x + var_y + eps2d)
        inverse_det = f32(1) / det
        cxx, cyy = (var_y + eps2d) * inverse_det, (var_x + eps2d) * inverse_det
        cxy = -cov_xy * inverse_det

        dx, dy = sums[DX * CHUNK + i], sums[DY * CHUNK + i]
        to_u, to_v = (cxx * dx + cxy * dy) * fx, (cxy * dx + cyy * dy) * fy
        mxx, mxy, myy = sums[MXX * CHUNK + i], sums[MXY * CHUNK + i], sums[MYY * CHUNK + i]
        txx, txy = mxx * cxx + mxy * cxy, mxx * cxy + mxy * cyy
        tyx, tyy = mxy * cxx + myy * cxy, mxy * cxy + myy * cyy
        # 2 G
        gxx, gxy = cxx * txx + cxy * tyx, cxx * txy + cxy * tyy
        gyy = cxy * txy + cyy * tyy
        e0, e1, e2 = gxx * p0 + gxy * q0, gxx * p1 + gxy * q1, gxx * p2 + gxy * q2
        f0, f1, f2 = gxy * p0 + gyy * q0, gxy * p1 + gyy * q1, gxy * p2 + gyy * q2
        # Loss by the rows of J R without their factors sx and sy.
        da0, da1 = e0 * l00 * sx, (e0 * l10 + e1 * l11) * sx
        da2 = (e0 * l20 + e1 * l21 + e2 * l22) * sx
        db0, db1 = f0 * l00 * sy, (f0 * l10 + f1 * l11) * sy
        db2 = (f0 * l20 + f1 * l21 + f2 * l22) * sy
        # A Jacobian that is held at the frustum's rim does not turn with the point.
        turn_u = da0 * r20 + da1 * r21 + da2 * r22
        turn_v = db0 * r20 + db1 * r21 + db2 * r22
        to_u -= turn_u if (u > u_low) & (u < u_high) else f32(0)
        to_v -= turn_v if (v > v_low) & (v < v_high) else f32(0)
        spread = gxx * var_x + f32(2) * gxy * cov_xy + gyy * var_y
        to_x, to_y = to_u * inverse, to_v * inverse
        to_z = sums[SPLAT_DEPTH * CHUNK + i] - (u * to_u + v * to_v + spread) * inverse

        hxx, hxy, hyy = f32(0.5) * gxx * sx * sx, f32(0.5) * gxy * sx * sy, f32(0.5) * gyy * sy * sy
        h0, h1, h2 = hxx * a0 + hxy * b0, hxx * a1 + hxy * b1, hxx * a2 + hxy * b2
        k0, k1, k2 = hxy * a0 + hyy * b0, hxy * a1 + hyy * b1, hxy * a2 + hyy * b2
        # Every product of the sizes above is in one of these; a NaN is not below anything.
        total = to_x + to_y + to_z + h0 + h1 + h2 + k0 + k1 + k2
        total = total + da0 + da1 + da2 + db0 + db1 + db2
        fine = abs(total) < LARGEST
        result[MEANS * CHUNK + i] += kept(fine, r00 * to_x + r10 * to_y + r20 * to_z)
        result[(MEANS + 1) * CHUNK + i] += kept(fine, r01 * to_x + r11 * to_y + r21 * to_z)
        result[(MEANS + 2) * CHUNK + i] += kept(fine, r02 * to_x + r12 * to_y + r22 * to_z)
        # An entry off the diagonal stands for two of the matrix.
        result[COVARIANCES * CHUNK + i] += kept(fine, a0 * h0 + b0 * k0)
        result[(COVARIANCES + 1) * CHUNK + i] += kept(fine, f32(2) * (a0 * h1 + b0 * k1))
        result[(COVARIANCES + 2) * CHUNK + i] += kept(fine, f32(2) * (a0 * h2 + b0 * k2))
        result[(COVARIANCES + 3) * CHUNK + i] += kept(fine, a1 * h1 + b1 * k1)
        result[(COVARIANCES + 4) * CHUNK + i] += kept(fine, f32(2) * (a1 * h2 + b1 * k2))
        result[(COVARIANCES + 5) * CHUNK + i] += kept(fine, a2 * h2 + b2 * k2)
        result[LOG_OPACITY * CHUNK + i] += sums[S * CHUNK + i]
        result[COLORS * CHUNK + i] += sums[SPLAT_RED * CHUNK + i]
        result[(COLORS + 1) * CHUNK + i] += sums[SPLAT_GREEN * CHUNK + i]
        result[(COLORS + 2) * CHUNK + i] += sums[SPLAT_BLUE * CHUNK + i]

        pose[i] += kept(fine, to_x * x + da0)
        pose[CHUNK + i] += kept(fine, to_x * y + da1)
        pose[2 * CHUNK + i] += kept(fine, to_x * z + da2)
        pose[3 * CHUNK + i] += kept(fine, to_y * x + db0)
        pose[4 * CHUNK + i] += kept(fine, to_y * y + db1)
        pose[5 * CHUNK + i] += kept(fine, to_y * z + db2)
        pose[6 * CHUNK + i] += kept(fine, to_z * x - uc * da0 - vc * db0)
        pose[7 * CHUNK + i] += kept(fine, to_z * y - uc * da1 - vc * db1)
        pose[8 * CHUNK + i] += kept(fine, to_z * z - uc * da2 - vc * db2)
        pose[9 * CHUNK + i] += kept(fine, to_x)
        pose[10 * CHUNK + i] += kept(fine, to_y)
        pose[11 * CHUNK + i] += kept(fine, to_z)


@kernel
def hand_out(
    order: NDArray[np.int64],
    opacities: Float32,
    result: Float32,
    to_means: Float32,
    to_covariances: Float32,
    to_colors: Float32,
    to_opacities: Float32,
) -> None:
    """A chunk's result to the places that its Gaussians had before they were put in order."""
    for lane in range(len(order)):
        i = np.uint64(order[lane])  # numba asks signed indices whether they count from the end
        for k in range(3):
            to_means[i, k] = result[(MEANS + k) * CHUNK + lane]
            to_colors[i, k] = result[(COLORS + k) * CHUNK + lane]
        for k in range(6):
            to_covariances[i, k] = result[(COVARIANCES + k) * CHUNK + lane]
        to_opacities[i] = result[LOG_OPACITY * CHUNK + lane] / opacities[i]
