"""One tile of one view for training: its pixels, or what they ask of the splats on it.

A tile is gathered, sorted and listed as in drawing.py; the numbers in the lists have 32 bits here,
so that there are no slabs. Forward, a block's five sums go to the planes (linear red, green, blue;
weight times depth; weight), and a tally notes which splats there were, in which order. Backward,
the planes hold the loss's derivative by each of them, and each splat's gradient is summed where the
tile alone writes, chunk by chunk: which thread has the tile changes nothing. backward_chunks.py
adds up the tiles.

To know who is who among the gathered, the chunks' rows of blue hold the Gaussians' places (as bits
of a float, which nobody calculates with), and blue is put into the records afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu import backward_vectors as vectors
from sharp_xr.render.cpu import scratch as drawing
from sharp_xr.render.cpu.backward_gradients import GRADIENT, ROOMY, pack_gradient
from sharp_xr.render.cpu.backward_tally import Tally, note_centers, note_order, note_pairs
from sharp_xr.render.cpu.backward_vectors import SAVED
from sharp_xr.render.cpu.binning import TILE
from sharp_xr.render.cpu.blending import (
    BLOCK,
    BLOCKS_IN_SUBTILE,
    PADDING,
    S_RED,
    STATE,
    SUBTILE,
    SUBTILES,
    bits_of,
)
from sharp_xr.render.cpu.compilation import inlined_kernel, kernel
from sharp_xr.render.cpu.compositing import GROUP, blend_numbered
from sharp_xr.render.cpu.drawing import select_four, start_block
from sharp_xr.render.cpu.projection import Lens
from sharp_xr.render.cpu.records import R_BLUE, RECORD, hide_record
from sharp_xr.render.cpu.scene import CHUNK
from sharp_xr.render.cpu.scratch import AT_ONCE, aligned
from sharp_xr.render.cpu.splats import append_chunks
from sharp_xr.render.cpu.tickets import Counter, next_tile
from sharp_xr.render.cpu.vectors import LANES

f32 = np.float32
UInt32 = NDArray[np.uint32]

PLANES = 5
HALF = TILE // 2


class Scratch(NamedTuple):
    """One thread's room to work in, for tiles of up to ``capacity`` splats."""

    common: drawing.Scratch
    """Records, boxes, depths and keys of the gathered, as in scratch.py."""
    flags: UInt32
    """Of the tile's splats, nearest first: which subtiles they touch."""
    subtile_flags: UInt32
    """Of a subtile's splats: which blocks they touch."""
    in_subtiles: UInt32
    in_blocks: UInt32
    """Numbers of the splats of four subtiles, and of four blocks."""
    found: NDArray[np.int64]
    """How many each of the two has, four and four."""
    state: Float32
    saved: Float32
    """Of a block's entries; memory that no block needs is never touched."""
    gradients: Float32
    """Of the tile's splats, while they grow."""


def new_scratch(capacity: int) -> Scratch:
    """Room for tiles of up to so many splats: some 310 bytes for each, and 128 for each entry of
    the longest block."""
    room = capacity + PADDING
    return Scratch(
        common=drawing.new_scratch(capacity),
        flags=np.empty(room, np.uint32),
        subtile_flags=np.empty(room, np.uint32),
        in_subtiles=np.empty(AT_ONCE * room, np.uint32),
        in_blocks=np.empty(AT_ONCE * room, np.uint32),
        found=np.empty(2 * AT_ONCE, np.int64),
        state=aligned(STATE),
        saved=aligned(room * SAVED),
        gradients=aligned(room * ROOMY),
    )


@kernel
def run_tiles(
    counter: Counter,
    rows: Float32,
    blues: Float32,
    reaches: Float32,
    cameras: Float32,
    lens: Lens,
    members: tuple[NDArray[np.int32], ...],
    offsets: tuple[NDArray[np.int32], ...],
    tallies: tuple[Tally, ...],
    scratch: Scratch,
    planes: Float32,
    gradients: tuple[Float32, ...],
) -> None:
    """Tiles until none is left; ``planes`` [V, 5, H, W] are written forward and read backward.

    ``gradients`` are empty forward; backward they have ten floats for each place.
    """
    while True:
        view, tile, left, top = next_tile(counter, len(cameras), lens)
        if view < 0:
            return
        first, last = offsets[view][tile], offsets[view][tile + 1]
        chunks, tally = members[view][first:last], tallies[view]
        count = append_chunks(rows, reaches, chunks, cameras[view], left, top, lens, scratch.common)
        hide_record(scratch.common.records, count, RECORD)
        base = first * CHUNK + tile
        numbers = tally.numbers[base : base + count + PADDING]
        own = gradients[view][base * GRADIENT : (base + count + 1) * GRADIENT]
        centers = tally.centers[2 * base : 2 * (base + count)]
        sums = scratch.gradients[: (count + 1) * ROOMY if len(own) else 0]
        for i in range(len(sums)):
            sums[i] = 0
        if not len(own):
            starts, lanes = tally.starts[first:last], tally.lanes[first:last]
            note_pairs(count, base, chunks, scratch.common, starts, lanes)
            note_centers(
                count, rows, cameras[view], left + HALF, top + HALF, scratch.common.records, centers
            )
            note_order(count, scratch.common, numbers)
        complete_records(count, blues, centers, scratch.common.records)
        list_subtiles(count, numbers, scratch)
        run_blocks(count, left, top, lens, numbers, scratch, planes[view], sums)
        if len(own):
            for i in range(count):
                pack_gradient(sums, i * ROOMY, own, i * GRADIENT)


@kernel
def complete_records(count: int, blues: Float32, centers: Float32, records: Float32) -> None:
    """The exact centres, and blue where the chunks' rows have the Gaussians' places."""
    for splat in range(count):
        at = splat * RECORD
        records[at], records[at + 1] = centers[2 * splat], centers[2 * splat + 1]
        place = np.int64(bits_of(records[at + R_BLUE]))
        records[at + R_BLUE] = blues[place]


@kernel
def list_subtiles(count: int, numbers: UInt32, scratch: Scratch) -> None:
    """Which of the tile's 4 x 4 subtiles each splat touches, nearest first."""
    boxes, flags = scratch.common.boxes, scratch.flags
    for i in range(count):
        # Two bits fewer of a block's column or row are its subtile's.
        box = boxes[numbers[i]] >> np.uint32(2)
        flags[i] = touched(box, np.int32(3), np.int32(0), np.int32(0))
    flags[count : count + PADDING] = 0


@kernel
def list_blocks(
    in_subtile: UInt32, column: int, row: int, scratch: Scratch, gradients: Float32
) -> None:
    """Which of a subtile's 4 x 4 blocks each splat on it touches.

    What its blocks read and write lies scattered in more than the second cache: it is fetched.
    """
    boxes, records, flags = scratch.common.boxes, scratch.common.records, scratch.subtile_flags
    left, top = np.int32(BLOCKS_IN_SUBTILE * column), np.int32(BLOCKS_IN_SUBTILE * row)
    found = len(in_subtile)
    for i in range(found):
        number = np.int64(in_subtile[i])
        flags[i] = boxes[number]
        vectors.fetch(records, number * RECORD)
        if len(gradients):
            vectors.fetch(gradients, number * ROOMY)
    for i in range(found):
        flags[i] = touched(flags[i], np.int32(15), left, top)
    flags[found : found + PADDING] = 0


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
    numbers: UInt32,
    scratch: Scratch,
    planes: Float32,
    gradients: Float32,
) -> None:
    """All blocks of the tile, subtile after subtile."""
    room, found = len(scratch.flags), scratch.found[:AT_ONCE]
    for subtile in range(SUBTILES * SUBTILES):
        kind = subtile % AT_ONCE
        if kind == 0:
            select_four(scratch.flags, numbers, count, subtile, scratch.in_subtiles, room, found)
        column, row = subtile % SUBTILES, subtile // SUBTILES
        if left + column * SUBTILE < lens.width and top + row * SUBTILE < lens.height:
            in_subtile = scratch.in_subtiles[kind * room : kind * room + found[kind]]
            fetch_pixels(left + column * SUBTILE, top + row * SUBTILE, planes)
            list_blocks(in_subtile, column, row, scratch, gradients)
            run_subtile(count, in_subtile, column, row, left, top, lens, scratch, planes, gradients)


@kernel
def run_subtile(
    hidden: int,
    in_subtile: UInt32,
    column: int,
    row: int,
    left: int,
    top: int,
    lens: Lens,
    scratch: Scratch,
    planes: Float32,
    gradients: Float32,
) -> None:
    """The blocks of one subtile; record number ``hidden`` is the one that nobody sees."""
    room, found, state = len(scratch.flags), scratch.found[AT_ONCE:], scratch.state
    for block in range(BLOCKS_IN_SUBTILE * BLOCKS_IN_SUBTILE):
        kind = block % AT_ONCE
        if kind == 0:
            select_four(
                scratch.subtile_flags,
                in_subtile,
                len(in_subtile),
                block,
                scratch.in_blocks,
                room,
                found,
            )
        x = column * SUBTILE + block % BLOCKS_IN_SUBTILE * BLOCK
        y = row * SUBTILE + block // BLOCKS_IN_SUBTILE * BLOCK
        columns, rows = lens.width - left - x, lens.height - top - y
        if columns <= 0 or rows <= 0:
            continue
        entries = found[kind]
        in_block = scratch.in_blocks[kind * room : (kind + 1) * room]
        in_block[entries : entries + GROUP] = hidden
        start_block(state, f32(x - HALF), f32(y - HALF), columns, rows)
        if len(gradients):
            if columns < BLOCK or rows < BLOCK:
                read_part(state, left + x, top + y, planes)
            else:
                vectors.read_block(planes, left + x, top + y, state)
            pull_block(
                scratch.common.records,
                in_block,
                entries,
                hidden,
                state,
                lens.max_alpha,
                scratch.saved,
                gradients,
            )
        else:
            blend_numbered(scratch.common.records, in_block, entries, scratch.state, lens.max_alpha)
            store_block(scratch.state, left + x, top + y, planes)


@inlined_kernel
def fetch_pixels(x: int, y: int, planes: Float32) -> None:
    """Those of the subtile at the pixel (x, y): in no order that the processor would foresee."""
    height, width = planes.shape[1:]
    for plane in range(PLANES):
        for row in range(y, min(y + SUBTILE, height)):
            first = (plane * height + row) * width + x
            vectors.fetch(planes, first)
            vectors.fetch(planes, first + SUBTILE - 1)


@kernel
def store_block(state: Float32, x: int, y: int, planes: Float32) -> None:
    """The block's sums to the pixels that exist."""
    _, height, width = planes.shape
    for row in range(min(BLOCK, height - y)):
        for column in range(min(BLOCK, width - x)):
            for plane in range(PLANES):
                value = state[(S_RED + plane) * LANES + BLOCK * row + column]
                planes[plane, y + row, x + column] = value


@kernel
def read_part(state: Float32, x: int, y: int, planes: Float32) -> None:
    """``vectors.read_block`` where not all of the block's pixels exist: others ask for nothing."""
    _, height, width = planes.shape
    state[S_RED * LANES : (S_RED + PLANES) * LANES] = 0
    for row in range(min(BLOCK, height - y)):
        for column in range(min(BLOCK, width - x)):
            for plane in range(PLANES):
                value = planes[plane, y + row, x + column]
                state[(S_RED + plane) * LANES + BLOCK * row + column] = value


@inlined_kernel
def pull_block(
    records: Float32,
    in_block: UInt32,
    entries: int,
    hidden: int,
    state: Float32,
    max_alpha: np.float32,
    saved: Float32,
    gradients: Float32,
) -> None:
    """Add what the block's pixels ask of its splats."""
    seen = vectors.record(records, in_block, entries, hidden, state, max_alpha, saved)
    vectors.pull(records, in_block, seen, state, max_alpha, saved, gradients)
