"""Furnished rooms with people in them, and tables seen from near by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import figures, shapes, textures
from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.mesh import UNTEXTURED, Mesh, SceneBuilder, joined, turn_about_y
from sharp_xr.train.data.places import Place, Subject, placed
from sharp_xr.train.data.scene import Lights, scene_of

Float = NDArray[np.float32]
Rng = np.random.Generator


def room(rng: Rng, library: Library) -> Place:
    """A box of 3-8 x 3-8 x 2.3-3.4 m: walls with doors, windows and pictures, furniture, people."""
    size = np.array([rng.uniform(3, 8), rng.uniform(2.3, 3.4), rng.uniform(3, 8)], np.float32)
    scene = SceneBuilder()
    _shell(rng, scene, size)
    subjects: list[Subject] = []
    tops: list[tuple[Float, Float]] = []
    for _ in range(int(rng.integers(8, 26))):
        if subject := _furnish(rng, scene, library, size, tops):
            subjects.append(subject)
    subjects += _clutter(rng, scene, library, tops)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.35, 0.35, 0.2, 0.1]))):
        subjects.append(_figure(rng, scene, size))
    margin = np.array([0.3, 0.0, 0.3], np.float32)
    low, high = margin + [0, 0.7, 0], size - margin
    high[1] = min(2.0, float(size[1]) - 0.2)
    built = scene_of(scene, lamps(rng, size), _dark)
    return Place("room", built, subjects, low.astype(np.float32), high)


def tabletop(rng: Rng, library: Library) -> Place:
    """A table or counter in a room, full of small things, for photos of what lies on it."""
    size = np.array([rng.uniform(3, 6), 2.6, rng.uniform(3, 6)], np.float32)
    scene = SceneBuilder()
    _shell(rng, scene, size)
    for _ in range(int(rng.integers(2, 9))):
        _furnish(rng, scene, library, size, [])
    width, depth, height = rng.uniform(0.7, 2.0), rng.uniform(0.6, 1.1), rng.uniform(0.35, 1.0)
    board = scene.add_texture(textures.any_of(rng, textures.FLOORS))
    middle = (size * [0.5, 0, 0.5]).astype(np.float32)
    table = [
        shapes.box((width, 0.04, depth), board).moved(
            np.eye(3, dtype=np.float32), figures.vec(0, height - 0.04, 0)
        )
    ]
    for x in (-1, 1):
        for z in (-1, 1):
            foot = figures.vec(x * (width / 2 - 0.06), 0, z * (depth / 2 - 0.06))
            table.append(
                shapes.limb(foot, foot + figures.vec(0, height - 0.04, 0), (0.03, 0.03), board)
            )
    placed(scene, joined(table), middle, 0, False)
    subjects: list[Subject] = []
    for _ in range(int(rng.integers(2, 12))):
        spot = middle + figures.vec(
            rng.uniform(-0.4, 0.4) * width, height, rng.uniform(-0.4, 0.4) * depth
        )
        subjects.append(
            placed(scene, small_thing(rng, scene, library), spot, rng.uniform(0, 6.3), False)
        )
    low, high = middle - [1.3, -height - 0.1, 1.3], middle + [1.3, height + 0.9, 1.3]
    return Place(
        "tabletop",
        scene_of(scene, lamps(rng, size), _dark),
        subjects,
        low.astype(np.float32),
        high.astype(np.float32),
    )


def small_thing(rng: Rng, scene: SceneBuilder, library: Library) -> Mesh:
    """Something that a hand can hold, its foot at the origin."""
    kind = rng.random()
    if kind < 0.4:
        return figures.vessel(rng, scene)
    if kind < 0.65:
        return figures.packet(rng, scene)
    if kind < 0.75:
        return figures.flower(rng, scene)
    return library.mesh(library.choose(rng, 0.05, 0.4), scene) or figures.vessel(rng, scene)


def _dark(directions: Float) -> Float:
    """What a ray sees that slips through a seam of the room."""
    return np.full_like(directions, 0.3)


def _shell(rng: Rng, scene: SceneBuilder, size: Float) -> None:
    """Floor, ceiling and walls as object 0, with doors, windows, pictures and a rug on them."""
    w, h, d = (float(s) for s in size)
    wall = (
        scene.add_texture(textures.any_of(rng, textures.WALLS))
        if rng.random() < 0.75
        else UNTEXTURED
    )
    floor = scene.add_texture(textures.any_of(rng, textures.FLOORS))
    color = (
        textures.random_color(rng, 0.4, 0.95, 0.06) ** 2.2
        if wall == UNTEXTURED
        else np.ones(3, np.float32)
    )
    tile = rng.uniform(0.8, 2.5)
    floor_quad = np.array([(0, 0, 0), (w, 0, 0), (w, 0, d), (0, 0, d)], np.float32)
    parts = [shapes.quad(floor_quad, floor, (w / tile, d / tile))]
    parts.append(shapes.quad(floor_quad[::-1] + figures.vec(0, h, 0), color=(0.75, 0.75, 0.75)))
    corners = [(0, 0), (w, 0), (w, d), (0, d)]
    for i, a in enumerate(corners):
        parts.append(_wall(rng, scene, a, corners[(i + 1) % 4], h, wall, color, size))
    if rng.random() < 0.4:
        rug = rng.uniform(0.2, 0.5, 2) * [w, d]
        cx, cz = w / 2 + rng.normal(0, 0.4), d / 2 + rng.normal(0, 0.4)
        corner = np.array([(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)]) * [
            rug[0] / 2,
            1,
            rug[1] / 2,
        ] + [cx, 0.008, cz]
        parts.append(
            shapes.quad(corner.astype(np.float32), scene.add_texture(textures.fabric(rng)), (2, 2))
        )
    scene.add(joined(parts))


def _wall(
    rng: Rng,
    scene: SceneBuilder,
    a: tuple[float, float],
    b: tuple[float, float],
    h: float,
    wall: int,
    color: Float,
    size: Float,
) -> Mesh:
    """One wall from a to b (x, z), with what hangs on it 1 cm before it."""
    start, end = np.array([a[0], 0, a[1]]), np.array([b[0], 0, b[1]])
    length = float(np.linalg.norm(end - start))
    along, up = (end - start) / length, np.array([0, 1.0, 0])
    inward = np.cross(along, up)
    if inward @ (size * [0.5, 0, 0.5] - start) < 0:
        inward = -inward

    def panel(
        x: float, y: float, width: float, height: float, texture: int, shade: Float, off: float
    ) -> Mesh:
        foot = start + along * x + up * y + inward * off
        corners = [
            foot,
            foot + along * width,
            foot + along * width + up * height,
            foot + up * height,
        ]
        return shapes.quad(np.array(corners, np.float32), texture, (1, 1), shade)

    whole = np.array([start, end, end + up * h, start + up * h], np.float32)
    parts = [shapes.quad(whole, wall, (length / 2, h / 2), color)]
    parts.append(
        panel(
            0,
            0,
            length,
            rng.uniform(0.06, 0.14),
            UNTEXTURED,
            textures.random_color(rng, 0.2, 0.9, 0.03),
            0.012,
        )
    )
    for _ in range(int(rng.integers(0, 4))):
        match rng.integers(3):
            case 0:
                width, height, y = 0.9, 2.0, 0.0
                texture = scene.add_texture(textures.planks(rng))
            case 1:
                width, height, y = (
                    rng.uniform(0.3, 1.4),
                    rng.uniform(0.3, 1.0),
                    rng.uniform(1.1, 1.5),
                )
                texture = scene.add_texture(textures.picture(rng))
            case _:
                width, height, y = (
                    rng.uniform(0.7, 2.0),
                    rng.uniform(0.8, 1.4),
                    rng.uniform(0.7, 1.0),
                )
                texture = scene.add_texture(textures.picture(rng))
        if length < width + 0.2:
            continue
        x = rng.uniform(0.1, length - width - 0.1)
        frame = textures.random_color(rng, 0.05, 0.95, 0.05)
        parts.append(panel(x - 0.05, y, width + 0.1, height + 0.05, UNTEXTURED, frame, 0.01))
        light = np.full(3, rng.uniform(0.8, 2.5), np.float32)  # a window outshines its wall
        parts.append(panel(x, y + 0.05, width, height - 0.05, texture, light, 0.015))
    return joined(parts)


def _furnish(
    rng: Rng, scene: SceneBuilder, library: Library, size: Float, tops: list[tuple[Float, Float]]
) -> Subject | None:
    """One piece at a random place, often at a wall; remembers flat tops for small things."""
    piece = library.choose(rng, 0.35, 2.8)
    mesh = library.mesh(piece, scene)
    if mesh is None:
        return None
    angle = rng.integers(4) * np.pi / 2 + (rng.normal() * 0.3 if rng.random() < 0.4 else 0)
    turned = mesh.moved(turn_about_y(angle), np.zeros(3, np.float32))
    half = turned.box[1]
    room_left = np.maximum(size - half, half + 0.01)
    where = rng.uniform(np.minimum(half, room_left), room_left).astype(np.float32)
    if rng.random() < 0.6:
        axis = int(rng.choice([0, 2]))
        where[axis] = half[axis] + 0.02 if rng.random() < 0.5 else room_left[axis] - 0.02
    where[1] = min(piece.elevation, max(0.0, float(size[1]) - piece.size[1]))
    subject = placed(scene, mesh, where, angle, False)
    low, high = turned.box[0] + where, turned.box[1] + where
    if 0.3 < high[1] < 1.3 and min(high[0] - low[0], high[2] - low[2]) > 0.3:
        tops.append((np.array([low[0], high[1], low[2]], np.float32), high))
    return subject


def _clutter(
    rng: Rng, scene: SceneBuilder, library: Library, tops: list[tuple[Float, Float]]
) -> list[Subject]:
    """Small things on the tops of furniture."""
    found: list[Subject] = []
    for low, high in tops:
        for _ in range(int(rng.integers(0, 4))):
            spot = rng.uniform(low * 0.8 + high * 0.2, low * 0.2 + high * 0.8).astype(np.float32)
            found.append(
                placed(scene, small_thing(rng, scene, library), spot, rng.uniform(0, 6.3), False)
            )
    return found


def _figure(rng: Rng, scene: SceneBuilder, size: Float) -> Subject:
    where = (rng.uniform(0.2, 0.8, 3) * size * [1, 0, 1]).astype(np.float32)
    make = figures.person if rng.random() < 0.8 else figures.animal
    return placed(scene, make(rng, scene), where, rng.uniform(0, 2 * np.pi), True)


def lamps(rng: Rng, size: Float) -> Lights:
    """1 to 3 lamps in the upper half of a room, and the light that its walls throw back."""
    count = int(rng.integers(1, 4))
    position = np.ones((count, 4), np.float32)
    position[:, :3] = rng.uniform(0.1, 0.9, (count, 3)) * size
    position[:, 1] = size[1] * rng.uniform(0.5, 0.97, count)
    tint = np.clip(1 + rng.normal(0, 0.12, (count, 3)), 0.5, 1.5)
    color = (rng.uniform(0.3, 1.8, (count, 1)) * tint).astype(np.float32)
    ambient = (
        rng.uniform(0.08, 0.5)
        * np.array([[0.6], [1.1]])
        * np.clip(1 + rng.normal(0, 0.05, 3), 0.8, 1.2)
    )
    gloss = float(rng.uniform(0, 0.25) * (rng.random() < 0.7))
    radius = rng.uniform(0.03, 0.3, count).astype(np.float32)
    return Lights(position, color, ambient.astype(np.float32), gloss, radius)
