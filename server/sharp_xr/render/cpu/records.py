"""A record is what blending reads of a splat: one cache line, or half of one for a fast picture.

    record        px py qxx qxy qyy peak  red green blue depth  6 unused
    short record  px py qxx qxy qyy peak  red, green, blue, depth by 16 bits each

The first six are rows of projection.py. The four halves overlap: a float that is read two bytes
before its half has the half on top, and the one before it as its lowest digits. What those will be
is known when a half is chosen: so it is the nearest, 0.4 % off at most, and to read it takes no
more than to read a float. (It wants a processor whose numbers begin with their lowest byte.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.blending import bits_of, float_of
from sharp_xr.render.cpu.compilation import kernel
from sharp_xr.render.cpu.lanes import Vector
from sharp_xr.render.cpu.projection import PEAK
from sharp_xr.render.cpu.scene import NEVER_SEEN
from sharp_xr.render.cpu.vectors import FLOATS, INT32, INTS, LANES, Values, constant, store

RECORD, SHORT_RECORD = 16, 8
"""Floats."""
R_RED, R_GREEN, R_BLUE, R_DEPTH = 6, 7, 8, 9
TINT, SHORT_TINT = (24, 28, 32, 36), (22, 24, 26, 28)
"""Bytes of a record where red, green, blue and depth are read as floats."""
LEAST_TINT = 1e-30
"""A short record has no number nearer to zero: the digits below would make another one of it."""


@kernel
def hide_record(records: Float32, number: int, floats: int) -> None:
    """Make the one with that number, of so many floats, one that no pixel sees."""
    records[number * floats : (number + 1) * floats] = 0
    records[number * floats + PEAK] = NEVER_SEEN


@kernel
def write_tint(
    records: Float32,
    at: int,
    red: np.float32,
    green: np.float32,
    blue: np.float32,
    depth: np.float32,
    short: bool,
) -> None:
    """Colour and depth of the record that begins at ``records[at]``."""
    if not short:
        records[at + R_RED], records[at + R_GREEN] = red, green
        records[at + R_BLUE], records[at + R_DEPTH] = blue, depth
        return
    sixteen = np.uint32(16)
    first = half_over(np.uint32(bits_of(records[at + PEAK])) >> sixteen, red)
    second = half_over(first, green)
    third = half_over(second, blue)
    fourth = half_over(third, depth)
    records[at + PEAK + 1] = float_of(np.int32(first | (second << sixteen)))
    records[at + PEAK + 2] = float_of(np.int32(third | (fourth << sixteen)))


@kernel
def half_over(under: np.uint32, value: np.float32) -> np.uint32:
    """The 16 bits which before those of ``under`` are nearest to a float."""
    away = np.float32(LEAST_TINT) if abs(value) < np.float32(LEAST_TINT) else value
    bits = np.uint32(bits_of(away))
    return np.uint32((bits - under + np.uint32(0x8000)) >> np.uint32(16))


def short_tint(builder: Any, below: Vector, tint: list[Vector]) -> list[Vector]:
    """As ``write_tint``, of 16 splats: two rows for colour and depth. ``below`` is their peaks."""
    sixteen, half = constant(16, INTS), constant(0x8000, INTS)
    under = builder.lshr(builder.bitcast(below.value, INTS), sixteen)
    halves = []
    for value in tint:
        bits = builder.bitcast(value.away_from_zero(LEAST_TINT).value, INTS)
        under = builder.lshr(builder.add(builder.sub(bits, under), half), sixteen)
        halves.append(under)
    words = (builder.or_(halves[k], builder.shl(halves[k + 1], sixteen)) for k in (0, 2))
    return [Vector(builder, builder.bitcast(word, FLOATS)) for word in words]


def shuffled(builder: Any, a: Any, b: Any, picks: list[int]) -> Any:
    """Lane i of the result is number picks[i] of the 32 of both."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(picks)), picks))


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


def store_records(builder: Any, rows: Values, place: Any) -> None:
    """Ten rows of 16 to 16 records that follow each other, or eight to short ones. What is in the
    rest of a record does not matter."""
    quads = [quarters(builder, rows[:4]), quarters(builder, rows[4:8])]
    if len(rows) > SHORT_RECORD:
        blank = ir.Constant(FLOATS, ir.Undefined)
        quads.append(quarters(builder, [*rows[8:10], blank, blank]))
    for k in range(4):
        a, b, *rest = (quad[k] for quad in quads)
        for j in range(4):
            lane = list(range(4 * j, 4 * j + 4))
            picks = lane + [LANES + i for i in lane]
            record, floats = shuffled(builder, a, b, picks), SHORT_RECORD
            for c in rest:
                both, floats = shuffled(builder, a, b, picks * 2), RECORD
                others = (LANES + i for i in lane)
                record = shuffled(builder, both, c, [*range(8), *others, *range(4)])
            store(builder, record, place, 4 * floats * (4 * j + k))
