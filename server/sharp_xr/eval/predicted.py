"""What Gaussians show of a pair: their depth in the left camera, their picture in the right one."""

from __future__ import annotations

import numpy as np

from sharp_xr.eval.pair import Picture, StereoPair
from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render import Renderer, View

SOLID = 0.5
"""Alpha from which there is a depth."""


def right_view(renderer: Renderer, gaussians: Gaussians, pair: StereoPair) -> Picture:
    """[H, W, 3] sRGB; black where nothing is."""
    frame = renderer.render(renderer.prepare(gaussians), [_view(pair, right=True)])
    rgb = np.moveaxis(frame.rgb[0], 0, 2)
    picture: Picture = (rgb * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return picture


def left_depth(renderer: Renderer, gaussians: Gaussians, pair: StereoPair) -> Float32:
    """[H, W] metres, NaN where the Gaussians leave a hole."""
    frame = renderer.render(renderer.prepare(gaussians), [_view(pair, right=False)])
    return np.where(frame.alpha[0] > SOLID, frame.depth[0], np.float32(np.nan))


def scaled(gaussians: Gaussians, factor: float) -> Gaussians:
    """All distances from the camera times the factor: the left view stays as it is."""
    return Gaussians(
        gaussians.means * np.float32(factor),
        gaussians.covariances * np.float32(factor**2),
        gaussians.colors,
        gaussians.opacities,
    )


def _view(pair: StereoPair, *, right: bool) -> View:
    height, width = pair.left.shape[:2]
    calibration = pair.calibration
    camera_from_photo = np.eye(4)
    camera_from_photo[0, 3] = -calibration.baseline_m if right else 0.0
    return View(
        camera_from_photo,
        calibration.focal_px,
        calibration.focal_px,
        # Predictors take the middle for the principal point; the right one is doffs beside it.
        width / 2 + (calibration.doffs_px if right else 0.0),
        height / 2,
        width,
        height,
    )
