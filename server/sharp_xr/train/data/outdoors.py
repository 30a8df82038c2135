"""Scenes under the sky: ground to the horizon, houses, trees, people, furniture and vehicles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import figures, people, shapes, textures
from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.houses import house
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined, turn_about_y
from sharp_xr.train.data.places import Place, Subject, faces_of, placed
from sharp_xr.train.data.scene import scene_of
from sharp_xr.train.data.sky import weather

Float = NDArray[np.float32]
Rng = np.random.Generator

REACH_M = 400.0
"""Half the side of the ground."""
OUTDOOR = ("Exterior", "Vehicles", "Characters", "Miscellaneous")


def outdoors(rng: Rng, library: Library) -> Place:
    """A street, square, park, garden, field, shore; in any weather, at times in snow or crowded."""
    scene = SceneBuilder()
    is_snow = rng.random() < 0.07
    _ground(rng, scene, textures.snow(rng) if is_snow else textures.any_of(rng, textures.GROUNDS))
    built_up = rng.random() < 0.55
    if rng.random() < 0.15:
        _water(rng, scene)
    if built_up:
        _houses(rng, scene)
    _plants(rng, scene, int(rng.integers(2, 9) if built_up else rng.integers(5, 18)))
    if rng.random() < 0.4:
        _hills(rng, scene, is_snow)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))):
        _posts(rng, scene)
    subjects = _things(rng, scene, library)
    if rng.random() < 0.15:
        subjects += _crowd(rng, scene, library)
    if rng.random() < 0.3:
        subjects += _flower_bed(rng, scene)
    low, high = np.array([-6, 0.25, -6], np.float32), np.array([6, 2.3, 6], np.float32)
    if rng.random() < 0.1:
        high[1] = 12
    outside = weather(rng)
    haze_m = float(np.exp(rng.uniform(np.log(80), np.log(6000))))
    built = scene_of(scene, outside.lights(rng), outside.sky(rng), haze_m)
    return Place("outdoors", built, subjects, low, high)


def _water(rng: Rng, scene: SceneBuilder) -> None:
    """A pond, a river's reach or the sea on one side: it mirrors, and is not quite flat."""
    angle, near = rng.uniform(0, 2 * np.pi), float(rng.uniform(1.5, 8))
    lines = np.linspace(0, 1, 60)[1:] ** 2.5 * (REACH_M if rng.random() < 0.5 else 25)
    lines = np.concatenate([[0], lines])
    across = np.concatenate([-lines[:0:-2], lines[::2]])
    x, z = np.meshgrid(across, near + lines, indexing="ij")
    grid = np.stack([x, np.full_like(x, 0.03), z], -1).astype(np.float32)
    rough = float(rng.uniform(0.0, 0.12))
    normal = rng.normal(0, rough, grid.shape).astype(np.float32)
    normal[..., 1] = 1
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    corners, normals = shapes.grid_triangles(grid), shapes.grid_triangles(normal)
    deep = np.array([0.02, 0.05, 0.06]) * rng.uniform(0.4, 2.5)
    water = shapes.mesh_of(corners, normals, corners[..., [0, 2]], color=deep.astype(np.float32))
    scene.add(shapes.polished(water, 0.12).moved(turn_about_y(float(angle)), figures.vec(0, 0, 0)))


def _crowd(rng: Rng, scene: SceneBuilder, library: Library) -> list[Subject]:
    """Ten to thirty people, some in groups that look the same way."""
    found: list[Subject] = []
    middle, spread = rng.normal(0, 3, 3) * [1, 0, 1], rng.uniform(1.2, 5)
    facing = rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(10, 30))):
        where = (middle + rng.normal(0, spread, 3) * [1, 0, 1]).astype(np.float32)
        turn = facing + rng.normal(0, 0.6) if rng.random() < 0.7 else rng.uniform(0, 6.3)
        found.append(placed(scene, people.anyone(rng, scene, library), where, float(turn), True))
    return found


def _flower_bed(rng: Rng, scene: SceneBuilder) -> list[Subject]:
    """Flowers and tufts close together: what close-ups are taken of."""
    middle = rng.normal(0, 2.5, 3) * [1, 0, 1]
    found: list[Subject] = []
    for _ in range(int(rng.integers(5, 25))):
        where = (middle + rng.normal(0, 0.5, 3) * [1, 0, 1]).astype(np.float32)
        make_tuft = rng.random() < 0.3
        mesh = figures.bush(rng, scene, float(rng.uniform(0.1, 0.35))) if make_tuft else None
        mesh = mesh or figures.flower(rng, scene)
        found.append(placed(scene, mesh, where, rng.uniform(0, 6.3), False))
    return found


def _ground(rng: Rng, scene: SceneBuilder, surface: textures.Texture) -> None:
    """Gently waving ground as object 0, a road or path on it."""
    texture = scene.add_texture(surface)
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
        placed(scene, house(rng, scene, (width, height, depth)), where, turn, False)


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


def _hills(rng: Rng, scene: SceneBuilder, is_snow: bool) -> None:
    kinds = (textures.foliage, textures.grass, textures.marble)
    texture = scene.add_texture(textures.any_of(rng, (textures.snow,) if is_snow else kinds))
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
    elif rng.random() < 0.5:  # lines from post to post
        tops = [out * distance + along * x + figures.vec(0, height * 0.97, 0) for x in offsets]
        for a, b in zip(tops[:-1], tops[1:], strict=True):
            parts.append(shapes.wire(shapes.sagging(a, b, step * 0.06), 0.008))
    scene.add(joined(parts))


def _things(rng: Rng, scene: SceneBuilder, library: Library) -> list[Subject]:
    """People, animals, flowers, vehicles and furniture within 8 m."""
    subjects: list[Subject] = []
    for _ in range(int(rng.integers(3, 12))):
        where = rng.normal(0, 3.5, 3).astype(np.float32) * figures.vec(1, 0, 1)
        angle = rng.uniform(0, 2 * np.pi)
        kind = rng.random()
        if kind < 0.4:
            mesh = people.anyone(rng, scene, library)
            subject = placed(scene, mesh, where, angle, True)
            subjects += [subject, *faces_of(subject)]
        elif kind < 0.5:
            subjects.append(placed(scene, figures.animal(rng, scene), where, angle, True))
        elif kind < 0.62:
            subjects.append(placed(scene, figures.flower(rng, scene), where, angle, True))
        else:
            piece = library.choose(rng, 0.3, 5.0, OUTDOOR if rng.random() < 0.75 else ())
            if model := library.mesh(piece, scene):
                subjects.append(placed(scene, model, where, angle, False))
    return subjects
