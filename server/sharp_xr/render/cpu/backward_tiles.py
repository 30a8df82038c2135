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
from sharp_xr.render.cpu import blending, drawing
from sharp_xr.render.cpu.backward_gradients import GRADIENT, ROOMY, pack_gradient
from sharp_xr.render.cpu.backward_vectors import SAVED
from sharp_xr.render.cpu.binning import TILE
from sharp_xr.render.cpu.blending import BLOCK, PADDING, RECORD, S_RED, STATE, bits_of
from sharp_xr.render.cpu.compilation import inlined_kernel, kernel
from sharp_xr.render.cpu.compositing import GROUP, blend_numbered
from sharp_xr.render.cpu.drawing import (
    AT_ONCE,
    BLOCKS_IN_SUBTILE,
    SUBTILE,
    SUBTILES,
    aligned,
    append_chunks,
    hide_record,
    select_four,
    start_block,
    take_ticket,
)
from sharp_xr.render.cpu.projection import Lens
from sharp_xr.render.cpu.scene import CHUNK, ROWS, X, Y, Z
from sharp_xr.render.cpu.sorting import sort_keys
from sharp_xr.render.cpu.vectors import LANES

f32 = np.float32
UInt32 = NDArray[np.uint32]

PLANES = 5
HALF = TILE // 2


class Scratch(NamedTuple):
    """One thread's room to work in, for tiles of up to ``capacity`` splats."""

    common: drawing.Scratch
    """Records, boxes, depths and keys of the gathered, as in drawing.py."""
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


class Tally(NamedTuple):
    """Which splats the tiles of one view have, noted forward for the way back. A pair is a chunk
    on a tile; a pair's splats follow each other, in the order of their lanes. Tile t, whose first
    pair is p, has its splats from place 64 p + t on: room for all, and one that nobody sees. What
    is not used is never touched, so that it costs addresses, not memory."""

    starts: NDArray[np.int64]
    """[pairs] place of each pair's first splat."""
    lanes: NDArray[np.uint64]
    """[pairs] which Gaussians of the chunk are splats on the tile, a bit each."""
    numbers: UInt32
    """[places] a tile's splats from the nearest on, by their number among them."""
    centers: Float32
    """[2 * places] pixels from the tile's middle, rounded once."""


def new_tally(pairs: int, tiles: int) -> Tally:
    room = places(pairs, tiles) + PADDING
    return Tally(
        np.empty(pairs, np.int64),
        np.empty(pairs, np.uint64),
        np.empty(room, np.uint32),
        np.empty(2 * room, np.float32),
    )


def places(pairs: int, tiles: int) -> int:
    """How many splats a tally has room for."""
    return pairs * CHUNK + tiles


@kernel
def run_tiles(
    counter: NDArray[np.int64],
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
        chunks, tally = members[view][first:last], tallies[view]
        count = append_chunks(rows, reaches, chunks, cameras[view], left, top, lens, scratch.common)
        hide_record(scratch.common.records, count)
        base = first * CHUNK + tile
        numbers = tally.numbers[base : base + count + PADDING]
        own = gradients[view][base * GRADIENT : (base + count + 1) * GRADIENT]
        centers = tally.centers[2 * base : 2 * (base + count)]
        sums = scratch.gradients[: (count + 1) * ROOMY if len(own) else 0]
        for i in range(len(sums)):
            sums[i] = 0
        if not len(own):
            starts, lanes = tally.starts[first:last], tally.lanes[first:last]
            note_pairs(count, base, chunks, scratch, starts, lanes)
            note_centers(
                count, rows, cameras[view], left + HALF, top + HALF, scratch.common.records, centers
            )
            note_order(count, scratch, numbers)
        complete_records(count, blues, centers, scratch.common.records)
        list_subtiles(count, numbers, scratch)
        run_blocks(count, left, top, lens, numbers, scratch, planes[view], sums)
        if len(own):
            for i in range(count):
                pack_gradient(sums, i * ROOMY, own, i * GRADIENT)


@kernel
def note_pairs(
    count: int,
    base: int,
    chunks: NDArray[np.int32],
    scratch: Scratch,
    starts: NDArray[np.int64],
    lanes: NDArray[np.uint64],
) -> None:
    """Which of its Gaussians each chunk has on the tile. Their places stand where blue will."""
    splat = 0
    for pair in range(len(chunks)):
        starts[pair], kept = base + splat, np.uint64(0)
        while splat < count:
            place = np.int64(bits_of(scratch.common.records[splat * RECORD + blending.R_BLUE]))
            if place // CHUNK != chunks[pair]:
                break
            kept |= np.uint64(1) << np.uint64(place % CHUNK)
            splat += 1
        lanes[pair] = kept


@kernel
def note_centers(
    count: int,
    rows: Float32,
    camera: Float32,
    middle_x: int,
    middle_y: int,
    records: Float32,
    centers: Float32,
) -> None:
    """Where the splats are, calculated in float64 and from the tile's middle: what float32 loses
    on the way through the camera, and far from zero, is what small Gaussians' gradients are off."""
    r00, r01, r02 = np.float64(camera[0]), np.float64(camera[1]), np.float64(camera[2])
    r10, r11, r12 = np.float64(camera[3]), np.float64(camera[4]), np.float64(camera[5])
    r20, r21, r22 = np.float64(camera[6]), np.float64(camera[7]), np.float64(camera[8])
    t0, t1, t2 = np.float64(camera[9]), np.float64(camera[10]), np.float64(camera[11])
    fx, fy = np.float64(camera[12]), np.float64(camera[13])
    cx, cy = np.float64(camera[14]) - middle_x, np.float64(camera[15]) - middle_y
    for splat in range(count):
        place = np.int64(bits_of(records[splat * RECORD + blending.R_BLUE]))
        at = place // CHUNK * (ROWS * CHUNK) + place % CHUNK
        x, y = np.float64(rows[at + X * CHUNK]), np.float64(rows[at + Y * CHUNK])
        z = np.float64(rows[at + Z * CHUNK])
        inverse = 1.0 / (r20 * x + r21 * y + r22 * z + t2)
        centers[2 * splat] = f32((r00 * x + r01 * y + r02 * z + t0) * inverse * fx + cx)
        centers[2 * splat + 1] = f32((r10 * x + r11 * y + r12 * z + t1) * inverse * fy + cy)


@kernel
def complete_records(count: int, blues: Float32, centers: Float32, records: Float32) -> None:
    """The exact centres, and blue where the chunks' rows have the Gaussians' places."""
    for splat in range(count):
        at = splat * RECORD
        records[at], records[at + 1] = centers[2 * splat], centers[2 * splat + 1]
        place = np.int64(bits_of(records[at + blending.R_BLUE]))
        records[at + blending.R_BLUE] = blues[place]


@kernel
def note_order(count: int, scratch: Scratch, numbers: UInt32) -> None:
    """The splats' numbers, nearest first."""
    common = scratch.common
    keys, depths = common.keys, common.depths
    lowest, highest = np.uint32(0xFFFFFFFF), np.uint32(0)
    for i in range(count):
        order = np.uint32(bits_of(depths[i]))
        lowest, highest = min(lowest, order), max(highest, order)
        keys[i] = (np.uint64(order) << np.uint64(32)) | np.uint64(i)
    if count > 1:
        spare, histogram = common.spare_keys, common.histogram
        first, last = np.uint64(lowest), np.uint64(highest)
        sort_keys(keys, spare, count, first, last, False, histogram)
    for i in range(count):
        numbers[i] = np.uint32(keys[i])


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
