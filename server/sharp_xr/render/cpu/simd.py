"""The two inner loops of blending.py in explicit vectors of 16: a third faster where AVX-512 is.

Each is a numba intrinsic that writes LLVM's portable vector IR, so that one block of pixels stays
in registers while its splats pass, and so that choosing is one ``vpcompressd`` per 16 values. Same
arguments and results as the functions of the same names in blending.py, except for the padding:
both read their last splats in groups, so the lists want harmless values after their end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from sharp_xr.render.cpu import blending
from sharp_xr.render.cpu.compilation import instruction
from sharp_xr.render.cpu.scene import LOG2_255

LANES = blending.LANES
UNROLLED = 4
"""Splats whose alphas are computed side by side, to hide the latency of the polynomial."""

STEPS = [
    (int(bits) - (k << 19)) & 0xFFFFFFFF
    for k, bits in enumerate((2.0 ** (np.arange(16) / 16)).astype(np.float32).view(np.uint32))
]
"""Of 2^(k/16), see :func:`exp2`."""
EXP2 = (1.0000000069, 0.6931878314, 0.2402194621)
EXP2_FAST = (1.00011728, 0.69312007)
"""Minimax polynomials of 2^x for x to +-1/32, relative."""

FLOAT, INT32, INT64, BIT = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(1)
FLOATS, INTS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT32, LANES)
BITS = ir.VectorType(BIT, LANES)


def splat(builder: Any, value: Any, vector: Any) -> Any:
    """The value in all lanes."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(INT32, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(INTS, [0] * LANES))


def constant(value: float, vector: Any = FLOATS) -> Any:
    return ir.Constant(vector, [value] * LANES)


def llvm_function(builder: Any, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A call of one of LLVM's own functions."""
    kind = ir.FunctionType(result, arguments)
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return lambda *values: builder.call(function, values)


def address(context: Any, builder: Any, array: Any, value: Any) -> Any:
    """Of an array's first element, as an integer."""
    data = context.make_array(array)(context, builder, value).data
    return builder.ptrtoint(data, INT64)


def load(builder: Any, place: Any, offset: int, kind: Any) -> Any:
    at = builder.inttoptr(builder.add(place, ir.Constant(INT64, offset)), kind.as_pointer())
    value = builder.load(at, typ=kind)
    value.align = 4
    return value


def store(builder: Any, value: Any, place: Any, offset: int = 0) -> None:
    at = builder.inttoptr(builder.add(place, ir.Constant(INT64, offset)), value.type.as_pointer())
    builder.store(value, at).align = 4


@instruction
def select(typing_context: Any, flags: Any, values: Any, count: Any, bit: Any, chosen: Any) -> Any:
    """See blending.select; the flags after the end, up to a multiple of 16, must be zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        flags_at, values_at, chosen_at = (
            address(context, builder, kinds[k], args[k]) for k in (0, 1, 4)
        )
        count, wanted = args[2], splat(builder, args[3], INTS)
        compress = llvm_function(
            builder, "llvm.experimental.vector.compress.v16i32", INTS, INTS, BITS, INTS
        )
        popcount = llvm_function(builder, "llvm.ctpop.i16", ir.IntType(16), ir.IntType(16))
        zero, step = ir.Constant(INT64, 0), ir.Constant(INT64, LANES)

        entry = builder.block
        body, done = builder.append_basic_block("choose"), builder.append_basic_block("chosen")
        builder.cbranch(builder.icmp_signed(">", count, zero), body, done)
        builder.position_at_end(body)
        i, found = builder.phi(INT64), builder.phi(INT64)
        bytes_in = builder.shl(i, ir.Constant(INT64, 2))
        flag = load(builder, builder.add(flags_at, bytes_in), 0, INTS)
        value = load(builder, builder.add(values_at, bytes_in), 0, INTS)
        has = builder.icmp_unsigned("!=", builder.and_(flag, wanted), constant(0, INTS))
        packed = compress(value, has, ir.Constant(INTS, ir.Undefined))
        store(builder, packed, builder.add(chosen_at, builder.shl(found, ir.Constant(INT64, 2))))
        more = builder.zext(popcount(builder.bitcast(has, ir.IntType(16))), INT64)
        next_found, next_i = builder.add(found, more), builder.add(i, step)
        for phi, following in ((i, next_i), (found, next_found)):
            phi.add_incoming(zero, entry)
            phi.add_incoming(following, body)
        builder.cbranch(builder.icmp_signed("<", next_i, count), body, done)

        builder.position_at_end(done)
        total = builder.phi(INT64)
        total.add_incoming(zero, entry)
        total.add_incoming(next_found, body)
        return total

    return types.intp(flags, values, types.intp, types.uint32, chosen), generate


@instruction
def select_four(
    typing_context: Any,
    flags: Any,
    values: Any,
    count: Any,
    first: Any,
    chosen: Any,
    room: Any,
    found: Any,
) -> Any:
    """See blending.select_four; the flags as in ``select``, of which one pass is made here."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        flags_at, values_at, chosen_at, found_at = (
            address(context, builder, kinds[k], args[k]) for k in (0, 1, 4, 6)
        )
        count, two = args[2], ir.Constant(INT64, 2)
        first = builder.trunc(args[3], INT32)
        wanted = [
            splat(builder, builder.shl(ir.Constant(INT32, 1 << k), first), INTS) for k in range(4)
        ]
        stride = builder.shl(args[5], two)
        places = [
            builder.add(chosen_at, builder.mul(stride, ir.Constant(INT64, k))) for k in range(4)
        ]
        compress = llvm_function(
            builder, "llvm.experimental.vector.compress.v16i32", INTS, INTS, BITS, INTS
        )
        popcount = llvm_function(builder, "llvm.ctpop.i16", ir.IntType(16), ir.IntType(16))
        zero, step = ir.Constant(INT64, 0), ir.Constant(INT64, LANES)

        entry = builder.block
        body, done = builder.append_basic_block("choose"), builder.append_basic_block("chosen")
        builder.cbranch(builder.icmp_signed(">", count, zero), body, done)
        builder.position_at_end(body)
        i, ends = builder.phi(INT64), [builder.phi(INT64) for _ in places]
        bytes_in = builder.shl(i, two)
        flag = load(builder, builder.add(flags_at, bytes_in), 0, INTS)
        value = load(builder, builder.add(values_at, bytes_in), 0, INTS)
        longer = []
        for bit, end in zip(wanted, ends, strict=True):
            has = builder.icmp_unsigned("!=", builder.and_(flag, bit), constant(0, INTS))
            store(builder, compress(value, has, ir.Constant(INTS, ir.Undefined)), end)
            more = builder.zext(popcount(builder.bitcast(has, ir.IntType(16))), INT64)
            longer.append(builder.add(end, builder.shl(more, two)))
        next_i = builder.add(i, step)
        starts = (zero, *places)
        for phi, start, following in zip((i, *ends), starts, (next_i, *longer), strict=True):
            phi.add_incoming(start, entry)
            phi.add_incoming(following, body)
        builder.cbranch(builder.icmp_signed("<", next_i, count), body, done)

        builder.position_at_end(done)
        lasts = [builder.phi(INT64) for _ in places]
        for last, place, end in zip(lasts, places, longer, strict=True):
            last.add_incoming(place, entry)
            last.add_incoming(end, body)
        for k, (last, place) in enumerate(zip(lasts, places, strict=True)):
            store(builder, builder.lshr(builder.sub(last, place), two), found_at, 8 * k)
        return context.get_dummy_value()

    integer = types.intp
    signature = types.none(flags, values, integer, integer, chosen, integer, found)
    return signature, generate


def exp2(builder: Any, power: Any, coefficients: tuple[float, ...]) -> Any:
    """2^power, to 4e-7 or 1.2e-4 as the polynomial goes: whole sixteenths of an octave are looked
    up, and what is left, 1/32 at most, is the polynomial's. Adding 1.5 2^19 rounds to sixteenths:
    the sum's low four bits choose from the table, the next ones are the exponent. The table's
    entries lack what those four bits will add to them."""
    fma = llvm_function(builder, "llvm.fma.v16f32", FLOATS, FLOATS, FLOATS, FLOATS)
    pick = llvm_function(builder, "llvm.x86.avx512.permvar.si.512", INTS, INTS, INTS)
    rounder = constant(1.5 * 2.0**19)
    rounded = builder.fadd(power, rounder)
    rest = builder.fsub(power, builder.fsub(rounded, rounder))
    steps = builder.bitcast(rounded, INTS)
    scale = builder.add(
        pick(ir.Constant(INTS, STEPS), steps), builder.shl(steps, constant(19, INTS))
    )
    *lower, highest = coefficients
    curve = constant(highest)
    for c in reversed(lower):
        curve = fma(curve, rest, constant(c))
    return builder.fmul(builder.bitcast(scale, FLOATS), curve)


def alpha_of(builder: Any, record: Any, x: Any, y: Any, max_alpha: Any, fast: bool) -> Any:
    """What one splat covers of 16 pixels."""
    fma = llvm_function(builder, "llvm.fma.v16f32", FLOATS, FLOATS, FLOATS, FLOATS)
    px, py, qxx, qxy, qyy, peak = (
        splat(builder, load(builder, record, 4 * k, FLOAT), FLOATS) for k in range(6)
    )
    dx, dy = builder.fsub(x, px), builder.fsub(y, py)
    across = fma(qxy, dy, builder.fmul(qxx, dx))
    down = fma(builder.fmul(qyy, dy), dy, peak)
    power = fma(across, dx, down)
    alpha = exp2(builder, power, EXP2_FAST if fast else EXP2)
    alpha = builder.select(builder.fcmp_ordered("<", alpha, max_alpha), alpha, max_alpha)
    seen = builder.fcmp_ordered(">=", power, constant(-float(LOG2_255)))
    return builder.select(seen, alpha, constant(0.0))


def blend_one(
    builder: Any, record: Any, alpha: Any, sums: list[Any], least: Any, fast: bool
) -> tuple[list[Any], Any]:
    """The state behind one more splat, and which pixels are still open."""
    fma = llvm_function(builder, "llvm.fma.v16f32", FLOATS, FLOATS, FLOATS, FLOATS)
    before, *channels, cover = sums
    after = fma(builder.fneg(before), alpha, before)
    open_ = builder.fcmp_ordered(">", after, least)
    weight = builder.fmul(before, alpha)
    if not fast:
        weight = builder.select(open_, weight, constant(0.0))
    values = (
        splat(builder, load(builder, record, 4 * k, FLOAT), FLOATS)
        for k in (blending.R_RED, blending.R_GREEN, blending.R_BLUE, blending.R_DEPTH)
    )
    blended = [fma(weight, value, sum_) for value, sum_ in zip(values, channels, strict=True)]
    return [after, *blended, builder.fadd(cover, weight)], open_


def blend_until(transmittance: float, fast: bool) -> Callable[..., Any]:
    """See blending.blend and blend_fast; the three entries after the end must name a record that no
    pixel sees."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        records_at, entries_at, state_at = (
            address(context, builder, kinds[k], args[k]) for k in (0, 1, 3)
        )
        count, highest = args[2], splat(builder, args[4], FLOATS)
        least = constant(transmittance)
        *sums_before, x, y = (load(builder, state_at, 64 * k, FLOATS) for k in range(8))
        zero = ir.Constant(INT64, 0)

        entry = builder.block
        body, done = builder.append_basic_block("blend"), builder.append_basic_block("blended")
        builder.cbranch(builder.icmp_signed(">", count, zero), body, done)
        builder.position_at_end(body)
        i = builder.phi(INT64)
        phis = [builder.phi(FLOATS) for _ in sums_before]
        at = [
            record_address(builder, records_at, entries_at, builder.add(i, ir.Constant(INT64, k)))
            for k in range(UNROLLED)
        ]
        alphas = [alpha_of(builder, record, x, y, highest, fast) for record in at]
        sums: list[Any] = phis
        for record, alpha in zip(at, alphas, strict=True):
            sums, open_ = blend_one(builder, record, alpha, sums, least, fast)
        following = builder.add(i, ir.Constant(INT64, UNROLLED))
        any_open = llvm_function(builder, "llvm.vector.reduce.or.v16i1", BIT, BITS)(open_)
        more = builder.and_(builder.icmp_signed("<", following, count), any_open)
        builder.cbranch(more, body, done)

        i.add_incoming(zero, entry)
        i.add_incoming(following, body)
        for phi, first, last in zip(phis, sums_before, sums, strict=True):
            phi.add_incoming(first, entry)
            phi.add_incoming(last, body)
        builder.position_at_end(done)
        for k, (first, last) in enumerate(zip(sums_before, sums, strict=True)):
            result = builder.phi(FLOATS)
            result.add_incoming(first, entry)
            result.add_incoming(last, body)
            sums[k] = result
        for k, result in enumerate(sums):
            store(builder, result, state_at, 64 * k)
        return context.get_dummy_value()

    def instruction_(
        typing_context: Any, records: Any, entries: Any, count: Any, state: Any, max_alpha: Any
    ) -> Any:
        return types.none(records, entries, types.intp, state, types.float32), generate

    return instruction(instruction_)


def record_address(builder: Any, records_at: Any, entries_at: Any, i: Any) -> Any:
    """Of the record whose number is in the upper half of entry ``i``."""
    place = builder.add(entries_at, builder.shl(i, ir.Constant(INT64, 2)))
    entry = builder.zext(load(builder, place, 0, INT32), INT64)
    number = builder.lshr(entry, ir.Constant(INT64, 16))
    size = ir.Constant(INT64, 4 * blending.RECORD)
    return builder.add(records_at, builder.mul(number, size))


blend = blend_until(float(blending.MIN_TRANSMITTANCE), fast=False)
blend_fast = blend_until(float(blending.FAST_TRANSMITTANCE), fast=True)


def srgb(builder: Any, linear: Any) -> Any:
    """See blending.srgb."""
    fma = llvm_function(builder, "llvm.fma.v16f32", FLOATS, FLOATS, FLOATS, FLOATS)
    root = llvm_function(builder, "llvm.sqrt.v16f32", FLOATS, FLOATS)
    one, zero = constant(1.0), constant(0.0)
    x = builder.select(builder.fcmp_ordered(">", linear, zero), linear, zero)
    x = builder.select(builder.fcmp_ordered("<", x, one), x, one)
    q = root(root(x))
    curve = constant(float(blending.SRGB[-1]))
    for c in blending.SRGB[-2::-1]:
        curve = fma(curve, q, constant(float(c)))
    curve = builder.select(builder.fcmp_ordered("<", curve, one), curve, one)
    straight = builder.fmul(x, constant(12.92))
    dark = builder.fcmp_ordered("<=", x, constant(float(blending.SRGB_LINEAR_UP_TO)))
    return builder.select(dark, straight, curve)


@instruction
def start_block(
    typing_context: Any, state: Any, left: Any, top: Any, columns: Any, rows: Any
) -> Any:
    """See blending.start_block. (Small stores would not be forwarded to the loads of whole
    registers that follow.)"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        state_at = address(context, builder, signature.args[0], args[0])
        steps = [i % 4 for i in range(LANES)], [i // 4 for i in range(LANES)]
        inside = [
            builder.icmp_signed(
                "<", ir.Constant(INTS, lanes), splat(builder, builder.trunc(limit, INT32), INTS)
            )
            for lanes, limit in zip(steps, args[3:], strict=True)
        ]
        open_ = builder.select(builder.and_(*inside), constant(1.0), constant(0.0))
        middles = (ir.Constant(FLOATS, [lane + 0.5 for lane in lanes]) for lanes in steps)
        x, y = (
            builder.fadd(splat(builder, corner, FLOATS), middle)
            for corner, middle in zip(args[1:3], middles, strict=True)
        )
        for k, row in enumerate((open_, *[constant(0.0)] * 5, x, y)):
            store(builder, row, state_at, 64 * k)
        return context.get_dummy_value()

    number, integer = types.float32, types.intp
    return types.none(state, number, number, integer, integer), generate


@instruction
def store_block(
    typing_context: Any, state: Any, lens: Any, x: Any, y: Any, rgb: Any, depth: Any, alpha: Any
) -> Any:
    """See blending.store_block; all 16 pixels must be inside of the picture."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        state_at = address(context, builder, kinds[0], args[0])
        names = list(lens.instance_class._fields)
        background = [
            splat(builder, builder.extract_value(args[1], names.index(name)), FLOATS)
            for name in ("red", "green", "blue")
        ]
        cover = load(builder, state_at, 64 * blending.S_COVER, FLOATS)
        gap = builder.fsub(constant(1.0), cover)
        fma = llvm_function(builder, "llvm.fma.v16f32", FLOATS, FLOATS, FLOATS, FLOATS)
        planes = []
        for k, behind in enumerate(background):
            color = load(builder, state_at, 64 * (blending.S_RED + k), FLOATS)
            planes.append(srgb(builder, fma(gap, behind, color)))
        least = constant(float(blending.MIN_COVER))
        divisor = builder.select(builder.fcmp_ordered(">", cover, least), cover, least)
        sum_of_depths = load(builder, state_at, 64 * blending.S_DEPTH, FLOATS)
        planes += [builder.fdiv(sum_of_depths, divisor), cover]
        for place, plane in zip(
            plane_places(context, builder, signature, args), planes, strict=True
        ):
            store_rows(builder, plane, *place)
        return context.get_dummy_value()

    signature = types.none(state, lens, types.intp, types.intp, rgb, depth, alpha)
    return signature, generate


def plane_places(context: Any, builder: Any, signature: Any, args: Any) -> list[tuple[Any, Any]]:
    """Of the five planes of a picture: where the pixel (x, y) is, and how many bytes a row has."""
    x, y = args[2], args[3]
    places = []
    for k in (4, 5, 6):
        array = context.make_array(signature.args[k])(context, builder, args[k])
        strides = [builder.extract_value(array.strides, i) for i in range(signature.args[k].ndim)]
        first = builder.ptrtoint(array.data, INT64)
        first = builder.add(first, builder.mul(y, strides[-2]))
        first = builder.add(first, builder.mul(x, strides[-1]))
        channels = 3 if k == 4 else 1
        for channel in range(channels):
            skip = builder.mul(strides[0], ir.Constant(INT64, channel if channels > 1 else 0))
            places.append((builder.add(first, skip), strides[-2]))
    return places


def store_rows(builder: Any, block: Any, place: Any, stride: Any) -> None:
    """16 floats as four rows of four pixels."""
    nothing = ir.Constant(FLOATS, ir.Undefined)
    four = ir.VectorType(INT32, 4)
    for row in range(4):
        pixels = builder.shuffle_vector(
            block, nothing, ir.Constant(four, [4 * row + k for k in range(4)])
        )
        at = builder.add(place, builder.mul(stride, ir.Constant(INT64, row)))
        store(builder, pixels, at)
