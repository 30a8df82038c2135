"""SHARP's camera paths: small moves around the photo's camera, as large as the depth allows.

The rules and numbers are those of apple/ml-sharp (TrajectoryParams at 1eaa046). One thing differs:
the principal point is the middle of the picture here, so that the photo's own pose gives the photo
back; ml-sharp draws half a pixel beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32
from sharp_xr.render.camera import View

Float64 = NDArray[np.float64]
TrajectoryName = Literal["rotate_forward", "swipe", "shake", "rotate"]

MAX_DISPARITY = 0.08
"""Shift of the nearest things at most, as a share of the picture's diagonal."""
MAX_ZOOM = 0.15
"""Way towards the nearest things at most, as a share of their distance."""
NEAR_QUANTILE, FOCUS_QUANTILE = 0.001, 0.1
"""Of the depths before the camera: what counts as nearest, and what the camera looks at."""
MIN_FOCUS_M = 2.0
WORLD_UP = np.array([0.0, -1.0, 0.0])
"""In the photo's axes, whose y points down."""


@dataclass(frozen=True)
class PhotoLens:
    """The photo that a scene came from, or a scaled picture of it."""

    width: int
    height: int
    focal_px: float

    def fitted(self, longer_side: int) -> PhotoLens:
        """Scaled to that longer side, both sides even as video wants them."""
        scale = longer_side / max(self.width, self.height)
        width, height = (max(2, round(n * scale / 2) * 2) for n in (self.width, self.height))
        return PhotoLens(width, height, self.focal_px * scale)

    def view(self, camera_from_photo: Float64) -> View:
        """What a camera with this lens sees from there."""
        focal = self.focal_px
        middle_x, middle_y = self.width / 2, self.height / 2
        return View(camera_from_photo, focal, focal, middle_x, middle_y, self.width, self.height)


def trajectory(
    name: TrajectoryName, means: Float32, lens: PhotoLens, *, steps: int = 60, repeats: int = 1
) -> list[View]:
    """The views along a path around the scene's ``means`` [N, 3] (metres, photo axes).

    Raises:
        ValueError: fewer than one step, or nothing before the photo's camera.
    """
    if steps < 1:
        raise ValueError(f"a trajectory of {steps} steps shows nothing, wanted 1 or more")
    depths = means[means[:, 2] > 0, 2]
    if not len(depths):
        raise ValueError("the scene has nothing before the photo's camera to move around")
    near, focus = (float(z) for z in np.quantile(depths, [NEAR_QUANTILE, FOCUS_QUANTILE]))
    diagonal = math.hypot(lens.width, lens.height) / lens.focal_px
    lateral, medial = MAX_DISPARITY * diagonal * near, MAX_ZOOM * near
    target = np.array([0.0, 0.0, max(MIN_FOCUS_M, focus)])
    eyes = path(name, lateral, medial, steps, repeats)
    return [lens.view(look_at(eye, target)) for eye in eyes]


def path(
    name: TrajectoryName, lateral: float, medial: float, steps: int, repeats: int = 1
) -> Float64:
    """[steps, 3] where the camera stands, metres in the photo's axes."""
    eyes = np.zeros((steps, 3))
    angle = 2 * math.pi * np.linspace(0.0, repeats, steps)
    match name:
        case "swipe":
            eyes[:, 0] = np.linspace(-lateral, lateral, steps)
        case "shake":
            half = steps // 2
            eyes[:half, 0] = lateral * np.sin(2 * math.pi * np.linspace(0.0, repeats, half))
            eyes[half:, 1] = lateral * np.sin(2 * math.pi * np.linspace(0.0, repeats, steps - half))
        case "rotate":
            eyes[:, 0], eyes[:, 1] = lateral * np.sin(angle), lateral * np.cos(angle)
        case "rotate_forward":
            eyes[:, 0] = lateral * np.sin(angle)
            eyes[:, 2] = medial * (1 - np.cos(angle)) / 2
    return eyes


def look_at(eye: Float64, target: Float64) -> Float64:
    """[4, 4] camera_from_photo of an upright camera at ``eye``, ``target`` in its middle."""
    front = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(front, WORLD_UP)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(front, right), front])  # camera from photo
    camera_from_photo = np.eye(4)
    camera_from_photo[:3, :3] = rotation
    camera_from_photo[:3, 3] = -rotation @ eye
    return camera_from_photo
