"""Simple solids as meshes at the origin, of which figures, plants, vessels and houses are made."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.mesh import UNTEXTURED, Mesh, flat_normals, joined

Float = NDArray[np.float32]
WHITE = (1.0, 1.0, 1.0)


def mesh_of(
    points: Float,
    normals: Float,
    uv: Float,
    texture: int = UNTEXTURED,
    color: tuple[float, float, float] | Float = WHITE,
) -> Mesh:
    """A matte mesh of one texture and one linear colour."""
    count = len(points)
    return Mesh(
        points.astype(np.float32),
        normals.astype(np.float32),
        uv.astype(np.float32),
        np.full(count, texture, np.int32),
        np.tile(np.asarray(color, np.float32), (count, 1)),
        np.zeros((count, 2), np.float32),
    )


def polished(mesh: Mesh, mirrors: float, clear: float = 0.0) -> Mesh:
    """The same, with a share of light that it mirrors and one that it lets by."""
    finish = np.broadcast_to(np.array([mirrors, clear], np.float32), mesh.finish.shape)
    return replace(mesh, finish=finish)


def quad(
    corners: Float,
    texture: int = UNTEXTURED,
    repeats: tuple[float, float] = (1, 1),
    color: Float | tuple[float, float, float] = WHITE,
) -> Mesh:
    """A flat quadrilateral, corners [4, 3] in turn, the texture `repeats` times along two sides."""
    c = np.asarray(corners, np.float32)
    points = np.stack([c[[0, 1, 2]], c[[0, 2, 3]]])
    u, v = repeats
    uv = np.array([[[0, 0], [u, 0], [u, v]], [[0, 0], [u, v], [0, v]]], np.float32)
    return mesh_of(points, flat_normals(points), uv, texture, color)


def box(
    size: tuple[float, float, float],
    texture: int = UNTEXTURED,
    tile_m: float = 1.0,
    color: Float | tuple[float, float, float] = WHITE,
) -> Mesh:
    """A box of x, y, z metres, its foot's middle at the origin, a texture tile `tile_m` wide."""
    w, h, d = size
    x, z = w / 2, d / 2
    low = [(-x, 0.0, -z), (x, 0.0, -z), (x, 0.0, z), (-x, 0.0, z)]
    high = [(a, h, c) for a, _, c in low]
    faces = [[low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]] for i in range(4)]
    faces += [high, low[::-1]]
    corners = np.array(faces, np.float32)  # [6, 4, 3]
    points = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    across = np.array([w, d, w, d, w, w], np.float32) / tile_m
    up = np.array([h, h, h, h, d, d], np.float32) / tile_m
    zero = np.zeros(6, np.float32)
    first = np.stack([zero, zero, across, zero, across, up], 1).reshape(6, 3, 2)
    second = np.stack([zero, zero, across, up, zero, up], 1).reshape(6, 3, 2)
    return mesh_of(points, flat_normals(points), np.concatenate([first, second]), texture, color)


@cache
def _sphere_grid(rings: int, sides: int) -> tuple[Float, Float]:
    """Unit sphere: corners [T, 3, 3] and uv [T, 3, 2]."""
    latitude, longitude = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, rings + 1),
        np.linspace(0, 2 * np.pi, sides + 1),
        indexing="ij",
    )
    xyz = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.sin(latitude),
            np.cos(latitude) * np.sin(longitude),
        ],
        -1,
    )
    uv = np.stack([longitude / (2 * np.pi), latitude / np.pi + 0.5], -1)
    return grid_triangles(xyz.astype(np.float32)), grid_triangles(uv.astype(np.float32))


def grid_triangles(grid: Float) -> Float:
    """[R, S, C] values at grid points -> [2 (R-1) (S-1), 3, C], two triangles a cell."""
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    pairs = np.stack([np.stack([a, c, b], 2), np.stack([a, d, c], 2)], 2)
    return pairs.reshape(-1, 3, grid.shape[-1])


def ellipsoid(
    center: Float | tuple[float, float, float],
    radii: tuple[float, float, float],
    texture: int = UNTEXTURED,
    color: Float | tuple[float, float, float] = WHITE,
    repeats: float = 1.0,
    rings: int = 10,
) -> Mesh:
    """Smoothly shaded, radii along x, y, z in metres."""
    unit, uv = _sphere_grid(rings, 2 * rings)
    r = np.asarray(radii, np.float32)
    normals = unit / r
    normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    return mesh_of(unit * r + np.asarray(center, np.float32), normals, uv * repeats, texture, color)


def limb(
    start: Float,
    end: Float,
    radii: tuple[float, float],
    texture: int = UNTEXTURED,
    color: Float | tuple[float, float, float] = WHITE,
    repeats: float = 1.0,
) -> Mesh:
    """A rounded, tapering cylinder from one point [3] to another: an arm, a trunk, a post."""
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    length = float(np.linalg.norm(end - start)) + 1e-6
    bulge = np.array([-1.0, -0.7, 0.0, 1.0, 1.7, 2.0])  # below 0 and above 1: the round ends
    r0, r1 = radii
    height = np.where(
        bulge < 0, bulge * r0, np.where(bulge > 1, length + (bulge - 1) * r1, bulge * length)
    )
    cap = np.clip(np.where(bulge < 0, -bulge, bulge - 1), 0, 1)
    radius = np.where(bulge < 0.5, r0, r1) * np.sqrt(np.maximum(1 - cap**2, 0))
    return lathe(height, radius, 12, texture, color, repeats).moved(
        _frame((end - start) / length), start
    )


def wire(
    points: Float, radius: float, color: Float | tuple[float, float, float] = (0.03, 0.03, 0.03)
) -> Mesh:
    """A cable or twig of that radius along points [K, 3], in straight pieces."""
    pieces = zip(points[:-1], points[1:], strict=True)
    return joined([limb(a, b, (radius, radius), color=color) for a, b in pieces])


def sagging(start: Float, end: Float, sag_m: float, pieces: int = 8) -> Float:
    """[pieces + 1, 3] points of something that hangs between two others: a parabola."""
    t = np.linspace(0, 1, pieces + 1)[:, None]
    drop = np.array([0, 4 * sag_m, 0]) * t * (1 - t)
    return (start + (end - start) * t - drop).astype(np.float32)


def _frame(up: Float) -> Float:
    """A rotation [3, 3] that takes y to the unit vector `up`."""
    side = np.array([1, 0, 0] if abs(up[0]) < 0.9 else [0, 0, 1], np.float32)
    x = np.cross(up, side)
    x /= np.linalg.norm(x)
    return np.stack([x, up, np.cross(x, up)], 1).astype(np.float32)


def lathe(
    height: NDArray[np.floating],
    radius: NDArray[np.floating],
    sides: int = 20,
    texture: int = UNTEXTURED,
    color: Float | tuple[float, float, float] = WHITE,
    repeats: float = 1.0,
) -> Mesh:
    """A profile, height [K] and radius [K] in metres, turned about the y axis; smoothly shaded."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    x, z = np.cos(angle), np.sin(angle)
    grid = np.stack(
        [np.outer(radius, x), np.repeat(height[:, None], sides + 1, 1), np.outer(radius, z)], -1
    )
    # A profile's normal is its direction turned by a right angle.
    dh, dr = np.gradient(height), np.gradient(radius)
    size = np.hypot(dh, dr) + 1e-9
    normal = np.stack(
        [
            np.outer(dh / size, x),
            np.repeat((-dr / size)[:, None], sides + 1, 1),
            np.outer(dh / size, z),
        ],
        -1,
    )
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(height), np.diff(radius)))])
    v = np.repeat((along / (along[-1] + 1e-9))[:, None], sides + 1, 1)
    u = np.repeat((angle / (2 * np.pi))[None], len(height), 0)
    uv = np.stack([u, v], -1) * repeats
    return mesh_of(
        grid_triangles(grid.astype(np.float32)),
        grid_triangles(normal.astype(np.float32)),
        grid_triangles(uv.astype(np.float32)),
        texture,
        color,
    )


def leaves(
    centers: Float,
    size_m: float,
    rng: np.random.Generator,
    texture: int = UNTEXTURED,
    color: Float | tuple[float, float, float] = WHITE,
) -> Mesh:
    """A triangle of about `size_m` at each centre [N, 3], at a random angle, of its own shade.

    Light falls on them as on the crown's outside, more or less: leaves let it by.
    """
    corners = rng.normal(0, size_m * 0.6, (len(centers), 3, 3)).astype(np.float32)
    points = centers[:, None] + corners
    uv = rng.random((len(centers), 1, 2)) + corners[..., :2] / (8 * size_m)
    outward = centers - centers.mean(0)
    outward = outward / (np.linalg.norm(outward, axis=1, keepdims=True) + 1e-6)
    normal = outward + np.array([0, 0.4, 0]) + rng.normal(0, 0.35, centers.shape)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    normals = np.repeat(normal[:, None], 3, 1).astype(np.float32)
    mesh = mesh_of(points, normals, uv, texture, color)
    shade = rng.uniform(0.55, 1.2, (len(centers), 1)).astype(np.float32)
    return replace(mesh, color=mesh.color * shade)
