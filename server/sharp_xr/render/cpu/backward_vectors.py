"""The inner loops of backward_tiles.py, for one block of 4 x 4 pixels, in explicit vectors.

    record   splats front to back -> alpha and weight of each at each pixel (backward, first pass)
    unwind   back to front        -> what each alpha does to the loss       (second pass)
    collect  entry by entry       -> sums over the pixels, into the splat's gradient (third pass)

Let a block's entries have alpha a, transmittance before them T, and let c be a splat's cotangent
product: colour, depth and 1 times what the loss is to the pixel's five sums. A pixel's part of the
loss is composited as its colour is, so with B for what lies behind,

    T (a c + (1 - a) B):    d loss / d a = T (c - B),    and the next nearer B is B + a (c - B).

There is no division by 1 - a and no difference of large sums, unlike in the textbook's recurrence.

Sums over 16 pixels would cost five shuffles each. ``collect`` multiplies instead: a row of 16
numbers times a constant matrix [16, 8] of 1, X, Y, X^2, XY, Y^2, an FMA per pixel with the number
as a broadcast operand. X and Y are -1, 0, 1 or 2 pixels from the block's second pixel, so that
their products are exact, and two more FMAs move the moments to the splat's centre.

All vectors are LLVM's portable IR: of 16 where AVX-512 is, split by LLVM elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.blending import PIXEL_X, PIXEL_Y, S_RED, TRANSMITTANCE
from sharp_xr.render.cpu.compilation import instruction
from sharp_xr.render.cpu.compositing import (
    GROUP,
    alpha_of,
    numbers_of,
    pass_through,
    record_at,
    tint_of,
)
from sharp_xr.render.cpu.gathering import quarters
from sharp_xr.render.cpu.vectors import (
    BIT,
    FLOAT,
    FLOATS,
    INT32,
    INT64,
    LANES,
    Values,
    addresses,
    any_of,
    constant,
    fma,
    load,
    over_groups,
    plus,
    prefetch,
    shuffle,
    splat,
    store,
    times,
)

GRADIENT = 10
"""Floats of a splat's gradient: sums of e, e dx, e dy, e dx^2, e dx dy, e dy^2, where e is
d loss / d ln alpha and dx, dy lead from the centre to the pixel; then red, green, blue, depth."""
SAVED = 2 * LANES
"""Floats kept per entry: alpha, later e; and the weight T a."""

EIGHT, FOUR = ir.VectorType(FLOAT, 8), ir.VectorType(FLOAT, 4)


def moment_rows() -> Float32:
    """[16, 8] the matrix of ``collect``."""
    x, y = np.tile(np.arange(-1, 3), 4), np.repeat(np.arange(-1, 3), 4)
    zero = np.zeros(LANES)
    return np.stack([x**0, x, y, x * x, x * y, y * y, zero, zero], 1).astype(np.float32)


@instruction
def fetch(typing_context: Any, array: Any, place: Any) -> Any:
    """Into the cache, while we work on something else: the line of an element that will be read
    and written. There is no harm in a place beyond the end."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (start,) = addresses(context, builder, signature, args, (0,))
        prefetch(builder, builder.add(start, times(builder, args[1], 4)), to_write=True)
        return context.get_dummy_value()

    return types.none(array, types.intp), generate


@instruction
def lowest_bit(typing_context: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(BIT, 1))

    return types.int64(types.uint64), generate


@instruction
def add_gradient(typing_context: Any, source: Any, start: Any, target: Any, place: Any) -> Any:
    """target[place + k] += source[start + k] for the floats of one gradient."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        arrays = addresses(context, builder, signature, args, (0, 2))
        from_at, to_at = (
            builder.add(array, times(builder, place, 4))
            for array, place in zip(arrays, (args[1], args[3]), strict=True)
        )
        for offset, kind in ((0, EIGHT), (32, ir.VectorType(FLOAT, GRADIENT - 8))):
            total = builder.fadd(
                load(builder, to_at, offset, kind), load(builder, from_at, offset, kind)
            )
            store(builder, total, to_at, offset)
        return context.get_dummy_value()

    return types.none(source, types.intp, target, types.intp), generate


@instruction
def record(
    typing_context: Any,
    records: Any,
    entries: Any,
    count: Any,
    state: Any,
    max_alpha: Any,
    saved: Any,
) -> Any:
    """Save each entry's alpha and weight, zeros where it is not drawn; how many entries until no
    pixel is open."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        records_at, entries_at, state_at, saved_at = addresses(
            context, builder, signature, args, (0, 1, 3, 5)
        )
        highest, nothing = splat(builder, args[4]), constant(0.0)

        def group(i: Any, carried: Values) -> tuple[Values, Any]:
            alphas = [
                alpha_of(builder, record_at(builder, records_at, number), x, y, highest)
                for number in numbers_of(builder, entries_at, i)
            ]
            place = builder.add(saved_at, times(builder, i, 4 * SAVED))
            (before,) = carried
            for k, alpha in enumerate(alphas):
                after, open_ = pass_through(builder, before, alpha)
                drawn = builder.select(open_, alpha, nothing)
                store(builder, drawn, place, 4 * SAVED * k)
                store(builder, builder.fmul(before, drawn), place, 4 * SAVED * k + 64)
                before = after
            return [before], any_of(builder, open_)

        start, x, y = (
            load(builder, state_at, 64 * row, FLOATS) for row in (TRANSMITTANCE, PIXEL_X, PIXEL_Y)
        )
        processed, _ = over_groups(builder, args[2], GROUP, [start], group)
        return processed

    signature = types.intp(records, entries, types.intp, state, types.float32, saved)
    return signature, generate


@instruction
def unwind(
    typing_context: Any,
    records: Any,
    entries: Any,
    count: Any,
    state: Any,
    max_alpha: Any,
    saved: Any,
) -> Any:
    """Replace the saved alphas by d loss / d ln alpha; the state's sums are their cotangents here.
    ``count`` is a multiple of GROUP."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        records_at, entries_at, state_at, saved_at = addresses(
            context, builder, signature, args, (0, 1, 3, 5)
        )
        count, highest = args[2], splat(builder, args[4])
        *tints, base = (load(builder, state_at, 64 * (S_RED + k), FLOATS) for k in range(5))

        def group(i: Any, carried: Values) -> tuple[Values, Any]:
            first = builder.sub(builder.sub(count, ir.Constant(INT64, GROUP)), i)
            numbers = numbers_of(builder, entries_at, first)
            place = builder.add(saved_at, times(builder, first, 4 * SAVED))
            (behind,) = carried
            for k in reversed(range(GROUP)):
                product = base
                values = tint_of(builder, record_at(builder, records_at, numbers[k]), FLOATS)
                for value, tint in zip(values, tints, strict=True):
                    product = fma(builder, value, tint, product)
                alpha = load(builder, place, 4 * SAVED * k, FLOATS)
                weight = load(builder, place, 4 * SAVED * k + 64, FLOATS)
                difference = builder.fsub(product, behind)
                behind = fma(builder, alpha, difference, behind)
                # An alpha at its limit does not move.
                free = builder.fcmp_ordered("<", alpha, highest)
                effect = builder.fmul(weight, difference)
                effect = builder.select(free, effect, constant(0.0))
                store(builder, effect, place, 4 * SAVED * k)
            return [behind], ir.Constant(BIT, 1)

        over_groups(builder, count, GROUP, [constant(0.0)], group)
        return context.get_dummy_value()

    signature = types.none(records, entries, types.intp, state, types.float32, saved)
    return signature, generate


@instruction
def read_block(typing_context: Any, planes: Any, x: Any, y: Any, state: Any) -> Any:
    """The cotangents of a block's five sums, of which the pixel (x, y) is the first, to the places
    of the sums in the state; all 16 pixels must be inside of the picture."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (state_at,) = addresses(context, builder, signature, args, (3,))
        array = context.make_array(signature.args[0])(context, builder, args[0])
        plane, line, pixel = (builder.extract_value(array.strides, k) for k in range(3))
        first = builder.ptrtoint(array.data, INT64)
        first = builder.add(first, builder.mul(args[2], line))
        first = builder.add(first, builder.mul(args[1], pixel))
        for k in range(5):
            lines = []
            for row in range(4):
                skip = builder.mul(line, ir.Constant(INT64, row))
                lines.append(load(builder, builder.add(first, skip), 0, FOUR))
            halves = [joined(builder, *pair) for pair in (lines[:2], lines[2:])]
            store(builder, joined(builder, *halves), state_at, 64 * (S_RED + k))
            first = builder.add(first, plane)
        return context.get_dummy_value()

    return types.none(planes, types.intp, types.intp, state), generate


def joined(builder: Any, low: Any, high: Any) -> Any:
    """One vector of two."""
    picks = list(range(2 * low.type.count))
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(INT32, len(picks)), picks))


def products_with(builder: Any, places: Values, matrix: Values) -> Values:
    """16 floats at each place times the matrix's 16 rows. Side by side, and each in two sums, so
    that no FMA waits for the one before."""
    kind = matrix[0].type
    sums = [[constant(0.0, kind), constant(0.0, kind)] for _ in places]
    for i, row in enumerate(matrix):
        for place, pair in zip(places, sums, strict=True):
            number = splat(builder, load(builder, place, 4 * i, FLOAT), kind)
            pair[i & 1] = fma(builder, number, row, pair[i & 1])
    return [builder.fadd(*pair) for pair in sums]


def tinted(builder: Any, place: Any, tints: Values) -> Any:
    """16 weights times [16, 4] in four vectors: red, green, blue, depth. The k-th vector has the
    pixels k, k + 4, k + 8 and k + 12, so that a shuffle stays within four lanes; memory could not
    deliver as many broadcasts."""
    weights = load(builder, place, 0, FLOATS)
    total = constant(0.0)
    for k, tint in enumerate(tints):
        lanes = [k + 4 * (lane // 4) for lane in range(LANES)]
        total = fma(builder, shuffle(builder, weights, lanes), tint, total)
    for half in (8, 4):
        low, high = list(range(half)), list(range(half, 2 * half))
        total = builder.fadd(shuffle(builder, total, low), shuffle(builder, total, high))
    return total


def about_center(builder: Any, moments: Any, record: Any, corner: Any) -> Any:
    """Moments about the block's second pixel, ``corner`` -> about the splat's centre.

    sum e (X + d) = sum e X + d sum e, and by doing that twice sum e (X + d)^2. Where nothing is to
    be added, the zeros in the moments' last lanes are.
    """
    center = load(builder, record, 0, FOUR)
    way = builder.fsub(corner, center)
    once = shuffle(builder, way, [0, 0, 1, 0, 0, 1, 0, 0])
    lower = shuffle(builder, moments, [6, 0, 0, 1, 2, 2, 6, 6])
    moved = fma(builder, once, lower, moments)
    twice = shuffle(builder, way, [0, 0, 0, 0, 1, 1, 0, 0])
    lower = shuffle(builder, moved, [6, 6, 6, 1, 1, 2, 6, 6])
    return fma(builder, twice, lower, moved)


@instruction
def collect(
    typing_context: Any,
    records: Any,
    entries: Any,
    count: Any,
    state: Any,
    saved: Any,
    moments: Any,
    gradients: Any,
) -> Any:
    """Add each entry's sums over the pixels to its splat's gradient.

    ``moments`` is ``moment_rows()``. Shapes and colours have a pass each, so that their matrices
    stay in registers.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        records_at, entries_at, state_at, saved_at, moments_at, gradients_at = addresses(
            context, builder, signature, args, (0, 1, 3, 4, 5, 6)
        )
        corner = constant(0.0, FOUR)  # the pixel at X = Y = 0
        for lane, row in enumerate((PIXEL_X, PIXEL_Y)):
            number = load(builder, state_at, 64 * row + 4 * 5, FLOAT)
            corner = builder.insert_element(corner, number, ir.Constant(INT32, lane))
        matrix = [load(builder, moments_at, 32 * i, EIGHT) for i in range(LANES)]

        def places(i: Any, row: int) -> Values:
            first = builder.add(saved_at, times(builder, i, 4 * SAVED))
            return [plus(builder, first, 4 * SAVED * k + 64 * row) for k in range(GROUP)]

        def add(number: Any, offset: int, sums: Any) -> None:
            target = builder.add(gradients_at, times(builder, number, 4 * GRADIENT))
            old = load(builder, target, offset, sums.type)
            store(builder, builder.fadd(old, sums), target, offset)

        def shapes(i: Any, carried: Values) -> tuple[Values, Any]:
            products = products_with(builder, places(i, 0), matrix)
            for number, sums in zip(numbers_of(builder, entries_at, i), products, strict=True):
                record = record_at(builder, records_at, number)
                add(number, 0, about_center(builder, sums, record, corner))
            return [], ir.Constant(BIT, 1)

        def colors(i: Any, carried: Values) -> tuple[Values, Any]:
            numbers = numbers_of(builder, entries_at, i)
            for number, place in zip(numbers, places(i, 1), strict=True):
                add(number, 24, tinted(builder, place, rows))
            return [], ir.Constant(BIT, 1)

        over_groups(builder, args[2], GROUP, [], shapes)
        tints = [load(builder, state_at, 64 * (S_RED + k), FLOATS) for k in range(4)]
        rows = quarters(builder, tints)
        over_groups(builder, args[2], GROUP, [], colors)
        return context.get_dummy_value()

    signature = types.none(records, entries, types.intp, state, saved, moments, gradients)
    return signature, generate
