"""The inner loops of backward_tiles.py, for one block of 4 x 4 pixels, in explicit vectors.

    record  splats front to back -> alpha and weight of each at each pixel, of those that it sees
    pull    back to front        -> what each alpha does to the loss, and the sums over the pixels

Let a block's entries have alpha a, transmittance before them T, and let c be a splat's cotangent
product: colour, depth and 1 times what the loss is to the pixel's five sums. A pixel's part of the
loss is composited as its colour is, so with B for what lies behind,

    T (a c + (1 - a) B):    d loss / d a = T (c - B),    and the next nearer B is B + a (c - B).

There is no division by 1 - a and no difference of large sums, unlike in the textbook's recurrence.

Sums over 16 pixels would cost five shuffles each. ``pull`` turns four entries' rows of pixels into
four registers, one of each row: then the rows add up for all four at once, and so do the columns
after another turn. Pixels are counted -1, 0, 1, 2 from the block's second one, which makes products
exact; between the turns the moments move to the splats' centres.

All vectors are LLVM's portable IR: of 16 where AVX-512 is, split by LLVM elsewhere.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from sharp_xr.render.cpu.backward_gradients import ROOMY
from sharp_xr.render.cpu.blending import PIXEL_X, PIXEL_Y, S_RED, TRANSMITTANCE
from sharp_xr.render.cpu.compilation import instruction
from sharp_xr.render.cpu.compositing import (
    GROUP,
    alpha_of,
    numbers_of,
    pass_through,
    record_at,
    spread,
)
from sharp_xr.render.cpu.records import TINT
from sharp_xr.render.cpu.turning import Quad, joined_four, of_fours, of_lanes, turned
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
    splat,
    store,
    times,
)

SAVED = 2 * LANES
"""Floats kept per entry: alpha, and the weight T a."""

FOUR = ir.VectorType(FLOAT, 4)


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
def record(
    typing_context: Any,
    records: Any,
    entries: Any,
    count: Any,
    hidden: Any,
    state: Any,
    max_alpha: Any,
    saved: Any,
) -> Any:
    """Keep those entries that are drawn at any pixel, until no pixel is open, and save their alpha
    and weight, zeros where they are not drawn; how many, filled up to a multiple of GROUP with
    entries of record number ``hidden``, which is not drawn."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        records_at, entries_at, state_at, saved_at = addresses(
            context, builder, signature, args, (0, 1, 4, 6)
        )
        highest, nothing = splat(builder, args[5]), constant(0.0)

        def group(i: Any, carried: Values) -> tuple[Values, Any]:
            numbers = numbers_of(builder, entries_at, i)
            alphas = [
                alpha_of(builder, record_at(builder, records_at, number), x, y, highest)
                for number in numbers
            ]
            before, found = carried
            for number, alpha in zip(numbers, alphas, strict=True):
                after, open_ = pass_through(builder, before, alpha)
                drawn = builder.select(open_, alpha, nothing)
                keep(number, drawn, builder.fmul(before, drawn), found)
                seen = any_of(builder, builder.fcmp_ordered(">", drawn, nothing))
                found = builder.add(found, builder.zext(seen, INT64))
                before = after
            return [before, found], any_of(builder, open_)

        def keep(number: Any, alpha: Any, weight: Any, found: Any) -> None:
            number_at = builder.add(entries_at, times(builder, found, 4))
            store(builder, builder.trunc(number, INT32), number_at)
            place = builder.add(saved_at, times(builder, found, 4 * SAVED))
            store(builder, alpha, place)
            store(builder, weight, place, 4 * LANES)

        start, x, y = (
            load(builder, state_at, 64 * row, FLOATS) for row in (TRANSMITTANCE, PIXEL_X, PIXEL_Y)
        )
        none = ir.Constant(INT64, 0)
        _, (_, found) = over_groups(builder, args[2], GROUP, [start, none], group)
        for k in range(GROUP - 1):
            keep(args[3], nothing, nothing, plus(builder, found, k))
        return builder.and_(plus(builder, found, GROUP - 1), ir.Constant(INT64, -GROUP))

    integer, number = types.intp, types.float32
    signature = integer(records, entries, integer, integer, state, number, saved)
    return signature, generate


def powers(builder: Any, parts: Values) -> tuple[Any, Any, Any]:
    """Sums of four parts, which stand at -1, 0, 1, 2: of each, times its place, times its
    square."""
    a, b, c, d = parts
    outer = builder.fadd(a, c)
    zeroth = builder.fadd(outer, builder.fadd(b, d))
    first = fma(builder, constant(2.0), d, builder.fsub(c, a))
    return zeroth, first, fma(builder, constant(4.0), d, outer)


def moved(builder: Any, sums: tuple[Any, Any, Any], way: Any) -> tuple[Any, Any, Any]:
    """The same with places that are ``way`` more: sum e (X + d) = sum e X + d sum e, and by doing
    that twice sum e (X + d)^2."""
    zeroth, first, second = sums
    further = fma(builder, way, zeroth, first)
    return zeroth, further, fma(builder, way, builder.fadd(first, further), second)


def shape_sums(builder: Any, effects: Values, ways: Any) -> tuple[Any, Any]:
    """Of four entries' e, the sums of e, e dy, e dy^2 and something, and of e dx, e dx dy, e dx^2
    and something, a quarter each. ``ways`` lead from their centres to the block's second pixel."""
    x, y = (of_fours(builder, ways, ways, (k, k, k, k)) for k in (0, 1))
    one, up, up_up = moved(builder, powers(builder, turned(builder, effects)), y)
    halves = [of_fours(builder, one, up, picks) for picks in ((0, 4, 1, 5), (2, 6, 3, 7))]
    columns = [
        of_fours(builder, halves[k // 2], up_up, (k % 2 * 2, k % 2 * 2 + 1, 4 + k, 4 + k))
        for k in range(4)
    ]
    one, right, right_right = moved(builder, powers(builder, columns), x)
    return one, of_fours(builder, right, right_right, (0, 1, 4, 4))


def color_sums(builder: Any, weights: Values, tints: list[Values]) -> Any:
    """Of four entries' weights, the sums of what the loss is to red, green, blue, depth, a quarter
    each; ``tints`` hold that for each of the block's rows, four times."""
    rows = turned(builder, weights)
    totals = []
    for tint in tints:
        total = builder.fmul(rows[0], tint[0])
        for row, values in zip(rows[1:], tint[1:], strict=True):
            total = fma(builder, row, values, total)
        totals.append(total)

    def added(pair: Values, one: Quad, other: Quad) -> Any:
        a, b = pair
        return builder.fadd(of_fours(builder, a, b, one), of_fours(builder, a, b, other))

    pairs = [added(totals[k : k + 2], (0, 4, 1, 5), (2, 6, 3, 7)) for k in (0, 2)]
    return added(pairs, (0, 1, 4, 5), (2, 3, 6, 7))


@instruction
def pull(
    typing_context: Any,
    records: Any,
    entries: Any,
    count: Any,
    state: Any,
    max_alpha: Any,
    saved: Any,
    gradients: Any,
) -> Any:
    """Add to the gradients of the splats that ``record`` has kept; the state's sums are their
    cotangents here. ``count`` is a multiple of GROUP."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        records_at, entries_at, state_at, saved_at, gradients_at = addresses(
            context, builder, signature, args, (0, 1, 3, 5, 6)
        )
        count, highest = args[2], splat(builder, args[4])
        *tints, base = (load(builder, state_at, 64 * (S_RED + k), FLOATS) for k in range(5))
        rows = [
            [of_lanes(builder, tint, tint, (row, row, row, row)) for row in range(4)]
            for tint in tints
        ]
        corner = constant(0.0)  # the pixel at X = Y = 0
        for lane, row in enumerate((PIXEL_X, PIXEL_Y)):
            number = load(builder, state_at, 64 * row + 4 * 5, FLOAT)
            for quarter in range(4):
                at = ir.Constant(INT32, 4 * quarter + lane)
                corner = builder.insert_element(corner, number, at)

        def group(i: Any, carried: Values) -> tuple[Values, Any]:
            first = builder.sub(builder.sub(count, ir.Constant(INT64, GROUP)), i)
            numbers = numbers_of(builder, entries_at, first)
            splats = [record_at(builder, records_at, number) for number in numbers]
            place = builder.add(saved_at, times(builder, first, 4 * SAVED))
            (behind,) = carried
            effects: Values = []
            weights: Values = []
            for k in reversed(range(GROUP)):
                product = base
                values = spread(builder, splats[k], TINT, FLOATS)
                for value, tint in zip(values, tints, strict=True):
                    product = fma(builder, value, tint, product)
                alpha = load(builder, place, 4 * SAVED * k, FLOATS)
                weight = load(builder, place, 4 * SAVED * k + 64, FLOATS)
                difference = builder.fsub(product, behind)
                behind = fma(builder, alpha, difference, behind)
                # An alpha at its limit does not move.
                free = builder.fcmp_ordered("<", alpha, highest)
                effect = builder.fmul(weight, difference)
                effects.insert(0, builder.select(free, effect, constant(0.0)))
                weights.insert(0, weight)
            centers = joined_four(builder, [load(builder, at, 0, FOUR) for at in splats])
            sums = shape_sums(builder, effects, builder.fsub(corner, centers))
            add(numbers, *sums, color_sums(builder, weights, rows))
            return [behind], ir.Constant(BIT, 1)

        def add(numbers: Values, high: Any, wide: Any, tint: Any) -> None:
            halves = [of_lanes(builder, high, wide, (k, k + 1, k + 4, k + 5)) for k in (0, 2)]
            for k, number in enumerate(numbers):
                sums = of_lanes(builder, halves[k // 2], tint, (k % 2, k % 2 + 2, 4 + k, 4 + k))
                target = builder.add(gradients_at, times(builder, number, 4 * ROOMY))
                store(builder, builder.fadd(load(builder, target, 0, FLOATS), sums), target)

        over_groups(builder, count, GROUP, [constant(0.0)], group)
        return context.get_dummy_value()

    signature = types.none(records, entries, types.intp, state, types.float32, saved, gradients)
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
            store(builder, joined_four(builder, lines), state_at, 64 * (S_RED + k))
            first = builder.add(first, plane)
        return context.get_dummy_value()

    return types.none(planes, types.intp, types.intp, state), generate
