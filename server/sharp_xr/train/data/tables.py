"""Tables and counters seen from near by, full of small things; hands that hold things up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import people, shapes, textures
from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined
from sharp_xr.train.data.places import Place, placed
from sharp_xr.train.data.rooms import THEMES, Furnishing, lit_room
from sharp_xr.train.data.shells import shell

Float = NDArray[np.float32]
Rng = np.random.Generator


def tabletop(rng: Rng, library: Library) -> Place:
    """Things on a table in a furnished room, photographed from 25 cm to 2 m."""
    size = np.array([rng.uniform(3, 6), 2.6, rng.uniform(3, 6)], np.float32)
    scene = SceneBuilder()
    built = shell(rng, scene, size, windows=0.7, doors=0.4)
    fill = Furnishing(rng, scene, library, size)
    width, depth, height = rng.uniform(0.7, 2.0), rng.uniform(0.6, 1.1), rng.uniform(0.35, 1.0)
    middle = (size * [0.5, 0, 0.5]).astype(np.float32)
    half = np.array([width / 2, 0, depth / 2], np.float32)
    above = np.array([0, 2, 0], np.float32)
    fill.taken.append((middle - half, middle + half + above))
    theme = THEMES[int(rng.integers(len(THEMES)))]
    for _ in range(int(rng.integers(3, 12))):
        fill.stand(theme)
    if rng.random() < 0.3:
        fill.person()
    placed(scene, _table(rng, scene, width, depth, height), middle, 0, False)
    fill.subjects.clear()
    for _ in range(int(rng.integers(3, 18))):
        spread = rng.uniform(-0.42, 0.42, 3) * [width, 0, depth]
        fill.put((middle + spread + [0, height, 0]).astype(np.float32))
    low, high = middle - [1.3, -height - 0.05, 1.3], middle + [1.3, height + 0.9, 1.3]
    return Place(
        "tabletop",
        lit_room(rng, scene, built),
        fill.subjects,
        low.astype(np.float32),
        high.astype(np.float32),
        subject_share=0.9,
    )


def _table(rng: Rng, scene: SceneBuilder, width: float, depth: float, height: float) -> Mesh:
    """A board on four legs; polished, of glass, or under a cloth at times."""
    board = scene.add_texture(textures.any_of(rng, textures.FLOORS))
    eye = np.eye(3, dtype=np.float32)
    lift = np.array([0, height - 0.04, 0], np.float32)
    top = shapes.box((width, 0.04, depth), board).moved(eye, lift)
    kind = rng.random()
    if kind < 0.35:
        top = shapes.polished(top, float(rng.uniform(0.03, 0.09)))
    parts = [top]
    for x in (-1, 1):
        for z in (-1, 1):
            foot = np.array([x * (width / 2 - 0.06), 0, z * (depth / 2 - 0.06)], np.float32)
            parts.append(shapes.limb(foot, foot + lift, (0.03, 0.03), board))
    if kind > 0.8:
        cloth = scene.add_texture(textures.fabric(rng))
        spread = shapes.box((width + 0.02, 0.25, depth + 0.02), cloth)
        parts.append(spread.moved(eye, lift + np.array([0, -0.205, 0], np.float32)))
    return joined(parts)


def portrait(rng: Rng, library: Library) -> Place:
    """A room with somebody before the camera, near, at times holding something up to it."""
    size = np.array([rng.uniform(2.5, 7), rng.uniform(2.3, 3.2), rng.uniform(3, 9)], np.float32)
    scene = SceneBuilder()
    built = shell(rng, scene, size, windows=0.9, doors=0.5)
    fill = Furnishing(rng, scene, library, size)
    spot = (size * [rng.uniform(0.3, 0.7), 0, rng.uniform(0.3, 0.7)]).astype(np.float32)
    free = np.array([0.7, 0, 0.7], np.float32)
    above = np.array([0, 2, 0], np.float32)
    fill.taken.append((spot - free, spot + free + above))
    theme = THEMES[int(rng.integers(len(THEMES)))]
    for _ in range(int(rng.integers(4, 16))):
        fill.stand(theme)
    fill.clutter(4)
    for _ in range(int(rng.choice([0, 1, 3], p=[0.6, 0.3, 0.1]))):
        fill.person()
    fill.subjects.clear()
    subjects = people.sitters(rng, scene, library, spot)
    low = np.array([0.2, 0.5, 0.2], np.float32)
    high = (size - [0.2, 0.3, 0.2]).astype(np.float32)
    return Place("portrait", lit_room(rng, scene, built), subjects, low, high, subject_share=0.95)
