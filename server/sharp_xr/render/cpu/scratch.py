"""What one thread needs to draw a tile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.binning import TILE
from sharp_xr.render.cpu.blending import BLOCK, KEPT_STATE, PADDING, STATE
from sharp_xr.render.cpu.projection import RESULT_SIZE
from sharp_xr.render.cpu.records import RECORD
from sharp_xr.render.cpu.sorting import HISTOGRAM_SIZE
from sharp_xr.render.cpu.wide_projection import ASPECT

UInt32 = NDArray[np.uint32]

SLAB = 65_535
"""Splats that 16 bits can number, and one number left for the record that nobody sees."""
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
