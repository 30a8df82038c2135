"""A room's shell: floor, ceiling, walls with openings, and what hangs on them; all one object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import shapes, textures
from sharp_xr.train.data.mesh import UNTEXTURED, Mesh, SceneBuilder, joined

Float = NDArray[np.float32]
Rng = np.random.Generator
Rect = tuple[float, float, float, float]
"""Left, bottom, width, height on a wall, metres."""


@dataclass(frozen=True)
class Wall:
    """One wall's frame of reference."""

    start: Float
    """[3] its lower left corner, seen from inside."""
    along: Float
    """[3] unit, to the right."""
    inward: Float
    """[3] unit."""
    length: float
    height: float

    def panel(
        self,
        rect: Rect,
        off: float,
        texture: int = UNTEXTURED,
        tile: tuple[float, float] | None = None,
        color: Float | tuple[float, float, float] = shapes.WHITE,
    ) -> Mesh:
        """A rectangle `off` metres before the wall; a tile of the texture is so large, or fills it.

        With a tile's size the texture is laid from the wall's corner, so pieces of a wall fit.
        """
        x, y, w, h = rect
        up = np.array([0, 1, 0], np.float32)
        foot = self.start + self.along * x + up * y + self.inward * off
        corners = [foot, foot + self.along * w, foot + self.along * w + up * h, foot + up * h]
        points = np.stack([np.stack(corners)[[0, 1, 2]], np.stack(corners)[[0, 2, 3]]])
        u0, v0, u1, v1 = 0.0, 0.0, 1.0, 1.0
        if tile:
            u0, v0 = x / tile[0], y / tile[1]
            u1, v1 = u0 + w / tile[0], v0 + h / tile[1]
        uv = np.array([[[u0, v0], [u1, v0], [u1, v1]], [[u0, v0], [u1, v1], [u0, v1]]], np.float32)
        normals = np.broadcast_to(self.inward, points.shape)
        return shapes.mesh_of(points, normals, uv, texture, color)

    def block(self, rect: Rect, depth: float, color: Float, off: float = 0.0) -> Mesh:
        """A box of that front, standing `depth` metres out of the wall."""
        x, y, w, h = rect
        turn = np.stack([self.along, [0, 1, 0], self.inward], 1).astype(np.float32)
        middle = self.start + self.along * (x + w / 2) + self.inward * (off + depth / 2)
        offset = (middle + np.array([0, y, 0])).astype(np.float32)
        return shapes.box((w, h, depth), color=color).moved(turn, offset)


@dataclass(frozen=True)
class Shell:
    """A built shell."""

    size: Float
    """[3] metres; a corner is the origin."""
    windows: list[Float]
    """[3] middle of each, metres."""


def walls_of(size: Float) -> list[Wall]:
    """The four walls of a box with a corner at the origin."""
    w, h, d = (float(s) for s in size)
    corners = [(0.0, 0.0), (w, 0.0), (w, d), (0.0, d)]
    found = []
    for i, a in enumerate(corners):
        b = corners[(i + 1) % 4]
        start = np.array([a[0], 0, a[1]], np.float32)
        end = np.array([b[0], 0, b[1]], np.float32)
        length = float(np.linalg.norm(end - start))
        along = ((end - start) / length).astype(np.float32)
        inward = np.cross(along, np.array([0, 1, 0], np.float32)).astype(np.float32)
        if inward @ (size * [0.5, 0, 0.5] - start) < 0:
            inward = -inward
        found.append(Wall(start, along, inward, length, h))
    return found


def shell(rng: Rng, scene: SceneBuilder, size: Float, windows: float, doors: float) -> Shell:
    """Puts floor, ceiling and walls into the scene as its first object.

    Args:
        rng: what decides.
        scene: empty so far.
        size: [3] metres.
        windows: how many a wall has, on average; half of the walls have none.
        doors: the same for doors.
    """
    w, h, d = (float(s) for s in size)
    texture, tint = _paint(rng, scene)
    parts = [*_floor(rng, scene, w, d), *_ceiling(rng, scene, w, h, d)]
    middles: list[Float] = []
    tile = float(rng.uniform(0.8, 2.5))
    skirting = textures.random_color(rng, 0.3, 0.95, 0.03)
    for wall in walls_of(size):
        if rng.random() < 0.12:  # one wall of another kind
            texture, tint = _paint(rng, scene)
        layout = _Layout(rng, wall)
        openings = layout.windows(windows if rng.random() < 0.5 else 0)
        door_frames = layout.doors(doors)
        color = np.asarray(tint, np.float32)
        parts += [wall.panel(r, 0, texture, (tile, tile), color) for r in layout.rest(openings)]
        for rect in openings:
            parts += _window(rng, wall, rect)
            x, y, rw, rh = rect
            middles.append(wall.start + wall.along * (x + rw / 2) + np.float32(y + rh / 2) * UP)
        parts += [m for rect in door_frames for m in _door(rng, scene, wall, rect)]
        parts += _hung(rng, scene, wall, layout)
        parts.append(wall.block((0, 0, wall.length, rng.uniform(0.05, 0.14)), 0.012, skirting))
    scene.add(joined(parts))
    return Shell(size, middles)


UP = np.array([0, 1, 0], np.float32)


def _paint(rng: Rng, scene: SceneBuilder) -> tuple[int, Float]:
    """A wall's texture and colour: mostly plain and pale."""
    if rng.random() < 0.7:
        return UNTEXTURED, textures.wall_color(rng) ** np.float32(2.2)
    return scene.add_texture(textures.any_of(rng, textures.WALLS)), np.ones(3, np.float32)


class _Layout:
    """Keeps what is on a wall from overlapping."""

    def __init__(self, rng: Rng, wall: Wall) -> None:
        self.rng, self.wall = rng, wall
        self.taken: list[tuple[float, float]] = []

    def spot(self, width: float) -> float | None:
        """The left side of a free place so wide; None if none was found."""
        if self.wall.length < width + 0.3:
            return None
        for _ in range(6):
            x = float(self.rng.uniform(0.1, self.wall.length - width - 0.1))
            if all(x + width + 0.1 < a or x > b + 0.1 for a, b in self.taken):
                self.taken.append((x, x + width))
                return x
        return None

    def windows(self, mean: float) -> list[Rect]:
        """Rectangles of openings."""
        found = []
        for _ in range(int(self.rng.poisson(mean))):
            width = float(self.rng.uniform(0.6, 2.2))
            low = float(self.rng.choice([0.05, 0.85], p=[0.2, 0.8]))
            height = float(self.rng.uniform(0.9, 1.5)) if low > 0.5 else 2.05
            x = self.spot(width)
            if x is not None and low + height < self.wall.height - 0.05:
                found.append((x, low, width, height))
        return found

    def doors(self, mean: float) -> list[Rect]:
        """Rectangles of doors."""
        spots = [self.spot(0.9) for _ in range(int(self.rng.poisson(mean)))]
        return [(x, 0.0, 0.9, 2.03) for x in spots if x is not None]

    def rest(self, openings: list[Rect]) -> list[Rect]:
        """What is left of the wall around the openings."""
        found, x = [], 0.0
        for left, low, width, height in sorted(openings):
            found.append((x, 0.0, left - x, self.wall.height))
            found.append((left, 0.0, width, low))
            top = low + height
            found.append((left, top, width, self.wall.height - top))
            x = left + width
        return [*found, (x, 0.0, self.wall.length - x, self.wall.height)]


def _floor(rng: Rng, scene: SceneBuilder, w: float, d: float) -> list[Mesh]:
    texture = scene.add_texture(textures.any_of(rng, textures.FLOORS))
    tile = float(rng.uniform(0.8, 2.5))
    corners = np.array([(0, 0, 0), (w, 0, 0), (w, 0, d), (0, 0, d)], np.float32)
    floor = shapes.quad(corners, texture, (w / tile, d / tile))
    parts = [shapes.polished(floor, rng.uniform(0.02, 0.09)) if rng.random() < 0.35 else floor]
    if rng.random() < 0.45:
        half = rng.uniform(0.2, 0.45, 2) * [w, d]
        x, z = w / 2 + rng.normal(0, 0.4), d / 2 + rng.normal(0, 0.4)
        square = np.array([(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)])
        rug = square * [half[0], 1, half[1]] + [x, 0.008, z]
        rug = np.clip(rug, [0.05, 0, 0.05], [w - 0.05, 1, d - 0.05])
        cloth = scene.add_texture(textures.fabric(rng))
        parts.append(shapes.quad(rug.astype(np.float32), cloth, (2, 2)))
    return parts


def _ceiling(rng: Rng, scene: SceneBuilder, w: float, h: float, d: float) -> list[Mesh]:
    corners = np.array([(0, h, d), (w, h, d), (w, h, 0), (0, h, 0)], np.float32)
    if rng.random() < 0.15:
        texture = scene.add_texture(textures.any_of(rng, (textures.planks, textures.plaster)))
        return [shapes.quad(corners, texture, (w / 2, d / 2))]
    white = np.full(3, rng.uniform(0.55, 0.9), np.float32)
    return [shapes.quad(corners, color=white)]


def _window(rng: Rng, wall: Wall, rect: Rect) -> list[Mesh]:
    """The opening's depth, its frame, bars and, at times, a pane that reflects, or a curtain."""
    x, y, w, h = rect
    color = textures.random_color(rng, 0.25, 0.97, 0.04)
    bar, depth = float(rng.uniform(0.03, 0.08)), float(rng.uniform(0.05, 0.3))
    frame = [(x, y, bar, h), (x + w - bar, y, bar, h), (x, y, w, bar), (x, y + h - bar, w, bar)]
    for i in range(1, int(rng.integers(1, 4))):
        frame.append((x + w * i / 3 - bar / 2, y, bar, h))
    if rng.random() < 0.3:
        frame.append((x, y + h * 0.6, w, bar))
    parts = [wall.block(r, depth, color, -depth) for r in frame]
    if y > 0.5:
        parts.append(wall.block((x - 0.05, y - 0.03, w + 0.1, 0.03), 0.15, color))
    if rng.random() < 0.3:
        pane = wall.panel(rect, -0.03, color=np.full(3, 0.02, np.float32))
        parts.append(shapes.polished(pane, 0.04, 0.95))
    if rng.random() < 0.35:
        cloth = textures.random_color(rng, 0.3, 0.95, 0.1)
        for left in (x - 0.25, x + w - 0.1):
            folds = [(left + 0.07 * k, 0.05, 0.07, wall.height - 0.25) for k in range(5)]
            parts += [
                wall.block(f, 0.05 + 0.02 * (k % 2), cloth, 0.04) for k, f in enumerate(folds)
            ]
    return parts


def _door(rng: Rng, scene: SceneBuilder, wall: Wall, rect: Rect) -> list[Mesh]:
    """A frame, a leaf (closed, or standing open into the room) and its handle."""
    x, y, w, h = rect
    frame = textures.random_color(rng, 0.2, 0.95, 0.05)
    sides = ((x - 0.07, y, 0.07, h + 0.07), (x + w, y, 0.07, h + 0.07), (x, h, w, 0.07))
    parts = [wall.block(r, 0.03, frame) for r in sides]
    color = textures.wall_color(rng) ** np.float32(2.2)
    texture = scene.add_texture(textures.planks(rng)) if rng.random() < 0.4 else UNTEXTURED
    if texture != UNTEXTURED:
        color = np.ones(3, np.float32)
    parts.append(wall.panel((x, y, w, h), 0.015, texture, None, color))
    for level in (0.25, 1.15):
        parts.append(wall.block((x + 0.12, level, w - 0.24, 0.7), 0.012, color * 0.85, 0.01))
    metal = np.full(3, rng.uniform(0.1, 0.7), np.float32)
    parts.append(wall.block((x + w - 0.16, 1.0, 0.12, 0.025), 0.02, metal, 0.05))
    return parts


def _hung(rng: Rng, scene: SceneBuilder, wall: Wall, layout: _Layout) -> list[Mesh]:
    """Pictures, posters, mirrors, shelves, switches and radiators."""
    parts: list[Mesh] = []
    for _ in range(int(rng.poisson(0.9))):
        width, height = float(rng.uniform(0.25, 1.5)), float(rng.uniform(0.3, 1.0))
        y = float(rng.uniform(1.0, 1.5))
        x = layout.spot(width)
        if x is None or y + height > wall.height - 0.05:
            continue
        thick = float(rng.uniform(0.005, 0.04))
        frame = textures.random_color(rng, 0.05, 0.95, 0.05) ** np.float32(2.2)
        edge = float(rng.uniform(0.01, 0.06))
        parts.append(wall.block((x, y, width, height), thick, frame))
        inner = (x + edge, y + edge, width - 2 * edge, height - 2 * edge)
        if rng.random() < 0.2:
            mirror = wall.panel(inner, thick + 0.002, color=np.full(3, 0.02, np.float32))
            parts.append(shapes.polished(mirror, 0.9))
            continue
        light = np.full(3, 2.5 if rng.random() < 0.1 else 1.0, np.float32)  # a lit screen
        picture = scene.add_texture(textures.picture(rng))
        panel = wall.panel(inner, thick + 0.002, picture, None, light)
        parts.append(shapes.polished(panel, 0.04) if rng.random() < 0.4 else panel)
    if rng.random() < 0.5:
        x = float(rng.uniform(0.1, wall.length - 0.2))
        parts.append(wall.block((x, 1.1, 0.08, 0.08), 0.012, np.full(3, 0.8, np.float32)))
    return parts
