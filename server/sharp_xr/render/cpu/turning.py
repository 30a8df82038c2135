"""Registers as 4 x 4 matrices of floats: four quarters of four. To turn is to let rows and columns
change places, of quarters among four registers or of floats within each quarter.

Every function takes and makes vectors of 16, in two instructions or fewer for each.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from sharp_xr.render.cpu.records import shuffled
from sharp_xr.render.cpu.vectors import INT32, LANES, Values

Quad = tuple[int, int, int, int]


def joined(builder: Any, low: Any, high: Any) -> Any:
    """One vector of two."""
    picks = list(range(2 * low.type.count))
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(INT32, len(picks)), picks))


def joined_four(builder: Any, parts: Values) -> Any:
    """16 floats of four times four."""
    return joined(builder, joined(builder, *parts[:2]), joined(builder, *parts[2:]))


def of_lanes(builder: Any, a: Any, b: Any, picks: Quad) -> Any:
    """Four floats of each of those of the eight quarters of both."""
    return shuffled(builder, a, b, [4 * pick + i for pick in picks for i in range(4)])


def of_fours(builder: Any, a: Any, b: Any, picks: Quad) -> Any:
    """In each quarter: those of its eight floats in both."""
    lanes = [pick if pick < 4 else LANES + pick - 4 for pick in picks]
    return shuffled(builder, a, b, [first + lane for first in range(0, LANES, 4) for lane in lanes])


def turned(builder: Any, vectors: Values) -> Values:
    """Four vectors -> their first quarters, their second ones, and so on."""
    a, b, c, d = vectors
    result = []
    for first in (0, 2):
        low, high = (
            of_lanes(builder, *pair, (first, first + 1, first + 4, first + 5))
            for pair in ((a, b), (c, d))
        )
        result += [of_lanes(builder, low, high, (k, k + 2, k + 4, k + 6)) for k in (0, 1)]
    return result
