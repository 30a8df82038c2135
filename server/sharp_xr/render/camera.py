"""The one door between OpenXR's axes (world, wire) and OpenCV's (photo, Gaussians, renderers).

    OpenXR   x right, y up,   z towards the viewer      poses, fields of view
    OpenCV   x right, y down, z forward                 Gaussians, views

Both have their origin at the photo's camera, so that the two differ by half a turn about x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.rotation import rotation_rows
from sharp_xr_protocol.geometry import Fov, Pose

OPENCV_FROM_OPENXR = np.diag([1.0, -1.0, -1.0, 1.0])
"""[4, 4] points; its own inverse."""


@dataclass(frozen=True)
class View:
    """A pinhole camera and its picture. The centre of the top left pixel is (0.5, 0.5)."""

    camera_from_photo: NDArray[np.float64]
    """[4, 4], both frames in OpenCV axes, metres."""
    fx: float
    """Focal lengths and principal point in pixels."""
    fy: float
    cx: float
    cy: float
    width: int
    height: int


def view_from_eye(world_from_eye: Pose, fov: Fov, width: int, height: int) -> View:
    """The view of an eye whose pose is in OpenXR's world; the field may be off-centre."""
    left, right = math.tan(fov.left), math.tan(fov.right)
    up, down = math.tan(fov.up), math.tan(fov.down)
    fx, fy = width / (right - left), height / (up - down)
    eye_from_world = matrix(world_from_eye.inverse())
    return View(
        camera_from_photo=OPENCV_FROM_OPENXR @ eye_from_world @ OPENCV_FROM_OPENXR,
        fx=fx,
        fy=fy,
        cx=-left * fx,
        cy=up * fy,
        width=width,
        height=height,
    )


def photo_fov(width: int, height: int, focal_px: float) -> Fov:
    """What a photo with its principal point in the middle sees."""
    return Fov.symmetric(
        2 * math.atan(width / (2 * focal_px)), 2 * math.atan(height / (2 * focal_px))
    )


def matrix(pose: Pose) -> NDArray[np.float64]:
    """[4, 4] of a pose, in the pose's own axes."""
    x, y, z, w = pose.orientation
    result = np.eye(4)
    result[:3, :3] = rotation_rows(w, x, y, z)
    result[:3, 3] = pose.position
    return result
