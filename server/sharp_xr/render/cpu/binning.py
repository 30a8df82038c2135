"""Which chunks each tile of 64 x 64 pixels has to look at, from the chunks' hulls.

One view is one job. A hull is cut at the near plane, projected and widened by how far its Gaussians
reach. The rectangle of a chunk that straddles the near plane, or that holds one huge Gaussian among
small ones, covers many tiles of which few are touched: such a chunk is projected once, and only the
tiles that one of its Gaussians touches get it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.compilation import allocating_kernel, kernel
from sharp_xr.render.cpu.projection import (
    KEPT,
    RESULT_SIZE,
    X0,
    X1,
    Y0,
    Y1,
    Lens,
    project,
)
from sharp_xr.render.cpu.scene import CHUNK, ROWS, CpuScene

f32 = np.float32

TILE = 64
"""Pixels a side."""
LOOSE = 6
"""Tiles under a hull from which on looking at the Gaussians themselves pays."""
ROOM = 1.25
"""How much more than needed a buffer gets when it has to grow."""
EDGE_BITS = (1, 2, 4)
"""Corner c of a hull has an edge to corner c ^ bit."""


def tiles_along(pixels: int) -> int:
    """Tiles that cover so many pixels."""
    return -(-pixels // TILE)


class Bins:
    """One view's lists of chunks per tile, in buffers that grow."""

    def __init__(self) -> None:
        self.pairs = np.empty((4096, 2), np.int32)
        self.members = np.empty(4096, np.int32)
        self.offsets = np.empty(0, np.int32)

    def fill(self, scene: CpuScene, camera: Float32, lens: Lens) -> None:
        tiles = tiles_along(lens.width) * tiles_along(lens.height)
        if len(self.offsets) != tiles + 1:
            self.offsets = np.empty(tiles + 1, np.int32)
        while (needed := self._fill(scene, camera, lens)) > len(self.members):
            room = int(needed * ROOM)
            self.pairs, self.members = np.empty((room, 2), np.int32), np.empty(room, np.int32)

    def _fill(self, scene: CpuScene, camera: Float32, lens: Lens) -> int:
        return bin_view(
            scene.rows,
            scene.hulls,
            scene.reaches,
            camera,
            lens,
            self.pairs,
            self.members,
            self.offsets,
        )

    def most_splats(self) -> int:
        """On any one tile, at most."""
        return int(np.diff(self.offsets).max()) * CHUNK


@allocating_kernel
def bin_view(
    rows: Float32,
    hulls: Float32,
    reaches: Float32,
    camera: Float32,
    lens: Lens,
    pairs: NDArray[np.int32],
    members: NDArray[np.int32],
    offsets: NDArray[np.int32],
) -> int:
    """Tile t gets the chunks members[offsets[t] : offsets[t + 1]].

    ``pairs`` [P, 2] and ``members`` [P] are room to work in. Returns how much room was needed: if
    that is more than P, nothing else holds and the call wants repeating with more.
    """
    tiles_x = (lens.width + TILE - 1) // TILE
    touched = np.zeros(len(offsets) - 1, np.bool_)
    projected = np.empty(RESULT_SIZE, np.float32)
    points = np.empty((8, 3), np.float32)
    rectangle = np.empty(4, np.int32)
    count = 0
    for chunk in range(len(hulls)):
        if not tile_rectangle(hulls[chunk], reaches[chunk], camera, lens, points, rectangle):
            continue
        x0, x1, y0, y1 = rectangle[0], rectangle[1], rectangle[2], rectangle[3]
        loose = (x1 - x0 + 1) * (y1 - y0 + 1) >= LOOSE
        if loose:
            base = chunk * ROWS * CHUNK
            whole = rows[base : base + ROWS * CHUNK]
            width, height = f32(lens.width), f32(lens.height)
            project(whole, camera, f32(0), f32(0), width, height, lens, projected)
            mark_tiles(projected, tiles_x, touched)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                tile = y * tiles_x + x
                if loose and not touched[tile]:
                    continue
                touched[tile] = False
                if count < len(pairs):
                    pairs[count, 0], pairs[count, 1] = tile, chunk
                count += 1
    if count <= len(pairs):
        sort_pairs(pairs, count, members, offsets)
    return count


@kernel
def tile_rectangle(
    hull: Float32,
    reach: Float32,
    camera: Float32,
    lens: Lens,
    points: Float32,
    rectangle: NDArray[np.int32],
) -> bool:
    """First and last column, first and last row of tiles that may be touched; False if none."""
    nearest, farthest = f32(np.inf), f32(-np.inf)
    for corner in range(8):
        x, y, z = hull[corner, 0], hull[corner, 1], hull[corner, 2]
        for axis in range(3):
            points[corner, axis] = (
                camera[3 * axis] * x
                + camera[3 * axis + 1] * y
                + camera[3 * axis + 2] * z
                + camera[9 + axis]
            )
        nearest, farthest = min(nearest, points[corner, 2]), max(farthest, points[corner, 2])
    if farthest < lens.near:
        return False
    u0, u1, v0, v1 = bounds_ahead(points, max(lens.near, nearest))
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    width, height = f32(lens.width), f32(lens.height)
    # The Jacobian's norm is at most f / z sqrt(1 + u^2 + v^2), with u and v clamped as there.
    u_most = min(max(abs(u0), abs(u1)), f32(1.3) * max(cx, width - cx) / fx)
    v_most = min(max(abs(v0), abs(v1)), f32(1.3) * max(cy, height - cy) / fy)
    slant = f32(1) + u_most * u_most + v_most * v_most
    scale = reach[0] * max(fx, fy) / max(lens.near, nearest)
    rim = math.sqrt(scale * scale * slant + reach[1] * reach[1] * lens.eps2d) + f32(1)
    x0, x1 = u0 * fx + cx - rim, u1 * fx + cx + rim
    y0, y1 = v0 * fy + cy - rim, v1 * fy + cy + rim
    # Written so that a NaN is not on the picture.
    if not ((x1 > 0) & (y1 > 0) & (x0 < width) & (y0 < height)):
        return False
    rectangle[0] = int(max(x0, f32(0))) // TILE
    rectangle[1] = int(min(x1, width - f32(1))) // TILE
    rectangle[2] = int(max(y0, f32(0))) // TILE
    rectangle[3] = int(min(y1, height - f32(1))) // TILE
    return True


@kernel
def bounds_ahead(
    points: Float32, near: np.float32
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Bounds of x/z and y/z over the part of the hull that is not before the near plane."""
    u0, u1 = f32(np.inf), f32(-np.inf)
    v0, v1 = f32(np.inf), f32(-np.inf)
    for corner in range(8):
        x, y, z = points[corner, 0], points[corner, 1], points[corner, 2]
        if z >= near:
            u0, u1 = min(u0, x / z), max(u1, x / z)
            v0, v1 = min(v0, y / z), max(v1, y / z)
            continue
        for bit in EDGE_BITS:
            other = corner ^ bit
            other_z = points[other, 2]
            if other_z > near:
                share = (near - z) / (other_z - z)
                u = (x + share * (points[other, 0] - x)) / near
                v = (y + share * (points[other, 1] - y)) / near
                u0, u1, v0, v1 = min(u0, u), max(u1, u), min(v0, v), max(v1, v)
    return u0, u1, v0, v1


@kernel
def mark_tiles(projected: Float32, tiles_x: int, touched: NDArray[np.bool_]) -> None:
    """Set the tiles that the box of any projected Gaussian touches."""
    for i in range(CHUNK):
        if projected[KEPT * CHUNK + i] != 0:
            x0, x1 = int(projected[X0 * CHUNK + i]) // TILE, int(projected[X1 * CHUNK + i]) // TILE
            y0, y1 = int(projected[Y0 * CHUNK + i]) // TILE, int(projected[Y1 * CHUNK + i]) // TILE
            for y in range(y0, y1 + 1):
                touched[y * tiles_x + x0 : y * tiles_x + x1 + 1] = True


@kernel
def sort_pairs(
    pairs: NDArray[np.int32], count: int, members: NDArray[np.int32], offsets: NDArray[np.int32]
) -> None:
    """Counting sort by tile."""
    offsets[:] = 0
    for i in range(count):
        offsets[pairs[i, 0] + 1] += 1
    for tile in range(1, len(offsets)):
        offsets[tile] += offsets[tile - 1]
    # Each start moves to its end, which is the next one's start, while its tile is filled.
    for i in range(count):
        tile = pairs[i, 0]
        members[offsets[tile]] = pairs[i, 1]
        offsets[tile] += 1
    for tile in range(len(offsets) - 1, 0, -1):
        offsets[tile] = offsets[tile - 1]
    offsets[0] = 0
