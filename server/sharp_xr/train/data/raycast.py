"""From a scene to pictures: rays through embree, shading in compiled code, depth of two layers.

A picture is drawn with 2 x 2 rays a pixel and averaged in linear light. Depth is along the optical
axis in metres. The first layer is the nearest of a pixel's four rays; the second layer is, along
that same ray, the first surface that belongs to another object: what would be seen if the visible
object were taken away. Where there is none, the second layer is the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numba as nb
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from sharp_xr.train.data.mesh import Atlas, Int, Mesh, SceneBuilder, joined, pack

Float = NDArray[np.float32]

FAR_M = 80.0
"""Depth is clipped here; the sky is exactly this far."""
MAX_HITS = 24
"""Surfaces of one object that a ray passes before its second layer is given up as unknown (0)."""


@dataclass(frozen=True)
class Lights:
    """L lamps or suns, all casting hard shadows, and the light from everywhere."""

    position: Float
    """[L, 4] metres and 1 for a lamp; the direction towards it and 0 for a sun."""
    color: Float
    """[L, 3] linear."""
    ambient: Float
    """[2, 3] linear, from below and from above."""
    gloss: float
    """0 to 1, the strength of highlights."""


@dataclass(frozen=True)
class Scene:
    """What can be drawn."""

    mesh: Mesh
    objects: Int
    """[T] the object that each triangle is of."""
    atlas: Atlas
    tracer: EmbreeScene
    lights: Lights
    sky: Callable[[Float], Float]
    """Directions [R, 3] -> linear colour [R, 3] of rays that hit nothing."""
    haze_m: float
    """Distance at which the air hides about two thirds; infinite indoors."""


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
    """[H, W] metres, the visible layer; FAR_M is sky."""
    behind: Float
    """[H, W] metres, the second layer, never nearer than depth; 0 where it is unknown."""
    subject: Int
    """[H, W] object id, -1 for the sky."""


def scene_of(
    builder: SceneBuilder,
    lights: Lights,
    sky: Callable[[Float], Float],
    haze_m: float = float("inf"),
) -> Scene:
    """Joins what was gathered and builds embree's tree over it."""
    mesh = joined(builder.meshes)
    tracer = EmbreeScene()
    TriangleMesh(tracer, np.ascontiguousarray(mesh.points, np.float32))
    objects = np.concatenate(builder.objects)
    return Scene(mesh, objects, pack(builder.textures), tracer, lights, sky, haze_m)


def shoot(scene: Scene, camera: Camera) -> Shot:
    """Draws one view."""
    h, w = camera.height, camera.width
    directions, cosines = rays(camera)
    hits = _cast(scene, np.broadcast_to(camera.position, directions.shape), directions)
    linear = _shaded(scene, camera, directions, hits)
    linear = linear.reshape(h, 2, w, 2, 3).mean((1, 3))
    depth = np.where(hits.triangle < 0, FAR_M, hits.distance * cosines)
    nearest = _nearest_of_four(depth, h, w)  # [H * W] index of the ray
    near = _Hits(hits.triangle[nearest], hits.distance[nearest], hits.u[nearest], hits.v[nearest])
    behind = _second_layer(scene, camera.position, directions[nearest], near) * cosines[nearest]
    subject = np.where(near.triangle < 0, -1, scene.objects[near.triangle])
    first = np.minimum(depth[nearest], FAR_M).reshape(h, w).astype(np.float32)
    second = np.minimum(behind, FAR_M).reshape(h, w).astype(np.float32)
    return Shot(linear, first, second, subject.reshape(h, w).astype(np.int32))


def rays(camera: Camera) -> tuple[Float, Float]:
    """Unit directions [4 H W, 3] in the world, row by row, and their cosines [4 H W]."""
    x = (np.arange(2 * camera.width) + 0.5) / 2 - camera.width / 2
    y = (np.arange(2 * camera.height) + 0.5) / 2 - camera.height / 2
    local = np.stack(np.broadcast_arrays(x[None, :], -y[:, None], camera.focal_px), -1)
    local = local.reshape(-1, 3) / np.linalg.norm(local, axis=-1).reshape(-1, 1)
    world = (local @ camera.world_from_camera.T).astype(np.float32)
    return np.ascontiguousarray(world), local[:, 2].astype(np.float32)


@dataclass(frozen=True)
class _Hits:
    triangle: Int  # [R], -1 for none
    distance: Float  # [R] along the ray
    u: Float  # [R] barycentric, of corner 1
    v: Float  # [R] of corner 2


def _cast(scene: Scene, origins: Float, directions: Float) -> _Hits:
    origins = np.ascontiguousarray(origins, np.float32)
    hit = scene.tracer.run(origins, np.ascontiguousarray(directions, np.float32), output=True)
    triangle = hit["primID"].astype(np.int32)
    distance = np.where(triangle < 0, np.float32(1e6), hit["tfar"]).astype(np.float32)
    return _Hits(triangle, distance, hit["u"], hit["v"])


def _nearest_of_four(depth: Float, h: int, w: int) -> NDArray[np.intp]:
    """Of each pixel's four rays the one with the least depth: [H W] indices into [4 H W]."""
    cells = depth.reshape(h, 2, w, 2).transpose(0, 2, 1, 3).reshape(h, w, 4)
    best = cells.argmin(-1)
    row = 2 * np.arange(h)[:, None] + best // 2
    column = 2 * np.arange(w)[None, :] + best % 2
    return np.asarray((row * 2 * w + column).reshape(-1), np.intp)


def _second_layer(scene: Scene, position: Float, directions: Float, first: _Hits) -> Float:
    """[R] distance along each ray to the first surface of another object; 0 where it is unknown."""
    result = first.distance.copy()
    live = np.flatnonzero(first.triangle >= 0)
    owner = scene.objects[first.triangle[live]]
    start = first.distance[live]
    for _ in range(MAX_HITS):
        if not len(live):
            return result
        start = start + 1e-3 + 1e-4 * start
        origins = position + directions[live] * start[:, None]
        hits = _cast(scene, origins, directions[live])
        start = start + hits.distance
        other = (hits.triangle >= 0) & (scene.objects[hits.triangle] != owner)
        result[live[other]] = start[other]
        nothing = hits.triangle < 0
        # Behind a room's shell or the ground, which are object 0, is nothing: the layer stays the
        # visible one. Behind all else is the sky.
        is_shell = owner == 0
        result[live[nothing & ~is_shell]] = 1e6
        go_on = ~(other | nothing)
        live, owner, start = live[go_on], owner[go_on], start[go_on]
    result[live] = 0
    return result


def _shaded(scene: Scene, camera: Camera, directions: Float, hits: _Hits) -> Float:
    """[R, 3] linear colour of each ray."""
    lights = scene.lights
    visible = np.ones((len(lights.position), len(directions)), np.float32)
    hit = hits.triangle >= 0
    points = camera.position + directions * (hits.distance * 0.9995)[:, None]
    for i, position in enumerate(lights.position):
        visible[i, hit] = _lit(scene, points[hit].astype(np.float32), position)
    out = scene.sky(directions).astype(np.float32)
    horizon = scene.sky(np.array([[0.7, 0.03, 0.7]], np.float32))[0].astype(np.float32)
    mesh, atlas = scene.mesh, scene.atlas
    _shade(
        hits.triangle, hits.u, hits.v, hits.distance,
        directions, camera.position.astype(np.float32),
        mesh.points, mesh.normals, mesh.uv, mesh.texture, mesh.color,
        atlas.pixels, atlas.first, atlas.shape,
        lights.position, lights.color, visible, lights.ambient, np.float32(lights.gloss),
        horizon, np.float32(scene.haze_m), np.float32(2 * camera.focal_px), out,
    )  # fmt: skip
    return out


def _lit(scene: Scene, points: Float, light: Float) -> Float:
    """[P] 1 where nothing stands between a point and the light."""
    if light[3] > 0:
        way = light[:3] - points
        distance = np.linalg.norm(way, axis=1).astype(np.float32)
        towards = way / (distance[:, None] + 1e-6)
    else:
        distance = np.full(len(points), 1e4, np.float32)
        towards = np.broadcast_to(light[:3], points.shape)
    blocked = scene.tracer.run(
        np.ascontiguousarray(points),
        np.ascontiguousarray(towards, np.float32),
        dists=np.maximum(distance - 0.02, 1e-3).astype(np.float32),
        query="OCCLUDED",
    )
    return np.asarray(blocked == -1, np.float32)


@nb.njit(fastmath=True, cache=True)
def _shade(  # type: ignore[no-untyped-def]
    triangle, bu, bv, distance, directions, origin,
    points, normals, uv, texture, color,
    pixels, first, shape,
    light_position, light_color, visible, ambient, gloss,
    horizon, haze_m, focal_px, out,
):  # fmt: skip
    """Lambert and a highlight (Blinn) per ray; writes out [R, 3] where a ray hit.

    Texels are nearest ones of the level that fits. Shapes as in the dataclasses; visible [L, R].
    """
    levels = first.shape[1]
    for i in range(triangle.size):
        k = triangle[i]
        if k < 0:
            continue
        a, b, c = 1 - bu[i] - bv[i], bu[i], bv[i]
        n0 = a * normals[k, 0, 0] + b * normals[k, 1, 0] + c * normals[k, 2, 0]
        n1 = a * normals[k, 0, 1] + b * normals[k, 1, 1] + c * normals[k, 2, 1]
        n2 = a * normals[k, 0, 2] + b * normals[k, 1, 2] + c * normals[k, 2, 2]
        length = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2) + 1e-9
        facing = n0 * directions[i, 0] + n1 * directions[i, 1] + n2 * directions[i, 2]
        if facing > 0:  # two-sided
            length = -length
        n0, n1, n2 = n0 / length, n1 / length, n2 / length
        c0, c1, c2 = color[k, 0], color[k, 1], color[k, 2]
        tex = texture[k]
        if tex >= 0:
            s = a * uv[k, 0, 0] + b * uv[k, 1, 0] + c * uv[k, 2, 0]
            r = a * uv[k, 0, 1] + b * uv[k, 1, 1] + c * uv[k, 2, 1]
            # The level at which a texel is about as large as the ray's footprint on the surface.
            du1, dv1 = uv[k, 1, 0] - uv[k, 0, 0], uv[k, 1, 1] - uv[k, 0, 1]
            du2, dv2 = uv[k, 2, 0] - uv[k, 0, 0], uv[k, 2, 1] - uv[k, 0, 1]
            e0, e1, e2 = (
                points[k, 1, 0] - points[k, 0, 0],
                points[k, 1, 1] - points[k, 0, 1],
                points[k, 1, 2] - points[k, 0, 2],
            )
            g0, g1, g2 = (
                points[k, 2, 0] - points[k, 0, 0],
                points[k, 2, 1] - points[k, 0, 1],
                points[k, 2, 2] - points[k, 0, 2],
            )
            x0, x1, x2 = e1 * g2 - e2 * g1, e2 * g0 - e0 * g2, e0 * g1 - e1 * g0
            area = np.sqrt(x0 * x0 + x1 * x1 + x2 * x2) + 1e-12
            texels = np.sqrt(
                abs(du1 * dv2 - du2 * dv1) * shape[tex, 0, 0] * shape[tex, 0, 1] / area
            )
            slant = np.sqrt(max(0.05, abs(facing / length)))
            wide = texels * distance[i] / focal_px / slant
            level = 0
            if wide > 1:
                level = min(levels - 1, int(np.log2(wide) + 0.5))
            h, w = shape[tex, level, 0], shape[tex, level, 1]
            px = min(w - 1, int((s - np.floor(s)) * w))
            py = min(h - 1, int((1 - (r - np.floor(r))) * h))
            q = first[tex, level] + py * w + px
            c0, c1, c2 = c0 * pixels[q, 0], c1 * pixels[q, 1], c2 * pixels[q, 2]
        up = 0.5 + 0.5 * n1
        l0 = ambient[0, 0] + (ambient[1, 0] - ambient[0, 0]) * up
        l1 = ambient[0, 1] + (ambient[1, 1] - ambient[0, 1]) * up
        l2 = ambient[0, 2] + (ambient[1, 2] - ambient[0, 2]) * up
        shine = np.float32(0.0)
        for j in range(light_position.shape[0]):
            d0, d1, d2 = light_position[j, 0], light_position[j, 1], light_position[j, 2]
            fall = np.float32(1.0)
            if light_position[j, 3] > 0:
                d0 -= origin[0] + directions[i, 0] * distance[i]
                d1 -= origin[1] + directions[i, 1] * distance[i]
                d2 -= origin[2] + directions[i, 2] * distance[i]
                square = d0 * d0 + d1 * d1 + d2 * d2
                fall = 1 / (0.5 + 0.25 * square)
                root = np.sqrt(square) + 1e-6
                d0, d1, d2 = d0 / root, d1 / root, d2 / root
            cosine = n0 * d0 + n1 * d1 + n2 * d2
            if cosine <= 0:
                continue
            g = cosine * fall * visible[j, i]
            l0 += light_color[j, 0] * g
            l1 += light_color[j, 1] * g
            l2 += light_color[j, 2] * g
            h0, h1, h2 = d0 - directions[i, 0], d1 - directions[i, 1], d2 - directions[i, 2]
            half = (n0 * h0 + n1 * h1 + n2 * h2) / (np.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + 1e-6)
            shine += gloss * visible[j, i] * fall * max(half, np.float32(0.0)) ** 32
        c0, c1, c2 = c0 * l0 + shine, c1 * l1 + shine, c2 * l2 + shine
        clear = np.exp(-distance[i] / haze_m)
        out[i, 0] = horizon[0] + (c0 - horizon[0]) * clear
        out[i, 1] = horizon[1] + (c1 - horizon[1]) * clear
        out[i, 2] = horizon[2] + (c2 - horizon[2]) * clear
