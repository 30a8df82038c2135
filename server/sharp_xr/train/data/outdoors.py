"""Scenes under the sky: ground to the horizon, houses, trees, people, furniture and vehicles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import figures, shapes, textures
from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined
from sharp_xr.train.data.places import Place, Subject, placed
from sharp_xr.train.data.scene import Lights, Scene, scene_of

Float = NDArray[np.float32]
Rng = np.random.Generator

REACH_M = 400.0
"""Half the side of the ground."""
OUTDOOR = ("Exterior", "Vehicles", "Characters", "Miscellaneous")


def outdoors(rng: Rng, library: Library) -> Place:
    """A street, square, park or field."""
    scene = SceneBuilder()
    _ground(rng, scene)
    built_up = rng.random() < 0.6
    if built_up:
        _houses(rng, scene)
    _plants(rng, scene, int(rng.integers(2, 9) if built_up else rng.integers(5, 18)))
    if rng.random() < 0.4:
        _hills(rng, scene)
    if rng.random() < 0.5:
        _posts(rng, scene)
    subjects = _things(rng, scene, library)
    low, high = np.array([-6, 0.25, -6], np.float32), np.array([6, 2.3, 6], np.float32)
    if rng.random() < 0.1:
        high[1] = 12
    return Place("outdoors", _lit(rng, scene), subjects, low, high)


def _lit(rng: Rng, scene: SceneBuilder) -> Scene:
    elevation, around = rng.uniform(0.15, 1.4), rng.uniform(0, 2 * np.pi)
    sun = np.array(
        [np.cos(elevation) * np.sin(around), np.sin(elevation), np.cos(elevation) * np.cos(around)]
    )
    overcast = rng.random() < 0.35
    strength = rng.uniform(0.0, 0.25) if overcast else rng.uniform(0.8, 2.0)
    warmth = np.array([1.0, 0.95, 0.85]) if elevation > 0.5 else np.array([1.0, 0.82, 0.6])
    ambient = rng.uniform(0.3, 0.7) * np.array([[0.5, 0.48, 0.42], [0.85, 0.95, 1.1]])
    lights = Lights(
        np.append(sun, 0)[None].astype(np.float32),
        (strength * warmth)[None].astype(np.float32),
        ambient.astype(np.float32),
        float(rng.uniform(0, 0.15)),
        np.full(1, 0.4 if overcast else rng.uniform(0.005, 0.03), np.float32),
        reach_m=4.0,
    )
    haze_m = float(np.exp(rng.uniform(np.log(80), np.log(6000))))
    return scene_of(scene, lights, sky(rng, overcast), haze_m)


def sky(rng: Rng, overcast: bool) -> Callable[[Float], Float]:
    """A colour per direction: darker overhead, bright at the horizon, with or without clouds."""
    high = (
        np.array([0.12, 0.28, 0.7]) * rng.uniform(0.5, 1.3)
        if not overcast
        else np.full(3, rng.uniform(0.4, 0.9))
    )
    low = np.array([0.75, 0.85, 1.0]) * rng.uniform(0.7, 1.2)
    if rng.random() < 0.2:  # evening
        high, low = high * 0.5, np.array([1.1, 0.7, 0.4]) * rng.uniform(0.5, 1)
    if rng.random() < 0.07:  # night
        high, low = high * 0.04, low * 0.04
    cover = rng.uniform(0.3, 0.9)
    clouds = np.clip((textures.value_noise(rng, (3, 6, 12, 24, 48)) - cover) * 4, 0, 1)
    cloud_color = np.array([1.0, 1.0, 1.0]) * rng.uniform(0.5, 1.3)

    def color(directions: Float) -> Float:
        up = np.clip(directions[:, 1], 0, 1)
        share = np.sqrt(up)[:, None]
        plain = low * (1 - share) + high * share
        flat = directions[:, [0, 2]] / (up[:, None] + 0.15) * 60
        u, v = (flat.astype(int) % clouds.shape[0]).T
        cloud = clouds[u, v][:, None] * (up > 0.03)[:, None]
        return np.asarray(plain * (1 - cloud) + cloud_color * cloud, np.float32)

    return color


def _ground(rng: Rng, scene: SceneBuilder) -> None:
    """Gently waving ground as object 0, a road or path on it."""
    texture = scene.add_texture(textures.any_of(rng, textures.GROUNDS))
    lines = np.sign(np.linspace(-1, 1, 61)) * np.abs(np.linspace(-1, 1, 61)) ** 3 * REACH_M
    x, z = np.meshgrid(lines, lines, indexing="ij")
    rough = rng.uniform(0, 0.25) if rng.random() < 0.4 else 0.0
    far = np.hypot(x, z)
    wave = np.sin(x * rng.uniform(0.05, 0.4) + rng.uniform(0, 6)) + np.sin(
        z * rng.uniform(0.05, 0.4)
    )
    y = rough * wave * np.clip(far / 8, 0, 3)
    points = shapes.grid_triangles(np.stack([x, y, z], -1).astype(np.float32))
    tile = rng.uniform(1.0, 5.0)
    uv = points[..., [0, 2]] / tile
    normals = np.broadcast_to(np.array([0, 1, 0], np.float32), points.shape)
    parts = [shapes.mesh_of(points, normals, uv, texture)]
    if rng.random() < 0.5:
        parts.append(_road(rng, scene))
    scene.add(joined(parts))


def _road(rng: Rng, scene: SceneBuilder) -> Mesh:
    half = rng.uniform(0.6, 4)
    angle = rng.uniform(0, np.pi)
    along, across = (
        np.array([np.sin(angle), 0, np.cos(angle)]),
        np.array([np.cos(angle), 0, -np.sin(angle)]),
    )
    middle = across * rng.uniform(-5, 5) + [0, 0.02, 0]
    corners = [
        middle + along * s * REACH_M + across * t * half
        for s, t in ((-1, -1), (-1, 1), (1, 1), (1, -1))
    ]
    texture = scene.add_texture(textures.any_of(rng, (textures.gravel, textures.bricks)))
    return shapes.quad(np.array(corners, np.float32), texture, (half, REACH_M))


def _houses(rng: Rng, scene: SceneBuilder) -> None:
    """Box houses and towers, some with roofs, in a row or scattered; 8 to 70 m away."""
    row = rng.random() < 0.5
    angle = rng.uniform(0, 2 * np.pi)
    for k in range(int(rng.integers(1, 10))):
        width, depth, height = rng.uniform(5, 20), rng.uniform(5, 15), rng.uniform(3, 25)
        if row:
            offset = (k - 3) * 14.0
            distance = rng.uniform(9, 12) + depth / 2
            along, out = (
                figures.vec(np.cos(angle), 0, -np.sin(angle)),
                figures.vec(np.sin(angle), 0, np.cos(angle)),
            )
            where, turn = along * offset + out * distance, angle
        else:
            turn = rng.uniform(0, 2 * np.pi)
            distance = rng.uniform(10, 70) + max(width, depth) / 2
            where = figures.vec(np.sin(turn), 0, np.cos(turn)) * distance
            turn += rng.normal(0, 0.4)
        placed(scene, _house(rng, scene, width, height, depth), where, turn, False)


def _house(rng: Rng, scene: SceneBuilder, width: float, height: float, depth: float) -> Mesh:
    front = scene.add_texture(textures.facade(rng))
    parts = [shapes.box((width, height, depth), front, tile_m=rng.uniform(9, 14))]
    if rng.random() < 0.6:
        roof = scene.add_texture(textures.any_of(rng, (textures.bricks, textures.planks)))
        rise, over = rng.uniform(1.5, 5), 0.4
        x, z = width / 2 + over, depth / 2 + over
        ridge = [(-x, height + rise, 0), (x, height + rise, 0)]
        for side in (-1, 1):
            eaves = [(x, height - 0.1, side * z), (-x, height - 0.1, side * z)]
            parts.append(shapes.quad(np.array([*ridge, *eaves], np.float32), roof, (width / 3, 2)))
    return joined(parts)


def _plants(rng: Rng, scene: SceneBuilder, count: int) -> None:
    """Trees and bushes around, none in the photographer's lap."""
    for _ in range(count):
        angle, distance = rng.uniform(0, 2 * np.pi), 3.5 + 40 * rng.random() ** 2
        where = figures.vec(np.sin(angle) * distance, 0, np.cos(angle) * distance)
        if rng.random() < 0.6:
            mesh = figures.tree(rng, scene)
        else:
            mesh = figures.bush(rng, scene, float(rng.uniform(0.3, 2.5)))
        placed(scene, mesh, where, rng.uniform(0, 6.3), False)


def _hills(rng: Rng, scene: SceneBuilder) -> None:
    texture = scene.add_texture(
        textures.any_of(rng, (textures.foliage, textures.grass, textures.marble))
    )
    for _ in range(int(rng.integers(2, 8))):
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(120, 350)
        where = (np.sin(angle) * distance, -5.0, np.cos(angle) * distance)
        radii = (rng.uniform(50, 140), rng.uniform(8, 70), rng.uniform(50, 140))
        scene.add(shapes.ellipsoid(where, radii, texture, repeats=8, rings=16))


def _posts(rng: Rng, scene: SceneBuilder) -> None:
    """A row of posts, a fence, railings or lamp posts; or a wall."""
    angle = rng.uniform(0, 2 * np.pi)
    along, out = (
        figures.vec(np.cos(angle), 0, -np.sin(angle)),
        figures.vec(np.sin(angle), 0, np.cos(angle)),
    )
    distance, height = rng.uniform(2, 12), rng.uniform(0.6, 5)
    texture = scene.add_texture(textures.any_of(rng, textures.WALLS))
    if rng.random() < 0.25:
        wall = shapes.box((rng.uniform(5, 30), min(height, 2.5), 0.25), texture)
        placed(scene, wall, out * distance, angle, False)
        return
    radius, step = rng.uniform(0.015, 0.08), rng.uniform(0.3, 3)
    offsets = (np.arange(12) - 6) * step
    parts = [
        shapes.limb(
            out * distance + along * x,
            out * distance + along * x + figures.vec(0, height, 0),
            (radius, radius),
            texture,
        )
        for x in offsets
    ]
    if step < 1.5:  # rails
        for level in (0.5, 0.95):
            ends = [
                out * distance + along * x + figures.vec(0, height * level, 0)
                for x in offsets[[0, -1]]
            ]
            parts.append(shapes.limb(ends[0], ends[1], (radius * 0.8, radius * 0.8), texture))
    scene.add(joined(parts))


def _things(rng: Rng, scene: SceneBuilder, library: Library) -> list[Subject]:
    """People, animals, flowers, vehicles and furniture within 8 m."""
    subjects: list[Subject] = []
    for _ in range(int(rng.integers(3, 12))):
        where = rng.normal(0, 3.5, 3).astype(np.float32) * figures.vec(1, 0, 1)
        angle = rng.uniform(0, 2 * np.pi)
        kind = rng.random()
        if kind < 0.4:
            subjects.append(placed(scene, figures.person(rng, scene), where, angle, True))
        elif kind < 0.5:
            subjects.append(placed(scene, figures.animal(rng, scene), where, angle, True))
        elif kind < 0.62:
            subjects.append(placed(scene, figures.flower(rng, scene), where, angle, True))
        else:
            piece = library.choose(rng, 0.3, 5.0, OUTDOOR if rng.random() < 0.75 else ())
            if mesh := library.mesh(piece, scene):
                subjects.append(placed(scene, mesh, where, angle, False))
    return subjects
