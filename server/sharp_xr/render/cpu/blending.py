"""Blocks of 4 x 4 pixels: choose their splats, blend them front to back, store the pixels.

A block is 16 floats of each quantity, which is one AVX-512 register. This file is plain numba and
runs anywhere; ``simd.py`` does the two inner loops, ``select`` and ``blend``, in explicit vectors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.compilation import instruction, kernel
from sharp_xr.render.cpu.projection import Lens
from sharp_xr.render.cpu.scene import LOG2_255

f32 = np.float32
UInt32 = NDArray[np.uint32]

BLOCK = 4
"""Pixels a side."""
LANES = 16
PADDING = 16
"""What ``select`` may write beyond the end of its result."""

RECORD = 16
"""Floats per splat, one cache line; the first six are the rows PX to PEAK of projection.py."""
R_RED, R_GREEN, R_BLUE, R_DEPTH = 6, 7, 8, 9

TRANSMITTANCE, S_RED, S_GREEN, S_BLUE, S_DEPTH, S_COVER, PIXEL_X, PIXEL_Y = range(8)
"""Rows of a block's state, 16 floats each; the first six change while blending."""
STATE = 8 * LANES
KEPT_STATE = 6 * LANES

MIN_TRANSMITTANCE = f32(1e-4)
FAST_TRANSMITTANCE = f32(4e-3)
MIN_COVER = f32(1e-10)

# 2^s = 2^round(s) 2^f with f in -1/2..1/2: adding 1.5 2^23 rounds s to an integer in the sum's low
# bits; a minimax polynomial of degree 4 gives 2^f to 1e-6.
ROUNDER = f32(12582912.0)
EXP2_0, EXP2_1, EXP2_2, EXP2_3, EXP2_4 = (
    f32(0.9999992614341604),
    f32(0.6931218145214743),
    f32(0.24024744849965343),
    f32(0.05591786210492883),
    f32(0.00957010165204712),
)
# Degree 3, to 1e-4.
EXP2_FAST_0, EXP2_FAST_1, EXP2_FAST_2, EXP2_FAST_3 = (
    f32(0.9999280737),
    f32(0.6932609885),
    f32(0.2426111209),
    f32(0.0551716527),
)
SRGB_LINEAR_UP_TO = f32(0.0031308)
# 1.055 x^(1/2.4) - 0.055 as a minimax polynomial in x^(1/4), 3e-7 off at most.
SRGB = tuple(
    f32(c)
    for c in (
        -0.057718295913266326,
        0.11145870171095484,
        1.5463355982624074,
        -1.482257419808838,
        1.9654336597793225,
        -1.981203791707187,
        1.3321860860082422,
        -0.5260343602718807,
        0.09179990027973357,
    )
)


@instruction
def bits_of(typing_context: Any, number: Any) -> Any:
    """The int32 with a float32's bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), generate


@instruction
def float_of(typing_context: Any, bits: Any) -> Any:
    """The float32 with an int32's bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


@kernel
def select(flags: UInt32, values: UInt32, count: int, bit: np.uint32, chosen: UInt32) -> int:
    """Copy the values whose flags have the bit, in order, to the front of ``chosen``; how many."""
    found = 0
    for i in range(count):
        chosen[found] = values[i]
        found += 1 if flags[i] & bit else 0
    return found


@kernel
def select_four(
    flags: UInt32,
    values: UInt32,
    count: int,
    first: int,
    chosen: UInt32,
    room: int,
    found: NDArray[np.int64],
) -> None:
    """``select`` for the bits ``first`` to ``first`` + 3, whose results begin at multiples of
    ``room``; ``found`` tells how many each has."""
    for k in range(4):
        part = chosen[k * room : (k + 1) * room]
        found[k] = select(flags, values, count, np.uint32(1 << (first + k)), part)


@kernel
def blend(
    records: Float32, entries: UInt32, count: int, state: Float32, max_alpha: np.float32
) -> None:
    """Put ``count`` splats (record numbers in the entries' upper halves) behind what is there."""
    for entry in range(count):
        at = np.int64(entries[entry] >> np.uint32(16)) * RECORD
        record = records[at : at + RECORD]
        for i in range(LANES):
            dx = state[PIXEL_X * LANES + i] - record[0]
            dy = state[PIXEL_Y * LANES + i] - record[1]
            power = (record[2] * dx + record[3] * dy) * dx + (record[4] * dy * dy + record[5])
            rounded = power + ROUNDER
            f = power - (rounded - ROUNDER)
            mantissa = (((EXP2_4 * f + EXP2_3) * f + EXP2_2) * f + EXP2_1) * f + EXP2_0
            exponent = np.int32(bits_of(rounded) << np.int32(23))
            alpha = min(float_of(np.int32(bits_of(mantissa) + exponent)), max_alpha)
            alpha = alpha if power >= -LOG2_255 else f32(0)
            before = state[TRANSMITTANCE * LANES + i]
            after = before * (f32(1) - alpha)
            weight = before * alpha if after > MIN_TRANSMITTANCE else f32(0)
            state[TRANSMITTANCE * LANES + i] = after
            state[S_RED * LANES + i] += weight * record[R_RED]
            state[S_GREEN * LANES + i] += weight * record[R_GREEN]
            state[S_BLUE * LANES + i] += weight * record[R_BLUE]
            state[S_DEPTH * LANES + i] += weight * record[R_DEPTH]
            state[S_COVER * LANES + i] += weight
        if entry & 7 == 7 and most_open(state) <= MIN_TRANSMITTANCE:
            return


@kernel
def blend_fast(
    records: Float32, entries: UInt32, count: int, state: Float32, max_alpha: np.float32
) -> None:
    """The same, but a splat is drawn before its pixel ends, and a block ends where all its pixels
    are at 4e-3 or less. (To stop *before* a splat at 4e-3 would leave out opaque ones: errors of
    0.25.)"""
    for entry in range(count):
        at = np.int64(entries[entry] >> np.uint32(16)) * RECORD
        record = records[at : at + RECORD]
        for i in range(LANES):
            dx = state[PIXEL_X * LANES + i] - record[0]
            dy = state[PIXEL_Y * LANES + i] - record[1]
            power = (record[2] * dx + record[3] * dy) * dx + (record[4] * dy * dy + record[5])
            rounded = power + ROUNDER
            f = power - (rounded - ROUNDER)
            mantissa = ((EXP2_FAST_3 * f + EXP2_FAST_2) * f + EXP2_FAST_1) * f + EXP2_FAST_0
            exponent = np.int32(bits_of(rounded) << np.int32(23))
            alpha = min(float_of(np.int32(bits_of(mantissa) + exponent)), max_alpha)
            weight = state[TRANSMITTANCE * LANES + i] * alpha
            weight = weight if power >= -LOG2_255 else f32(0)
            state[TRANSMITTANCE * LANES + i] -= weight
            state[S_RED * LANES + i] += weight * record[R_RED]
            state[S_GREEN * LANES + i] += weight * record[R_GREEN]
            state[S_BLUE * LANES + i] += weight * record[R_BLUE]
            state[S_DEPTH * LANES + i] += weight * record[R_DEPTH]
            state[S_COVER * LANES + i] += weight
        if entry & 7 == 7 and most_open(state) <= FAST_TRANSMITTANCE:
            return


@kernel
def most_open(state: Float32) -> np.float32:
    """The largest transmittance of a block's pixels."""
    most = f32(0)
    for i in range(LANES):
        most = max(most, state[TRANSMITTANCE * LANES + i])
    return most


@kernel
def subtile_flags(keys: NDArray[np.uint64], values: UInt32, flags: UInt32) -> None:
    """For each sorted key, which of a tile's 4 x 4 subtiles its box of blocks touches.

    A box is first and last column, first and last row of blocks, four bits each. A value is the
    lower half of a key; it holds the record's number in its upper half and the box in its lower.
    """
    three, one = np.uint32(3), np.uint32(1)
    for i in range(len(keys)):
        box = np.uint32(keys[i])
        values[i] = box
        x0, x1 = (box >> np.uint32(2)) & three, (box >> np.uint32(6)) & three
        y0, y1 = (box >> np.uint32(10)) & three, (box >> np.uint32(14)) & three
        columns = (np.uint32(2) << x1) - (one << x0)
        rows = (np.uint32(16) << (y1 << np.uint32(2))) - (one << (y0 << np.uint32(2)))
        flags[i] = np.uint32(columns * (rows & np.uint32(0x1111)))


@kernel
def block_flags(values: UInt32, count: int, column: int, row: int) -> None:
    """Replace the boxes by which of the subtile's 4 x 4 blocks they touch."""
    fifteen = np.uint32(15)
    left, top = np.int32(4 * column), np.int32(4 * row)
    zero, three = np.int32(0), np.int32(3)
    for i in range(count):
        value = values[i]
        x0 = max(np.int32(value & fifteen) - left, zero)
        x1 = min(np.int32((value >> np.uint32(4)) & fifteen) - left, three)
        y0 = max(np.int32((value >> np.uint32(8)) & fifteen) - top, zero)
        y1 = min(np.int32((value >> np.uint32(12)) & fifteen) - top, three)
        columns = (np.int32(2) << x1) - (np.int32(1) << x0)
        rows = (np.int32(16) << (y1 << np.int32(2))) - (np.int32(1) << (y0 << np.int32(2)))
        touched = np.uint32(columns * (rows & np.int32(0x1111)))
        values[i] = (value & np.uint32(0xFFFF0000)) | touched


@kernel
def start_block(state: Float32, left: np.float32, top: np.float32, columns: int, rows: int) -> None:
    """Nothing drawn yet; pixels right of ``columns`` or below ``rows`` count as full."""
    for i in range(LANES):
        outside = (i & 3 >= columns) or (i >> 2 >= rows)
        state[TRANSMITTANCE * LANES + i] = f32(0) if outside else f32(1)
        state[PIXEL_X * LANES + i] = left + f32(i & 3) + f32(0.5)
        state[PIXEL_Y * LANES + i] = top + f32(i >> 2) + f32(0.5)
    state[S_RED * LANES : PIXEL_X * LANES] = 0


@kernel
def store_block(
    state: Float32, lens: Lens, x: int, y: int, rgb: Float32, depth: Float32, alpha: Float32
) -> None:
    """The background behind, sRGB, and the pixels of the picture that the block holds."""
    for i in range(LANES):
        cover = state[S_COVER * LANES + i]
        gap = f32(1) - cover
        state[S_RED * LANES + i] = srgb(state[S_RED * LANES + i] + gap * lens.red)
        state[S_GREEN * LANES + i] = srgb(state[S_GREEN * LANES + i] + gap * lens.green)
        state[S_BLUE * LANES + i] = srgb(state[S_BLUE * LANES + i] + gap * lens.blue)
        state[S_DEPTH * LANES + i] /= max(cover, MIN_COVER)
    for row in range(min(BLOCK, lens.height - y)):
        for column in range(min(BLOCK, lens.width - x)):
            i = BLOCK * row + column
            rgb[0, y + row, x + column] = state[S_RED * LANES + i]
            rgb[1, y + row, x + column] = state[S_GREEN * LANES + i]
            rgb[2, y + row, x + column] = state[S_BLUE * LANES + i]
            depth[y + row, x + column] = state[S_DEPTH * LANES + i]
            alpha[y + row, x + column] = state[S_COVER * LANES + i]


@kernel
def srgb(linear: np.float32) -> np.float32:
    """IEC 61966-2-1, clipped to 0..1."""
    x = min(max(linear, f32(0)), f32(1))
    q = math.sqrt(math.sqrt(x))
    curve = SRGB[8]
    curve = curve * q + SRGB[7]
    curve = curve * q + SRGB[6]
    curve = curve * q + SRGB[5]
    curve = curve * q + SRGB[4]
    curve = curve * q + SRGB[3]
    curve = curve * q + SRGB[2]
    curve = curve * q + SRGB[1]
    curve = curve * q + SRGB[0]
    return f32(12.92) * x if x <= SRGB_LINEAR_UP_TO else min(curve, f32(1))
