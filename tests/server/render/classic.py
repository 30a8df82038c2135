"""The classic tile algorithm, as gsplat has it on a GPU, in plain numba: what ours is measured by.

Project every Gaussian; one 64-bit key (tile, depth) for each tile of 16 x 16 pixels that it
touches; sort all keys of the picture; blend each tile front to back, a row of 16 pixels at a time
and only the rows that a splat reaches, until no pixel of the tile is open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render import Frame, RenderSettings, View, check_views
from sharp_xr.render.cpu.blending import float_of, srgb
from sharp_xr.render.cpu.compilation import FAST_MATH
from sharp_xr.render.cpu.projection import (
    DEPTH,
    KEPT,
    PEAK,
    RESULT_SIZE,
    X0,
    X1,
    Y0,
    Y1,
    Lens,
    camera_row,
    lens_of,
    project,
)
from sharp_xr.render.cpu.scene import BLUE, CHUNK, GREEN, LOG2_255, RED, ROWS, CpuScene

f32 = np.float32
F = TypeVar("F", bound=Callable[..., Any])
TILE = 16
SPLAT = 14
"""Floats per splat: centre, quadratic form, peak, colour, depth, box."""
DIGIT_BITS = 11
Keys = NDArray[np.uint64]


def compiled(function: F) -> F:
    options: Any = {"fastmath": FAST_MATH, "nogil": True, "error_model": "numpy", "cache": True}
    return cast(F, numba.njit(**options)(function))


def render_classic(
    scene: CpuScene, views: Sequence[View], settings: RenderSettings = RenderSettings()
) -> Frame:
    """The same picture as the renderers', up to decisions that rounding turns."""
    width, height = check_views(views)
    lens = lens_of(width, height, settings)
    frame = Frame(
        np.empty((len(views), 3, height, width), np.float32),
        np.empty((len(views), height, width), np.float32),
        np.empty((len(views), height, width), np.float32),
    )
    for k, view in enumerate(views):
        splats = np.empty((len(scene.rows) // ROWS, SPLAT), np.float32)
        count, pairs = project_all(scene.rows, camera_row(view), lens, splats)
        keys, order = np.empty(pairs, np.uint64), np.empty(pairs, np.uint32)
        list_pairs(splats[:count], lens, keys, order)
        tiles = -(-width // TILE) * -(-height // TILE)
        keys, order = sorted_pairs(keys, order, 32 + tiles.bit_length())
        blend_tiles(splats, keys, order, lens, frame.rgb[k], frame.depth[k], frame.alpha[k])
    return frame


@compiled
def project_all(rows: Float32, camera: Float32, lens: Lens, splats: Float32) -> tuple[int, int]:
    """How many splats, and how many pairs of a splat and a tile."""
    result = np.empty(RESULT_SIZE, np.float32)
    count = pairs = 0
    width, height = f32(lens.width), f32(lens.height)
    for base in range(0, len(rows), ROWS * CHUNK):
        chunk = rows[base : base + ROWS * CHUNK]
        project(chunk, camera, f32(0), f32(0), width, height, lens, result)
        for i in range(CHUNK):
            if result[KEPT * CHUNK + i] == 0:
                continue
            splat = splats[count]
            for k in range(PEAK + 1):
                splat[k] = result[k * CHUNK + i]
            splat[6], splat[7] = chunk[RED * CHUNK + i], chunk[GREEN * CHUNK + i]
            splat[8], splat[9] = chunk[BLUE * CHUNK + i], result[DEPTH * CHUNK + i]
            for k, row in enumerate((X0, X1, Y0, Y1)):
                splat[10 + k] = result[row * CHUNK + i]
            across = int(splat[11]) // TILE - int(splat[10]) // TILE + 1
            pairs += across * (int(splat[13]) // TILE - int(splat[12]) // TILE + 1)
            count += 1
    return count, pairs


@compiled
def list_pairs(splats: Float32, lens: Lens, keys: Keys, order: NDArray[np.uint32]) -> None:
    tiles_x = (lens.width + TILE - 1) // TILE
    depths = splats[:, 9].copy().view(np.uint32)
    place = 0
    for i in range(len(splats)):
        splat = splats[i]
        for y in range(int(splat[12]) // TILE, int(splat[13]) // TILE + 1):
            for x in range(int(splat[10]) // TILE, int(splat[11]) // TILE + 1):
                tile = np.uint64(y * tiles_x + x)
                keys[place] = (tile << np.uint64(32)) | np.uint64(depths[i])
                order[place] = i
                place += 1


@compiled
def sorted_pairs(
    keys: Keys, order: NDArray[np.uint32], bits: int
) -> tuple[Keys, NDArray[np.uint32]]:
    """Radix sort, least digit first."""
    spare_keys, spare_order = np.empty_like(keys), np.empty_like(order)
    mask = np.uint64((1 << DIGIT_BITS) - 1)
    for shift in range(0, bits, DIGIT_BITS):
        places = np.zeros((1 << DIGIT_BITS) + 1, np.int64)
        for key in keys:
            places[np.int64((key >> np.uint64(shift)) & mask) + 1] += 1
        places = np.cumsum(places)
        for i in range(len(keys)):
            digit = np.int64((keys[i] >> np.uint64(shift)) & mask)
            spare_keys[places[digit]], spare_order[places[digit]] = keys[i], order[i]
            places[digit] += 1
        keys, spare_keys, order, spare_order = spare_keys, keys, spare_order, order
    return keys, order


@compiled
def blend_tiles(
    splats: Float32,
    keys: Keys,
    order: NDArray[np.uint32],
    lens: Lens,
    rgb: Float32,
    depth: Float32,
    alpha: Float32,
) -> None:
    tiles_x, tiles_y = (lens.width + TILE - 1) // TILE, (lens.height + TILE - 1) // TILE
    state = np.empty((TILE, 6 * TILE), np.float32)
    first = 0
    for tile in range(tiles_x * tiles_y):
        last = first
        while last < len(keys) and np.int64(keys[last] >> np.uint64(32)) == tile:
            last += 1
        left, top = tile % tiles_x * TILE, tile // tiles_x * TILE
        state[:, :TILE] = 1
        state[:, TILE:] = 0
        for i in range(first, last):
            blend_splat(splats[order[i]], f32(left), f32(top), lens.max_alpha, state)
            if i & 15 == 15 and state[:, :TILE].max() <= f32(1e-4):
                break
        store_tile(state, left, top, lens, rgb, depth, alpha)
        first = last


@compiled
def blend_splat(
    splat: Float32, left: np.float32, top: np.float32, max_alpha: np.float32, state: Float32
) -> None:
    px, py, qxx, qxy, qyy, peak = splat[0], splat[1], splat[2], splat[3], splat[4], splat[5]
    red, green, blue, z = splat[6], splat[7], splat[8], splat[9]
    for row in range(max(int(splat[12] - top), 0), min(int(splat[13] - top) + 1, TILE)):
        dy = top + f32(row) + f32(0.5) - py
        line = state[row]
        for i in range(TILE):
            dx = left + f32(i) + f32(0.5) - px
            power = (qxx * dx + qxy * dy) * dx + (qyy * dy * dy + peak)
            opacity = min(exp2(power), max_alpha)
            opacity = opacity if power >= -LOG2_255 else f32(0)
            after = line[i] * (f32(1) - opacity)
            weight = line[i] * opacity if after > f32(1e-4) else f32(0)
            line[i] = after
            line[TILE + i] += weight * red
            line[2 * TILE + i] += weight * green
            line[3 * TILE + i] += weight * blue
            line[4 * TILE + i] += weight * z
            line[5 * TILE + i] += weight


@compiled
def exp2(power: np.float32) -> np.float32:
    """See blending.py."""
    whole = np.floor(power + f32(0.5))
    f = power - whole
    curve = f32(0.05591786210492883) + f32(0.00957010165204712) * f
    curve = (curve * f + f32(0.24024744849965343)) * f + f32(0.6931218145214743)
    exponent = np.int32(np.int32(max(whole, f32(-126))) + np.int32(127)) << np.int32(23)
    mantissa = curve * f + f32(0.9999992614341604)
    return f32(mantissa * float_of(np.int32(exponent)))


@compiled
def store_tile(
    state: Float32, left: int, top: int, lens: Lens, rgb: Float32, depth: Float32, alpha: Float32
) -> None:
    for y in range(min(TILE, lens.height - top)):
        for x in range(min(TILE, lens.width - left)):
            line, at_y, at_x = state[y], top + y, left + x
            cover = line[5 * TILE + x]
            gap = f32(1) - cover
            rgb[0, at_y, at_x] = srgb(line[TILE + x] + gap * lens.red)
            rgb[1, at_y, at_x] = srgb(line[2 * TILE + x] + gap * lens.green)
            rgb[2, at_y, at_x] = srgb(line[3 * TILE + x] + gap * lens.blue)
            depth[at_y, at_x] = line[4 * TILE + x] / max(cover, f32(1e-10))
            alpha[at_y, at_x] = cover
