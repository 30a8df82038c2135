"""Animals, plants and vessels put together from simple solids.

They are crude, and meant to be: what a depth network has to learn is how large such things are,
and that a tree is behind the bench. Each function returns a mesh with its foot at the origin,
facing +z.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import shapes, textures
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined, turn_about_y

Float = NDArray[np.float32]
Rng = np.random.Generator


def vec(x: float, y: float, z: float) -> Float:
    """[3]"""
    return np.array([x, y, z], np.float32)


def animal(rng: Rng, scene: SceneBuilder) -> Mesh:
    """A cat, a dog, a sheep, a horse: a four-legged thing of 0.25 to 1.6 m."""
    size = rng.uniform(0.25, 0.7) if rng.random() < 0.7 else rng.uniform(0.7, 1.6)
    coat = scene.add_texture(textures.fur(rng))
    length, fat, leg = rng.uniform(0.5, 0.8), rng.uniform(0.12, 0.22), rng.uniform(0.2, 0.5)
    back = leg + fat
    head = vec(0, back + rng.uniform(0, 0.3), length / 2 + rng.uniform(0, 0.15))
    radius = rng.uniform(0.1, 0.17)
    parts = [
        shapes.ellipsoid((0, back, 0), (fat, fat * 1.1, length / 2), coat, repeats=3),
        shapes.limb(vec(0, back, length * 0.35), head, (fat * 0.75, radius * 0.7), coat),
        shapes.ellipsoid(head, (radius, radius * 0.9, radius), coat, repeats=2),
        shapes.ellipsoid(
            head + vec(0, -0.25, 0.85) * radius, (radius * 0.45, radius * 0.4, radius * 0.6), coat
        ),
        shapes.ellipsoid(
            head + vec(0, -0.15, 1.45) * radius,
            (radius * 0.12, radius * 0.1, radius * 0.1),
            color=(0.1, 0.04, 0.04),
            rings=6,
        ),
        shapes.limb(
            vec(0, back, -length * 0.45),
            vec(rng.normal(0, 0.1), back + rng.uniform(-0.2, 0.3), -length * 0.8),
            (0.035, 0.02),
            coat,
        ),
    ]
    for side in (-1, 1):
        ear = head + vec(0.6 * side, 0.7, 0) * radius
        parts.append(
            shapes.limb(
                ear, ear + vec(0.2 * side, 0.7, 0) * radius, (radius * 0.35, radius * 0.06), coat
            )
        )
        eye = head + vec(0.4 * side, 0.2, 0.83) * radius
        iris = textures.random_color(rng, 0.1, 0.7, 0.2)
        parts.append(shapes.ellipsoid(eye, (radius * 0.17,) * 3, color=iris, rings=6))
        parts.append(
            shapes.ellipsoid(
                eye + vec(0, 0, 0.13) * radius, (radius * 0.08,) * 3, color=(0.01,) * 3, rings=6
            )
        )
        for z in (-0.4, 0.38):
            hip = vec(side * fat * 0.6, back, z * length)
            parts.append(
                shapes.limb(
                    hip, vec(hip[0], 0.03, hip[2] + rng.normal(0, 0.06)), (fat * 0.4, 0.035), coat
                )
            )
    mesh = joined(parts)
    scale = size / 0.7
    return replace(mesh, points=(mesh.points * scale).astype(np.float32))


def tree(rng: Rng, scene: SceneBuilder) -> Mesh:
    """A broadleaf or a conifer of 2 to 14 m, of leaves small enough to see the sky through."""
    height = float(rng.uniform(2.0, 14.0))
    bark = scene.add_texture(textures.planks(rng))
    leaf = scene.add_texture(textures.foliage(rng))
    lean = vec(rng.normal(0, 0.04), 1, rng.normal(0, 0.04)) * height
    parts = [
        shapes.limb(vec(0, -0.1, 0), lean * 0.8, (height * 0.025, height * 0.008), bark, repeats=3)
    ]
    count = int(rng.integers(4000, 10000))
    if rng.random() < 0.25:
        level = rng.uniform(0.12, 1, count) ** 1.3
        radius = (1 - level) * height * rng.uniform(0.18, 0.3) * np.sqrt(rng.uniform(0.2, 1, count))
        angle = rng.uniform(0, 2 * np.pi, count)
        centers = np.stack([radius * np.cos(angle), level * height, radius * np.sin(angle)], 1)
    else:
        clumps = int(rng.integers(5, 16))
        middle = rng.normal(0, 0.14, (clumps, 3)) * height + lean * rng.uniform(0.65, 0.8)
        direction = rng.normal(0, 1, (count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        depth = rng.uniform(0.6, 1, (count, 1))  # mostly near the clump's surface
        centers = middle[
            rng.integers(clumps, size=count)
        ] + direction * depth * height * rng.uniform(0.09, 0.15)
    centers[:, 1] = np.maximum(centers[:, 1], 0.1 * height)
    leaf_m = height * rng.uniform(0.008, 0.02)
    parts.append(shapes.leaves(centers.astype(np.float32), leaf_m, rng, leaf))
    return joined(parts)


def bush(rng: Rng, scene: SceneBuilder, height: float) -> Mesh:
    """A shrub, hedge bit or tuft of that height in metres."""
    leaf = scene.add_texture(textures.foliage(rng))
    count = int(rng.integers(900, 3000))
    direction = rng.normal(0, 1, (count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radii = np.array([rng.uniform(0.4, 0.9), 0.5, rng.uniform(0.4, 0.9)]) * height
    centers = direction * radii * rng.uniform(0.7, 1, (count, 1)) + [0, 0.5 * height, 0]
    centers[:, 1] = np.maximum(centers[:, 1], 0)
    core = shapes.ellipsoid(
        (0, 0.5 * height, 0), tuple(0.75 * radii), leaf, color=(0.4, 0.4, 0.4), repeats=2
    )
    return joined(
        [
            core,
            shapes.leaves(centers.astype(np.float32), height * rng.uniform(0.02, 0.04), rng, leaf),
        ]
    )


def flower(rng: Rng, scene: SceneBuilder) -> Mesh:
    """A blossom on a stem, 0.2 to 0.9 m high: rings of petals round a middle, tilted towards +z."""
    height, radius = float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.03, 0.09))
    color = textures.random_color(rng, 0.3, 0.9, 0.3) ** 2.2
    petals: list[Mesh] = []
    for ring in range(int(rng.integers(1, 4))):
        count = int(rng.integers(5, 14))
        size = radius * (1 - 0.22 * ring)
        for k in range(count):
            petal = shapes.ellipsoid(
                (0, 0, size * 0.6),
                (size * 0.28, size * 0.05, size * 0.55),
                color=color * rng.uniform(0.8, 1.1),
                rings=6,
            )
            raised = petal.moved(tilt(-0.25 - 0.35 * ring), vec(0, 0.004 * ring, 0))
            petals.append(
                raised.moved(turn_about_y(2 * np.pi * (k + 0.5 * ring) / count), vec(0, 0, 0))
            )
    middle = textures.random_color(rng, 0.1, 0.8, 0.2) ** 2.2
    petals.append(
        shapes.ellipsoid((0, 0.004, 0), (radius * 0.3, radius * 0.2, radius * 0.3), color=middle)
    )
    head = joined(petals).moved(tilt(rng.uniform(0, 1.3)), vec(0, height, 0))
    stem = shapes.limb(
        vec(rng.normal(0, 0.05), 0, -0.02),
        vec(0, height, 0),
        (0.006, 0.005),
        color=(0.1, 0.25, 0.05),
    )
    leaf = scene.add_texture(textures.foliage(rng))
    around = rng.normal(0, 1, (60, 3)) * [0.03, 0.25 * height, 0.03] + [0, height * 0.35, 0]
    return joined([head, stem, shapes.leaves(around.astype(np.float32), 0.022, rng, leaf)])


def tilt(angle: float) -> Float:
    """[3, 3] rotation about x: what faced up faces +z at pi/2."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]], np.float32)


def vessel(rng: Rng, scene: SceneBuilder) -> Mesh:
    """A cup, bowl, plate, bottle, vase or lamp, 0.05 to 0.4 m, sometimes with what is in it."""
    textured = rng.random() < 0.4
    texture = scene.add_texture(textures.any_of(rng, textures.THINGS)) if textured else -1
    color = textures.random_color(rng, 0.05, 0.95, 0.15) ** 2.2 if not textured else vec(1, 1, 1)
    r = float(rng.uniform(0.03, 0.06))
    match rng.integers(4):
        case 0:  # cup on a saucer, filled, with a handle
            h = r * rng.uniform(1.2, 2.5)
            height = np.array([0.2, 0, 0, 0.1, 0.5, 1, 1, 0.8, 0.78]) * h
            radius = np.array([2.2, 1.6, 0.6, 0.7, 0.95, 1, 0.93, 0.9, 0.0]) * r
            handle = [vec(r, 0.8 * h, 0), vec(1.6 * r, 0.6 * h, 0), vec(0.9 * r, 0.3 * h, 0)]
            extra = [
                shapes.limb(a, b, (0.12 * r, 0.12 * r), texture, color)
                for a, b in zip(handle, handle[1:], strict=False)
            ]
            drink = shapes.lathe(
                np.full(2, 0.79 * h),
                np.array([0.92 * r, 0.0]),
                color=textures.random_color(rng, 0.02, 0.5, 0.1) ** 2.2,
            )
            extra.append(drink)
        case 1:  # plate or bowl with food
            deep = rng.uniform(0.1, 1.0)
            height = np.array([0, 0, deep, deep, 0.15, 0.1]) * r
            radius = np.array([0, 1.4, 2.4, 2.3, 1.3, 0]) * r
            spots = rng.normal(0, 0.6 * r, (6, 3)) * [1, 0, 1] + [0, 0.3 * r, 0]
            extra = [
                shapes.ellipsoid(
                    s.astype(np.float32),
                    tuple(r * rng.uniform(0.2, 0.6, 3)),
                    color=textures.random_color(rng, 0.1, 0.8, 0.3) ** 2.2,
                )
                for s in spots
            ]
        case 2:  # bottle
            height = np.array([0, 0, 3.5, 4.5, 5.0, 6.5, 6.5]) * r
            radius = np.array([0, 1, 1, 0.7, 0.33, 0.3, 0]) * r
            extra = []
        case _:  # vase or lamp of any profile
            knots = int(rng.integers(4, 7))
            height = (
                np.concatenate([[0], np.linspace(0, rng.uniform(2, 6), knots), [rng.uniform(2, 6)]])
                * r
            )
            height[-1] = height[-2]
            radius = np.concatenate([[0], rng.uniform(0.5, 1.6, knots), [0]]) * r
            extra = []
    return joined([shapes.lathe(height, radius, 24, texture, color), *extra])


def books(rng: Rng, scene: SceneBuilder) -> Mesh:
    """A row of three to fifteen books, boxes or cartons, upright, of about one height."""
    parts: list[Mesh] = []
    x, high, deep = 0.0, rng.uniform(0.12, 0.32), rng.uniform(0.1, 0.25)
    for _ in range(int(rng.integers(3, 16))):
        width = float(rng.uniform(0.01, 0.06))
        height, depth = high * rng.uniform(0.75, 1), deep * rng.uniform(0.75, 1)
        texture = scene.add_texture(textures.print_on(rng))
        book = shapes.box((width, float(height), float(depth)), texture, tile_m=float(height))
        parts.append(book.moved(np.eye(3, dtype=np.float32), vec(x + width / 2, 0, 0)))
        x += width + 0.001
    return joined(parts).moved(np.eye(3, dtype=np.float32), vec(-x / 2, 0, 0))


def cord(rng: Rng) -> Mesh:
    """A cable of 0.3 to 2 m that lies on the floor or a table in bends."""
    steps = rng.normal(0, 0.6, 16).cumsum() + rng.uniform(0, 6)
    pace = rng.uniform(0.02, 0.12)
    path = np.cumsum(np.stack([np.cos(steps), 0 * steps, np.sin(steps)], 1) * pace, 0)
    path -= path.mean(0)
    radius = float(rng.uniform(0.002, 0.006))
    color = textures.random_color(rng, 0.02, 0.9, 0.05) ** np.float32(2.2)
    return shapes.wire((path + [0, radius, 0]).astype(np.float32), radius, color)


def packet(rng: Rng, scene: SceneBuilder) -> Mesh:
    """A book, box, phone or carton of 0.02 to 0.4 m."""
    texture = scene.add_texture(textures.any_of(rng, textures.THINGS))
    w, h, d = rng.uniform(0.05, 0.35), rng.uniform(0.01, 0.3), rng.uniform(0.05, 0.3)
    return shapes.box((w, h, d), texture, tile_m=max(w, d))
