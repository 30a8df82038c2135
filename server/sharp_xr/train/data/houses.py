"""Houses, and what else is seen of a town through a window."""

from __future__ import annotations

import numpy as np

from sharp_xr.train.data import figures, shapes, textures
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined

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
