"""Gaussians of a chunk -> ellipses on a rectangle of the picture, 64 at a time.

LLVM turns the loop into vector code; what it needs for that is flat arrays with constant offsets,
float32 throughout, and no branch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sharp_xr.gaussians import Float32
from sharp_xr.render import RenderSettings, View
from sharp_xr.render.cpu.compilation import kernel
from sharp_xr.render.cpu.scene import (
    CHUNK,
    L00,
    L10,
    L11,
    L20,
    L21,
    L22,
    LOG2_255,
    LOG_OPACITY,
    TWO_LN_2,
    X,
    Y,
    Z,
)

f32 = np.float32

PX, PY, QXX, QXY, QYY, PEAK, DEPTH, X0, X1, Y0, Y1, KEPT = range(12)
"""Rows of the result: the centre in pixels from the rectangle's corner; the quadratic form of the
exponent, log2 alpha = QXX dx^2 + QXY dx dy + QYY dy^2 + PEAK; camera z; the first and last pixel of
the box inside which alpha can reach 1/255, cut to the rectangle; 1 if the box holds a pixel."""
RESULT_SIZE = 12 * CHUNK

LOG2_E = f32(math.log2(math.e))
MIN_TRANSMITTANCE = f32(1e-4)
"""A splat that would leave no more light than this is not drawn, and closes its pixel."""
FRUSTUM_MARGIN = f32(0.15)
"""gsplat's 0.3 times half a picture, see reference.py."""


class Lens(NamedTuple):
    """What all views and tiles of a frame share."""

    width: int
    height: int
    near: np.float32
    eps2d: np.float32
    max_alpha: np.float32
    red: np.float32
    """The background, linear."""
    green: np.float32
    blue: np.float32
    edge: np.float32
    """A splat's box of pixels ends where its alpha falls to 2 ** -edge."""
    fast: bool
    """Centres in float32, splats of nearly the same depth in any order, ``blend_fast``."""


FAST_NARROWER = f32(1.0)
"""A fast picture's boxes end at alphas of 2/255. What they cut off are four tips of an ellipse's
rim; a block that is drawn anyway still gets its share of them."""
FAST_SCALE, FAST_BIAS = 2.0**23, 127 * 2.0**23
"""A fast picture's records hold the exponent and its quadratic form in units of a float's bits."""


def lens_of(width: int, height: int, settings: RenderSettings) -> Lens:
    """In the types that the kernels are compiled for."""
    red, green, blue = (f32(channel) for channel in settings.background)
    # Dividing by z wants a z.
    near = f32(max(settings.near, 1e-6))
    eps2d, max_alpha = f32(settings.eps2d), f32(settings.max_alpha)
    fast = bool(settings.fast)
    edge = LOG2_255 - FAST_NARROWER if fast else LOG2_255
    return Lens(width, height, near, eps2d, max_alpha, red, green, blue, edge, fast)


def camera_row(view: View) -> Float32:
    """[32] the rotation row by row, the translation, fx, fy, cx, cy; then what float32 left of
    them, for those who place centres to more than its digits."""
    exact = np.array(
        [
            *view.camera_from_photo[:3, :3].ravel(),
            *view.camera_from_photo[:3, 3],
            view.fx,
            view.fy,
            view.cx,
            view.cy,
        ],
        np.float64,
    )
    rounded = exact.astype(np.float32)
    return np.concatenate([rounded, (exact - rounded).astype(np.float32)])


@kernel
def project(
    rows: Float32,
    camera: Float32,
    left: np.float32,
    top: np.float32,
    width: np.float32,
    height: np.float32,
    lens: Lens,
    result: Float32,
) -> None:
    """One chunk's 13 * 64 floats onto the rectangle; the formulas are those of reference.py."""
    r00, r01, r02 = camera[0], camera[1], camera[2]
    r10, r11, r12 = camera[3], camera[4], camera[5]
    r20, r21, r22 = camera[6], camera[7], camera[8]
    t0, t1, t2 = camera[9], camera[10], camera[11]
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    picture_width, picture_height = f32(lens.width), f32(lens.height)
    near, eps2d, edge = lens.near, lens.eps2d, lens.edge
    u_high = (picture_width - cx + FRUSTUM_MARGIN * picture_width) / fx
    u_low = -(cx + FRUSTUM_MARGIN * picture_width) / fx
    v_high = (picture_height - cy + FRUSTUM_MARGIN * picture_height) / fy
    v_low = -(cy + FRUSTUM_MARGIN * picture_height) / fy
    for i in range(CHUNK):
        x, y, z = rows[X * CHUNK + i], rows[Y * CHUNK + i], rows[Z * CHUNK + i]
        depth = r20 * x + r21 * y + r22 * z + t2
        inverse = f32(1) / depth
        u = (r00 * x + r01 * y + r02 * z + t0) * inverse
        v = (r10 * x + r11 * y + r12 * z + t1) * inverse
        px, py = u * fx + (cx - left), v * fy + (cy - top)
        # Rows of the Jacobian times the rotation, without the factors f / z.
        uc, vc = max(min(u, u_high), u_low), max(min(v, v_high), v_low)
        a0, a1, a2 = r00 - uc * r20, r01 - uc * r21, r02 - uc * r22
        b0, b1, b2 = r10 - vc * r20, r11 - vc * r21, r12 - vc * r22
        l00, l10, l11 = rows[L00 * CHUNK + i], rows[L10 * CHUNK + i], rows[L11 * CHUNK + i]
        l20, l21, l22 = rows[L20 * CHUNK + i], rows[L21 * CHUNK + i], rows[L22 * CHUNK + i]
        # A factor of the projected covariance: 2 x 3, rows p and q.
        scale_x, scale_y = inverse * fx, inverse * fy
        p0, p1 = (a0 * l00 + a1 * l10 + a2 * l20) * scale_x, (a1 * l11 + a2 * l21) * scale_x
        q0, q1 = (b0 * l00 + b1 * l10 + b2 * l20) * scale_y, (b1 * l11 + b2 * l21) * scale_y
        p2, q2 = a2 * l22 * scale_x, b2 * l22 * scale_y
        var_x, var_y = p0 * p0 + p1 * p1 + p2 * p2, q0 * q0 + q1 * q1 + q2 * q2
        cov_xx, cov_yy = var_x + eps2d, var_y + eps2d
        cov_xy = p0 * q0 + p1 * q1 + p2 * q2
        # Cauchy and Binet: the determinant of F F^T is the sum of the squared minors of F.
        m0, m1, m2 = p1 * q2 - p2 * q1, p2 * q0 - p0 * q2, p0 * q1 - p1 * q0
        det = m0 * m0 + m1 * m1 + m2 * m2 + eps2d * (var_x + var_y + eps2d)
        inverse_det = f32(1) / det
        peak = rows[LOG_OPACITY * CHUNK + i]
        # alpha = 1/255 on the ellipse d^T cov^-1 d = 2 ln(255 opacity).
        reach = max((peak + edge) * TWO_LN_2, f32(0))
        reach_x, reach_y = math.sqrt(reach * cov_xx), math.sqrt(reach * cov_yy)
        # Pixel k has its centre at k + 0.5.
        x0, x1 = np.floor(px - reach_x + f32(0.5)), np.floor(px + reach_x - f32(0.5))
        y0, y1 = np.floor(py - reach_y + f32(0.5)), np.floor(py + reach_y - f32(0.5))
        kept = (depth >= near) & (det > 0) & (peak >= -LOG2_255)
        kept = kept & (x1 >= x0) & (x1 >= 0) & (x0 < width)
        kept = kept & (y1 >= y0) & (y1 >= 0) & (y0 < height)
        result[PX * CHUNK + i], result[PY * CHUNK + i] = px, py
        result[QXX * CHUNK + i] = cov_yy * inverse_det * (f32(-0.5) * LOG2_E)
        result[QXY * CHUNK + i] = cov_xy * inverse_det * LOG2_E
        result[QYY * CHUNK + i] = cov_xx * inverse_det * (f32(-0.5) * LOG2_E)
        result[PEAK * CHUNK + i], result[DEPTH * CHUNK + i] = peak, depth
        result[X0 * CHUNK + i] = max(x0, f32(0))
        result[X1 * CHUNK + i] = min(x1, width - f32(1))
        result[Y0 * CHUNK + i] = max(y0, f32(0))
        result[Y1 * CHUNK + i] = min(y1, height - f32(1))
        result[KEPT * CHUNK + i] = f32(1) if kept else f32(0)
