"""An instance: one scene's photo and what would be seen from up to 60 cm beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.layouts import random_place
from sharp_xr.train.data.places import Place
from sharp_xr.train.data.raycast import Camera, Shot, shoot
from sharp_xr.train.data.views import Exposure, novel_cameras, random_view
from sharp_xr.train.samples import Sample

Rng = np.random.Generator


@dataclass(frozen=True)
class Instance:
    """A sample with what only a drawn scene knows."""

    key: str
    """Seed of the scene and number of the photo in it: 000012-1."""
    kind: str
    """What the scene is: room, tabletop, outdoors..."""
    sample: Sample
    """The photo, which knows its second layer, and its novel views."""
    marks: NDArray[np.uint8]
    """[1 + K, H, W] bits of `raycast`: REFLECTIVE, TRANSPARENT."""
    world_from_input: NDArray[np.float64]
    """[4, 4] from the photo's camera (OpenCV axes) to the scene (y up, the floor is y = 0)."""


@dataclass(frozen=True)
class Drawing:
    """How much is drawn of a scene."""

    instances: int = 2
    """Photos of each scene."""
    novel: int = 10
    """Novel views of each photo, at most; places inside of things and behind walls are left out."""
    size_px: int = 384
    """Width and height of the pictures."""


def draw(seed: int, library: Library, drawing: Drawing) -> list[Instance]:
    """The instances of that seed's scene; where none is worth having, another place is made.

    Returns:
        one to `drawing.instances` of them.
    """
    rng = np.random.default_rng(seed)
    while True:
        place = random_place(rng, library)
        found = [one for _ in range(drawing.instances) if (one := _instance(rng, place, drawing))]
        if found:
            return [make(f"{seed:06d}-{i}") for i, make in enumerate(found)]


def _instance(rng: Rng, place: Place, drawing: Drawing) -> Callable[[str], Instance] | None:
    """None where no view was found, or none beside it."""
    view = random_view(rng, place, drawing.size_px)
    if view is None:
        return None
    camera, shot = view
    cameras = novel_cameras(rng, place, camera, shot, drawing.novel)
    if drawing.novel and not cameras:
        return None
    shots = [shot, *(shoot(place.scene, c, second_layer=False) for c in cameras)]
    cameras = [camera, *cameras]
    sample = _sample(cameras, shots, Exposure.of(rng, shot.linear))
    marks = np.stack([s.marks for s in shots])
    world_from_input = opencv_pose(camera)
    return lambda key: Instance(key, place.kind, sample, marks, world_from_input)


def _sample(cameras: list[Camera], shots: list[Shot], exposure: Exposure) -> Sample:
    """One exposure for all: a camera that moves by centimetres would keep it."""
    input_from_world = np.linalg.inv(opencv_pose(cameras[0]))
    return Sample(
        np.stack([exposure.applied(s.linear) for s in shots]),
        np.stack([s.depth for s in shots]),
        np.array([[c.focal_px, c.focal_px, c.width / 2, c.height / 2] for c in cameras]),
        np.stack([np.linalg.inv(input_from_world @ opencv_pose(c)) for c in cameras]),
        shots[0].behind,
    )


def opencv_pose(camera: Camera) -> NDArray[np.float64]:
    """World from camera [4, 4], the camera's axes as in OpenCV: right, down, forward."""
    right, up, forward = camera.world_from_camera.T.astype(np.float64)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, -up, forward], 1)
    pose[:3, 3] = camera.position
    return pose
