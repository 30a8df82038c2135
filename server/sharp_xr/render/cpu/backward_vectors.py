"""The inner loops of backward_tiles.py, for one block of 4 x 4 pixels, in explicit vectors.

    blend    splats front to back -> sums of colour, depth and cover        (forward)
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

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu import blending
from sharp_xr.render.cpu.compilation import instruction
from sharp_xr.render.cpu.scene import LOG2_255

LANES = 16
GROUP = 4
"""Entries that are worked on side by side; lists are filled up to a multiple of it."""
RECORD = blending.RECORD
GRADIENT = 10
"""Floats of a splat's gradient: sums of e, e dx, e dy, e dx^2, e dx dy, e dy^2, where e is
d loss / d ln alpha and dx, dy lead from the centre to the pixel; then red, green, blue, depth."""
SAVED = 2 * LANES
"""Floats kept per entry: alpha, later e; and the weight T a."""

TRANSMITTANCE, PIXEL_X, PIXEL_Y, RED, GREEN, BLUE, DEPTH, COVER = range(8)
"""Rows of a block's state, 16 floats each. The last five are sums or their cotangents."""
STATE = 8 * LANES

EXP2 = (
    1.0000000716553012,
    0.6931469670628845,
    0.2402211972075149,
    0.055507132750658515,
    0.00967554150262148,
    0.0013276471959515403,
)
"""2^f for f in -1/2..1/2 as a minimax polynomial, 1.5e-7 off at most in float32: a degree more than
in blending.py, for an alpha that is off by 2.6e-6 moves all gradients by as much."""

FLOAT, INT32, INT64, BIT = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(1)
FLOATS, INTS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT32, LANES)
EIGHT, FOUR = ir.VectorType(FLOAT, 8), ir.VectorType(FLOAT, 4)
Values = list[Any]


def moment_rows() -> Float32:
    """[16, 8] the matrix of ``collect``."""
    x, y = np.tile(np.arange(-1, 3), 4), np.repeat(np.arange(-1, 3), 4)
    zero = np.zeros(LANES)
    return np.stack([x**0, x, y, x * x, x * y, y * y, zero, zero], 1).astype(np.float32)


def pointer(builder: Any, place: Any, offset: int, kind: Any) -> Any:
    return builder.inttoptr(builder.add(place, ir.Constant(INT64, offset)), kind.as_pointer())


def load(builder: Any, place: Any, offset: int, kind: Any) -> Any:
    value = builder.load(pointer(builder, place, offset, kind), typ=kind)
    value.align = 4
    return value


def store(builder: Any, value: Any, place: Any, offset: int) -> None:
    builder.store(value, pointer(builder, place, offset, value.type)).align = 4


def shuffle(builder: Any, value: Any, lanes: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(INT32, len(lanes)), lanes)
    return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask)


def splat(builder: Any, value: Any, kind: Any = FLOATS) -> Any:
    """The value in all lanes."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(INT32, 0))
    return shuffle(builder, first, [0] * kind.count)


def constant(value: float, kind: Any = FLOATS) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, in one instruction where there is one."""
    kind = a.type
    name = f"llvm.fmuladd.v{kind.count}f32"
    function = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(kind, [kind] * 3), name
    )
    return builder.call(function, [a, b, c])


def any_of(builder: Any, bits: Any) -> Any:
    name = f"llvm.vector.reduce.or.v{LANES}i1"
    function = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(BIT, [bits.type]), name
    )
    return builder.call(function, [bits])


def address(context: Any, builder: Any, array: Any, value: Any) -> Any:
    """Of an array's first element, as an integer."""
    data = context.make_array(array)(context, builder, value).data
    return builder.ptrtoint(data, INT64)


def times(builder: Any, value: Any, factor: int) -> Any:
    return builder.mul(value, ir.Constant(INT64, factor))


def numbers_of(builder: Any, entries_at: Any, i: Any) -> Values:
    """The record numbers of the group of entries that begins with the i-th."""
    place = builder.add(entries_at, times(builder, i, 4))
    return [builder.zext(load(builder, place, 4 * k, INT32), INT64) for k in range(GROUP)]


def over_groups(
    builder: Any,
    count: Any,
    carried: Values,
    body: Callable[[Any, Values], tuple[Values, Any]],
) -> tuple[Any, Values]:
    """Call ``body(first entry, carried)`` for one group after the other, until it says False.

    Returns where it ended, and what was carried there.
    """
    zero, step = ir.Constant(INT64, 0), ir.Constant(INT64, GROUP)
    entry = builder.block
    loop, done = builder.append_basic_block("group"), builder.append_basic_block("groups_done")
    builder.cbranch(builder.icmp_signed(">", count, zero), loop, done)
    builder.position_at_end(loop)
    i, *phis = (builder.phi(value.type) for value in (zero, *carried))
    following, goes_on = body(i, phis)
    results = [builder.add(i, step), *following]
    more = builder.and_(builder.icmp_signed("<", results[0], count), goes_on)
    for phi, first, result in zip((i, *phis), (zero, *carried), results, strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(result, builder.block)
    end = builder.block
    builder.cbranch(more, loop, done)
    builder.position_at_end(done)
    outcome = [builder.phi(value.type) for value in results]
    for phi, first, result in zip(outcome, (zero, *carried), results, strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(result, end)
    return outcome[0], outcome[1:]


def alpha_of(builder: Any, record: Any, x: Any, y: Any, highest: Any) -> Any:
    """What one splat covers of 16 pixels; blending.py explains the exponential."""
    px, py, qxx, qxy, qyy, peak = (
        splat(builder, load(builder, record, 4 * k, FLOAT)) for k in range(6)
    )
    dx, dy = builder.fsub(x, px), builder.fsub(y, py)
    across = fma(builder, qxy, dy, builder.fmul(qxx, dx))
    power = fma(builder, across, dx, fma(builder, builder.fmul(qyy, dy), dy, peak))
    rounder = constant(float(blending.ROUNDER))
    rounded = builder.fadd(power, rounder)
    fraction = builder.fsub(power, builder.fsub(rounded, rounder))
    mantissa = constant(EXP2[-1])
    for c in EXP2[-2::-1]:
        mantissa = fma(builder, mantissa, fraction, constant(c))
    exponent = builder.shl(builder.bitcast(rounded, INTS), constant(23, INTS))
    alpha = builder.bitcast(builder.add(builder.bitcast(mantissa, INTS), exponent), FLOATS)
    alpha = builder.select(builder.fcmp_ordered("<", alpha, highest), alpha, highest)
    seen = builder.fcmp_ordered(">=", power, constant(-float(LOG2_255)))
    return builder.select(seen, alpha, constant(0.0))


def alphas_of(
    builder: Any, records_at: Any, numbers: Values, state_at: Any, highest: Any
) -> tuple[Values, Values]:
    """Addresses of a group's records, and what they cover."""
    x, y = (load(builder, state_at, 64 * row, FLOATS) for row in (PIXEL_X, PIXEL_Y))
    places = [builder.add(records_at, times(builder, n, 4 * RECORD)) for n in numbers]
    return places, [alpha_of(builder, place, x, y, highest) for place in places]


def pass_through(builder: Any, before: Any, alpha: Any) -> tuple[Any, Any]:
    """The transmittance behind a splat, and where it is drawn at all."""
    after = builder.fmul(before, builder.fsub(constant(1.0), alpha))
    least = constant(float(blending.MIN_TRANSMITTANCE))
    return after, builder.fcmp_ordered(">", after, least)


@instruction
def fetch(typing_context: Any, array: Any, place: Any) -> Any:
    """Into the cache, while we work on something else: the line of an element that will be read
    and written. There is no harm in a place beyond the end."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = address(context, builder, signature.args[0], args[0])
        at = pointer(builder, builder.add(start, times(builder, args[1], 4)), 0, ir.IntType(8))
        write, keep, data = (ir.Constant(INT32, value) for value in (1, 3, 1))
        kinds = [at.type, INT32, INT32, INT32]
        function = builder.module.globals.get("llvm.prefetch.p0") or ir.Function(
            builder.module, ir.FunctionType(ir.VoidType(), kinds), "llvm.prefetch.p0"
        )
        builder.call(function, [at, write, keep, data])
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
        from_at, to_at = (
            builder.add(
                address(context, builder, signature.args[k], args[k]),
                times(builder, args[k + 1], 4),
            )
            for k in (0, 2)
        )
        for offset, kind in ((0, EIGHT), (32, ir.VectorType(FLOAT, GRADIENT - 8))):
            total = builder.fadd(
                load(builder, to_at, offset, kind), load(builder, from_at, offset, kind)
            )
            store(builder, total, to_at, offset)
        return context.get_dummy_value()

    return types.none(source, types.intp, target, types.intp), generate


@instruction
def blend(
    typing_context: Any, records: Any, entries: Any, count: Any, state: Any, max_alpha: Any
) -> Any:
    """Put ``count`` splats behind what the state holds; its last five rows are sums."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        records_at, entries_at, state_at = (
            address(context, builder, kinds[k], args[k]) for k in (0, 1, 3)
        )
        highest = splat(builder, args[4])

        def group(i: Any, carried: Values) -> tuple[Values, Any]:
            numbers = numbers_of(builder, entries_at, i)
            places, alphas = alphas_of(builder, records_at, numbers, state_at, highest)
            before, *sums = carried
            for place, alpha in zip(places, alphas, strict=True):
                after, open_ = pass_through(builder, before, alpha)
                weight = builder.fmul(before, alpha)
                weight = builder.select(open_, weight, constant(0.0))
                values = splats(builder, place)
                sums = [
                    *(fma(builder, weight, v, s) for v, s in zip(values, sums[:4], strict=True)),
                    builder.fadd(sums[4], weight),
                ]
                before = after
            return [before, *sums], any_of(builder, open_)

        rows = (TRANSMITTANCE, RED, GREEN, BLUE, DEPTH, COVER)
        start = [load(builder, state_at, 64 * row, FLOATS) for row in rows]
        _, results = over_groups(builder, args[2], start, group)
        for row, result in zip(rows, results, strict=True):
            store(builder, result, state_at, 64 * row)
        return context.get_dummy_value()

    return types.none(records, entries, types.intp, state, types.float32), generate


def splats(builder: Any, record: Any) -> Values:
    """A record's colour and depth in all lanes."""
    rows = (blending.R_RED, blending.R_GREEN, blending.R_BLUE, blending.R_DEPTH)
    return [splat(builder, load(builder, record, 4 * row, FLOAT)) for row in rows]


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
        kinds = signature.args
        records_at, entries_at, state_at, saved_at = (
            address(context, builder, kinds[k], args[k]) for k in (0, 1, 3, 5)
        )
        highest, nothing = splat(builder, args[4]), constant(0.0)

        def group(i: Any, carried: Values) -> tuple[Values, Any]:
            numbers = numbers_of(builder, entries_at, i)
            _, alphas = alphas_of(builder, records_at, numbers, state_at, highest)
            place = builder.add(saved_at, times(builder, i, 4 * SAVED))
            (before,) = carried
            for k, alpha in enumerate(alphas):
                after, open_ = pass_through(builder, before, alpha)
                drawn = builder.select(open_, alpha, nothing)
                store(builder, drawn, place, 4 * SAVED * k)
                store(builder, builder.fmul(before, drawn), place, 4 * SAVED * k + 64)
                before = after
            return [before], any_of(builder, open_)

        start = [load(builder, state_at, 64 * TRANSMITTANCE, FLOATS)]
        processed, _ = over_groups(builder, args[2], start, group)
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
    """Replace the saved alphas by d loss / d ln alpha; the state's last five rows are cotangents.
    ``count`` is a multiple of GROUP."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        records_at, entries_at, state_at, saved_at = (
            address(context, builder, kinds[k], args[k]) for k in (0, 1, 3, 5)
        )
        count, highest = args[2], splat(builder, args[4])
        *tints, base = (load(builder, state_at, 64 * (RED + k), FLOATS) for k in range(5))

        def group(i: Any, carried: Values) -> tuple[Values, Any]:
            first = builder.sub(builder.sub(count, ir.Constant(INT64, GROUP)), i)
            numbers = numbers_of(builder, entries_at, first)
            place = builder.add(saved_at, times(builder, first, 4 * SAVED))
            (behind,) = carried
            for k in reversed(range(GROUP)):
                product = base
                at = builder.add(records_at, times(builder, numbers[k], 4 * RECORD))
                for value, tint in zip(splats(builder, at), tints, strict=True):
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

        over_groups(builder, count, [constant(0.0)], group)
        return context.get_dummy_value()

    signature = types.none(records, entries, types.intp, state, types.float32, saved)
    return signature, generate


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
    """16 weights times [16, 4] in four vectors: red, green, blue, depth. Here a row of four pixels
    fills a vector, each weight four times; memory could not deliver as many broadcasts."""
    weights = load(builder, place, 0, FLOATS)
    total = constant(0.0)
    for row, tint in enumerate(tints):
        lanes = [4 * row + lane // 4 for lane in range(LANES)]
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
    tints: Any,
    gradients: Any,
) -> Any:
    """Add each entry's sums over the pixels to its splat's gradient.

    ``moments`` is ``moment_rows()``, ``tints`` [16, 4] the pixels' cotangents of colour and depth.
    Each has its own pass, so that its matrix stays in registers.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        records_at, entries_at, state_at, saved_at, moments_at, tints_at, gradients_at = (
            address(context, builder, kinds[k], args[k]) for k in (0, 1, 3, 4, 5, 6, 7)
        )
        corner = constant(0.0, FOUR)  # the pixel at X = Y = 0
        for lane, row in enumerate((PIXEL_X, PIXEL_Y)):
            number = load(builder, state_at, 64 * row + 4 * 5, FLOAT)
            corner = builder.insert_element(corner, number, ir.Constant(INT32, lane))
        matrix = [load(builder, moments_at, 32 * i, EIGHT) for i in range(LANES)]

        def places(i: Any, row: int) -> Values:
            first = builder.add(saved_at, times(builder, i, 4 * SAVED))
            skips = [4 * SAVED * k + 64 * row for k in range(GROUP)]
            return [builder.add(first, ir.Constant(INT64, skip)) for skip in skips]

        def add(number: Any, offset: int, sums: Any) -> None:
            target = builder.add(gradients_at, times(builder, number, 4 * GRADIENT))
            old = load(builder, target, offset, sums.type)
            store(builder, builder.fadd(old, sums), target, offset)

        def shapes(i: Any, carried: Values) -> tuple[Values, Any]:
            products = products_with(builder, places(i, 0), matrix)
            for number, sums in zip(numbers_of(builder, entries_at, i), products, strict=True):
                record = builder.add(records_at, times(builder, number, 4 * RECORD))
                add(number, 0, about_center(builder, sums, record, corner))
            return [], ir.Constant(BIT, 1)

        def colors(i: Any, carried: Values) -> tuple[Values, Any]:
            numbers = numbers_of(builder, entries_at, i)
            for number, place in zip(numbers, places(i, 1), strict=True):
                add(number, 24, tinted(builder, place, rows))
            return [], ir.Constant(BIT, 1)

        over_groups(builder, args[2], [], shapes)
        rows = [load(builder, tints_at, 64 * i, FLOATS) for i in range(4)]
        over_groups(builder, args[2], [], colors)
        return context.get_dummy_value()

    signature = types.none(records, entries, types.intp, state, saved, moments, tints, gradients)
    return signature, generate
