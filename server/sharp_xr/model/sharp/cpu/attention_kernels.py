"""The loops of attention.py, in explicit vectors.

The lanes of a vector are queries: keys and values are read number by number and spread over all
lanes, so that the highest score, the exponentials and their sum need no work across lanes, and a
tile of 48 queries stays in the first caches from the scores to the result. Both products are

    [ROWS, steps] times [steps, queries]      rows are keys, steps channels; then channels and keys

In bfloat16 the two halves of a 32-bit unit are multiplied and summed by one instruction (AVX-512
BF16): a unit is a pair of channels, then a pair of keys. The loops are the same, of units.

Layouts, for U units of channels of a head, D channels, R = ROWS, S = STEPS, Q = queries of a tile:

    keys     [N / R, U / S, R, S]    filled up with copies of the last, which raise no maximum
    values   [D / R, N, R]           or pairs of keys, [D / R, N / 2, R]
    queries  [U, Q]
    scores   [N, Q] float32          before the scale
    shares   [CHUNK, Q]              exponentials of scores, at first not over their sum
    mixed    [D, Q] float32

Places are addresses in bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from sharp_xr.model.kernels import kernel
from sharp_xr.model.sharp.cpu.attention_vectors import (
    BFLOATS,
    as_pairs,
    exp2,
    loop,
    moved,
    rounded,
    times,
    times_and_sum,
    transposed,
)
from sharp_xr.model.sharp.cpu.winograd_kernels import (
    FLOAT,
    FLOATS,
    INT32,
    INT64,
    LANES,
    NOTHING,
    VECTOR_BYTES,
    Floats,
    address,
    at_least,
    fma,
    instruction,
    load,
    splat,
    store,
)
from sharp_xr.model.sharp.cpu.winograd_kernels import ROWS as REGISTER_ROWS

ROWS = 8 if REGISTER_ROWS == 14 else 4
"""With 3 vectors of queries their sums fill three quarters of 32 or 16 registers."""
WIDE, NARROW = 3, 1
"""Vectors of queries in a tile, and in those behind the last full tile."""
CHUNK = 96
"""Keys, or pairs of keys, whose shares are in the first cache while values are summed."""
UNIT_BYTES = 4
STEPS = LANES // 2
"""Units of channels that lie side by side in a key: a head has an even number of such pieces."""
INT16 = ir.IntType(16)


def of_pairs(kind: Any) -> bool:
    """Units are float32, or pairs of bfloat16 that come as int32."""
    return bool(kind == types.int32)


def by_width(builder: Any, vectors: Any) -> Iterator[int]:
    """Code for tiles of WIDE and of NARROW, of which ``vectors`` chooses."""
    wide = builder.icmp_signed("==", vectors, ir.Constant(INT64, WIDE))
    with builder.if_else(wide) as (then, otherwise):
        with then:
            yield WIDE
        with otherwise:
            yield NARROW


def product(
    builder: Any, pairs: bool, vectors: int, left: Any, right: Any, count: Any, depth: int
) -> list[Any]:
    """[count, ROWS, depth] times [count, depth, vectors] -> ROWS times ``vectors`` of sums.

    Per step 3 vectors and 8 numbers are loaded for 24 multiplications.
    """

    def add_products(_: Any, state: list[Any]) -> list[Any]:
        left, right, *sums = state
        for k in range(depth):
            at = VECTOR_BYTES * vectors * k
            columns = [load(builder, right, at + VECTOR_BYTES * n, FLOATS) for n in range(vectors)]
            for row in range(ROWS):
                number = load(builder, left, UNIT_BYTES * (row * depth + k), FLOAT)
                value = splat(builder, number)
                for n, column in enumerate(columns, vectors * row):
                    sums[n] = times_and_sum(builder, pairs, value, column, sums[n])
        left = moved(builder, left, UNIT_BYTES * ROWS * depth)
        return [left, moved(builder, right, VECTOR_BYTES * vectors * depth), *sums]

    return loop(builder, count, [left, right, *[NOTHING] * ROWS * vectors], add_products)[2:]


def channel_sums(
    builder: Any, pairs: bool, vectors: int, left: Any, right: Any, blocks: Any, scores: Any
) -> list[Any]:
    """Scores; of float32 the sum of two sums, which halves the error of the whole attention."""
    if pairs:
        return product(builder, pairs, vectors, left, right, blocks, STEPS)
    half = builder.lshr(blocks, ir.Constant(INT64, 1))
    for n, value in enumerate(product(builder, pairs, vectors, left, right, half, STEPS)):
        store(builder, value, scores, VECTOR_BYTES * n)
    left = builder.add(left, times(builder, half, UNIT_BYTES * ROWS * STEPS))
    right = builder.add(right, times(builder, half, VECTOR_BYTES * vectors * STEPS))
    sums = product(builder, pairs, vectors, left, right, half, STEPS)
    return [
        builder.fadd(value, load(builder, scores, VECTOR_BYTES * n, FLOATS))
        for n, value in enumerate(sums)
    ]


@instruction
def score_keys(
    typing_context: Any,
    kind: Any,
    vectors: Any,
    keys: Any,
    queries: Any,
    blocks: Any,
    scores: Any,
    highest: Any,
) -> Any:
    """ROWS keys, of ``blocks`` = U / STEPS, with a tile's queries; raises the highest scores."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, vectors, keys, queries, blocks, scores, highest = args
        for width in by_width(builder, vectors):
            sums = channel_sums(builder, of_pairs(kind), width, keys, queries, blocks, scores)
            for n, value in enumerate(sums):
                store(builder, value, scores, VECTOR_BYTES * n)
            for n in range(width):
                top = load(builder, highest, VECTOR_BYTES * n, FLOATS)
                for value in sums[n::width]:
                    top = at_least(builder, value, top)
                store(builder, top, highest, VECTOR_BYTES * n)
        return context.get_dummy_value()

    return types.none(kind, *[types.intp] * 6), generate


@instruction
def share_out(
    typing_context: Any,
    kind: Any,
    vectors: Any,
    scores: Any,
    count: Any,
    scale: Any,
    highest: Any,
    shares: Any,
    total: Any,
) -> Any:
    """Scores of ``count`` keys, or pairs -> 2^(scale (score - highest)); their sum is added."""
    pairs = of_pairs(kind)
    keys, degree = (2, 3) if pairs else (1, 5)

    def exponentials(builder: Any, scale: Any, state: list[Any], shifts: list[Any]) -> list[Any]:
        width = len(shifts)
        scores, shares, *sums = state
        for n, shift in enumerate(shifts):
            bits = []
            for key in range(keys):
                score = load(builder, scores, VECTOR_BYTES * (width * key + n), FLOATS)
                power = exp2(builder, fma(builder, score, scale, shift), degree)
                bits.append(rounded(builder, power) if pairs else power)
                # The sum is of what is multiplied: so a part of what rounding does cancels.
                sums[n] = builder.fadd(sums[n], builder.bitcast(bits[-1], FLOATS))
            share = as_pairs(builder, *bits) if pairs else bits[0]
            store(builder, share, shares, VECTOR_BYTES * n)
        scores = moved(builder, scores, VECTOR_BYTES * width * keys)
        return [scores, moved(builder, shares, VECTOR_BYTES * width), *sums]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, vectors, scores, count, scale, highest, shares, total = args
        scale = splat(builder, scale)
        for width in by_width(builder, vectors):
            offsets = [VECTOR_BYTES * n for n in range(width)]
            tops = [load(builder, highest, offset, FLOATS) for offset in offsets]
            shifts = [builder.fneg(builder.fmul(top, scale)) for top in tops]

            def body(_: Any, state: list[Any], shifts: list[Any] = shifts) -> list[Any]:
                return exponentials(builder, scale, state, shifts)

            sums = loop(builder, count, [scores, shares, *[NOTHING] * width], body)[2:]
            for offset, value in zip(offsets, sums, strict=True):
                before = load(builder, total, offset, FLOATS)
                store(builder, builder.fadd(value, before), total, offset)
        return context.get_dummy_value()

    arguments = (*[types.intp] * 3, types.float32, *[types.intp] * 3)
    return types.none(kind, *arguments), generate


@instruction
def add_values(
    typing_context: Any,
    kind: Any,
    vectors: Any,
    values: Any,
    shares: Any,
    count: Any,
    mixed: Any,
    is_first: Any,
) -> Any:
    """ROWS channels of ``count`` values, or pairs of them, weighed; added, but for the first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, vectors, values, shares, count, mixed, is_first = args
        for width in by_width(builder, vectors):
            sums = product(builder, of_pairs(kind), width, values, shares, count, 1)
            for n, value in enumerate(sums):
                before = load(builder, mixed, VECTOR_BYTES * n, FLOATS)
                before = builder.select(is_first, NOTHING, before)
                store(builder, builder.fadd(value, before), mixed, VECTOR_BYTES * n)
        return context.get_dummy_value()

    return types.none(kind, *[types.intp] * 5, types.boolean), generate


@instruction
def take_queries(typing_context: Any, table: Any, at: Any, queries: Any, step: Any) -> Any:
    """LANES units, ``at`` bytes behind the addresses of a table -> columns ``step`` bytes apart."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, at, queries, step = args
        places = [builder.add(load(builder, table, 8 * n, INT64), at) for n in range(LANES)]
        rows = [load(builder, place, 0, FLOATS) for place in places]
        for n, column in enumerate(transposed(builder, rows)):
            store(builder, column, builder.add(queries, times(builder, step, n)), 0)
        return context.get_dummy_value()

    return types.none(*[types.intp] * 4), generate


@instruction
def give_mixed(
    typing_context: Any, kind: Any, mixed: Any, step: Any, total: Any, table: Any, at: Any
) -> Any:
    """Back: LANES channels over the sum of shares -> ``at`` bytes behind a table's addresses."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, mixed, step, total, table, at = args
        whole = load(builder, total, 0, FLOATS)
        places = [builder.add(mixed, times(builder, step, n)) for n in range(LANES)]
        columns = [builder.fdiv(load(builder, place, 0, FLOATS), whole) for place in places]
        for n, row in enumerate(transposed(builder, columns)):
            if of_pairs(kind):
                row = builder.fptrunc(row, BFLOATS)
            place = builder.add(load(builder, table, 8 * n, INT64), at)
            store(builder, row, place, 0)
        return context.get_dummy_value()

    return types.none(kind, *[types.intp] * 5), generate


@instruction
def fill(typing_context: Any, place: Any, vectors: Any, value: Any) -> Any:
    """The value in all lanes of ``vectors``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place, vectors, value = args
        value = splat(builder, value)
        for width in by_width(builder, vectors):
            for n in range(width):
                store(builder, value, place, VECTOR_BYTES * n)
        return context.get_dummy_value()

    return types.none(types.intp, types.intp, types.float32), generate


@instruction
def copy_units(typing_context: Any, place: Any, to: Any) -> Any:
    """STEPS of them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place, to = args
        store(builder, load(builder, place, 0, ir.VectorType(INT32, STEPS)), to, 0)
        return context.get_dummy_value()

    return types.none(types.intp, types.intp), generate


@instruction
def take_values(typing_context: Any, kind: Any, value: Any, following: Any, to: Any) -> Any:
    """ROWS channels of a value, or of two, in turn."""
    numbers = ir.VectorType(INT16 if of_pairs(kind) else INT32, ROWS)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, value, following, to = args
        units = load(builder, value, 0, numbers)
        if of_pairs(kind):
            order = [half * ROWS + n for n in range(ROWS) for half in range(2)]
            lanes = ir.Constant(ir.VectorType(INT32, 2 * ROWS), order)
            units = builder.shuffle_vector(units, load(builder, following, 0, numbers), lanes)
        store(builder, units, to, 0)
        return context.get_dummy_value()

    return types.none(kind, *[types.intp] * 3), generate


@kernel
def pack_keys(first: int, token: int, count: int, units: int, keys: int) -> None:
    """``first`` is the first key's address, ``token`` the way to the next."""
    blocks, step = units // STEPS, UNIT_BYTES * STEPS
    for n in range((count + ROWS - 1) // ROWS * ROWS):
        place = first + min(n, count - 1) * token
        to = keys + (n // ROWS * blocks * ROWS + n % ROWS) * step
        for block in range(blocks):
            copy_units(place + block * step, to + block * ROWS * step)


@kernel
def pack_values(
    kind: np.float32 | np.int32,
    per_unit: int,
    first: int,
    token: int,
    count: int,
    units: int,
    values: int,
) -> None:
    """As pack_keys; the value behind an odd last one is the last again, whose share is zero."""
    rows, step = (count + per_unit - 1) // per_unit, UNIT_BYTES * ROWS
    for n in range(rows):
        value = first + n * per_unit * token
        following = first + min(n * per_unit + 1, count - 1) * token
        for block in range(units * per_unit // ROWS):
            at, to = block * step // per_unit, values + (block * rows + n) * step
            take_values(kind, value + at, following + at, to)


@kernel
def attend_tile(
    kind: np.float32 | np.int32,
    per_unit: int,
    vectors: int,
    count: int,
    units: int,
    scale: np.float32,
    places: tuple[int, int, int, int, int, int, int],
) -> None:
    """``vectors`` of queries that are in their place -> mixed, and the sum of the shares."""
    keys, values, queries, scores, shares, mixed, highest = places
    width, step, blocks = VECTOR_BYTES * vectors, UNIT_BYTES * ROWS, units // STEPS
    total = highest + width
    fill(highest, vectors, -np.inf)
    fill(total, vectors, 0.0)
    for n in range(0, count, ROWS):
        at = keys + n * UNIT_BYTES * units
        score_keys(kind, vectors, at, queries, blocks, scores + n * width, highest)
    if count % per_unit:
        fill(scores + count * width, vectors, -np.inf)
    rows = (count + per_unit - 1) // per_unit
    chunks = (rows + CHUNK - 1) // CHUNK
    for chunk in range(chunks):
        first, end = rows * chunk // chunks, rows * (chunk + 1) // chunks
        at = scores + first * per_unit * width
        share_out(kind, vectors, at, end - first, scale, highest, shares, total)
        for block in range(units * per_unit // ROWS):
            at, to = values + (block * rows + first) * step, mixed + block * ROWS * width
            add_values(kind, vectors, at, shares, end - first, to, chunk == 0)


@kernel
def cut(
    place: int, count: int, units: int, per_unit: int
) -> tuple[int, int, int, int, int, int, int]:
    """Scratch memory -> places of keys, values, queries, scores, shares, mixed and highest."""
    filled = (count + ROWS - 1) // ROWS * ROWS
    columns = WIDE * LANES
    values = place + UNIT_BYTES * filled * units
    queries = values + UNIT_BYTES * filled * units
    scores = queries + UNIT_BYTES * units * columns
    shares = scores + UNIT_BYTES * filled * columns
    mixed = shares + UNIT_BYTES * CHUNK * columns
    return (
        place,
        values,
        queries,
        scores,
        shares,
        mixed,
        mixed + UNIT_BYTES * units * per_unit * columns,
    )


@kernel
def attend(
    kind: np.float32 | np.int32,
    per_unit: int,
    qkv: Floats,
    rows: NDArray[np.int64],
    out: Floats,
    scratch: Floats,
    item: int,
    scale: np.float32,
) -> None:
    """One head of one image: ``item`` counts the heads of the first image, then the second's.

    qkv [B, N, 3, heads, U], rows [M], out [B, M, heads, U], in units and contiguous; scratch has
    attention.scratch_units; shares are powers of 2 of ``scale`` times the score. ``kind`` is
    float32, or int32 for pairs, and ``per_unit`` 1 or 2 accordingly.
    """
    _, count, _, heads, units = qkv.shape
    asked, blocks = rows.shape[0], units // LANES
    head, token, out_token = UNIT_BYTES * units, UNIT_BYTES * units * heads * 3, out.strides[1]
    first = address(qkv) + item // heads * count * token + item % heads * head
    to = address(out) + item // heads * asked * out_token + item % heads * head
    places = cut(address(scratch), count, units, per_unit)
    keys, values, queries, _, _, mixed, highest = places
    pack_keys(first + heads * head, token, count, units, keys)
    pack_values(kind, per_unit, first + 2 * heads * head, token, count, units, values)
    table = np.empty(2 * WIDE * LANES, np.intp)
    start = 0
    while start < asked:
        vectors = WIDE if asked - start > (WIDE - 1) * LANES else NARROW
        width = VECTOR_BYTES * vectors
        for n in range(vectors * LANES):
            # Lanes that nobody asks in repeat the last query, and write the same to its place.
            row = min(start + n, asked - 1)
            table[n] = first + rows[row] * token
            table[WIDE * LANES + n] = to + row * out_token
        for n in range(vectors):
            from_ = address(table) + 8 * LANES * n
            for block in range(blocks):
                column = queries + block * LANES * width + n * VECTOR_BYTES
                take_queries(from_, block * VECTOR_BYTES, column, width)
        attend_tile(kind, per_unit, vectors, count, units, scale, places)
        for n in range(vectors):
            results = address(table) + 8 * LANES * (WIDE + n)
            total = highest + width + n * VECTOR_BYTES
            for block in range(blocks * per_unit):
                column = mixed + block * LANES * width + n * VECTOR_BYTES
                at = block * VECTOR_BYTES // per_unit
                give_mixed(kind, column, width, total, results, at)
        start += vectors * LANES
