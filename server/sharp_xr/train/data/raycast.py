"""From a scene to pictures: one ray a pixel, four where neighbours differ, depth of two layers.

Colours are averaged in linear light. Depth is along the optical axis in metres. The first layer is
the nearest of a pixel's rays; the second layer is, along that same ray, the first surface that
belongs to another object: what would be seen if the visible object were taken away. Where there is
none, the second layer is the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.mesh import Int
from sharp_xr.train.data.scene import FAR_M, NOWHERE_M, Hits, Scene, cast, objects_of
from sharp_xr.train.data.shading import radiance
from sharp_xr.train.data.visibility import visibility

Float = NDArray[np.float32]

MAX_HITS = 24
"""Surfaces of one object that a ray passes before its second layer is given up as unknown (0)."""
REFLECTIVE, TRANSPARENT = 1, 2
"""Bits of a shot's marks."""
MARKED = 0.1
"""Surfaces that mirror, or let by, a larger share than this are marked."""


@dataclass(frozen=True)
class Camera:
    """A pinhole; the principal point is the middle of the picture."""

    position: Float
    """[3] world, metres."""
    world_from_camera: Float
    """[3, 3], columns right, up, forward."""
    focal_px: float
    width: int
    height: int


@dataclass(frozen=True)
class Shot:
    """A picture and its truth."""

    linear: Float
    """[H, W, 3] linear light, not exposed yet."""
    depth: Float
    """[H, W] metres, the visible layer; FAR_M is sky. A mirror is as far as its glass."""
    behind: Float | None
    """[H, W] metres, the second layer, never nearer than depth; 0 where it is unknown."""
    marks: NDArray[np.uint8]
    """[H, W] REFLECTIVE | TRANSPARENT: where depth is not what the picture shows."""
    subject: Int
    """[H, W] object id, SKY for the sky."""


@dataclass(frozen=True)
class _Rays:
    """R rays, of which several may be of one pixel."""

    pixel: NDArray[np.intp]  # [R]
    directions: Float  # [R, 3] unit, world
    cosines: Float  # [R] with the optical axis
    hits: Hits


def shoot(scene: Scene, camera: Camera, second_layer: bool = True) -> Shot:
    """Draws one view; the second layer only if it is asked for."""
    h, w = camera.height, camera.width
    middle = _cast(scene, camera, np.arange(h * w), 0.0, 0.0)
    seen = visibility(scene, camera.position, middle.directions, middle.hits, w)
    rough = _edges(scene, middle.hits, h, w)
    quarter = (-0.25, 0.25)
    corners = [_cast(scene, camera, rough, dx, dy) for dy in quarter for dx in quarter]

    linear = np.empty((h * w, 3), np.float32)
    smooth = np.setdiff1d(np.arange(h * w), rough, assume_unique=True)
    linear[smooth] = _light(scene, camera, _some(middle, smooth), seen, 1)
    linear[rough] = sum(_light(scene, camera, c, seen, 2) for c in corners) / np.float32(4)

    nearest = _nearest(middle, corners, rough)
    depth = np.minimum(nearest.hits.distance * nearest.cosines, FAR_M)
    depth[nearest.hits.triangle < 0] = FAR_M
    behind = None
    if second_layer:
        second = _second_layer(scene, camera.position, nearest.directions, nearest.hits)
        behind = np.minimum(second * nearest.cosines, FAR_M).reshape(h, w).astype(np.float32)
    return Shot(
        linear.reshape(h, w, 3),
        depth.reshape(h, w).astype(np.float32),
        behind,
        _marks(scene, nearest.hits).reshape(h, w),
        objects_of(scene, nearest.hits).reshape(h, w),
    )


def rays(camera: Camera, pixel: NDArray[np.intp], dx: float, dy: float) -> tuple[Float, Float]:
    """Unit directions [R, 3] in the world through pixels [R], dx and dy px off their middles.

    Pixels count row by row. The second result is the directions' cosines [R] with the axis.
    """
    directions, cosines = np.empty((len(pixel), 3), np.float32), np.empty(len(pixel), np.float32)
    left, top = 0.5 + dx - camera.width / 2, 0.5 + dy - camera.height / 2
    turn = np.asarray(camera.world_from_camera, np.float32)
    _aim(pixel, camera.width, left, top, float(camera.focal_px), turn, directions, cosines)
    return directions, cosines


@nb.njit(fastmath=True, cache=True)
def _aim(pixel, width, left, top, focal, turn, directions, cosines):  # type: ignore[no-untyped-def]
    for i in range(len(pixel)):
        x = pixel[i] % width + left
        y = -(pixel[i] // width + top)
        size = np.sqrt(x * x + y * y + focal * focal)
        x, y, z = x / size, y / size, focal / size
        cosines[i] = z
        for c in range(3):
            directions[i, c] = turn[c, 0] * x + turn[c, 1] * y + turn[c, 2] * z


def _cast(scene: Scene, camera: Camera, pixel: NDArray[np.intp], dx: float, dy: float) -> _Rays:
    directions, cosines = rays(camera, pixel, dx, dy)
    hits = cast(scene, np.broadcast_to(camera.position, directions.shape), directions)
    return _Rays(pixel, directions, cosines, hits)


def _some(all_rays: _Rays, which: NDArray[np.intp]) -> _Rays:
    return _Rays(
        all_rays.pixel[which],
        all_rays.directions[which],
        all_rays.cosines[which],
        all_rays.hits[which],
    )


def _edges(scene: Scene, hits: Hits, h: int, w: int) -> NDArray[np.intp]:
    """Pixels [E] at the edges of things: another object, another depth or a fold beside them."""
    subject = objects_of(scene, hits).reshape(h, w)
    inverse = 1 / hits.distance.reshape(h, w)
    normal = scene.faces[hits.triangle].reshape(h, w, 3)
    rough = np.zeros((h, w), bool)
    for first, second in (
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[1:, 1:], np.s_[:-1, :-1]),
        (np.s_[1:, :-1], np.s_[:-1, 1:]),
    ):
        step = np.abs(inverse[first] - inverse[second])
        differs = subject[first] != subject[second]
        differs |= step > 0.02 * np.maximum(inverse[first], inverse[second])
        differs |= np.abs(np.einsum("yxc,yxc->yx", normal[first], normal[second])) < 0.7
        rough[first] |= differs
        rough[second] |= differs
    return np.flatnonzero(rough)


def _light(scene: Scene, camera: Camera, some: _Rays, seen: Float, finer: int) -> Float:
    """[R, 3] linear; the rays are `finer` times as close together as pixels."""
    origins = np.broadcast_to(camera.position, some.directions.shape)
    there = np.ascontiguousarray(seen[:, some.pixel])
    return radiance(scene, origins, some.directions, some.hits, there, finer * camera.focal_px)


def _nearest(middle: _Rays, corners: list[_Rays], rough: NDArray[np.intp]) -> _Rays:
    """One ray a pixel: the middle's, at edges the one of least depth."""
    directions, cosines = middle.directions.copy(), middle.cosines.copy()
    fields = {name: value.copy() for name, value in vars(middle.hits).items()}
    best = np.argmin([c.hits.distance * c.cosines for c in corners], 0)
    for k, corner in enumerate(corners):
        mine = best == k
        where = rough[mine]
        directions[where], cosines[where] = corner.directions[mine], corner.cosines[mine]
        for name, field in fields.items():
            field[where] = getattr(corner.hits, name)[mine]
    return _Rays(middle.pixel, directions, cosines, Hits(**fields))


def _marks(scene: Scene, hits: Hits) -> NDArray[np.uint8]:
    finish = np.where(hits.triangle[:, None] < 0, 0, scene.mesh.finish[hits.triangle]) > MARKED
    return (finish[:, 0] * REFLECTIVE + finish[:, 1] * TRANSPARENT).astype(np.uint8)


def _second_layer(scene: Scene, position: Float, directions: Float, first: Hits) -> Float:
    """[R] distance along each ray to the first surface of another object; 0 where it is unknown."""
    result = first.distance.copy()
    # Behind a room's shell or the ground, which are object 0, is nothing.
    live = np.flatnonzero((first.triangle >= 0) & (scene.objects[first.triangle] != 0))
    owner = scene.objects[first.triangle[live]]
    start = first.distance[live]
    for _ in range(MAX_HITS):
        if not len(live):
            return result
        start = start + 1e-3 + 1e-4 * start
        origins = position + directions[live] * start[:, None]
        hits = cast(scene, origins, directions[live])
        start = start + hits.distance
        other = (hits.triangle >= 0) & (scene.objects[hits.triangle] != owner)
        result[live[other]] = start[other]
        nothing = hits.triangle < 0
        result[live[nothing]] = NOWHERE_M  # the sky
        go_on = ~(other | nothing)
        live, owner, start = live[go_on], owner[go_on], start[go_on]
    result[live] = 0
    return result
