"""Which splats the tiles have, noted on the way forward for the way back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.blending import PADDING, bits_of
from sharp_xr.render.cpu.compilation import kernel
from sharp_xr.render.cpu.records import R_BLUE, RECORD
from sharp_xr.render.cpu.scene import CHUNK, ROWS, X, Y, Z
from sharp_xr.render.cpu.scratch import Scratch
from sharp_xr.render.cpu.sorting import sort_keys

f32 = np.float32
UInt32 = NDArray[np.uint32]


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
            place = np.int64(bits_of(scratch.records[splat * RECORD + R_BLUE]))
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
        place = np.int64(bits_of(records[splat * RECORD + R_BLUE]))
        at = place // CHUNK * (ROWS * CHUNK) + place % CHUNK
        x, y = np.float64(rows[at + X * CHUNK]), np.float64(rows[at + Y * CHUNK])
        z = np.float64(rows[at + Z * CHUNK])
        inverse = 1.0 / (r20 * x + r21 * y + r22 * z + t2)
        centers[2 * splat] = f32((r00 * x + r01 * y + r02 * z + t0) * inverse * fx + cx)
        centers[2 * splat + 1] = f32((r10 * x + r11 * y + r12 * z + t1) * inverse * fy + cy)


@kernel
def note_order(count: int, scratch: Scratch, numbers: UInt32) -> None:
    """The splats' numbers, nearest first."""
    keys, depths = scratch.keys, scratch.depths
    lowest, highest = np.uint32(0xFFFFFFFF), np.uint32(0)
    for i in range(count):
        order = np.uint32(bits_of(depths[i]))
        lowest, highest = min(lowest, order), max(highest, order)
        keys[i] = (np.uint64(order) << np.uint64(32)) | np.uint64(i)
    if count > 1:
        spare, histogram = scratch.spare_keys, scratch.histogram
        first, last = np.uint64(lowest), np.uint64(highest)
        sort_keys(keys, spare, count, first, last, False, histogram)
    for i in range(count):
        numbers[i] = np.uint32(keys[i])
