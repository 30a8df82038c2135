"""The loops of winograd.py, in explicit vectors.

numba leaves the 36 accesses of a patch scalar, and a product of matrices is fast only while its
sums stay in registers; so the three inner loops are intrinsics that write LLVM's portable vector
IR, for vectors as wide as the processor's. They are in one file because numba renews what it keeps
on disk when the file of the calling function changes, and only then.

Layouts, float32, for P = 36 points, L = LANES, N = COLUMNS, R = ROWS tiles to a group:

    v        [P, groups, Cin / L, R, L]  transformed patches: one product reads one piece of memory
    weights  [Cout / N, P, Cin, N]       transformed; Cin, Cout filled up with zeros
    m        [P, groups, R, N]           the products for N channels of the output

Places are addresses in bytes. Padding, and tiles that reach over the edge, cost no branch in the
inner loops: each pixel of a tile has its address in a table, and that of a pixel outside of the
map is a row of zeros to read from or a row of waste to write to.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias

import llvmlite.binding
import numba.extending
import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from sharp_xr.model.kernels import kernel

TILE, PATCH = 4, 6
"""Pixels across a tile of the output, and across the patch of input that it depends on."""
POINTS = PATCH**2
NEAR, FAR = 0.625, 1.5
"""The interpolation's points are 0, +-NEAR, +-FAR and infinity: see winograd.py."""


def vector_shape() -> tuple[int, int]:
    """Floats in a vector, and how many rows of two vectors of sums fit into the registers."""
    chosen = os.environ.get("NUMBA_CPU_FEATURES")
    if chosen is None:
        features = {name for name, has in llvmlite.binding.get_host_cpu_features().items() if has}
    else:
        features = {name[1:] for name in chosen.split(",") if name.startswith("+")}
    if "avx512f" in features:
        return 16, 14
    return (8, 6) if "avx2" in features else (4, 14 if "neon" in features else 6)


LANES, ROWS = vector_shape()
VECTORS = 2
COLUMNS = VECTORS * LANES
VECTOR_BYTES = 4 * LANES
SLAB = 64 // LANES
"""Vectors of channels that are summed before they join the sum over all; see winograd.py."""

Floats: TypeAlias = NDArray[np.float32]
FLOAT, INT64, INT32, BIT = ir.FloatType(), ir.IntType(64), ir.IntType(32), ir.IntType(1)
FLOATS, INTS, BITS = (ir.VectorType(kind, LANES) for kind in (FLOAT, INT32, BIT))
NOTHING = ir.Constant(FLOATS, [0.0] * LANES)


def instruction(generate: Callable[..., Any]) -> Callable[..., Any]:
    """A numba intrinsic; its callers do not pass the first argument, the typing context."""
    return numba.extending.intrinsic(generate)


def pointer(builder: Any, place: Any, offset: int, kind: Any) -> Any:
    return builder.inttoptr(builder.add(place, ir.Constant(INT64, offset)), kind.as_pointer())


def load(builder: Any, place: Any, offset: int, kind: Any) -> Any:
    value = builder.load(pointer(builder, place, offset, kind), typ=kind)
    value.align = 4
    return value


def store(builder: Any, value: Any, place: Any, offset: int) -> None:
    builder.store(value, pointer(builder, place, offset, value.type)).align = 4


def splat(builder: Any, value: Any, kind: Any = FLOATS) -> Any:
    """The value in all lanes."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(INT32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(INTS, [0] * LANES))


def llvm_call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """A call of one of LLVM's own functions."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, arguments)


def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, in one instruction where there is one; ``a`` may be a number."""
    if isinstance(a, float):
        a = ir.Constant(FLOATS, [a] * LANES)
    return llvm_call(builder, f"llvm.fmuladd.v{LANES}f32", FLOATS, a, b, c)


def at_least(builder: Any, value: Any, lowest: Any) -> Any:
    """The larger one; NaN stays NaN, as in torch's ReLU."""
    return builder.select(builder.fcmp_ordered("<", value, lowest), lowest, value)


def existing_lanes(builder: Any, channels: Any) -> Any:
    """Which lanes have a channel; not all where the number of channels is odd."""
    count = splat(builder, builder.trunc(channels, INT32), INTS)
    return builder.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), count)


def load_lanes(builder: Any, place: Any, lanes: Any) -> Any:
    """Zero in the other lanes."""
    at, align = pointer(builder, place, 0, FLOATS), ir.Constant(INT32, 4)
    return llvm_call(builder, f"llvm.masked.load.v{LANES}f32.p0", FLOATS, at, align, lanes, NOTHING)


def store_lanes(builder: Any, value: Any, place: Any, lanes: Any) -> None:
    at, align = pointer(builder, place, 0, FLOATS), ir.Constant(INT32, 4)
    nothing = ir.VoidType()
    llvm_call(builder, f"llvm.masked.store.v{LANES}f32.p0", nothing, value, at, align, lanes)


def fetch(builder: Any, place: Any) -> None:
    """Into the cache, while we work on something else; harmless for any address."""
    at, read, keep, data = (
        pointer(builder, place, 0, ir.IntType(8)),
        *(ir.Constant(INT32, value) for value in (0, 3, 1)),
    )
    llvm_call(builder, "llvm.prefetch.p0", ir.VoidType(), at, read, keep, data)


def to_points(builder: Any, d: list[Any]) -> list[Any]:
    """B^T d: six neighbours -> their polynomial at 0, NEAR, -NEAR, FAR, -FAR and infinity."""
    near, far = NEAR**2, FAR**2
    values = [fma(builder, near * far, d[0], fma(builder, -(near + far), d[2], d[4]))]
    for point, other in ((NEAR, far), (FAR, near)):
        even, odd = fma(builder, -other, d[2], d[4]), fma(builder, -other, d[1], d[3])
        values += [fma(builder, point, odd, even), fma(builder, -point, odd, even)]
    return [*values, fma(builder, near * far, d[1], fma(builder, -(near + far), d[3], d[5]))]


def from_points(builder: Any, m: list[Any]) -> list[Any]:
    """A^T m: products at the six points -> four neighbours."""
    near, far = builder.fadd(m[1], m[2]), builder.fadd(m[3], m[4])
    near_odd, far_odd = builder.fsub(m[1], m[2]), builder.fsub(m[3], m[4])
    return [
        builder.fadd(m[0], builder.fadd(near, far)),
        fma(builder, NEAR, near_odd, fma(builder, FAR, far_odd, NOTHING)),
        fma(builder, NEAR**2, near, fma(builder, FAR**2, far, NOTHING)),
        fma(builder, NEAR**3, near_odd, fma(builder, FAR**3, far_odd, m[5])),
    ]


def both_ways(one_way: Callable[..., list[Any]], builder: Any, square: list[Any]) -> list[Any]:
    """Transforms the columns of a square, then its rows. It is a list, row after row."""
    columns = [one_way(builder, square[x::PATCH]) for x in range(PATCH)]
    rows = [one_way(builder, list(row)) for row in zip(*columns, strict=True)]
    return [value for row in rows for value in row]


@instruction
def address(typing_context: Any, array: Any) -> Any:
    """Of an array's first element."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, INT64)

    return types.intp(array), generate


@instruction
def transform_patch(
    typing_context: Any, table: Any, at: Any, channels: Any, tile: Any, low: Any, v: Any, point: Any
) -> Any:
    """One vector of channels of a patch: 36 pixels -> 36 points, ``point`` bytes apart from ``v``.

    ``table`` is the address of the pixels' addresses, and the channels lie ``at`` bytes after each;
    ``channels`` remain; values are raised to ``low``; ``tile`` is the way to the next patch.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, at, channels, tile, low, v, point = args
        lanes, low = existing_lanes(builder, channels), splat(builder, low)
        places = [builder.add(load(builder, table, 8 * p, INT64), at) for p in range(POINTS)]
        for p, place in enumerate(places):
            if min(p // PATCH, p % PATCH) >= PATCH - TILE:  # the others were read before
                fetch(builder, builder.add(place, tile))
        pixels = [at_least(builder, load_lanes(builder, place, lanes), low) for place in places]
        for p, value in enumerate(both_ways(to_points, builder, pixels)):
            store(builder, value, builder.add(v, builder.mul(point, ir.Constant(INT64, p))), 0)
        return context.get_dummy_value()

    return types.none(*[types.intp] * 4, types.float32, *[types.intp] * 2), generate


@instruction
def finish_tile(
    typing_context: Any,
    m: Any,
    point: Any,
    bias: Any,
    added: Any,
    out: Any,
    at: Any,
    channels: Any,
    low: Any,
) -> Any:
    """One vector of channels of a tile: 36 products, ``point`` bytes apart -> 16 pixels.

    ``added`` and ``out`` are addresses of the pixels' addresses; the rest as in transform_patch.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        m, point, bias, added, out, at, channels, low = args
        lanes, low = existing_lanes(builder, channels), splat(builder, low)
        steps = (builder.mul(point, ir.Constant(INT64, p)) for p in range(POINTS))
        products = [load(builder, builder.add(m, step), 0, FLOATS) for step in steps]
        bias = load_lanes(builder, builder.add(bias, at), lanes)
        for p, value in enumerate(both_ways(from_points, builder, products)):
            place = builder.add(load(builder, added, 8 * p, INT64), at)
            more = builder.fadd(load_lanes(builder, place, lanes), bias)
            value = at_least(builder, builder.fadd(value, more), low)
            place = builder.add(load(builder, out, 8 * p, INT64), at)
            store_lanes(builder, value, place, lanes)
        return context.get_dummy_value()

    return types.none(*[types.intp] * 7, types.float32), generate


@instruction
def multiply(typing_context: Any, v: Any, weights: Any, m: Any, steps: Any, is_first: Any) -> Any:
    """[ROWS, Cin] times [Cin, COLUMNS], where ``steps`` = Cin / LANES is not zero.

    Per channel 2 vectors of weights and 14 values of v are loaded for 28 multiplications. The
    result is added to m, but for the first.
    """

    def generate(context: Any, builder: Any, signature: Any, args: list[Any]) -> Any:
        *places, m, steps, is_first = args
        starts = [ir.Constant(INT64, 0), *places]
        entry, body = builder.block, builder.append_basic_block("multiply")
        builder.branch(body)
        builder.position_at_end(body)
        i, v, weights = counters = [builder.phi(INT64) for _ in starts]
        before = [builder.phi(FLOATS) for _ in range(ROWS * VECTORS)]
        sums = add_products(builder, v, weights, before)
        strides = (1, VECTOR_BYTES * ROWS, VECTOR_BYTES * COLUMNS)
        after = [
            builder.add(counter, ir.Constant(INT64, stride))
            for counter, stride in zip(counters, strides, strict=True)
        ]
        first = [*starts, *[NOTHING] * len(sums)]
        for phi, start, then in zip([*counters, *before], first, [*after, *sums], strict=True):
            phi.add_incoming(start, entry)
            phi.add_incoming(then, body)
        done = builder.append_basic_block("multiplied")
        builder.cbranch(builder.icmp_signed("<", after[0], steps), body, done)
        builder.position_at_end(done)
        join(builder, sums, m, is_first)
        return context.get_dummy_value()

    return types.none(*[types.intp] * 4, types.boolean), generate


def join(builder: Any, sums: list[Any], m: Any, is_first: Any) -> None:
    """m = sums where ``is_first``, else m += sums."""
    for n, value in enumerate(sums):
        more = builder.select(is_first, NOTHING, load(builder, m, VECTOR_BYTES * n, FLOATS))
        store(builder, builder.fadd(value, more), m, VECTOR_BYTES * n)


def add_products(builder: Any, v: Any, weights: Any, sums: list[Any]) -> list[Any]:
    """The sums of all rows and columns, LANES channels further."""
    sums = list(sums)
    for k in range(LANES):
        begin = VECTOR_BYTES * VECTORS * k
        columns = [load(builder, weights, begin + VECTOR_BYTES * n, FLOATS) for n in range(VECTORS)]
        for row in range(ROWS):
            value = splat(builder, load(builder, v, VECTOR_BYTES * row + 4 * k, FLOAT))
            for n, column in enumerate(columns, VECTORS * row):
                sums[n] = fma(builder, value, column, sums[n])
    return sums


@kernel
def list_pixels(
    table: NDArray[np.intp], top: int, left: int, size: int, pixels: Floats, outside: Floats
) -> None:
    """The addresses of a square of a map [h, w, C], row after row."""
    height, width, depth = pixels.shape
    begin, nowhere = address(pixels), address(outside)
    for i in range(size):
        for j in range(size):
            y, x = top + i, left + j
            inside = 0 <= y < height and 0 <= x < width
            table[i * size + j] = begin + (y * width + x) * depth * 4 if inside else nowhere


@kernel
def transform_tiles(
    x: Floats, v: Floats, zeros: Floats, first: int, end: int, lowest: np.float32
) -> None:
    """Patches of the tiles ``first`` to ``end`` -> v."""
    depth, across = x.shape[2], (x.shape[1] + TILE - 1) // TILE
    steps, groups = (depth + LANES - 1) // LANES, (end - first + ROWS - 1) // ROWS
    step = ROWS * VECTOR_BYTES
    table = np.empty(POINTS, np.intp)
    for t in range(end - first):
        top, left = (first + t) // across * TILE - 1, (first + t) % across * TILE - 1
        list_pixels(table, top, left, PATCH, x, zeros)
        to = address(v) + t // ROWS * steps * step + t % ROWS * VECTOR_BYTES
        for k in range(steps):
            at, channels = VECTOR_BYTES * k, depth - LANES * k
            tile, point = 4 * TILE * depth, groups * steps * step
            transform_patch(address(table), at, channels, tile, lowest, to + step * k, point)


@kernel
def multiply_tiles(v: Floats, weights: Floats, m: Floats, groups: int) -> None:
    """v times the weights [P, Cin, N] of one block of columns -> m."""
    steps = weights.shape[1] // LANES
    v_step, weights_step, m_bytes = ROWS * VECTOR_BYTES, COLUMNS * VECTOR_BYTES, ROWS * COLUMNS * 4
    for p in range(POINTS):
        for group in range(p * groups, (p + 1) * groups):
            to = address(m) + group * m_bytes
            for k in range(0, steps, SLAB):
                left = address(v) + (group * steps + k) * v_step
                right = address(weights) + (p * steps + k) * weights_step
                multiply(left, right, to, min(SLAB, steps - k), k == 0)


@kernel
def finish_tiles(
    m: Floats,
    added: Floats,
    out: Floats,
    bias: Floats,
    pads: Floats,
    channel: int,
    first: int,
    end: int,
    lowest: np.float32,
) -> None:
    """m -> COLUMNS channels, from ``channel`` on, of the tiles ``first`` to ``end``."""
    depth, across = out.shape[2], (out.shape[1] + TILE - 1) // TILE
    point = (end - first + ROWS - 1) // ROWS * ROWS * COLUMNS * 4
    from_, to = np.empty(TILE * TILE, np.intp), np.empty(TILE * TILE, np.intp)
    for t in range(end - first):
        top, left = (first + t) // across * TILE, (first + t) % across * TILE
        list_pixels(from_, top, left, TILE, added, pads[0])
        list_pixels(to, top, left, TILE, out, pads[1])
        for n in range(VECTORS):
            at, channels = 4 * (channel + n * LANES), depth - channel - n * LANES
            tile = address(m) + (t * VECTORS + n) * VECTOR_BYTES
            biases, table, places = address(bias), address(from_), address(to)
            finish_tile(tile, point, biases, table, places, at, channels, lowest)


@kernel
def convolve_tiles(
    x: Floats,
    added: Floats,
    out: Floats,
    bias: Floats,
    weights: Floats,
    scratch: tuple[Floats, Floats],
    pads: Floats,
    first: int,
    end: int,
    lowest_in: float,
    lowest_out: float,
) -> None:
    """The tiles ``first`` to ``end``, counted row by row, of a convolution.

    x [h, w, Cin], out [h, w, Cout], bias [Cout]; added like out, or empty; scratch is (v, m); pads
    [2, at least Cin and Cout] has zeros in its first row. Values of x below ``lowest_in``, and of
    the result below ``lowest_out``, are raised to it.
    """
    v, m = scratch
    groups = (end - first + ROWS - 1) // ROWS
    transform_tiles(x, v, pads[0], first, end, np.float32(lowest_in))
    for block in range(weights.shape[0]):
        multiply_tiles(v, weights[block], m, groups)
        low, channel = np.float32(lowest_out), block * COLUMNS
        finish_tiles(m, added, out, bias, pads, channel, first, end, low)
