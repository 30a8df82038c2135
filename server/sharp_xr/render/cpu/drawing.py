"""One tile of one view, from its chunks to its pixels.

All that a tile needs is local to it and stays in the processor's second cache: there is no sorted
list of the whole picture, and no barrier between the tiles.

    chunks of the tile --project--> splats on it, one 64-byte record and one key each
                       --sort-----> by depth
                       --select---> 4 x 4 subtiles of 16 x 16 pixels, in each 4 x 4 blocks of 4 x 4
                       --blend----> a block's 16 pixels at once, until none is open
                       --store----> background, sRGB

Selecting has 16 bits for a record's number. A tile with more splats is drawn in slabs, near to far,
with its blocks' states kept between them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu import blending, simd
from sharp_xr.render.cpu.binning import TILE
from sharp_xr.render.cpu.blending import (
    BLOCK,
    KEPT_STATE,
    PADDING,
    RECORD,
    STATE,
    bits_of,
    block_flags,
    subtile_flags,
)
from sharp_xr.render.cpu.compilation import has_wide_vectors, instruction, kernel
from sharp_xr.render.cpu.compositing import LONG_GROUP, blend, blend_fast
from sharp_xr.render.cpu.gathering import ASPECT, aspect_of, gather_chunk
from sharp_xr.render.cpu.projection import (
    DEPTH,
    FAST_BIAS,
    FAST_SCALE,
    KEPT,
    PEAK,
    QXX,
    RESULT_SIZE,
    X0,
    X1,
    Y0,
    Y1,
    Lens,
    project,
)
from sharp_xr.render.cpu.scene import BLUE, CHUNK, GREEN, NEVER_SEEN, RED, ROWS
from sharp_xr.render.cpu.sorting import HISTOGRAM_SIZE, sort_keys

loops = simd if has_wide_vectors() else blending
select_four, start_block, store_block = loops.select_four, loops.start_block, loops.store_block
store_part = blending.store_block

f32 = np.float32
UInt32 = NDArray[np.uint32]

SLAB = 65_535
"""Splats that 16 bits can number, and one number left for the record that nobody sees."""
SUBTILE = 16
SUBTILES = TILE // SUBTILE
BLOCKS_IN_SUBTILE = SUBTILE // BLOCK
BLOCKS = (TILE // BLOCK) ** 2
AT_ONCE = 4
"""Subtiles of a row, and blocks of one, whose lists are made in one go."""


class Scratch(NamedTuple):
    """One thread's room to work in, for tiles of up to ``len(boxes)`` splats."""

    projected: Float32
    aspect: Float32
    depths: Float32
    records: Float32
    """The splats in the order of their chunks."""
    slab: Float32
    """The records of one slab, where there are several."""
    keys: NDArray[np.uint64]
    spare_keys: NDArray[np.uint64]
    histogram: UInt32
    boxes: UInt32
    values: UInt32
    flags: UInt32
    in_subtiles: UInt32
    in_blocks: UInt32
    """Four lists of the slab's size each."""
    found: NDArray[np.int64]
    """Their lengths: of four subtiles, of four blocks."""
    state: Float32
    kept_states: Float32
    """Of all blocks, between slabs."""


def new_scratch(capacity: int) -> Scratch:
    """Room for tiles of up to so many splats, some 100 bytes for each."""
    slab = min(capacity, SLAB) + PADDING
    several = capacity > SLAB
    return Scratch(
        projected=aligned(RESULT_SIZE),
        aspect=aligned(ASPECT),
        depths=aligned(capacity + PADDING),
        records=aligned((capacity + PADDING) * RECORD),
        slab=aligned((SLAB + 1) * RECORD if several else 0),
        keys=np.empty(capacity, np.uint64),
        spare_keys=np.empty(capacity, np.uint64),
        histogram=np.empty(HISTOGRAM_SIZE, np.uint32),
        boxes=np.empty(capacity + PADDING, np.uint32),
        values=np.empty(slab, np.uint32),
        flags=np.empty(slab, np.uint32),
        in_subtiles=np.empty(AT_ONCE * slab, np.uint32),
        in_blocks=np.empty(AT_ONCE * slab, np.uint32),
        found=np.empty(2 * AT_ONCE, np.int64),
        state=aligned(STATE),
        kept_states=aligned(BLOCKS * KEPT_STATE if several else 0),
    )


def aligned(count: int) -> Float32:
    """Uninitialised floats that begin at a cache line."""
    room = np.empty(count + 16, np.float32)
    skip = (-room.ctypes.data // 4) % 16
    return room[skip : skip + count]


@instruction
def take_ticket(typing_context: Any, counter: Any) -> Any:
    """The counter's value, which is one more for the next thread that asks."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        one = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", data, one, "monotonic")

    return types.int64(counter), generate


@kernel
def draw_tiles(
    counter: NDArray[np.int64],
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
    """Draw tiles until none is left. The views of one tile follow each other: the second finds the
    chunks in the cache."""
    views = len(cameras)
    tiles_x = (lens.width + TILE - 1) // TILE
    tickets = views * (len(offsets[0]) - 1)
    while True:
        ticket = take_ticket(counter)
        if ticket >= tickets:
            return
        view, tile = ticket % views, ticket // views
        first, last = offsets[view][tile], offsets[view][tile + 1]
        draw_tile(
            rows,
            reaches,
            members[view][first:last],
            cameras[view],
            tile % tiles_x * TILE,
            tile // tiles_x * TILE,
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
    count = gather(rows, reaches, members, camera, left, top, lens, scratch)
    several = count > SLAB
    records = scratch.slab if several else scratch.records
    start = 0
    while True:
        size = min(SLAB, count - start)
        keys = scratch.keys[start : start + size]
        if several:
            copy_slab(keys, scratch)
        subtile_flags(keys, scratch.values, scratch.flags)
        hide_record(records, size)
        is_first, is_last = start == 0, start + size == count
        draw_slab(records, size, left, top, lens, scratch, is_first, is_last, rgb, depth, alpha)
        if is_last:
            return
        start += size


@kernel
def gather(
    rows: Float32,
    reaches: Float32,
    members: NDArray[np.int32],
    camera: Float32,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
) -> int:
    """Records, boxes and sorted keys of all splats on the tile; how many.

    A key's lower half is what the lists are made of, see ``subtile_flags``: to look the boxes up
    in the order of depth would be a walk through the second cache. Of more splats than a slab's it
    is the number alone.
    """
    count = append_chunks(rows, reaches, members, camera, left, top, lens, scratch)
    depths, keys, boxes = scratch.depths, scratch.keys, scratch.boxes
    lowest, highest = np.uint32(0xFFFFFFFF), np.uint32(0)
    for i in range(count):
        order = np.uint32(bits_of(depths[i]))
        lowest, highest = min(lowest, order), max(highest, order)
        value = np.uint64(i) if count > SLAB else np.uint64((i << 16) | np.int64(boxes[i]))
        keys[i] = (np.uint64(order) << np.uint64(32)) | value
    if count > 1:
        spare, histogram = scratch.spare_keys, scratch.histogram
        first, last = np.uint64(lowest), np.uint64(highest)
        sort_keys(keys, spare, count, first, last, lens.fast, histogram)
    return count


@kernel
def append_chunks_wide(
    rows: Float32,
    reaches: Float32,
    members: NDArray[np.int32],
    camera: Float32,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
) -> int:
    """Records, boxes and depths of what the chunks have on the tile; how many."""
    width, height = f32(min(TILE, lens.width - left)), f32(min(TILE, lens.height - top))
    aspect_of(camera, f32(left), f32(top), lens, scratch.aspect)
    count, last = 0, len(members) - 1
    for member in range(len(members)):
        chunk = np.int64(members[member])
        following = np.int64(members[min(member + 2, last)])
        count = gather_chunk(
            rows,
            chunk * (ROWS * CHUNK),
            following * (ROWS * CHUNK),
            reaches[chunk, 0],
            scratch.aspect,
            width,
            height,
            lens.fast,
            scratch.records,
            scratch.boxes,
            scratch.depths,
            count,
        )
    return count


@kernel
def append_chunks_plain(
    rows: Float32,
    reaches: Float32,
    members: NDArray[np.int32],
    camera: Float32,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
) -> int:
    """The same without explicit vectors."""
    projected, records = scratch.projected, scratch.records
    depths, boxes = scratch.depths, scratch.boxes
    width, height = f32(min(TILE, lens.width - left)), f32(min(TILE, lens.height - top))
    scale = f32(FAST_SCALE) if lens.fast else f32(1)
    bias = f32(FAST_BIAS) if lens.fast else f32(0)
    count = 0
    for member in range(len(members)):
        base = np.int64(members[member]) * (ROWS * CHUNK)
        chunk = rows[base : base + ROWS * CHUNK]
        project(chunk, camera, f32(left), f32(top), width, height, lens, projected)
        for i in range(CHUNK):
            if projected[KEPT * CHUNK + i] == 0:
                continue
            at = count * RECORD
            records[at], records[at + 1] = projected[i], projected[CHUNK + i]
            for k in range(QXX, PEAK):
                records[at + k] = projected[k * CHUNK + i] * scale
            records[at + PEAK] = projected[PEAK * CHUNK + i] * scale + bias
            records[at + blending.R_RED] = chunk[RED * CHUNK + i]
            records[at + blending.R_GREEN] = chunk[GREEN * CHUNK + i]
            records[at + blending.R_BLUE] = chunk[BLUE * CHUNK + i]
            z = projected[DEPTH * CHUNK + i]
            records[at + blending.R_DEPTH] = z
            boxes[count], depths[count] = block_box(projected, i), z
            count += 1
    return count


append_chunks = append_chunks_wide if has_wide_vectors() else append_chunks_plain


@kernel
def block_box(projected: Float32, i: int) -> np.uint32:
    """First and last column, first and last row of 4 x 4 blocks, four bits each."""
    x0, x1 = np.uint32(projected[X0 * CHUNK + i]), np.uint32(projected[X1 * CHUNK + i])
    y0, y1 = np.uint32(projected[Y0 * CHUNK + i]), np.uint32(projected[Y1 * CHUNK + i])
    two = np.uint32(2)
    return np.uint32(
        (x0 >> two)
        | ((x1 >> two) << np.uint32(4))
        | ((y0 >> two) << np.uint32(8))
        | ((y1 >> two) << np.uint32(12))
    )


@kernel
def hide_record(records: Float32, number: int) -> None:
    """Make it one that no pixel sees."""
    records[number * RECORD : (number + 1) * RECORD] = 0
    records[number * RECORD + PEAK] = NEVER_SEEN


@kernel
def copy_slab(keys: NDArray[np.uint64], scratch: Scratch) -> None:
    """The records of the keys in the keys' order, and keys that name them there."""
    for i in range(len(keys)):
        number = int(np.int64(keys[i] & np.uint64(0xFFFFFFFF)))
        copy_floats(scratch.records, number * RECORD, scratch.slab, i * RECORD, RECORD)
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
