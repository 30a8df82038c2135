"""Scenes of flat rectangles whose picture from anywhere is known exactly: the oracle of warps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr_client.warp import EyeImage
from sharp_xr_protocol.geometry import Fov, Pose, from_rotation_vector, rotate

Array = NDArray[np.float64]
Paint = Callable[[Array, Array], Array]
"""x and y, metres, [n] each -> sRGB, 0 to 255, [n, 3]."""

NEAR_M = 0.5


@dataclass(frozen=True)
class Flat:
    """A rectangle in the plane z = -distance of the world."""

    distance: float
    paint: Paint
    x: tuple[float, float] = (-math.inf, math.inf)
    """Metres, from and to."""
    y: tuple[float, float] = (-math.inf, math.inf)


def plain(red: float, green: float, blue: float) -> Paint:
    return lambda x, y: np.broadcast_to(np.array([red, green, blue]), (len(x), 3))


def waves(x: Array, y: Array) -> Array:
    """Smooth, different everywhere within a metre, of all three colours, never black."""
    return np.stack(
        [
            128 + 90 * np.sin(9 * x + 1) * np.cos(5 * y),
            128 + 90 * np.sin(7 * y + 2),
            128 + 90 * np.cos(6 * x - 8 * y),
        ],
        -1,
    )


def seen(
    flats: Sequence[Flat], world_from_eye: Pose, fov: Fov, width: int, height: int
) -> tuple[Array, Array]:
    """sRGB [H, W, 3], black where nothing is, and metres along the axis [H, W], 0 there."""
    left, right = math.tan(fov.left), math.tan(fov.right)
    up, down = math.tan(fov.up), math.tan(fov.down)
    x = left + (right - left) * (np.arange(width) + 0.5) / width
    y = up + (down - up) * (np.arange(height) + 0.5) / height
    rays = np.stack([*np.meshgrid(x, y), np.full((height, width), -1.0)], -1).reshape(-1, 3)
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    turn = np.array([rotate(world_from_eye.orientation, axis) for axis in axes])
    world, (ox, oy, oz) = rays @ turn, world_from_eye.position
    colour, depth = np.zeros((len(rays), 3)), np.full(len(rays), np.inf)
    for flat in flats:
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (-flat.distance - oz) / world[:, 2]  # rays have length 1 along the eye's axis
            at_x, at_y = ox + z * world[:, 0], oy + z * world[:, 1]
        inside = (z > 0) & (z < depth) & (at_x >= flat.x[0]) & (at_x <= flat.x[1])
        inside &= (at_y >= flat.y[0]) & (at_y <= flat.y[1])
        depth[inside] = z[inside]
        colour[inside] = flat.paint(at_x[inside], at_y[inside])
    depth[np.isinf(depth)] = 0.0
    return colour.reshape(height, width, 3), depth.reshape(height, width)


def frame(
    flats: Sequence[Flat],
    world_from_eye: Pose,
    fov: Fov,
    width: int = 256,
    height: int = 240,
    texel: int = 2,
) -> EyeImage:
    """As a server draws and codes it, without the coder's noise: the nearest of a texel's pixels
    and of those around them."""
    colour, depth = seen(flats, world_from_eye, fov, width, height)
    codes = np.clip(np.where(depth > 0, NEAR_M / np.maximum(depth, 1e-9), 0.0), 0.0, 1.0)
    around = np.pad(codes, 1, mode="edge")
    codes = np.max([around[y : y + height, x : x + width] for y in range(3) for x in range(3)], 0)
    texels = codes.reshape(height // texel, texel, width // texel, texel).max((1, 3))
    quantised = np.floor(219 * texels + 0.5) / 219
    return EyeImage(
        (colour + 0.5).astype(np.uint8), quantised.astype(np.float32), NEAR_M, world_from_eye, fov
    )


# What both shaders are held to the plain warp with.
DRAWN, SHOWN = Fov(-0.85, 0.8, 0.7, -0.75), Fov(-0.6, 0.65, 0.55, -0.6)
EYES = (Pose((-0.03, 0.0, 0.0)), Pose((0.03, 0.0, 0.0)))
MOVES = [
    Pose(),
    Pose((0.05, 0.0, 0.0), from_rotation_vector((0.0, 0.087, 0.0))),
    Pose((-0.02, 0.04, 0.02), from_rotation_vector((-0.06, 0.0, 0.06))),
    Pose((0.0, 0.0, -0.05), from_rotation_vector((0.0, -0.05, 0.05))),
    Pose((0.0, 0.0, 0.0), from_rotation_vector((0.0, 3.14, 0.0))),
    Pose((0.1, 0.0, 0.0)),
]
ROOM = [
    Flat(3.0, waves),
    Flat(0.7, plain(220.0, 30.0, 30.0), x=(-0.2, 0.05), y=(-0.15, 0.1)),
    Flat(0.6, plain(30.0, 220.0, 30.0), x=(0.1, 0.115)),
]
