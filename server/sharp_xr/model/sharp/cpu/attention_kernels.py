"""The loops of attention.py, in explicit vectors.

The lanes of a vector are queries: keys and values are read number by number and spread over all
lanes, so that the highest score, the exponentials and their sum need no work across lanes, and a
tile of 48 queries stays in the first caches from the scores to the result. Both products are

    [ROWS, steps] times [steps, queries]      rows are keys, steps channels; then channels and keys

In bfloat16 the two halves of a 32-bit unit are multiplied and summed by one instruction (AVX-512
BF16): a unit is a pair of channels, then a pair of keys. The loops are the same, of units.

Layouts, for U units of channels of a head, D channels, L = LANES, R = ROWS, Q = queries of a tile:

    keys     [N / R, U / L, R, L]    filled up with copies of the last, which raise no maximum
    values   [D / R, N, R]           or pairs of keys, [D / R, N / 2, R]
    queries  [U, Q]
    scores   [N, Q] float32          before the scale
    shares   [CHUNK, Q]              exponentials of scores, at first not over their sum
    mixed    [D, Q] float32

Places are addresses in bytes. What comes from winograd_kernels.py is the words that vectors are
written with; numba does not renew what it keeps on disk when those change (model/kernels.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from sharp_xr.model.kernels import kernel
from sharp_xr.model.sharp.cpu.winograd_kernels import (
    FLOAT,
    FLOATS,
    INT32,
    INT64,
    INTS,
    LANES,
    NOTHING,
    VECTOR_BYTES,
    Floats,
    address,
    at_least,
    fma,
    instruction,
    llvm_call,
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

EXP2 = {
    # Remez, of the relative error in -1/2..1/2; lowest power first.
    3: (0.9999280735394012, 0.6932609854606555, 0.24261112219321604, 0.055171669057925),  # 7.5e-5
    5: (  # 7.5e-8
        1.0000000716546849,
        0.6931469670647609,
        0.24022119723839974,
        0.055507132734978495,
        0.009675541334453752,
        0.0013276471992533978,
    ),
}
ROUNDING = 1.5 * 2**23
"""What is added to it has no place left for a fraction: its lowest bits are a whole number."""
LEAST = -126.0
"""2 to this is the smallest float32 that is not subnormal, and nothing beside the largest, 1."""


class BFloat(ir.types.Type):  # type: ignore[misc]
    """LLVM's bfloat, which llvmlite does not know."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


BFLOAT, INT16 = BFloat(), ir.IntType(16)
BFLOATS, BFLOAT_PAIRS = ir.VectorType(BFLOAT, LANES), ir.VectorType(BFLOAT, 2 * LANES)


def multiplies_pairs() -> bool:
    """Whether the processor has AVX-512 BF16."""
    chosen = os.environ.get("NUMBA_CPU_FEATURES")
    if chosen is not None:
        return "+avx512bf16" in chosen.split(",")
    return bool(llvmlite.binding.get_host_cpu_features().get("avx512bf16", False))


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


def loop(
    builder: Any, count: Any, starts: list[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """``values = body(i, values)`` for i below ``count``, which is not zero; the last values."""
    entry, block = builder.block, builder.append_basic_block("loop")
    builder.branch(block)
    builder.position_at_end(block)
    i, values = builder.phi(INT64), [builder.phi(start.type) for start in starts]
    after = body(i, values)
    following, end = builder.add(i, ir.Constant(INT64, 1)), builder.block
    done = builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed("<", following, count), block, done)
    incoming = zip([i, *values], [ir.Constant(INT64, 0), *starts], [following, *after], strict=True)
    for phi, start, then in incoming:
        phi.add_incoming(start, entry)
        phi.add_incoming(then, end)
    builder.position_at_end(done)
    return after


def moved(builder: Any, place: Any, offset: int) -> Any:
    return builder.add(place, ir.Constant(INT64, offset))


def times(builder: Any, value: Any, factor: int) -> Any:
    return builder.mul(value, ir.Constant(INT64, factor))


def times_and_sum(builder: Any, pairs: bool, a: Any, b: Any, c: Any) -> Any:
    """a b + c; a and b are vectors of units."""
    if not pairs:
        return fma(builder, a, b, c)
    a, b = (builder.bitcast(value, BFLOAT_PAIRS) for value in (a, b))
    return llvm_call(builder, "llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, c, a, b)


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
    """ROWS keys, of ``blocks`` = U / LANES, with a tile's queries; raises the highest scores."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, vectors, keys, queries, blocks, scores, highest = args
        for width in by_width(builder, vectors):
            sums = product(builder, of_pairs(kind), width, keys, queries, blocks, LANES)
            for n, value in enumerate(sums):
                store(builder, value, scores, VECTOR_BYTES * n)
            for n in range(width):
                top = load(builder, highest, VECTOR_BYTES * n, FLOATS)
                for value in sums[n::width]:
                    top = at_least(builder, value, top)
                store(builder, top, highest, VECTOR_BYTES * n)
        return context.get_dummy_value()

    return types.none(kind, *[types.intp] * 6), generate


def exp2(builder: Any, x: Any, degree: int) -> Any:
    """2 to the power of x, in bits; x is not above 1."""
    x = at_least(builder, x, ir.Constant(FLOATS, [LEAST] * LANES))
    rounding = ir.Constant(FLOATS, [ROUNDING] * LANES)
    whole = builder.fadd(x, rounding)
    part = builder.fsub(x, builder.fsub(whole, rounding))
    *lower, power = (ir.Constant(FLOATS, [float(np.float32(c))] * LANES) for c in EXP2[degree])
    for coefficient in reversed(lower):
        power = fma(builder, power, part, coefficient)
    exponent = builder.shl(builder.bitcast(whole, INTS), ir.Constant(INTS, [23] * LANES))
    return builder.add(builder.bitcast(power, INTS), exponent)


def as_pairs(builder: Any, low: Any, high: Any) -> Any:
    """Bits of two vectors of float32, rounded to bfloat16, in the halves of one."""
    half = ir.Constant(INTS, [0x8000] * LANES)
    low, high = builder.add(low, half), builder.add(high, half)
    low = builder.lshr(low, ir.Constant(INTS, [16] * LANES))
    return builder.or_(low, builder.and_(high, ir.Constant(INTS, [0xFFFF0000] * LANES)))


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
    """Scores of ``count`` keys, or pairs of keys -> 2^(scale (score - highest)); their sum added."""
    pairs = of_pairs(kind)
    keys, degree = (2, 3) if pairs else (1, 5)

    def exponentials(builder: Any, scale: Any, state: list[Any], shifts: list[Any]) -> list[Any]:
        width = len(shifts)
        scores, shares, *sums = state
        for n, shift in enumerate(shifts):
            bits = []
            for key in range(keys):
                score = load(builder, scores, VECTOR_BYTES * (width * key + n), FLOATS)
                bits.append(exp2(builder, fma(builder, score, scale, shift), degree))
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
            sums = [load(builder, total, offset, FLOATS) for offset in offsets]

            def body(_: Any, state: list[Any], shifts: list[Any] = shifts) -> list[Any]:
                return exponentials(builder, scale, state, shifts)

            sums = loop(builder, count, [scores, shares, *sums], body)[2:]
            for offset, value in zip(offsets, sums, strict=True):
                store(builder, value, total, offset)
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


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """LANES vectors: squares of 2, 4, ... lanes change places with their mirror images."""
    rows, width = list(rows), 1
    while width < LANES:
        first = [lane - width + LANES if lane & width else lane for lane in range(LANES)]
        second = [lane + LANES if lane & width else lane + width for lane in range(LANES)]
        for i in range(LANES):
            if not i & width:
                a, b = rows[i], rows[i + width]
                rows[i], rows[i + width] = (
                    builder.shuffle_vector(a, b, ir.Constant(INTS, lanes))
                    for lanes in (first, second)
                )
        width *= 2
    return rows


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
        one = ir.Constant(FLOATS, [1.0] * LANES)
        part = builder.fdiv(one, load(builder, total, 0, FLOATS))
        places = [builder.add(mixed, times(builder, step, n)) for n in range(LANES)]
        columns = [builder.fmul(load(builder, place, 0, FLOATS), part) for place in places]
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
    """LANES of them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place, to = args
        store(builder, load(builder, place, 0, FLOATS), to, 0)
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
    blocks = units // LANES
    for n in range((count + ROWS - 1) // ROWS * ROWS):
        place = first + min(n, count - 1) * token
        to = keys + (n // ROWS * blocks * ROWS + n % ROWS) * VECTOR_BYTES
        for block in range(blocks):
            copy_units(place + block * VECTOR_BYTES, to + block * ROWS * VECTOR_BYTES)


@kernel
def pack_values(
    kind: np.float32, per_unit: int, first: int, token: int, count: int, units: int, values: int
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
    kind: np.float32,
    per_unit: int,
    vectors: int,
    count: int,
    units: int,
    scale: np.float32,
    places: tuple[int, int, int, int, int, int, int],
) -> None:
    """``vectors`` of queries that are in their place -> mixed, and the sum of the shares."""
    keys, values, queries, scores, shares, mixed, highest = places
    width, step, blocks = VECTOR_BYTES * vectors, UNIT_BYTES * ROWS, units // LANES
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
    kind: np.float32,
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
