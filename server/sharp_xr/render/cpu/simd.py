"""The loops around blending in explicit vectors of 16, where AVX-512 is.

Same arguments and results as the functions of the same names in blending.py, which run anywhere,
except for the padding: lists are read in groups of 16, so they want zeros after their end.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from sharp_xr.render.cpu import blending
from sharp_xr.render.cpu.compilation import instruction
from sharp_xr.render.cpu.vectors import (
    BITS,
    FLOATS,
    INT16,
    INT32,
    INT64,
    INTS,
    LANES,
    addresses,
    constant,
    fma,
    llvm_function,
    load,
    root,
    shuffle,
    splat,
    store,
)


def compress(builder: Any, values: Any, chosen: Any) -> Any:
    """The chosen lanes, in order, at the front."""
    kind = values.type
    short = "f32" if kind == FLOATS else "i32"
    name = f"llvm.experimental.vector.compress.v{LANES}{short}"
    return llvm_function(builder, name, kind, kind, BITS, kind)(
        values, chosen, ir.Constant(kind, ir.Undefined)
    )


def mask_of(builder: Any, bits: Any) -> Any:
    """A bit for each lane."""
    return builder.bitcast(bits, INT16)


def count_of(builder: Any, mask: Any) -> Any:
    """How many bits a mask has."""
    return builder.zext(llvm_function(builder, "llvm.ctpop.i16", INT16, INT16)(mask), INT64)


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
    """See blending.select_four; the flags after the end, up to a multiple of 16, must be zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        flags_at, values_at, chosen_at, found_at = addresses(
            context, builder, signature, args, (0, 1, 4, 6)
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
            store(builder, compress(builder, value, has), end)
            more = count_of(builder, mask_of(builder, has))
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


def srgb(builder: Any, linear: Any) -> Any:
    """See blending.srgb."""
    one, zero = constant(1.0), constant(0.0)
    x = builder.select(builder.fcmp_ordered(">", linear, zero), linear, zero)
    x = builder.select(builder.fcmp_ordered("<", x, one), x, one)
    q = root(builder, root(builder, x))
    curve = constant(float(blending.SRGB[-1]))
    for c in blending.SRGB[-2::-1]:
        curve = fma(builder, curve, q, constant(float(c)))
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
        (state_at,) = addresses(context, builder, signature, args, (0,))
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
        (state_at,) = addresses(context, builder, signature, args, (0,))
        names = list(lens.instance_class._fields)
        background = [
            splat(builder, builder.extract_value(args[1], names.index(name)), FLOATS)
            for name in ("red", "green", "blue")
        ]
        cover = load(builder, state_at, 64 * blending.S_COVER, FLOATS)
        gap = builder.fsub(constant(1.0), cover)
        planes = []
        for k, behind in enumerate(background):
            color = load(builder, state_at, 64 * (blending.S_RED + k), FLOATS)
            planes.append(srgb(builder, fma(builder, gap, behind, color)))
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
    for row in range(4):
        pixels = shuffle(builder, block, [4 * row + k for k in range(4)])
        at = builder.add(place, builder.mul(stride, ir.Constant(INT64, row)))
        store(builder, pixels, at)
