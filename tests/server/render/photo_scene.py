"""A scene as SHARP makes them, from a real photo and made-up depth: no network is asked.

Two layers of a grid of cells. The first lies on what the photo shows, the second behind it. The
geometry is that of SHARP's initializer (``model/initializer.py``): a Gaussian's deviation is one
cell at its depth, times a random anisotropic factor in the place of what the network would say.
Depth, 1 to 20 m, is a room with a wall, a floor, balls and thin posts: long edges, as photos have.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (  # type: ignore[import-untyped]
    gaussian_filter,
    maximum_filter,
    zoom,
)

from sharp_xr.gaussians import Gaussians, linear_from_srgb
from sharp_xr.render import View

Array = NDArray[np.float32]

FIELD = math.radians(60.0)
"""What the photo sees across."""
FILL = 0.75
"""Deviation of a Gaussian in cells, the median."""
BALLS = (
    (0.30, 0.60, 0.13, 3.0),
    (0.72, 0.55, 0.17, 5.0),
    (0.50, 0.42, 0.09, 8.0),
    (0.12, 0.35, 0.10, 10.0),
    (0.86, 0.86, 0.15, 1.6),
    (0.55, 0.80, 0.12, 1.2),
)
"""Centre and radius as shares of the picture, metres away."""


@cache
def photo_scene(cells: int = 768, photo: str = "astronaut", seed: int = 0) -> Gaussians:
    """2 * cells^2 Gaussians, layer by layer, row by row, from one of scikit-image's photos."""
    random = np.random.default_rng(seed)
    picture = square_photo(photo, cells)
    surface = room_depth(random, cells)
    behind = gaussian_filter(maximum_filter(surface, max(3, round(0.06 * cells))), 2.0)
    behind = np.maximum(behind, 1.01 * surface)
    behind *= 1 + 0.01 * np.abs(noise(random, cells, 24))
    blurred = gaussian_filter(picture, (0.008 * cells, 0.008 * cells, 0))
    layers = [layer(random, surface, picture, 7.0, 1.4), layer(random, behind, blurred, 4.0, 1.8)]
    return Gaussians.from_quats_scales(
        *(np.concatenate([part[k] for part in layers]) for k in range(5))
    )


def square_photo(name: str, side: int) -> Array:
    """[side, side, 3] sRGB, 0 to 1, the middle of it."""
    from skimage import data, transform

    picture = getattr(data, name)()[..., :3]
    height, width = picture.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    picture = picture[top : top + edge, left : left + edge]
    resize: Any = transform.resize
    resized = resize(picture, (side, side), order=3, anti_aliasing=True)
    return np.asarray(resized, np.float32).clip(0, 1)


def noise(random: np.random.Generator, side: int, bumps: int, octaves: int = 2) -> Array:
    """[side, side] smooth, about -1 to 1."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        count = bumps * 2**octave
        coarse = random.standard_normal((count + 3, count + 3)).astype(np.float32)
        total += zoom(coarse, (side + 2 * side / count) / (count + 3), order=1)[:side, :side] * (
            0.5**octave
        )
    return total / (2 - 0.5 ** (octaves - 1))


def room_depth(random: np.random.Generator, side: int) -> Array:
    """[side, side] metres."""
    y, x = (np.indices((side, side), np.float32) + 0.5) / side
    depth = np.minimum(14 + 6 * x, 1.2 / np.maximum(y - 0.52, 1e-3))
    for left, top, radius, away in BALLS:
        inside = 1 - ((x - left) ** 2 + (y - top) ** 2) / radius**2
        ball = away * (1 - 0.175 * np.sqrt(np.maximum(inside, 0)))
        depth = np.where(inside > 0, np.minimum(depth, ball), depth)
    for _ in range(14):
        post, width = random.uniform(0.02, 0.98), random.uniform(0.004, 0.012)
        away, slope = random.uniform(1.5, 9.0), random.uniform(-0.3, 0.3)
        top, length = random.uniform(0.05, 0.5), random.uniform(0.15, 0.45)
        on_it = (np.abs(x - post - slope * (y - top)) < width) & (y > top) & (y < top + length)
        depth = np.where(on_it, np.minimum(depth, away), depth)
    relief = 1 + 0.02 * noise(random, side, 12, 3) + 0.001 * random.standard_normal((side, side))
    return np.asarray(np.clip(depth * relief, 1.0, 20.0), np.float32)


def layer(
    random: np.random.Generator, depth: Array, picture: Array, most: float, least: float
) -> tuple[Array, ...]:
    """Means, quats, scales, linear colours and opacities of one layer, a Gaussian per cell."""
    side = len(depth)
    focal = 0.5 * side / math.tan(FIELD / 2)  # cells
    rows, columns = np.indices((side, side)) + 0.5 + random.normal(0, 0.18, (2, side, side))
    z = depth * (1 + 0.001 * random.standard_normal((side, side)))
    means = np.stack([(columns - side / 2) / focal * z, (rows - side / 2) / focal * z, z], -1)
    size = FILL * np.exp(0.22 * noise(random, side, 64) + 0.12 * random.standard_normal(z.shape))
    stretch = np.exp(0.25 * random.standard_normal((side, side, 3)))
    scales = np.clip(size[..., None] * stretch, 0.15, 2.0) * (z / focal)[..., None]
    tilt = 0.25 * random.standard_normal((side, side, 3))
    quats = np.concatenate([np.ones((side, side, 1)), tilt], -1)
    opacities = np.clip(random.beta(most, least, (side, side)), 0.05, 0.995)
    colors = np.clip(picture + 0.02 * random.standard_normal(picture.shape), 0, 1)
    flat = (array.reshape(-1, array.shape[-1]) for array in (means, quats, scales))
    linear = linear_from_srgb(colors.reshape(-1, 3).astype(np.float32))
    return (
        *(array.astype(np.float32) for array in flat),
        linear,
        opacities.ravel().astype(np.float32),
    )


def stereo_views(
    size: int,
    field: float = FIELD,
    pupils_m: float = 0.063,
    head_m: tuple[float, float, float] = (0.04, -0.02, 0.05),
) -> list[View]:
    """Two parallel eyes of a head that has moved and turned a little."""
    yaw, pitch = math.radians(3.0), math.radians(-1.5)
    about_y = np.array(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    )
    about_x = np.array(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    )
    photo_from_head = about_y @ about_x
    focal = 0.5 * size / math.tan(field / 2)
    views = []
    for side in (-0.5, 0.5):
        eye = np.array(head_m) + photo_from_head @ [side * pupils_m, 0, 0]
        camera_from_photo = np.eye(4)
        camera_from_photo[:3, :3] = photo_from_head.T
        camera_from_photo[:3, 3] = -photo_from_head.T @ eye
        views.append(View(camera_from_photo, focal, focal, size / 2, size / 2, size, size))
    return views
