"""A frame, shown from where the eye is by now: six degrees of freedom, one eye at a time.

What follows is done for each pixel of the display on its own, so that a fragment shader can do it
as it stands; this is the plain version of it.

    d   the pixel's ray in the display's eye, (tan x, tan y, -1)
    R,t drawn_from_shown: the display's eye in the axes of the eye that the frame was drawn for
    q   inverse distance along the ray, 1 / metres; the ray's point is at d / q, hence

        p(q) = R d + q t        w(q) = -p.z        seen in the frame at the tangents p.xy / w,
                                                   with the code  ray(q) = near_m q / w

So the ray is a line in the frame, from the nearest q to 0, which is infinitely far. Where ``ray``
falls to the code that the map has there, it has met a surface. March along it in equal steps of q:

    in front   ray > map
               ray <= map now, and the map rose by less than WALL since the step before:
                   a surface. Its q lies between the two steps, by the rule of false position.
               else look where, between the two steps, the ray comes down to the map of now:
                   the map is not lower by WALL there: a surface, met beyond its edge; that q
                   it is, or the ray was never so high: the ray has gone behind an edge, past which
                       the frame saw nothing: remember q and map of the step before, which are of
                       the farther side
    behind     ray <= what is remembered: nothing hid the farther side from the new eye, and the
                   frame does not know it: take the remembered q
               ray > map: it has come out on the other side of something thin, and is in front
    at q = 0   the remembered q if behind, else 0

The result is one q for each pixel; its colour is the frame's at p(q) / w(q). A gap is thus filled
with what is beside it on its far side. Without depth q is 0: then only the turn is undone.

Maps and colours are read bilinearly, texel centres at (i + 0.5) / n; beyond the frame its outermost
pixels go on. :class:`Plan` has what is the same for all pixels: the nearest q, the number of steps
(1.5 for each texel that the nearest thing moves by) and WALL (a rise that opens a gap of 2 texels).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr_protocol.geometry import Fov, Pose, rotate

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]

STEPS_PER_TEXEL = 1.5
MAX_STEPS = 48
"""Bounds the work; beyond it thin things may be stepped over."""
WALL_TEXELS = 2.0
LEAST_WALL = 6.0 / 219.0
"""Code: less is the coder's noise."""


@dataclass(frozen=True)
class EyeImage:
    """What one eye of a frame was drawn as."""

    colour: UInt8
    """[H, W, 3] sRGB."""
    codes: Float32 | None
    """[h, w] of the same field: metres along the axis are ``near_m / code``; 0: far, or nothing."""
    near_m: float
    world_from_eye: Pose
    fov: Fov


@dataclass(frozen=True)
class Plan:
    """What is the same for all pixels."""

    nearest: float
    """Inverse metres from the new eye of the nearest that the codes can say."""
    steps: int
    wall: float
    """Rise of the map within one step that is an edge."""

    def march(self) -> Iterator[float]:
        """Inverse metres, from the nearest to 0."""
        return (self.nearest * (1 - step / self.steps) for step in range(self.steps + 1))


def warp(image: EyeImage, world_from_eye: Pose, fov: Fov, width: int, height: int) -> UInt8:
    """[height, width, 3] sRGB: the image from this pose, through this field of view."""
    rays = _Rays(image, world_from_eye, fov, width, height)
    q = np.zeros(width * height)
    if image.codes is not None and image.near_m > 0:
        q = _march(rays, image.codes, plan_for(image, rays))
    x, y, _ = rays.at(q)
    colour = _bilinear(image.colour.astype(np.float32), x, y)
    return (colour + 0.5).astype(np.uint8).reshape(height, width, 3)


def uncovered_share(image: EyeImage, world_from_eye: Pose, fov: Fov, size: int = 64) -> float:
    """Share of the display's pixels whose ray to infinity the frame did not see."""
    x, y, _ = _Rays(image, world_from_eye, fov, size, size).at(np.zeros(size * size))
    return float(np.mean((x < 0) | (x > 1) | (y < 0) | (y > 1)))


class _Rays:
    """Of the n pixels of a display, in the axes of the eye that the image was drawn for."""

    def __init__(
        self, image: EyeImage, world_from_eye: Pose, fov: Fov, width: int, height: int
    ) -> None:
        drawn_from_shown = image.world_from_eye.inverse() @ world_from_eye
        left, right, up, down = _tangents(fov)
        x = left + (right - left) * (np.arange(width) + 0.5) / width
        y = up + (down - up) * (np.arange(height) + 0.5) / height
        shown = np.stack([*np.meshgrid(x, y), np.full((height, width), -1.0)], -1)
        self.directions: Float64 = shown.reshape(-1, 3) @ _matrix(drawn_from_shown).T  # [n, 3]
        self.origin = drawn_from_shown.position
        self.near_m = image.near_m
        self._field = _tangents(image.fov)

    def at(self, q: float | Float64, index: NDArray[np.intp] | None = None) -> tuple[Float64, ...]:
        """Of all rays or these: x and y in the image, 0 to 1 across it, and the code of q there."""
        directions = self.directions if index is None else self.directions[index]
        px, py, pz = (directions[:, k] + q * self.origin[k] for k in range(3))
        w = np.maximum(-pz, 1e-6)  # what is beside or behind the eye is far outside of its image
        left, right, up, down = self._field
        return (px / w - left) / (right - left), (py / w - up) / (down - up), self.near_m * q / w


def plan_for(image: EyeImage, rays: _Rays) -> Plan:
    """By how far the nearest thing moves across the map, in texels, anywhere in the picture."""
    assert image.codes is not None
    nearest = 1 / max(image.near_m - math.hypot(*rays.origin), image.near_m / 2)
    some = np.linspace(0, len(rays.directions) - 1, 65).astype(np.intp)
    (near_x, near_y, _), (far_x, far_y, _) = rays.at(nearest, some), rays.at(0.0, some)
    height, width = image.codes.shape
    texels = float(np.hypot((near_x - far_x) * width, (near_y - far_y) * height).max())
    steps = min(max(1, math.ceil(STEPS_PER_TEXEL * texels)), MAX_STEPS)
    return Plan(nearest, steps, max(LEAST_WALL, WALL_TEXELS / max(texels, 1e-6)))


def _march(rays: _Rays, codes: Float32, plan: Plan) -> Float64:
    """q of each ray, as the module's head has it."""
    found = np.zeros(len(rays.directions))
    index = np.arange(len(found))  # of the rays that are on their way
    edge_q = np.full(len(found), -1.0)  # what is remembered; -1: in front
    edge_map, before_map = np.zeros(len(found)), np.full(len(found), np.inf)
    before_gap, before_q = np.ones(len(found)), plan.nearest
    for q in plan.march():
        x, y, ray = rays.at(q, index)
        here = _bilinear(codes, x, y)
        gap, front = ray - here, edge_q < 0
        wall = front & (gap <= 0) & (here - before_map > plan.wall)
        hit = front & (gap <= 0) & ~wall
        sunk = ~front & (ray <= edge_map)
        share = np.clip(before_gap[hit] / (before_gap[hit] - gap[hit]), 0, 1)
        found[index[hit]] = before_q + share * (q - before_q)
        found[index[sunk]] = edge_q[sunk]
        down = np.flatnonzero(wall & (before_gap + before_map > here))
        height = before_gap[down] + before_map[down] - here[down]  # of the ray, a step before
        down_q = before_q + height / (height - gap[down]) * (q - before_q)
        x, y, _ = rays.at(down_q, index[down])
        there = _bilinear(codes, x, y) >= here[down] - plan.wall
        down, down_q = down[there], down_q[there]
        found[index[down]] = down_q
        wall[down], hit[down] = False, True
        edge_map = np.where(wall, before_map, edge_map)
        edge_q = np.where(wall, before_q, np.where(gap > 0, -1.0, edge_q))
        on = ~(hit | sunk)
        index, edge_q, edge_map = index[on], edge_q[on], edge_map[on]
        before_gap, before_map, before_q = gap[on], here[on], q
    found[index] = np.maximum(edge_q, 0.0)
    return found


def _bilinear(image: Float32, x: Float64, y: Float64) -> Float32:
    """Of [H, W] or [H, W, C] at n places, 0 to 1 across it: [n] or [n, C]."""
    height, width = image.shape[:2]
    column = np.clip(x * width - 0.5, 0, width - 1)
    row = np.clip(y * height - 0.5, 0, height - 1)
    left = np.minimum(column.astype(np.intp), max(width - 2, 0))
    top = np.minimum(row.astype(np.intp), max(height - 2, 0))
    right, low = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    by_column, by_row = (column - left).astype(np.float32), (row - top).astype(np.float32)
    if image.ndim == 3:
        by_column, by_row = by_column[:, None], by_row[:, None]
    upper = image[top, left] * (1 - by_column) + image[top, right] * by_column
    lower = image[low, left] * (1 - by_column) + image[low, right] * by_column
    found: Float32 = upper * (1 - by_row) + lower * by_row
    return found


def _tangents(fov: Fov) -> tuple[float, float, float, float]:
    return math.tan(fov.left), math.tan(fov.right), math.tan(fov.up), math.tan(fov.down)


def _matrix(pose: Pose) -> Float64:
    """[3, 3] of its orientation."""
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    return np.array([rotate(pose.orientation, axis) for axis in axes]).T
