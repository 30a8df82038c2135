"""Heads: a sphere pushed in and out into a face, with eyes, hair, ears, hats and glasses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import figures, shapes, textures
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, turn_about_y

Float = NDArray[np.float32]
Rng = np.random.Generator
vec = figures.vec

HEAD_Y = 0.93
"""The middle of a head, in units of the body's height."""
BUMPS = (
    # direction of the middle (x, y, z), width in radians, height as a share of the radius
    ((0.0, -0.16, 1.0), 0.13, 0.24),  # nose
    ((0.0, 0.02, 1.0), 0.1, 0.08),  # its bridge
    ((0.33, 0.12, 0.93), 0.17, -0.09),  # eye sockets
    ((-0.33, 0.12, 0.93), 0.17, -0.09),
    ((0.3, 0.32, 0.9), 0.16, 0.03),  # brows
    ((-0.3, 0.32, 0.9), 0.16, 0.03),
    ((0.5, -0.2, 0.8), 0.25, 0.04),  # cheeks
    ((-0.5, -0.2, 0.8), 0.25, 0.04),
    ((0.0, -0.52, 0.85), 0.16, 0.06),  # mouth
    ((0.0, -0.86, 0.6), 0.25, 0.1),  # chin
    ((0.75, -0.6, 0.3), 0.4, -0.12),  # below the ears
    ((-0.75, -0.6, 0.3), 0.4, -0.12),
)


@cache
def _directions(rings: int = 30) -> Float:
    """[R, S, 3] unit directions over the sphere, dense to the front (+z)."""
    polar = np.linspace(0, 1, rings) ** 1.5 * np.pi  # from the nose to the back
    around = np.linspace(0, 2 * np.pi, 2 * rings + 1)
    p, a = np.meshgrid(polar, around, indexing="ij")
    grid = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1)
    return grid.astype(np.float32)


def skull(rng: Rng, skin: int) -> Mesh:
    """A head about the origin, 1 high and wide, before it is stretched."""
    d = _directions()
    radius = np.ones(d.shape[:2], np.float32)
    for middle, width, height in BUMPS:
        m = np.array(middle) / np.linalg.norm(middle)
        apart = np.arccos(np.clip(d @ m, -1, 1))
        high = height * rng.uniform(0.6, 1.5)
        radius += (high * np.exp(-0.5 * (apart / (width * rng.uniform(0.85, 1.2))) ** 2)).astype(
            np.float32
        )
    points = d * radius[..., None]
    across, along = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normal = np.cross(across, along)
    normal *= np.sign((normal * d).sum(-1, keepdims=True) + 1e-12)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    normal = np.where(length > 1e-9, normal / (length + 1e-12), d)
    uv = np.stack([d[..., 0], d[..., 1]], -1) * 0.5
    corners = shapes.grid_triangles(points.astype(np.float32))
    mesh = shapes.mesh_of(
        corners,
        shapes.grid_triangles(normal.astype(np.float32)),
        shapes.grid_triangles(uv.astype(np.float32)),
        skin,
    )
    return replace(mesh, color=_makeup(rng, corners.mean(1)))


def _makeup(rng: Rng, middles: Float) -> Float:
    """[T, 3] tint of a face's triangles by where they are: lips, brows, cheeks, a beard."""
    d = middles / np.linalg.norm(middles, axis=1, keepdims=True)
    x, y, z = np.abs(d[:, 0]), d[:, 1], d[:, 2]
    color = np.ones((len(d), 3), np.float32)
    lips = ((x / 0.2) ** 2 + ((y + 0.5) / 0.07) ** 2 < 1) & (z > 0)
    color[lips] *= np.array([0.8, 0.4, 0.4]) * rng.uniform(0.8, 1.2)
    brows = (np.abs(y - 0.33 + 0.1 * x) < 0.035) & (x > 0.12) & (x < 0.45) & (z > 0)
    color[brows] *= float(rng.uniform(0.15, 0.5))
    if rng.random() < 0.2:
        beard = (y < -0.3) & (z > 0.1) & ~lips
        color[beard] *= float(rng.uniform(0.2, 0.6))
    return color


def head(rng: Rng, scene: SceneBuilder, skin: int, turn: float, nod: float) -> list[Mesh]:
    """Head, hair, eyes, ears and neck, in units of the body's height, on a body facing +z.

    Turned to the side and forwards by so many radians; `skin` is a texture of the scene.
    """
    zero = vec(0, 0, 0)
    size = vec(0.043, 0.062, 0.052) * np.float32(rng.uniform(0.92, 1.08))
    bone = skull(rng, skin).stretched(size)
    hair = scene.add_texture(textures.fur(rng))
    tint = (np.array([1, 0.85, 0.7]) * rng.uniform(0.05, 0.9)).astype(np.float32)
    parts = [bone]
    if rng.random() < 0.93:
        parts.append(
            shapes.ellipsoid((0, 0.014, -0.011), (0.048, 0.06, 0.053), hair, tint, repeats=2)
        )
    if rng.random() < 0.45:  # long
        down = float(rng.uniform(0.05, 0.12))
        parts.append(
            shapes.ellipsoid((0, -0.03, -0.03), (0.056, down, 0.032), hair, tint, repeats=2)
        )
    if rng.random() < 0.15:  # a hat or cap
        cap = textures.random_color(rng, 0.05, 0.9, 0.2) ** np.float32(2.2)
        parts.append(shapes.ellipsoid((0, 0.034, -0.004), (0.053, 0.042, 0.06), color=cap))
        parts.append(shapes.ellipsoid((0, 0.03, 0.05), (0.045, 0.004, 0.04), color=cap))
    iris = textures.random_color(rng, 0.05, 0.5, 0.12) ** np.float32(2.2)
    for side in (-1, 1):
        eye = vec(0.0165 * side, 0.0075, 0.0425)
        white, ring = (0.75, 0.73, 0.72), (0.0042, 0.0042, 0.002)
        parts.append(shapes.ellipsoid(eye, (0.0085, 0.0052, 0.006), color=white, rings=8))
        parts.append(shapes.ellipsoid(eye + vec(0, 0, 0.005), ring, color=iris, rings=6))
        dark = tuple(0.5 * r for r in ring)
        parts.append(
            shapes.ellipsoid(eye + vec(0, 0, 0.0064), (dark[0], dark[1], dark[2]), color=BLACK)
        )
        ear = (0.046 * side, 0.0, -0.004)
        parts.append(shapes.ellipsoid(ear, (0.006, 0.016, 0.01), skin))
        if side > 0 and rng.random() < 0.25:
            parts += _glasses()
    turned = [p.moved(turn_about_y(turn) @ figures.tilt(nod), zero) for p in parts]
    lifted = [p.moved(np.eye(3, dtype=np.float32), vec(0, HEAD_Y, 0.005)) for p in turned]
    neck = shapes.limb(vec(0, 0.8, -0.008), vec(0, 0.91, 0), (0.034, 0.03), skin)
    return [*lifted, neck]


BLACK = (0.012, 0.012, 0.012)


def _glasses() -> list[Mesh]:
    parts = []
    for side in (-1, 1):
        middle = vec(0.0175 * side, 0.006, 0.055)
        corner = [vec(x * 0.015, y * 0.011, 0) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        ends = [middle + c for c in corner]
        for a, b in zip(ends, [*ends[1:], ends[0]], strict=True):
            parts.append(shapes.limb(a, b, (0.001, 0.001), color=BLACK))
        temple = vec(0.034 * side, 0.012, 0.05)
        parts.append(
            shapes.limb(temple, vec(0.046 * side, 0.01, -0.005), (0.001, 0.001), color=BLACK)
        )
    return parts
