"""How much of each light a pixel's surface sees: soft shadows and ambient occlusion.

One ray a pixel and light. Each of 4 x 4 neighbouring pixels aims at another of 16 points spread
over the lamp (or the hemisphere), and each then takes the mean of the 4 x 4 around it that lie on
the same surface: interleaved sampling (Keller and Heidrich 2001), 16 samples for the price of one.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.scene import Hits, Scene, is_free, objects_of

Float = NDArray[np.float32]

TILE = 4
"""Pixels along a side within which no two take the same sample."""


def visibility(scene: Scene, origin: Float, directions: Float, hits: Hits, width: int) -> Float:
    """[L + 1, H W] share of each lamp, and last of the surroundings, that each pixel sees.

    Args:
        scene: what casts the shadows.
        origin: [3] the eye.
        directions: [H W, 3] the ray of each pixel, row by row.
        hits: what those rays meet; the sky has 1 everywhere.
        width: W, pixels.
    """
    lights = scene.lights
    height = len(directions) // width
    seen = np.ones((len(lights.position) + 1, height * width), np.float32)
    there = np.flatnonzero(hits.triangle >= 0)
    normals = scene.faces[hits.triangle[there]]
    points = np.empty((len(there), 3), np.float32)
    _lift(origin, directions[there], hits.distance[there], normals, points)
    sample = _tile_index(height, width)[there]
    towards, reach = np.empty_like(points), np.empty(len(points), np.float32)
    for i in range(len(lights.position)):
        _aim(points, lights.position[i], lights.radius[i] * _ball(), sample, towards, reach)
        lit = _faces(normals, towards)
        shadow = is_free(scene, points[lit], towards[lit], reach[lit] - 0.02)
        seen[i, there] = 0
        seen[i, there[lit]] = shadow
    _scatter(normals, _disk(), sample, towards)
    reach[:] = lights.reach_m
    seen[-1, there] = is_free(scene, points, towards, reach)
    return _smoothed(scene, hits, seen.reshape(-1, height, width)).reshape(seen.shape)


def _tile_index(height: int, width: int) -> NDArray[np.int64]:
    """[H W] 0 to 15, each once in every 4 x 4 pixels."""
    y, x = np.mgrid[:height, :width]
    return np.asarray(((y % TILE) * TILE + x % TILE).reshape(-1), np.int64)


def _disk() -> Float:
    """[16, 2] points spread evenly over the unit disk (Vogel's spiral)."""
    k = np.arange(TILE * TILE) * 7 % (TILE * TILE)  # neighbours in a row lie far apart
    radius, angle = np.sqrt((k + 0.5) / (TILE * TILE)), k * 2.39996323
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).astype(np.float32)


def _ball() -> Float:
    """[16, 3] points spread evenly over the unit sphere's surface (a Fibonacci lattice)."""
    k = np.arange(TILE * TILE) * 7 % (TILE * TILE)
    y = 1 - 2 * (k + 0.5) / (TILE * TILE)
    ring, angle = np.sqrt(1 - y * y), k * 2.39996323
    return np.stack([ring * np.cos(angle), y, ring * np.sin(angle)], 1).astype(np.float32)


@nb.njit(fastmath=True, cache=True)
def _lift(origin, directions, distance, normals, points):  # type: ignore[no-untyped-def]
    """Writes points [P, 3], a little above the surface, and turns its normals towards the eye."""
    for i in range(len(distance)):
        facing = np.float32(0)
        for c in range(3):
            facing += normals[i, c] * directions[i, c]
        sign = np.float32(-1 if facing > 0 else 1)
        above = np.float32(1e-3) + np.float32(5e-4) * distance[i]
        for c in range(3):
            normals[i, c] *= sign
            points[i, c] = origin[c] + directions[i, c] * distance[i] + normals[i, c] * above


@nb.njit(fastmath=True, cache=True)
def _aim(points, light, offsets, sample, towards, reach):  # type: ignore[no-untyped-def]
    """Writes unit directions [P, 3] to each point's sample of the light, and its distance [P].

    A sun is 10 km away.
    """
    for i in range(len(points)):
        square = np.float32(0)
        for c in range(3):
            d = light[c] + offsets[sample[i], c]
            d = d - points[i, c] if light[3] > 0 else d * np.float32(1e4)
            towards[i, c] = d
            square += d * d
        reach[i] = np.sqrt(square)
        for c in range(3):
            towards[i, c] /= reach[i] + np.float32(1e-9)


@nb.njit(fastmath=True, cache=True)
def _faces(normals, towards):  # type: ignore[no-untyped-def]
    """[P] whether each surface faces that way: the others need no ray to be dark."""
    out = np.empty(len(normals), np.bool_)
    for i in range(len(normals)):
        out[i] = (
            normals[i, 0] * towards[i, 0]
            + normals[i, 1] * towards[i, 1]
            + normals[i, 2] * towards[i, 2]
        ) > 0
    return out


@nb.njit(fastmath=True, cache=True)
def _scatter(normals, disk, sample, out):  # type: ignore[no-untyped-def]
    """Writes unit directions [P, 3] about each normal, as dense as their cosine (Malley's method).

    The frame about a normal: Duff et al. 2017, "Building an Orthonormal Basis".
    """
    for i in range(len(normals)):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        sign = np.float32(1 if z >= 0 else -1)
        a = np.float32(-1) / (sign + z)
        b = x * y * a
        u, v = disk[sample[i], 0], disk[sample[i], 1]
        up = np.sqrt(np.float32(1) - u * u - v * v)
        out[i, 0] = u * (1 + sign * x * x * a) + v * b + up * x
        out[i, 1] = u * sign * b + v * (sign + y * y * a) + up * y
        out[i, 2] = -u * sign * x - v * y + up * z


def _smoothed(scene: Scene, hits: Hits, seen: Float) -> Float:
    """[C, H, W] means over the tile around each pixel, of those on the same surface."""
    shape = seen.shape[1:]
    subject = objects_of(scene, hits).reshape(shape)
    normal = scene.faces[hits.triangle].reshape(*shape, 3)
    out = np.empty_like(seen)
    _average(seen, subject, normal, out)
    return out


@nb.njit(fastmath=True, cache=True)
def _average(seen, subject, normal, out):  # type: ignore[no-untyped-def]
    """5 x 5 pixels, the outer ones by half: just one tile's worth, with the pixel in its middle."""
    channels, h, w = seen.shape
    total = np.zeros(channels, np.float32)
    for y in range(h):
        for x in range(w):
            weight = np.float32(0)
            total[:] = 0
            n0, n1, n2 = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            for dy in range(-2, 3):
                j = y + dy
                if j < 0 or j >= h:
                    continue
                for dx in range(-2, 3):
                    i = x + dx
                    if i < 0 or i >= w or subject[j, i] != subject[y, x]:
                        continue
                    same = normal[j, i, 0] * n0 + normal[j, i, 1] * n1 + normal[j, i, 2] * n2
                    if abs(same) < 0.9:
                        continue
                    share = np.float32(0.5 if abs(dy) == 2 else 1) * np.float32(
                        0.5 if abs(dx) == 2 else 1
                    )
                    weight += share
                    for c in range(channels):
                        total[c] += share * seen[c, j, i]
            for c in range(channels):
                out[c, y, x] = total[c] / weight if weight > 0 else seen[c, y, x]
