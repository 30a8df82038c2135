"""The splats of a tile: what its chunks have on it, as records, boxes and keys by depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.binning import TILE
from sharp_xr.render.cpu.blending import bits_of
from sharp_xr.render.cpu.compilation import has_wide_vectors, kernel
from sharp_xr.render.cpu.gathering import gather_chunk, gather_chunk_fast
from sharp_xr.render.cpu.projection import (
    DEPTH,
    FAST_BIAS,
    FAST_SCALE,
    KEPT,
    PEAK,
    QXX,
    X0,
    X1,
    Y0,
    Y1,
    Lens,
    project,
)
from sharp_xr.render.cpu.records import RECORD, SHORT_RECORD, write_tint
from sharp_xr.render.cpu.scene import BLUE, CHUNK, GREEN, RED, ROWS
from sharp_xr.render.cpu.scratch import SLAB, Scratch
from sharp_xr.render.cpu.sorting import sort_keys
from sharp_xr.render.cpu.wide_projection import aspect_of

f32 = np.float32


@kernel
def sorted_splats(
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
        start, near = chunk * (ROWS * CHUNK), following * (ROWS * CHUNK)
        reach, aspect = reaches[chunk, 0], scratch.aspect
        records, boxes, depths = scratch.records, scratch.boxes, scratch.depths
        if lens.fast:
            count = gather_chunk_fast(
                rows, start, near, reach, aspect, width, height, records, boxes, depths, count
            )
        else:
            count = gather_chunk(
                rows, start, near, reach, aspect, width, height, records, boxes, depths, count
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
    floats = SHORT_RECORD if lens.fast else RECORD
    count = 0
    for member in range(len(members)):
        base = np.int64(members[member]) * (ROWS * CHUNK)
        chunk = rows[base : base + ROWS * CHUNK]
        project(chunk, camera, f32(left), f32(top), width, height, lens, projected)
        for i in range(CHUNK):
            if projected[KEPT * CHUNK + i] == 0:
                continue
            at = count * floats
            records[at], records[at + 1] = projected[i], projected[CHUNK + i]
            for k in range(QXX, PEAK):
                records[at + k] = projected[k * CHUNK + i] * scale
            records[at + PEAK] = projected[PEAK * CHUNK + i] * scale + bias
            red, green = chunk[RED * CHUNK + i], chunk[GREEN * CHUNK + i]
            blue, z = chunk[BLUE * CHUNK + i], projected[DEPTH * CHUNK + i]
            write_tint(records, at, red, green, blue, z, lens.fast)
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
