"""Houses, and what else is seen of a town through a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import figures, shapes, textures
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined

Float = NDArray[np.float32]
Rng = np.random.Generator


def house(rng: Rng, scene: SceneBuilder, size: tuple[float, float, float]) -> Mesh:
    """A box of that width, height and depth with windows, doors and, mostly, a roof."""
    width, height, depth = size
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


def house_or_tree(rng: Rng, scene: SceneBuilder) -> Mesh:
    """What stands before windows."""
    if rng.random() < 0.5:
        return figures.tree(rng, scene)
    size = (rng.uniform(6, 20), rng.uniform(4, 22), rng.uniform(5, 12))
    return house(rng, scene, (float(size[0]), float(size[1]), float(size[2])))


def view_outside(rng: Rng, scene: SceneBuilder, size: Float) -> None:
    """Ground, and things on it, for windows to look at; the room is on any floor of its house."""
    ground = -float(rng.choice([0.1, 3.0, 6.0, 12.0]))
    texture = scene.add_texture(textures.any_of(rng, textures.GROUNDS))
    far = 150.0
    corners = np.array([(-far, ground, -far), (far, ground, -far), (far, ground, far)])
    corners = np.concatenate([corners, [(-far, ground, far)]]).astype(np.float32)
    scene.add(shapes.quad(corners, texture, (80, 80)))
    for _ in range(int(rng.integers(4, 14))):
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(9, 60)
        where = np.array([np.sin(angle) * away, ground, np.cos(angle) * away], np.float32)
        middle = size * np.array([0.5, 0, 0.5], np.float32)
        scene.add(house_or_tree(rng, scene).moved(np.eye(3, dtype=np.float32), where + middle))
