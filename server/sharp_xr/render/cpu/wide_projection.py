"""``projection.project`` in explicit vectors of 16, and a little more of it.

The formulas are the same. What differs is that nothing is computed for 16 Gaussians of which none
comes near the tile, that exact pictures have their centres from float64, and that what comes out
are the rows of records.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.compilation import kernel
from sharp_xr.render.cpu.lanes import Vector
from sharp_xr.render.cpu.projection import FAST_BIAS, FAST_SCALE, FRUSTUM_MARGIN, LOG2_E, Lens
from sharp_xr.render.cpu.records import short_tint
from sharp_xr.render.cpu.scene import (
    BLUE,
    GREEN,
    L00,
    L10,
    L11,
    L20,
    L21,
    L22,
    LOG2_255,
    LOG_OPACITY,
    RED,
    TWO_LN_2,
    X,
    Y,
    Z,
)
from sharp_xr.render.cpu.vectors import (
    FLOAT,
    FLOATS,
    INTS,
    LANES,
    constant,
    llvm_function,
    load,
    splat,
)

f32 = np.float32

ASPECT = 43
"""Floats that describe a camera on a tile; see :func:`aspect_of`."""
SINGLE = 27
"""Of them, those before what float32 left of the first 16."""
DOUBLES = ir.VectorType(ir.DoubleType(), LANES)


@kernel
def aspect_of(
    camera: Float32, left: np.float32, top: np.float32, lens: Lens, aspect: Float32
) -> None:
    """What all chunks of a tile share: the camera's rotation and translation, focal lengths,
    principal point from the tile's corner, the bounds of u and v, near plane, eps2d; for how far a
    Gaussian is seen at most, in pixels: a factor of metres over depth, and what is added; the
    records' units of exponent, a factor and what is added; where a box ends. At last, what float32
    leaves of the rotation, translation, focal lengths and principal point."""
    for k in range(14):
        aspect[k], aspect[SINGLE + k] = camera[k], camera[16 + k]
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    picture_width, picture_height = f32(lens.width), f32(lens.height)
    from_left = np.float64(cx) + np.float64(camera[30]) - np.float64(left)
    from_top = np.float64(cy) + np.float64(camera[31]) - np.float64(top)
    aspect[14], aspect[15] = f32(from_left), f32(from_top)
    aspect[SINGLE + 14] = f32(from_left - np.float64(aspect[14]))
    aspect[SINGLE + 15] = f32(from_top - np.float64(aspect[15]))
    aspect[16] = -(cx + FRUSTUM_MARGIN * picture_width) / fx
    aspect[17] = (picture_width - cx + FRUSTUM_MARGIN * picture_width) / fx
    aspect[18] = -(cy + FRUSTUM_MARGIN * picture_height) / fy
    aspect[19] = (picture_height - cy + FRUSTUM_MARGIN * picture_height) / fy
    aspect[20], aspect[21] = lens.near, lens.eps2d
    # As in binning.tile_rectangle.
    u, v = max(-aspect[16], aspect[17]), max(-aspect[18], aspect[19])
    aspect[22] = max(fx, fy) * math.sqrt(f32(1) + u * u + v * v)
    aspect[23] = math.sqrt(lens.eps2d * LOG2_255 * TWO_LN_2) + f32(1)
    aspect[24], aspect[25] = f32(1), f32(0)
    if lens.fast:
        aspect[24], aspect[25] = f32(FAST_SCALE), f32(FAST_BIAS)
    aspect[26] = lens.edge


class Centers(NamedTuple):
    """Of 16 Gaussians: camera z and its inverse, x/z and y/z, pixels from the tile's corner."""

    depth: Vector
    inverse: Vector
    u: Vector
    v: Vector
    px: Vector
    py: Vector


def rough_centers(rows: list[Vector], aspect: list[Vector]) -> Centers:
    """In float32: enough to tell which 16 are nowhere near the tile, and for a fast picture."""
    r, (t0, t1, t2, fx, fy, cx, cy) = aspect[:9], aspect[9:16]
    x, y, z = rows[X], rows[Y], rows[Z]
    depth = r[8] * z + t2 + r[7] * y + r[6] * x
    inverse = depth.reciprocal()
    u = (r[2] * z + t0 + r[1] * y + r[0] * x) * inverse
    v = (r[5] * z + t1 + r[4] * y + r[3] * x) * inverse
    return Centers(depth, inverse, u, v, u * fx + cx, v * fy + cy)


def centers(builder: Any, rows: list[Vector], camera: list[Any], inverse_depth: Vector) -> Centers:
    """In float64, from a rough 1 / z: half a unit of float32 in a centre is 1e-4 of what a small
    Gaussian covers."""
    x, y, z = (builder.fpext(rows[k].value, DOUBLES) for k in (X, Y, Z))
    fma = llvm_function(builder, "llvm.fma.v16f64", DOUBLES, DOUBLES, DOUBLES, DOUBLES)

    def along(k: int) -> Any:
        r0, r1, r2 = camera[3 * k : 3 * k + 3]
        return fma(r0, x, fma(r1, y, fma(r2, z, camera[9 + k])))

    def single(value: Any) -> Vector:
        return Vector(builder, builder.fptrunc(value, FLOATS))

    fx, fy, cx, cy = camera[12:]
    exact_depth = along(2)
    depth = single(exact_depth)
    # One step of Newton's from float32's quotient.
    rough = builder.fpext(inverse_depth.value, DOUBLES)
    two = ir.Constant(DOUBLES, [2.0] * LANES)
    inverse = builder.fmul(rough, fma(builder.fneg(exact_depth), rough, two))
    u, v = builder.fmul(along(0), inverse), builder.fmul(along(1), inverse)
    px, py = single(fma(u, fx, cx)), single(fma(v, fy, cy))
    return Centers(depth, single(inverse), single(u), single(v), px, py)


def may_touch(
    builder: Any, at: Centers, reach: Vector, aspect: list[Vector], width: Vector, height: Vector
) -> Any:
    """Which of the 16 are near the tile, by how far any Gaussian of their chunk reaches."""
    rim = at.inverse * (reach * aspect[22]) + aspect[23]
    near = at.depth.is_(">=", aspect[20] * 0.999)
    for condition in (
        (at.px + rim).is_(">", 0.0),
        (at.px - rim).is_("<", width),
        (at.py + rim).is_(">", 0.0),
        (at.py - rim).is_("<", height),
    ):
        near = builder.and_(near, condition)
    return near


def projected(
    builder: Any,
    rows: list[Vector],
    at: Centers,
    aspect: list[Vector],
    width: Vector,
    height: Vector,
    fast: bool,
) -> tuple[list[Any], Any, Any]:
    """The rows of a record (eight of a ``fast`` picture's, else ten), the box of blocks, and which
    of the 16 the tile holds."""
    r, (fx, fy), limits, (near, eps2d) = aspect[:9], aspect[12:14], aspect[16:20], aspect[20:22]
    scale, bias, edge = aspect[24:27]
    depth, inverse, u, v, px, py = at
    u, v = u.at_most(limits[1]).at_least(limits[0]), v.at_most(limits[3]).at_least(limits[2])
    a = [r[k] - u * r[6 + k] for k in range(3)]
    b = [r[3 + k] - v * r[6 + k] for k in range(3)]
    p = [part * (inverse * fx) for part in through_factor(rows, a)]
    q = [part * (inverse * fy) for part in through_factor(rows, b)]
    var_x, var_y, cov_xy = dot(p, p), dot(q, q), dot(p, q)
    cov_xx, cov_yy = var_x + eps2d, var_y + eps2d
    minors = [p[(k + 1) % 3] * q[(k + 2) % 3] - p[(k + 2) % 3] * q[(k + 1) % 3] for k in range(3)]
    det = dot(minors, minors) + eps2d * (var_x + var_y + eps2d)
    inverse_det = det.nearly_reciprocal() if fast else det.reciprocal()
    peak = rows[LOG_OPACITY]
    reach = ((peak + edge) * float(TWO_LN_2)).at_least(0.0)
    squared = reach * cov_xx, reach * cov_yy
    if fast:
        reach_x, reach_y = (number.at_least(1e-30).nearly_root() for number in squared)
    else:
        reach_x, reach_y = (number.root() for number in squared)
    x0, x1 = (px - reach_x + 0.5).floor(), (px + reach_x - 0.5).floor()
    y0, y1 = (py - reach_y + 0.5).floor(), (py + reach_y - 0.5).floor()
    kept = depth.is_(">=", near)
    for condition in (
        det.is_(">", 0.0),
        peak.is_(">=", -float(LOG2_255)),
        x1.is_(">=", x0.at_least(0.0)),
        x0.is_("<", width),
        y1.is_(">=", y0.at_least(0.0)),
        y0.is_("<", height),
    ):
        kept = builder.and_(kept, condition)
    form = inverse_det * (scale * float(LOG2_E))
    record = [
        px,
        py,
        cov_yy * (form * -0.5),
        cov_xy * form,
        cov_xx * (form * -0.5),
        peak * scale + bias,
    ]
    tint = [rows[RED], rows[GREEN], rows[BLUE], depth]
    record += short_tint(builder, record[-1], tint) if fast else tint
    box = x0.at_least(0.0).blocks()
    for k, edge in enumerate((x1.at_most(width - 1.0), y0.at_least(0.0), y1.at_most(height - 1.0))):
        box = builder.or_(box, builder.shl(edge.blocks(), constant(4 * (k + 1), INTS)))
    return [row.value for row in record], box, kept


def through_factor(rows: list[Vector], a: list[Vector]) -> list[Vector]:
    """A row of the Jacobian times the covariance's lower factor."""
    return [
        a[0] * rows[L00] + a[1] * rows[L10] + a[2] * rows[L20],
        a[1] * rows[L11] + a[2] * rows[L21],
        a[2] * rows[L22],
    ]


def dot(p: list[Vector], q: list[Vector]) -> Vector:
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


def exact_of(builder: Any, aspect_at: Any, k: int) -> Any:
    """Number k of a camera in float64, in all lanes."""
    parts = (load(builder, aspect_at, 4 * i, FLOAT) for i in (k, SINGLE + k))
    whole = builder.fadd(*(builder.fpext(part, ir.DoubleType()) for part in parts))
    return splat(builder, whole, DOUBLES)
