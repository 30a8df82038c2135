"""Blocks of 4 x 4 pixels: choose their splats, blend them front to back, store the pixels.

A block is 16 floats of each quantity, which is one AVX-512 register. This file is plain numba and
runs anywhere; ``simd.py`` does some of it in explicit vectors, ``compositing.py`` the blending.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.binning import TILE
from sharp_xr.render.cpu.compilation import instruction, kernel
from sharp_xr.render.cpu.projection import Lens
from sharp_xr.render.cpu.vectors import LANES

f32 = np.float32
UInt32 = NDArray[np.uint32]

BLOCK, SUBTILE = 4, 16
"""Pixels a side."""
SUBTILES = TILE // SUBTILE
BLOCKS_IN_SUBTILE = SUBTILE // BLOCK
"""Along a side."""
PADDING = 16
"""What ``select_four`` may read and write beyond the end of a list."""

TRANSMITTANCE, S_RED, S_GREEN, S_BLUE, S_DEPTH, S_COVER, PIXEL_X, PIXEL_Y = range(8)
"""Rows of a block's state, 16 floats each; the first six change while blending."""
STATE = 8 * LANES
KEPT_STATE = 6 * LANES

MIN_COVER = f32(1e-10)

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
def select_four(
    flags: UInt32,
    values: UInt32,
    count: int,
    first: int,
    chosen: UInt32,
    room: int,
    found: NDArray[np.int64],
) -> None:
    """For each of the bits ``first`` to ``first`` + 3, copy the values whose flags have it, in
    order, to a list; the lists begin at multiples of ``room``, and ``found`` tells how many each
    has."""
    one, shift = np.int64(1), np.uint32(first)
    # Ends of the lists; numba asks signed indices whether they count from the end.
    a, b, c, d = np.int64(0), np.int64(room), np.int64(2 * room), np.int64(3 * room)
    for i in range(count):
        value, bits = values[i], np.int64(flags[i] >> shift)
        chosen[np.uint64(a)] = chosen[np.uint64(b)] = value
        chosen[np.uint64(c)] = chosen[np.uint64(d)] = value
        a += bits & one
        b += (bits >> 1) & one
        c += (bits >> 2) & one
        d += (bits >> 3) & one
    found[0], found[1], found[2], found[3] = a, b - room, c - 2 * room, d - 3 * room


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
