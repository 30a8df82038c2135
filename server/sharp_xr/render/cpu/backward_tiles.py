"""One tile of one view for training: its pixels, or what they ask of the splats on it.

A tile is gathered, sorted and listed as in drawing.py; the numbers in the lists have 32 bits here,
so that there are no slabs. Forward, a block's five sums go to the planes (linear red, green, blue;
weight times depth; weight). Backward, the planes hold the loss's derivative by each of them, and
each splat's gradient is summed where the tile alone writes, in the splats' first order, chunk by
chunk: which thread draws the tile changes nothing. backward_chunks.py adds up the tiles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu import backward_vectors as vectors
from sharp_xr.render.cpu import blending
from sharp_xr.render.cpu.backward_vectors import (
    COVER,
    GRADIENT,
    GROUP,
    LANES,
    PIXEL_X,
    PIXEL_Y,
    RED,
    SAVED,
    STATE,
    TRANSMITTANCE,
)
from sharp_xr.render.cpu.binning import TILE
from sharp_xr.render.cpu.blending import BLOCK, PADDING, RECORD, bits_of
from sharp_xr.render.cpu.compilation import kernel
from sharp_xr.render.cpu.drawing import (
    BLOCKS_IN_SUBTILE,
    SUBTILE,
    SUBTILES,
    aligned,
    block_box,
    select,
    take_ticket,
)
from sharp_xr.render.cpu.projection import DEPTH, KEPT, PEAK, RESULT_SIZE, Lens, project
from sharp_xr.render.cpu.scene import BLUE, CHUNK, NEVER_SEEN, ROWS
from sharp_xr.render.cpu.scene import RED as FIRST_COLOR
from sharp_xr.render.cpu.sorting import HISTOGRAM_SIZE, sort_keys

f32 = np.float32
UInt32 = NDArray[np.uint32]

PLANES = 5
MOMENTS = vectors.moment_rows()


class Scratch(NamedTuple):
    """One thread's room to work in, for tiles of up to ``len(boxes)`` splats."""

    projected: Float32
    records: Float32
    keys: NDArray[np.uint64]
    spare_keys: NDArray[np.uint64]
    histogram: NDArray[np.int64]
    boxes: UInt32
    numbers: UInt32
    """The splats' numbers, nearest first."""
    flags: UInt32
    in_subtile: UInt32
    subtile_flags: UInt32
    in_block: UInt32
    state: Float32
    tints: Float32
    """[16 * 4] a block's cotangents of colour and depth, pixel by pixel."""
    moments: Float32
    saved: Float32
    """Of a block's entries; memory that no block needs is never touched."""


def new_scratch(capacity: int) -> Scratch:
    """Room for tiles of up to so many splats: some 110 bytes for each, and 128 for each entry of
    the longest block."""
    lists = [np.empty(capacity + PADDING, np.uint32) for _ in range(6)]
    return Scratch(
        projected=aligned(RESULT_SIZE),
        records=aligned((capacity + 1) * RECORD),
        keys=np.empty(capacity, np.uint64),
        spare_keys=np.empty(capacity, np.uint64),
        histogram=np.empty(HISTOGRAM_SIZE, np.int64),
        boxes=lists[0],
        numbers=lists[1],
        flags=lists[2],
        in_subtile=lists[3],
        subtile_flags=lists[4],
        in_block=lists[5],
        state=aligned(STATE),
        tints=aligned(4 * LANES),
        moments=MOMENTS,
        saved=aligned((capacity + PADDING) * SAVED),
    )


class Tally(NamedTuple):
    """Where the gradients of one view's splats are. A pair is a chunk on a tile; a pair's splats
    follow each other, in the order of their lanes."""

    starts: NDArray[np.int64]
    """[pairs] first splat of each pair."""
    lanes: NDArray[np.uint64]
    """[pairs] which Gaussians of the chunk are splats on the tile, a bit each."""
    gradients: Float32
    """[room * GRADIENT] for 64 splats per pair and a hidden one per tile; what is not used is
    never touched, so that it costs addresses, not memory."""


def new_tally(pairs: int, tiles: int, backward: bool) -> Tally:
    """Forward there is nothing to sum."""
    room = (pairs * CHUNK + tiles) * GRADIENT if backward else 0
    starts, lanes = np.empty(pairs, np.int64), np.empty(pairs, np.uint64)
    return Tally(starts, lanes, np.empty(room, np.float32))


@kernel
def run_tiles(
    counter: NDArray[np.int64],
    rows: Float32,
    cameras: Float32,
    lens: Lens,
    members: tuple[NDArray[np.int32], ...],
    offsets: tuple[NDArray[np.int32], ...],
    scratch: Scratch,
    planes: Float32,
    tallies: tuple[Tally, ...],
    backward: bool,
) -> None:
    """Tiles until none is left; ``planes`` [V, 5, H, W] are written forward and read backward."""
    views = len(cameras)
    tiles_x = (lens.width + TILE - 1) // TILE
    tickets = views * (len(offsets[0]) - 1)
    while True:
        ticket = take_ticket(counter)
        if ticket >= tickets:
            return
        view, tile = ticket % views, ticket // views
        first, last = offsets[view][tile], offsets[view][tile + 1]
        left, top = tile % tiles_x * TILE, tile // tiles_x * TILE
        base = first * CHUNK + tile
        tally = tallies[view]
        starts, lanes = tally.starts[first:last], tally.lanes[first:last]
        chunks = members[view][first:last]
        count = gather(rows, chunks, cameras[view], left, top, lens, scratch, base, starts, lanes)
        gradients = tally.gradients[base * GRADIENT : (base + count + 1) * GRADIENT]
        for i in range(len(gradients)):
            gradients[i] = 0
        run_blocks(count, left, top, lens, scratch, planes[view], gradients, backward)


@kernel
def gather(
    rows: Float32,
    members: NDArray[np.int32],
    camera: Float32,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
    base: int,
    starts: NDArray[np.int64],
    lanes: NDArray[np.uint64],
) -> int:
    """Records, boxes, sorted numbers and subtiles of all splats on the tile; how many.

    ``base`` is the first one's place among the view's; starts and lanes are the tile's part of the
    tally's.
    """
    projected, records = scratch.projected, scratch.records
    keys, boxes = scratch.keys, scratch.boxes
    width, height = f32(min(TILE, lens.width - left)), f32(min(TILE, lens.height - top))
    count = 0
    lowest, highest = np.uint64(0xFFFFFFFF), np.uint64(0)
    for member in range(len(members)):
        place = np.int64(members[member]) * (ROWS * CHUNK)
        chunk = rows[place : place + ROWS * CHUNK]
        project(chunk, camera, f32(left), f32(top), width, height, lens, projected)
        start, kept = count, np.uint64(0)
        for i in range(CHUNK):
            if projected[KEPT * CHUNK + i] == 0:
                continue
            at = count * RECORD
            for k in range(PEAK + 1):
                records[at + k] = projected[k * CHUNK + i]
            for k in range(BLUE - FIRST_COLOR + 1):
                records[at + blending.R_RED + k] = chunk[(FIRST_COLOR + k) * CHUNK + i]
            z = projected[DEPTH * CHUNK + i]
            records[at + blending.R_DEPTH] = z
            boxes[count] = block_box(projected, i)
            order = np.uint64(np.uint32(bits_of(z)))
            lowest, highest = min(lowest, order), max(highest, order)
            keys[count] = (order << np.uint64(32)) | np.uint64(count)
            kept |= np.uint64(1) << np.uint64(i)
            count += 1
        starts[member], lanes[member] = base + start, kept
    if count > 1:
        sort_keys(keys, scratch.spare_keys, count, lowest, highest, scratch.histogram)
    hide_record(records, count)
    list_subtiles(count, scratch)
    return count


@kernel
def hide_record(records: Float32, number: int) -> None:
    """Make it one that no pixel sees."""
    records[number * RECORD : (number + 1) * RECORD] = 0
    records[number * RECORD + PEAK] = NEVER_SEEN


@kernel
def list_subtiles(count: int, scratch: Scratch) -> None:
    """The sorted splats' numbers, and which of the tile's 4 x 4 subtiles each touches."""
    keys, boxes, numbers, flags = scratch.keys, scratch.boxes, scratch.numbers, scratch.flags
    for i in range(count):
        number = np.uint32(keys[i])
        numbers[i] = number
        # Two bits fewer of a block's column or row are its subtile's.
        flags[i] = touched(boxes[number] >> np.uint32(2), np.int32(3), np.int32(0), np.int32(0))
    flags[count : count + PADDING] = 0


@kernel
def list_blocks(found: int, column: int, row: int, scratch: Scratch) -> None:
    """Which of a subtile's 4 x 4 blocks each splat on it touches."""
    boxes, in_subtile, flags = scratch.boxes, scratch.in_subtile, scratch.subtile_flags
    left, top = np.int32(BLOCKS_IN_SUBTILE * column), np.int32(BLOCKS_IN_SUBTILE * row)
    for i in range(found):
        flags[i] = touched(boxes[in_subtile[i]], np.int32(15), left, top)
    flags[found : found + PADDING] = 0


@kernel
def fetch_splats(found: int, scratch: Scratch, gradients: Float32) -> None:
    """What all blocks of a subtile read and write lies scattered in more than the second cache."""
    for i in range(found):
        number = np.int64(scratch.in_subtile[i])
        vectors.fetch(scratch.records, number * RECORD)
        if len(gradients):
            vectors.fetch(gradients, number * GRADIENT)


@kernel
def touched(box: np.uint32, mask: np.int32, left: np.int32, top: np.int32) -> np.uint32:
    """A bit for each of 4 x 4 squares, from first and last column, first and last row."""
    zero, three, box_bits = np.int32(0), np.int32(3), np.int32(box)
    x0 = max((box_bits & mask) - left, zero)
    x1 = min(((box_bits >> np.int32(4)) & mask) - left, three)
    y0 = max(((box_bits >> np.int32(8)) & mask) - top, zero)
    y1 = min(((box_bits >> np.int32(12)) & mask) - top, three)
    columns = (np.int32(2) << x1) - (np.int32(1) << x0)
    rows = (np.int32(16) << (y1 << np.int32(2))) - (np.int32(1) << (y0 << np.int32(2)))
    return np.uint32(columns * (rows & np.int32(0x1111)))


@kernel
def run_blocks(
    count: int,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
    planes: Float32,
    gradients: Float32,
    backward: bool,
) -> None:
    """All blocks of the tile, subtile after subtile."""
    in_subtile, in_block = scratch.in_subtile, scratch.in_block
    for subtile in range(SUBTILES * SUBTILES):
        column, row = subtile % SUBTILES, subtile // SUBTILES
        if left + column * SUBTILE >= lens.width or top + row * SUBTILE >= lens.height:
            continue
        bit = np.uint32(1 << subtile)
        found = select(scratch.flags, scratch.numbers, count, bit, in_subtile)
        list_blocks(found, column, row, scratch)
        fetch_splats(found, scratch, gradients)
        for block in range(BLOCKS_IN_SUBTILE * BLOCKS_IN_SUBTILE):
            x = column * SUBTILE + block % BLOCKS_IN_SUBTILE * BLOCK
            y = row * SUBTILE + block // BLOCKS_IN_SUBTILE * BLOCK
            columns, rows = lens.width - left - x, lens.height - top - y
            if columns <= 0 or rows <= 0:
                continue
            bit = np.uint32(1 << block)
            entries = select(scratch.subtile_flags, in_subtile, found, bit, in_block)
            in_block[entries : entries + GROUP] = count
            start_block(scratch.state, f32(x), f32(y), columns, rows)
            if backward:
                read_block(scratch, left + x, top + y, planes)
                pull_block(scratch, entries, lens.max_alpha, gradients)
            else:
                vectors.blend(scratch.records, in_block, entries, scratch.state, lens.max_alpha)
                store_block(scratch.state, left + x, top + y, planes)


@kernel
def start_block(state: Float32, left: np.float32, top: np.float32, columns: int, rows: int) -> None:
    """Nothing drawn yet; pixels right of ``columns`` or below ``rows`` count as full."""
    for i in range(LANES):
        outside = (i & 3 >= columns) or (i >> 2 >= rows)
        state[TRANSMITTANCE * LANES + i] = f32(0) if outside else f32(1)
        state[PIXEL_X * LANES + i] = left + f32(i & 3) + f32(0.5)
        state[PIXEL_Y * LANES + i] = top + f32(i >> 2) + f32(0.5)
    for i in range(RED * LANES, STATE):
        state[i] = 0


@kernel
def store_block(state: Float32, x: int, y: int, planes: Float32) -> None:
    """The block's sums to the pixels that exist."""
    _, height, width = planes.shape
    for row in range(min(BLOCK, height - y)):
        for column in range(min(BLOCK, width - x)):
            for plane in range(PLANES):
                value = state[(RED + plane) * LANES + BLOCK * row + column]
                planes[plane, y + row, x + column] = value


@kernel
def read_block(scratch: Scratch, x: int, y: int, planes: Float32) -> None:
    """The cotangents of the block's pixels, row by row and pixel by pixel."""
    _, height, width = planes.shape
    state, tints = scratch.state, scratch.tints
    for i in range(4 * LANES):
        tints[i] = 0
    for row in range(min(BLOCK, height - y)):
        for column in range(min(BLOCK, width - x)):
            lane = BLOCK * row + column
            for plane in range(PLANES):
                state[(RED + plane) * LANES + lane] = planes[plane, y + row, x + column]
            for plane in range(COVER - RED):
                tints[4 * lane + plane] = planes[plane, y + row, x + column]


@kernel
def pull_block(scratch: Scratch, entries: int, max_alpha: np.float32, gradients: Float32) -> None:
    """Add what the block's pixels ask of its splats."""
    records, in_block, state = scratch.records, scratch.in_block, scratch.state
    saved = scratch.saved
    seen = vectors.record(records, in_block, entries, state, max_alpha, saved)
    vectors.unwind(records, in_block, seen, state, max_alpha, saved)
    vectors.collect(
        records, in_block, seen, state, saved, scratch.moments, scratch.tints, gradients
    )
