"""Places: a scene, where a photographer may stand in it, and what is worth a photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.mesh import Mesh, SceneBuilder, turn_about_y
from sharp_xr.train.data.scene import Scene

Float = NDArray[np.float32]

LIFT_M = 0.006
"""Things hover by this: a foot in the floor's own plane would hide it from the second layer."""


@dataclass(frozen=True)
class Subject:
    """Something worth a photo."""

    center: Float
    """[3] metres."""
    size: float
    """Longest side, metres."""
    front: float
    """Angle about y of the side it is looked at from; z is 0."""
    is_figure: bool
    """A person or animal: photographed from the front, at its own height."""


@dataclass(frozen=True)
class Place:
    """A scene, and where a photographer may stand."""

    kind: str
    """What it is, in a word."""
    scene: Scene
    subjects: list[Subject]
    low: Float
    """[3] lowest corner of the space for cameras, metres."""
    high: Float
    """[3] highest corner."""
    subject_share: float = 0.65
    """How many photos are of a subject rather than of the place."""
    overview_share: float = 0.0
    """How many photos are of the room as a whole, from its side."""
    axis: int | None = None
    """Of a long place: photos of it look along x (0) or z (2)."""


def placed(scene: SceneBuilder, mesh: Mesh, where: Float, angle: float, figure: bool) -> Subject:
    """Puts a mesh at `where` [3], turned; returns it as a subject."""
    lifted = np.asarray(where, np.float32) + np.array([0, LIFT_M, 0], np.float32)
    moved = mesh.moved(turn_about_y(angle), lifted)
    scene.add(moved)
    low, high = moved.box
    middle = np.asarray((low + high) / 2, np.float32)
    return Subject(middle, float((high - low).max()), angle, figure)


def faces_of(person: Subject) -> list[Subject]:
    """A standing person's face and upper body, for photos from near."""
    up = np.array([0, 1, 0], np.float32)
    size = person.size
    face = Subject(person.center + up * np.float32(0.42 * size), 0.16 * size, person.front, True)
    bust = Subject(person.center + up * np.float32(0.28 * size), 0.4 * size, person.front, True)
    return [face, bust]
