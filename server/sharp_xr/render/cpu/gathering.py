"""One chunk onto one tile in explicit vectors of 16: project, choose what is on it, pack records.

The formulas are those of ``projection.project``; what differs is the way out. A compiler leaves the
choosing and the turning of rows into records to scalar code, which costs more than the projection;
here it is a compression in registers and a transposition of 16 x 12.

    13 rows of 16 --project--> 10 rows of a record, box, kept?  --compress--> --transpose--> records
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.blending import RECORD
from sharp_xr.render.cpu.compilation import instruction, kernel
from sharp_xr.render.cpu.projection import FAST_BIAS, FAST_SCALE, FRUSTUM_MARGIN, LOG2_E, Lens
from sharp_xr.render.cpu.scene import (
    BLUE,
    CHUNK,
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
    ROWS,
    TWO_LN_2,
    X,
    Y,
    Z,
)
from sharp_xr.render.cpu.simd import compress, count_of, mask_of
from sharp_xr.render.cpu.vectors import (
    FLOAT,
    FLOATS,
    INT16,
    INT64,
    INTS,
    LANES,
    addresses,
    constant,
    llvm_function,
    load,
    plus,
    prefetch,
    splat,
    store,
    times,
)
from sharp_xr.render.cpu.vectors import root as square_root

f32 = np.float32

ASPECT = 43
"""Floats that describe a camera on a tile; see :func:`aspect_of`."""
SINGLE = 27
"""Of them, those before what float32 left of the first 16."""
DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
CONTRACT = ("contract", "nsz")


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


class Vector:
    """16 floats in a register, with a number's operators."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _of(self, other: Vector | float) -> Any:
        return other.value if isinstance(other, Vector) else constant(float(other))

    def __add__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fadd(self.value, self._of(other), CONTRACT))

    def __sub__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fsub(self.value, self._of(other), CONTRACT))

    def __mul__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fmul(self.value, self._of(other), CONTRACT))

    def reciprocal(self) -> Vector:
        return Vector(self.builder, self.builder.fdiv(constant(1.0), self.value))

    def at_least(self, other: Vector | float) -> Vector:
        """The other where this is a NaN."""
        limit = self._of(other)
        larger = self.builder.fcmp_ordered(">", self.value, limit)
        return Vector(self.builder, self.builder.select(larger, self.value, limit))

    def at_most(self, other: Vector | float) -> Vector:
        """The other where this is a NaN."""
        limit = self._of(other)
        smaller = self.builder.fcmp_ordered("<", self.value, limit)
        return Vector(self.builder, self.builder.select(smaller, self.value, limit))

    def is_(self, comparison: str, other: Vector | float) -> Any:
        """16 bits; none where one is a NaN."""
        return self.builder.fcmp_ordered(comparison, self.value, self._of(other))

    def root(self) -> Vector:
        return Vector(self.builder, square_root(self.builder, self.value))

    def floor(self) -> Vector:
        call = llvm_function(self.builder, "llvm.floor.v16f32", FLOATS, FLOATS)
        return Vector(self.builder, call(self.value))

    def blocks(self) -> Any:
        """Pixels -> the 4 x 4 blocks they are in, as integers."""
        pixels = self.builder.fptosi(self.value, INTS)
        return self.builder.lshr(pixels, constant(2, INTS))


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
) -> tuple[list[Any], Any, Any]:
    """The ten rows of a record, the box of blocks, and which of the 16 the tile holds."""
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
    inverse_det = det.reciprocal()
    peak = rows[LOG_OPACITY]
    reach = ((peak + edge) * float(TWO_LN_2)).at_least(0.0)
    reach_x, reach_y = (reach * cov_xx).root(), (reach * cov_yy).root()
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
        rows[RED],
        rows[GREEN],
        rows[BLUE],
        depth,
    ]
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


def shuffled(builder: Any, a: Any, b: Any, picks: list[int]) -> Any:
    """Lane i of the result is number picks[i] of the 32 of both."""
    return builder.shuffle_vector(a, b, ir.Constant(INTS, picks))


def quarters(builder: Any, rows: list[Any]) -> list[Any]:
    """Four rows -> four vectors, the k-th of which holds, four floats each, the columns k, k + 4,
    k + 8 and k + 12."""
    low = [i + j for i in range(0, LANES, 4) for j in (0, LANES, 1, LANES + 1)]
    high = [i + 2 for i in low]
    pairs = [
        shuffled(builder, rows[k], rows[k + 1], picks) for k in (0, 2) for picks in (low, high)
    ]
    first = [i + j for i in range(0, LANES, 4) for j in (0, 1, LANES, LANES + 1)]
    second = [i + 2 for i in first]
    return [
        shuffled(builder, pairs[k], pairs[k + 2], picks)
        for k in (0, 1)
        for picks in (first, second)
    ]


def store_records(builder: Any, rows: list[Any], place: Any) -> None:
    """Ten rows of 16 to 16 records that follow each other; what is in the rest of a record does
    not matter."""
    columns = [quarters(builder, rows[:4]), quarters(builder, rows[4:8])]
    blank = ir.Constant(FLOATS, ir.Undefined)
    columns.append(quarters(builder, [*rows[8:10], blank, blank]))
    for k in range(4):
        a, b, c = (quad[k] for quad in columns)
        for j in range(4):
            lane = list(range(4 * j, 4 * j + 4))
            both = shuffled(builder, a, b, (lane + [LANES + i for i in lane]) * 2)
            whole = shuffled(builder, both, c, [*range(8), *(LANES + i for i in lane), *range(4)])
            store(builder, whole, place, 4 * RECORD * (4 * j + k))


def exact_of(builder: Any, aspect_at: Any, k: int) -> Any:
    """Number k of a camera in float64, in all lanes."""
    parts = (load(builder, aspect_at, 4 * i, FLOAT) for i in (k, SINGLE + k))
    whole = builder.fadd(*(builder.fpext(part, ir.DoubleType()) for part in parts))
    return splat(builder, whole, DOUBLES)


def fetch_lines(builder: Any, place: Any) -> None:
    """Ask for 16 Gaussians' cache lines, one of each row."""
    for row in range(ROWS):
        prefetch(builder, plus(builder, place, 4 * CHUNK * row))


@instruction
def gather_chunk(
    typing_context: Any,
    rows: Any,
    start: Any,
    following: Any,
    reach: Any,
    aspect: Any,
    width: Any,
    height: Any,
    rough: Any,
    records: Any,
    boxes: Any,
    depths: Any,
    count: Any,
) -> Any:
    """Append what the tile of ``width`` x ``height`` holds of the chunk that begins at
    ``rows[start]``, whose Gaussians reach ``reach`` metres at most; returns the new count. Centres
    are ``rough`` or exact. Up to 16 records, boxes and depths beyond the count are written.
    ``following`` is where the next chunk begins: it is fetched meanwhile, for the memory's latency
    is longer than the work on one chunk."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows_at, aspect_at, records_at, boxes_at, depths_at = addresses(
            context, builder, signature, args, (0, 4, 8, 9, 10)
        )
        chunk_at, next_at = (builder.add(rows_at, times(builder, args[k], 4)) for k in (1, 2))
        shared = [
            Vector(builder, splat(builder, load(builder, aspect_at, 4 * k, FLOAT)))
            for k in range(SINGLE)
        ]
        camera = [exact_of(builder, aspect_at, k) for k in range(16)]
        reach_of_chunk, *size = (Vector(builder, splat(builder, args[k])) for k in (3, 5, 6))
        is_rough = context.is_true(builder, signature.args[7], args[7])
        nobody = ir.Constant(INT16, 0)

        entry = builder.block
        body, choose, place, shape, pack, after, done = (
            builder.append_basic_block(name)
            for name in ("near", "choose", "place", "shape", "pack", "next", "gathered")
        )
        builder.branch(body)
        builder.position_at_end(body)
        i, found = builder.phi(INT64), builder.phi(INT64)
        at = builder.add(chunk_at, i)
        fetch_lines(builder, builder.add(next_at, i))
        lanes = [Vector(builder, load(builder, at, 4 * CHUNK * row, FLOATS)) for row in range(ROWS)]
        first_try = rough_centers(lanes, shared)
        near = mask_of(builder, may_touch(builder, first_try, reach_of_chunk, shared, *size))
        builder.cbranch(builder.icmp_unsigned("!=", near, nobody), choose, after)

        builder.position_at_end(choose)
        builder.cbranch(is_rough, shape, place)
        builder.position_at_end(place)
        exact = centers(builder, lanes, camera, first_try.inverse)
        builder.branch(shape)

        builder.position_at_end(shape)
        place_of = Centers(*(Vector(builder, builder.phi(FLOATS)) for _ in exact))
        for phi, value, other in zip(place_of, first_try, exact, strict=True):
            phi.value.add_incoming(value.value, choose)
            phi.value.add_incoming(other.value, place)
        record, box, kept = projected(builder, lanes, place_of, shared, *size)
        mask = mask_of(builder, kept)
        builder.cbranch(builder.icmp_unsigned("!=", mask, nobody), pack, after)

        builder.position_at_end(pack)
        packed = [compress(builder, row, kept) for row in record]
        store_records(builder, packed, builder.add(records_at, times(builder, found, 4 * RECORD)))
        offset = times(builder, found, 4)
        store(builder, packed[9], builder.add(depths_at, offset))
        store(builder, compress(builder, box, kept), builder.add(boxes_at, offset))
        more = builder.add(found, count_of(builder, mask))
        builder.branch(after)

        builder.position_at_end(after)
        total = builder.phi(INT64)
        for result, block in ((found, body), (found, shape), (more, pack)):
            total.add_incoming(result, block)
        following = plus(builder, i, 4 * LANES)
        for phi, first, last in ((i, ir.Constant(INT64, 0), following), (found, args[11], total)):
            phi.add_incoming(first, entry)
            phi.add_incoming(last, after)
        end = ir.Constant(INT64, 4 * CHUNK)
        builder.cbranch(builder.icmp_signed("<", following, end), body, done)
        builder.position_at_end(done)
        return total

    number, integer, flag = types.float32, types.intp, types.boolean
    signature = integer(
        *(rows, integer, integer, number, aspect, number, number, flag),
        *(records, boxes, depths, integer),
    )
    return signature, generate
