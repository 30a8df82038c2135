"""One tile of one view, from its chunks to its pixels.

All that a tile needs is local to it and stays in the processor's second cache: there is no sorted
list of the whole picture, and no barrier between the tiles.

    chunks of the tile --project--> splats on it, a record and a key each (splats.py)
                       --sort-----> by depth
                       --select---> 4 x 4 subtiles of 16 x 16 pixels, in each 4 x 4 blocks of 4 x 4
                       --blend----> a block's 16 pixels at once, until none is open
                       --store----> background, sRGB

Selecting has 16 bits for a record's number. A tile with more splats is drawn in slabs, near to far,
with its blocks' states kept between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu import blending, simd
from sharp_xr.render.cpu.blending import (
    BLOCK,
    BLOCKS_IN_SUBTILE,
    KEPT_STATE,
    PADDING,
    SUBTILE,
    SUBTILES,
    block_flags,
    subtile_flags,
)
from sharp_xr.render.cpu.compilation import has_wide_vectors, kernel
from sharp_xr.render.cpu.compositing import LONG_GROUP, blend, blend_fast
from sharp_xr.render.cpu.projection import Lens
from sharp_xr.render.cpu.records import RECORD, SHORT_RECORD, hide_record
from sharp_xr.render.cpu.scratch import AT_ONCE, SLAB, Scratch
from sharp_xr.render.cpu.splats import sorted_splats
from sharp_xr.render.cpu.tickets import Counter, next_tile

loops = simd if has_wide_vectors() else blending
select_four, start_block, store_block = loops.select_four, loops.start_block, loops.store_block
store_part = blending.store_block

f32 = np.float32
UInt32 = NDArray[np.uint32]


@kernel
def draw_tiles(
    counter: Counter,
    rows: Float32,
    reaches: Float32,
    cameras: Float32,
    lens: Lens,
    members: tuple[NDArray[np.int32], ...],
    offsets: tuple[NDArray[np.int32], ...],
    scratch: Scratch,
    rgb: Float32,
    depth: Float32,
    alpha: Float32,
) -> None:
    """Draw tiles until none is left."""
    while True:
        view, tile, left, top = next_tile(counter, len(cameras), lens)
        if view < 0:
            return
        first, last = offsets[view][tile], offsets[view][tile + 1]
        draw_tile(
            rows,
            reaches,
            members[view][first:last],
            cameras[view],
            left,
            top,
            lens,
            scratch,
            rgb[view],
            depth[view],
            alpha[view],
        )


@kernel
def draw_tile(
    rows: Float32,
    reaches: Float32,
    members: NDArray[np.int32],
    camera: Float32,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
    rgb: Float32,
    depth: Float32,
    alpha: Float32,
) -> None:
    """The tile whose corner is the pixel (left, top)."""
    count = sorted_splats(rows, reaches, members, camera, left, top, lens, scratch)
    several, floats = count > SLAB, SHORT_RECORD if lens.fast else RECORD
    records = scratch.slab if several else scratch.records
    start = 0
    while True:
        size = min(SLAB, count - start)
        keys = scratch.keys[start : start + size]
        if several:
            copy_slab(keys, floats, scratch)
        subtile_flags(keys, scratch.values, scratch.flags)
        hide_record(records, size, floats)
        is_first, is_last = start == 0, start + size == count
        draw_slab(records, size, left, top, lens, scratch, is_first, is_last, rgb, depth, alpha)
        if is_last:
            return
        start += size


@kernel
def copy_slab(keys: NDArray[np.uint64], floats: int, scratch: Scratch) -> None:
    """The records, of so many floats, in the keys' order, and keys that name them there."""
    for i in range(len(keys)):
        number = int(np.int64(keys[i] & np.uint64(0xFFFFFFFF)))
        copy_floats(scratch.records, number * floats, scratch.slab, i * floats, floats)
        keys[i] = np.uint64((i << 16) | np.int64(scratch.boxes[number]))


@kernel
def copy_floats(source: Float32, start: int, target: Float32, place: int, count: int) -> None:
    """As a slice assignment would, which takes numba a second to compile."""
    for i in range(count):
        target[place + i] = source[start + i]


@kernel
def draw_slab(
    records: Float32,
    count: int,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
    is_first: bool,
    is_last: bool,
    rgb: Float32,
    depth: Float32,
    alpha: Float32,
) -> None:
    """Blend ``count`` sorted splats behind what the tile's blocks hold."""
    values, flags = scratch.values, scratch.flags
    room = len(values)
    flags[count : count + PADDING] = 0
    for subtile in range(SUBTILES * SUBTILES):
        kind = subtile % AT_ONCE
        if kind == 0:
            found = scratch.found[:AT_ONCE]
            select_four(flags, values, count, subtile, scratch.in_subtiles, room, found)
        column, row = subtile % SUBTILES, subtile // SUBTILES
        x, y = left + column * SUBTILE, top + row * SUBTILE
        if x >= lens.width or y >= lens.height:
            continue
        size = scratch.found[kind]
        in_subtile = scratch.in_subtiles[kind * room : (kind + 1) * room]
        block_flags(in_subtile, size, column, row)
        in_subtile[size : size + PADDING] = 0
        draw_subtile(
            records,
            count,
            in_subtile,
            size,
            subtile,
            left,
            top,
            lens,
            scratch,
            is_first,
            is_last,
            rgb,
            depth,
            alpha,
        )


@kernel
def draw_subtile(
    records: Float32,
    hidden: int,
    in_subtile: UInt32,
    size: int,
    subtile: int,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
    is_first: bool,
    is_last: bool,
    rgb: Float32,
    depth: Float32,
    alpha: Float32,
) -> None:
    """The 16 blocks of a subtile, whose ``size`` values hold their blocks' flags; record number
    ``hidden`` is the one that no pixel sees."""
    state, room = scratch.state, len(scratch.values)
    column, row = subtile % SUBTILES, subtile // SUBTILES
    for block in range(BLOCKS_IN_SUBTILE * BLOCKS_IN_SUBTILE):
        kind = block % AT_ONCE
        if kind == 0:
            found = scratch.found[AT_ONCE:]
            select_four(in_subtile, in_subtile, size, block, scratch.in_blocks, room, found)
        x = column * SUBTILE + block % BLOCKS_IN_SUBTILE * BLOCK
        y = row * SUBTILE + block // BLOCKS_IN_SUBTILE * BLOCK
        columns, rows = lens.width - left - x, lens.height - top - y
        if columns <= 0 or rows <= 0:
            continue
        chosen = scratch.found[AT_ONCE + kind]
        in_block = scratch.in_blocks[kind * room : (kind + 1) * room]
        in_block[chosen : chosen + LONG_GROUP] = hidden << 16
        start_block(state, f32(x), f32(y), columns, rows)
        at = (subtile * BLOCKS_IN_SUBTILE * BLOCKS_IN_SUBTILE + block) * KEPT_STATE
        if not is_first:
            copy_floats(scratch.kept_states, at, state, 0, KEPT_STATE)
        if lens.fast:
            blend_fast(records, in_block, chosen, state, lens.max_alpha)
        else:
            blend(records, in_block, chosen, state, lens.max_alpha)
        if not is_last:
            copy_floats(state, 0, scratch.kept_states, at, KEPT_STATE)
        elif columns < BLOCK or rows < BLOCK:
            store_part(state, lens, left + x, top + y, rgb, depth, alpha)
        else:
            store_block(state, lens, left + x, top + y, rgb, depth, alpha)
