"""Furnished rooms and corridors with people in them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import figures, people, shapes, textures
from sharp_xr.train.data.furniture import Furniture, Library
from sharp_xr.train.data.houses import view_outside
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined, turn_about_y
from sharp_xr.train.data.places import Place, Subject, faces_of, placed
from sharp_xr.train.data.scene import Lights, Scene, scene_of
from sharp_xr.train.data.shells import Shell, shell
from sharp_xr.train.data.sky import Weather, weather

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Rng = np.random.Generator

THEMES = (
    ("Living room", "Lights", "Miscellaneous"),
    ("Bedroom", "Lights", "Miscellaneous"),
    ("Kitchen", "Living room"),
    ("Office", "Lights", "Living room"),
    ("Bathroom", "Miscellaneous"),
    ("Living room", "Bedroom", "Office", "Kitchen", "Lights", "Miscellaneous"),
)
"""What stands together in a room, by the catalogue's categories."""


@dataclass
class Furnishing:
    """A room that fills up."""

    rng: Rng
    scene: SceneBuilder
    library: Library
    size: Float
    """[3] metres."""
    subjects: list[Subject] = field(default_factory=list)
    taken: list[tuple[Float, Float]] = field(default_factory=list)
    """Lowest and highest corners of what stands there."""
    tops: list[tuple[Float, Float]] = field(default_factory=list)
    """Flat tops for small things: the box's corners, both at the top's height."""

    def stand(self, categories: tuple[str, ...], high_m: float = 2.8) -> None:
        """One piece, mostly with its back to a wall, where nothing stands; or nothing."""
        piece = self.library.choose(self.rng, 0.35, high_m, categories)
        mesh = self.library.mesh(piece, self.scene)
        if mesh is None:
            return
        for _ in range(6):
            angle, where = self._spot(mesh, piece)
            turned = mesh.moved(turn_about_y(angle), where)
            low, high = turned.box
            if self._is_free(low, high):
                self.taken.append((low, high))
                self.subjects.append(placed(self.scene, mesh, where, angle, False))
                if 0.3 < high[1] < 1.3 and min(high[0] - low[0], high[2] - low[2]) > 0.3:
                    top = np.array([low[0], high[1], low[2]], np.float32)
                    self.tops.append((top, high))
                return

    def _spot(self, mesh: Mesh, piece: Furniture) -> tuple[float, Float]:
        rng, size = self.rng, self.size
        side = int(rng.integers(4))
        angle = side * np.pi / 2 + (rng.normal() * 0.5 if rng.random() < 0.3 else 0)
        half = mesh.moved(turn_about_y(angle), np.zeros(3, np.float32)).box[1]
        low, high = half + 0.02, np.maximum(size - half - 0.02, half + 0.03)
        where = rng.uniform(np.minimum(low, high), high)
        if rng.random() < 0.82:  # models face +z: turned by a quarter, they face +x, and so on
            axis, at = ((2, low), (0, low), (2, high), (0, high))[side]
            where[axis] = at[axis]
        where[1] = min(piece.elevation, max(0.0, float(size[1]) - piece.size[1]))
        return angle, where.astype(np.float32)

    def _is_free(self, low: Float | Double, high: Float | Double) -> bool:
        inside = np.all(low[[0, 2]] > 0) and np.all(high < self.size)
        return bool(inside) and not any(
            np.all(low < above - 0.02) and np.all(high > below + 0.02)
            for below, above in self.taken
        )

    def clutter(self, most: int) -> None:
        """Small things on tops of furniture and, a few, on the floor."""
        rng = self.rng
        for low, high in self.tops:
            for _ in range(int(rng.integers(0, most))):
                spot = rng.uniform(low * 0.85 + high * 0.15, low * 0.15 + high * 0.85)
                self.put(spot.astype(np.float32))
        for _ in range(int(rng.integers(0, 5))):
            spot = rng.uniform(0.1, 0.9, 3) * self.size * [1, 0, 1]
            if self._is_free(spot - 0.1 + [0, 0.12, 0], spot + 0.1):
                self.put(spot.astype(np.float32))

    def put(self, spot: Float) -> None:
        """A small thing."""
        thing = small_thing(self.rng, self.scene, self.library)
        self.subjects.append(placed(self.scene, thing, spot, self.rng.uniform(0, 6.3), False))

    def person(self) -> None:
        """Somebody, somewhere; or an animal."""
        rng = self.rng
        is_person = rng.random() < 0.85
        for _ in range(6):
            where = (rng.uniform(0.1, 0.9, 3) * self.size * [1, 0, 1]).astype(np.float32)
            around = np.array([0.25, 0, 0.25], np.float32)
            if self._is_free(where - around + [0, 0.1, 0], where + around + [0, 1, 0]):
                break
        turn = float(rng.uniform(0, 2 * np.pi))
        if is_person:
            mesh = people.anyone(rng, self.scene, self.library)
        else:
            mesh = figures.animal(rng, self.scene)
        subject = placed(self.scene, mesh, where, turn, True)
        self.subjects += [subject, *(faces_of(subject) if is_person else [])]


def room(rng: Rng, library: Library) -> Place:
    """A box of 2.2-8 x 2.2-9 x 2.3-3.4 m, furnished by a theme, with clutter and people."""
    large = rng.random() < 0.5
    most = 9 if large else 5
    size = np.array([rng.uniform(2.2, most), rng.uniform(2.3, 3.4), rng.uniform(2.5, most)])
    size = size.astype(np.float32)
    scene = SceneBuilder()
    built = shell(rng, scene, size, windows=0.9, doors=0.5)
    fill = Furnishing(rng, scene, library, size)
    theme = THEMES[int(rng.integers(len(THEMES)))]
    for _ in range(int(rng.integers(8, 16) + size[0] * size[2] / 2)):
        fill.stand(theme)
    for _ in range(int(rng.choice([0, 1, 2, 3, 6], p=[0.35, 0.3, 0.2, 0.1, 0.05]))):
        fill.person()
    if rng.random() < 0.4:
        scene.add(pendant(rng, size))
    fill.clutter(6)
    return replace(_finished(rng, scene, built, fill, "room"), overview_share=0.55)


def corridor(rng: Rng, library: Library) -> Place:
    """A passage of 1.1-2.6 x 6-25 m with doors on its sides, few things and people in it."""
    size = np.array([rng.uniform(1.1, 2.6), rng.uniform(2.3, 3.2), np.exp(rng.uniform(1.8, 3.2))])
    size = size.astype(np.float32)
    scene = SceneBuilder()
    built = shell(rng, scene, size, windows=float(rng.choice([0.0, 1.5])), doors=float(size[2] / 4))
    fill = Furnishing(rng, scene, library, size)
    for _ in range(int(rng.integers(0, 8))):
        fill.stand(("Living room", "Office", "Lights", "Miscellaneous"), 1.2)
    for _ in range(int(rng.choice([0, 1, 2, 4], p=[0.4, 0.3, 0.2, 0.1]))):
        fill.person()
    fill.clutter(3)
    place = _finished(rng, scene, built, fill, "corridor")
    ends = np.array([size[0] * 0.35, 0.35, 0.5], np.float32)
    low, high = place.low.copy(), place.high.copy()
    low[0], high[0] = min(ends[0], 0.6), size[0] - min(ends[0], 0.6)
    if rng.random() < 0.7:  # from one end, along it
        high[2] = min(high[2], 1.5)
    return Place("corridor", place.scene, place.subjects, low, high, 0.25, axis=2)


def _finished(rng: Rng, scene: SceneBuilder, built: Shell, fill: Furnishing, kind: str) -> Place:
    size = built.size
    margin = np.array([0.25, 0.0, 0.25], np.float32)
    low, high = margin + [0, 0.7, 0], size - margin
    high[1] = min(2.0, float(size[1]) - 0.2)
    finished = lit_room(rng, scene, built)
    return Place(kind, finished, fill.subjects, low.astype(np.float32), high.astype(np.float32))


def lit_room(rng: Rng, scene: SceneBuilder, built: Shell) -> Scene:
    """Lamps, and where there are windows the world before them and its daylight."""
    if not built.windows:
        return scene_of(scene, lamps(rng, built.size), _dark)
    view_outside(rng, scene, built.size)
    outside = weather(rng)
    inside = lamps(rng, built.size)
    return scene_of(scene, _with_daylight(rng, inside, built, outside), outside.sky(rng, 2.0))


def _with_daylight(rng: Rng, inside: Lights, built: Shell, outside: Weather) -> Lights:
    """Each window shines like a lamp of its size; the sun comes in where it may."""
    day = float(outside.sky_color.mean())
    position = [np.append(middle, 1) for middle in built.windows[:2]]
    color = [outside.sky_color * 1.2 for _ in position]
    radius = [0.5 for _ in position]
    if outside.sun_strength > 0.5:
        position.append(np.append(outside.sun, 0))
        color.append(outside.sun_color * 2.0)
        radius.append(0.01)
    dim = float(rng.uniform(0.05, 0.6)) if day > 0.2 and rng.random() < 0.6 else 1.0  # lamps off
    ambient = inside.ambient * max(dim, 0.6) + 0.12 * day * np.array([[0.7], [1.0]])
    return Lights(
        np.concatenate([inside.position, position]).astype(np.float32),
        np.concatenate([inside.color * dim, color]).astype(np.float32),
        ambient.astype(np.float32),
        inside.gloss,
        np.concatenate([inside.radius, radius]).astype(np.float32),
    )


def small_thing(rng: Rng, scene: SceneBuilder, library: Library) -> Mesh:
    """Something that a hand can hold, its foot at the origin."""
    kind = rng.random()
    if kind < 0.3:
        return figures.vessel(rng, scene)
    if kind < 0.45:
        return figures.packet(rng, scene)
    if kind < 0.53:
        return figures.flower(rng, scene)
    if kind < 0.6:
        return toy(rng, scene, library)
    if kind < 0.66:
        return figures.books(rng, scene)
    if kind < 0.7:
        return figures.cord(rng)
    return library.mesh(library.choose(rng, 0.05, 0.4), scene) or figures.vessel(rng, scene)


def pendant(rng: Rng, size: Float) -> Mesh:
    """A lamp that hangs from the ceiling by its cable."""
    where = (rng.uniform(0.2, 0.8, 3) * size).astype(np.float32)
    where[1] = size[1] * rng.uniform(0.6, 0.85)
    top = where.copy()
    top[1] = size[1]
    radius, high = float(rng.uniform(0.06, 0.25)), float(rng.uniform(0.08, 0.25))
    profile = np.array([[0, 1.0], [0.4, 0.9], [0.8, 0.5], [1, 0.1], [1, 0.0]]) * [high, radius]
    color = textures.random_color(rng, 0.1, 0.95, 0.08) ** np.float32(2.2)
    shade = shapes.lathe(profile[:, 0], profile[:, 1], color=color)
    cable = shapes.wire(np.stack([where, top]), 0.004)
    return joined([cable, shade.moved(np.eye(3, dtype=np.float32), where)])


def toy(rng: Rng, scene: SceneBuilder, library: Library) -> Mesh:
    """Something large made small: a doll, an animal, a car, a house of blocks; 6 to 35 cm."""
    match int(rng.integers(4)):
        case 0:
            mesh = people.person(rng, scene)
        case 1:
            mesh = figures.animal(rng, scene)
        case 2:
            piece = library.choose(rng, 0.5, 30, ("Vehicles", "Characters", "Exterior"))
            mesh = library.mesh(piece, scene) or figures.animal(rng, scene)
        case _:
            blocks = []
            for _ in range(int(rng.integers(3, 9))):
                color = textures.random_color(rng, 0.2, 0.9, 0.3) ** np.float32(2.2)
                block = shapes.box(tuple(rng.uniform(0.2, 0.6, 3)), color=color)
                offset = rng.uniform(0, 1, 3) * [1, rng.integers(0, 2) * 0.5, 1]
                blocks.append(
                    block.moved(turn_about_y(rng.uniform(0, 6)), offset.astype(np.float32))
                )
            mesh = joined(blocks)
    low, high = mesh.box
    return people.scaled(mesh, float(rng.uniform(0.06, 0.35) / (high - low).max()))


def _dark(directions: Float) -> Float:
    """What a ray sees that slips through a seam of the room."""
    return np.full_like(directions, 0.3)


def lamps(rng: Rng, size: Float) -> Lights:
    """1 to 3 lamps in the upper half of a room, and the light that its walls throw back."""
    count = int(rng.integers(1, 4))
    position = np.ones((count, 4), np.float32)
    position[:, :3] = rng.uniform(0.1, 0.9, (count, 3)) * size
    position[:, 1] = size[1] * rng.uniform(0.6, 0.97, count)
    tint = np.clip(1 + rng.normal(0, 0.1, (count, 3)), 0.5, 1.5)
    color = (rng.uniform(0.3, 1.8, (count, 1)) * tint).astype(np.float32)
    ambient = (
        rng.uniform(0.12, 0.5)
        * np.array([[0.6], [1.1]])
        * np.clip(1 + rng.normal(0, 0.05, 3), 0.8, 1.2)
    )
    gloss = float(rng.uniform(0, 0.25) * (rng.random() < 0.7))
    radius = rng.uniform(0.03, 0.3, count).astype(np.float32)
    return Lights(position, color, ambient.astype(np.float32), gloss, radius)
