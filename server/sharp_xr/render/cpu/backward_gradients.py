"""A splat's gradient as floats in memory: while it grows, packed, and as a chunk's rows."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from sharp_xr.render.cpu.compilation import instruction
from sharp_xr.render.cpu.records import quarters
from sharp_xr.render.cpu.turning import turned
from sharp_xr.render.cpu.vectors import (
    BIT,
    FLOATS,
    LANES,
    Values,
    addresses,
    load,
    shuffle,
    store,
    times,
)

GRADIENT = 10
"""Floats of a splat's gradient: sums of e, e dy, e dy^2, e dx, e dx dy, e dx^2, where e is
d loss / d ln alpha and dx, dy lead from the centre to the pixel; then red, green, blue, depth."""
ROOMY = 16
"""Floats that it has while it grows, one cache line: after three and six there is a gap of one."""
PACKED = [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]
"""Where the ten are in it."""


@instruction
def pack_gradient(typing_context: Any, source: Any, start: Any, target: Any, place: Any) -> Any:
    """The gradient at source[start] without its gaps to target[place]. Six more floats after it are
    written."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from_at, to_at = places_of(context, builder, signature, args)
        lanes = PACKED + [0] * (LANES - GRADIENT)
        store(builder, shuffle(builder, load(builder, from_at, 0, FLOATS), lanes), to_at)
        return context.get_dummy_value()

    return types.none(source, types.intp, target, types.intp), generate


@instruction
def add_gradient(typing_context: Any, source: Any, start: Any, target: Any, place: Any) -> Any:
    """target[place + k] += source[start + k] for the floats of one packed gradient; anything is
    added to the six that follow."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from_at, to_at = places_of(context, builder, signature, args)
        old, more = load(builder, to_at, 0, FLOATS), load(builder, from_at, 0, FLOATS)
        store(builder, builder.fadd(old, more), to_at)
        return context.get_dummy_value()

    return types.none(source, types.intp, target, types.intp), generate


def places_of(context: Any, builder: Any, signature: Any, args: Any) -> Values:
    """Addresses of source[start] and target[place]."""
    arrays = addresses(context, builder, signature, args, (0, 2))
    return [
        builder.add(array, times(builder, place, 4))
        for array, place in zip(arrays, (args[1], args[3]), strict=True)
    ]


@instruction
def turn_gradients(
    typing_context: Any, source: Any, start: Any, target: Any, place: Any, stride: Any
) -> Any:
    """16 gradients, ROOMY floats each from source[start] on, to GRADIENT rows of 16, which begin at
    target[place] and every ``stride`` floats after it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from_at, to_at = places_of(context, builder, signature, args)
        rows = [load(builder, from_at, 4 * ROOMY * k, FLOATS) for k in range(LANES)]
        parts = [turned(builder, rows[k::4]) for k in range(4)]
        stride = times(builder, args[4], 4)
        for k in range(GRADIENT):
            if k % 4 == 0:
                columns = quarters(builder, [part[k // 4] for part in parts])
            store(builder, columns[k % 4], to_at)
            to_at = builder.add(to_at, stride)
        return context.get_dummy_value()

    signature = types.none(source, types.intp, target, types.intp, types.intp)
    return signature, generate


@instruction
def lowest_bit(typing_context: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(BIT, 1))

    return types.int64(types.uint64), generate
