"""The colour of rays: Lambert, highlights, textures with mip levels, haze; mirrors and glass.

Rays that meet a mirror, water or glass go on once or twice more; what they meet there is shaded
without shadows.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.scene import NOWHERE_M, Hits, Scene, cast

Float = NDArray[np.float32]

UNSHADOWED = 0.75
"""The share of light that a surface in a mirror or behind glass is given."""


def radiance(
    scene: Scene,
    origins: Float,
    directions: Float,
    hits: Hits,
    seen: Float,
    focal_px: float,
    bounces: int = 2,
) -> Float:
    """[R, 3] linear light that comes back along each ray.

    Args:
        scene: what is looked at.
        origins: [R, 3] metres.
        directions: [R, 3] unit.
        hits: what the rays meet.
        seen: [L + 1, R] share of each light, and of the surroundings, that the surface sees.
        focal_px: focal length in units of the distance between neighbouring rays.
        bounces: how often a ray may still go on.
    """
    out = _matte(scene, origins, directions, hits, seen, focal_px)
    if not bounces:
        return out
    finish = np.where(hits.triangle[:, None] < 0, 0, scene.mesh.finish[hits.triangle])
    onward = np.flatnonzero(finish[:, 0] + finish[:, 1] > 0)
    if len(onward):
        out[onward] = _polished(
            scene, origins[onward], directions[onward], hits[onward],
            finish[onward], out[onward], focal_px, bounces,
        )  # fmt: skip
    return out


def _polished(
    scene: Scene, origins: Float, directions: Float, hits: Hits,
    finish: Float, own: Float, focal_px: float, bounces: int,
) -> Float:  # fmt: skip
    """[R, 3] own colour, what is mirrored and what is let by, as the finish [R, 2] says."""
    normals = _normals(scene, directions, hits)
    points = origins + directions * hits.distance[:, None]
    facing = np.clip(-(normals * directions).sum(1), 0, 1)
    # Schlick's approximation of Fresnel's law.
    mirrored = finish[:, 0] + (1 - finish[:, 0]) * (1 - facing) ** 5
    clear = finish[:, 1]
    offset = normals * (1e-3 + 2e-4 * hits.distance[:, None])
    bounced = directions + 2 * facing[:, None] * normals
    through = np.flatnonzero(clear > 0)
    out = own.copy()
    if len(through):
        start = (points[through] - offset[through]).astype(np.float32)
        beyond = _followed(scene, start, directions[through], focal_px, bounces)
        share = clear[through, None]
        out[through] = own[through] * (1 - share) + beyond * share
    reflected = _followed(scene, (points + offset).astype(np.float32), bounced, focal_px, bounces)
    return np.asarray(out * (1 - mirrored[:, None]) + reflected * mirrored[:, None], np.float32)


def _followed(
    scene: Scene, origins: Float, directions: Float, focal_px: float, bounces: int
) -> Float:
    directions = np.ascontiguousarray(directions, np.float32)
    hits = cast(scene, origins, directions)
    lights = len(scene.lights.position)
    seen = np.full((lights + 1, len(directions)), UNSHADOWED, np.float32)
    return radiance(scene, origins, directions, hits, seen, focal_px, bounces - 1)


def _normals(scene: Scene, directions: Float, hits: Hits) -> Float:
    """[R, 3] the shading normals, turned towards where the rays come from."""
    corner = scene.mesh.normals[hits.triangle]
    u, v = hits.u[:, None], hits.v[:, None]
    normal = corner[:, 0] * (1 - u - v) + corner[:, 1] * u + corner[:, 2] * v
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    away = (normal * directions).sum(1, keepdims=True) > 0
    return np.asarray(np.where(away, -normal, normal), np.float32)


def _matte(
    scene: Scene, origins: Float, directions: Float, hits: Hits, seen: Float, focal_px: float
) -> Float:
    lights, mesh, atlas = scene.lights, scene.mesh, scene.atlas
    out = np.empty((len(directions), 3), np.float32)
    missed = hits.triangle < 0
    out[missed] = scene.sky(directions[missed])
    horizon = scene.sky(np.array([[0.7, 0.03, 0.7]], np.float32))[0].astype(np.float32)
    _shade(
        hits.triangle, hits.u, hits.v, np.minimum(hits.distance, np.float32(NOWHERE_M)),
        directions, np.ascontiguousarray(origins, np.float32),
        mesh.points, mesh.normals, mesh.uv, mesh.texture, mesh.color,
        atlas.pixels, atlas.first, atlas.shape,
        lights.position, lights.color, seen, lights.ambient, np.float32(lights.gloss),
        horizon, np.float32(scene.haze_m), np.float32(focal_px), out,
    )  # fmt: skip
    return out


@nb.njit(fastmath=True, cache=True)
def _shade(  # type: ignore[no-untyped-def]
    triangle, bu, bv, distance, directions, origins,
    points, normals, uv, texture, color,
    pixels, first, shape,
    light_position, light_color, seen, ambient, gloss,
    horizon, haze_m, focal_px, out,
):  # fmt: skip
    """Lambert and a highlight (Blinn) per ray; writes out [R, 3] where a ray hit.

    Shapes as in the dataclasses; seen [L + 1, R], the last row is the surroundings' share.
    """
    lights = light_position.shape[0]
    texel = np.ones(3, np.float32)
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
            slant = np.sqrt(max(0.05, abs(facing / length)))
            footprint = distance[i] / focal_px / slant
            level = _level(points[k], uv[k], shape[tex], footprint)
            _texel(pixels, first[tex, level], shape[tex, level], s, r, texel)
            c0, c1, c2 = c0 * texel[0], c1 * texel[1], c2 * texel[2]
        up = 0.5 + 0.5 * n1
        # Corners are lit by what lies around them: they never go black.
        hollow = np.float32(0.3) + np.float32(0.7) * seen[lights, i]
        l0 = (ambient[0, 0] + (ambient[1, 0] - ambient[0, 0]) * up) * hollow
        l1 = (ambient[0, 1] + (ambient[1, 1] - ambient[0, 1]) * up) * hollow
        l2 = (ambient[0, 2] + (ambient[1, 2] - ambient[0, 2]) * up) * hollow
        shine = np.float32(0.0)
        for j in range(lights):
            d0, d1, d2 = light_position[j, 0], light_position[j, 1], light_position[j, 2]
            fall = np.float32(1.0)
            if light_position[j, 3] > 0:
                d0 -= origins[i, 0] + directions[i, 0] * distance[i]
                d1 -= origins[i, 1] + directions[i, 1] * distance[i]
                d2 -= origins[i, 2] + directions[i, 2] * distance[i]
                square = d0 * d0 + d1 * d1 + d2 * d2
                fall = 1 / (0.5 + 0.25 * square)
                root = np.sqrt(square) + 1e-6
                d0, d1, d2 = d0 / root, d1 / root, d2 / root
            cosine = n0 * d0 + n1 * d1 + n2 * d2
            if cosine <= 0:
                continue
            g = cosine * fall * seen[j, i]
            l0 += light_color[j, 0] * g
            l1 += light_color[j, 1] * g
            l2 += light_color[j, 2] * g
            h0, h1, h2 = d0 - directions[i, 0], d1 - directions[i, 1], d2 - directions[i, 2]
            half = (n0 * h0 + n1 * h1 + n2 * h2) / (np.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + 1e-6)
            shine += gloss * seen[j, i] * fall * max(half, np.float32(0.0)) ** 32
        c0, c1, c2 = c0 * l0 + shine, c1 * l1 + shine, c2 * l2 + shine
        clear = np.exp(-distance[i] / haze_m)
        out[i, 0] = horizon[0] + (c0 - horizon[0]) * clear
        out[i, 1] = horizon[1] + (c1 - horizon[1]) * clear
        out[i, 2] = horizon[2] + (c2 - horizon[2]) * clear


@nb.njit(fastmath=True, cache=True)
def _level(points, uv, shape, footprint):  # type: ignore[no-untyped-def]
    """The mip level at which a texel is about as large as the ray's footprint, in metres."""
    du1, dv1 = uv[1, 0] - uv[0, 0], uv[1, 1] - uv[0, 1]
    du2, dv2 = uv[2, 0] - uv[0, 0], uv[2, 1] - uv[0, 1]
    e0, e1, e2 = (
        points[1, 0] - points[0, 0],
        points[1, 1] - points[0, 1],
        points[1, 2] - points[0, 2],
    )
    g0, g1, g2 = (
        points[2, 0] - points[0, 0],
        points[2, 1] - points[0, 1],
        points[2, 2] - points[0, 2],
    )
    x0, x1, x2 = e1 * g2 - e2 * g1, e2 * g0 - e0 * g2, e0 * g1 - e1 * g0
    area = np.sqrt(x0 * x0 + x1 * x1 + x2 * x2) + 1e-12
    texels = np.sqrt(abs(du1 * dv2 - du2 * dv1) * shape[0, 0] * shape[0, 1] / area)
    wide = texels * footprint
    if wide <= 1:
        return 0
    return min(shape.shape[0] - 1, int(np.log2(wide) + 0.5))


@nb.njit(fastmath=True, cache=True)
def _texel(pixels, first, shape, s, r, out):  # type: ignore[no-untyped-def]
    """Bilinear between four texels of one level; the texture repeats."""
    h, w = shape[0], shape[1]
    x = (s - np.floor(s)) * w - np.float32(0.5)
    y = (1 - (r - np.floor(r))) * h - np.float32(0.5)
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = np.float32(x - x0), np.float32(y - y0)
    left, right = (x0 + w) % w, (x0 + 1) % w
    top, bottom = (y0 + h) % h, (y0 + 1) % h
    p, q = first + top * w, first + bottom * w
    for c in range(3):
        above = pixels[p + left, c] * (1 - fx) + pixels[p + right, c] * fx
        below = pixels[q + left, c] * (1 - fx) + pixels[q + right, c] * fx
        out[c] = above * (1 - fy) + below * fy
