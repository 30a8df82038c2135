"""Where a scene is looked at from: the photo's camera, and a head that moves around there."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import View
from sharp_xr.render.cpu.scene import is_before_camera, sample_of

MOST_PIXELS = 2**19
REACH_M = 0.5
REACH_OF_NEAR = (0.3, 0.2, 0.45)
"""How far the head goes sideways, up and down, in and out: share of the distance where the nearest
tenth of the scene ends, and REACH_M at most. The page's limits (``web/head.js``)."""
MARGIN = 0.05
"""Of a picture's longer side, around what the photo shows: a head that turns sees the scene's rim,
which may not be just anything."""


def photo_view(gaussians: Gaussians, pixels: int) -> View | None:
    """What the photo's camera sees of a scene, in about so many pixels; None for a scene that lies
    around it."""
    means = sample_of(gaussians.means)
    if not is_before_camera(means):
        return None
    ahead = means[means[:, 2] > 0]
    low, high = np.percentile(ahead[:, :2] / ahead[:, 2:], [0.5, 99.5], axis=0)
    width, height = np.maximum(high - low, 1e-3)
    focal = float(np.sqrt(min(pixels, MOST_PIXELS) / (width * height)))
    size = max(1, round(focal * width)), max(1, round(focal * height))
    return View(np.eye(4), focal, focal, -focal * low[0], -focal * low[1], *size)


def head_views(gaussians: Gaussians, photo: View) -> list[View]:
    """From where the photo was taken, and left, right, up, down, in and out of it; a little wider
    than the photo."""
    near_m = gaussians.depth_quantile(0.1) or 0.0
    margin = math.ceil(MARGIN * max(photo.width, photo.height))
    middle = dataclasses.replace(
        photo,
        cx=photo.cx + margin,
        cy=photo.cy + margin,
        width=photo.width + 2 * margin,
        height=photo.height + 2 * margin,
    )
    views = [middle]
    for axis, share in enumerate(REACH_OF_NEAR):
        for side in (-1, 1):
            camera_from_photo = np.eye(4)
            camera_from_photo[axis, 3] = side * min(REACH_M, share * near_m)
            views.append(dataclasses.replace(middle, camera_from_photo=camera_from_photo))
    return views
