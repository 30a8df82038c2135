"""What stands for a scene in a list where no photo does."""

from __future__ import annotations

import numpy as np

from sharp_xr.formats.ply import PhotoCamera
from sharp_xr.gaussians import Gaussians
from sharp_xr.photo import Photo, thumbnail
from sharp_xr.render import Renderer
from sharp_xr.render.camera import photo_fov, view_from_eye
from sharp_xr_protocol.geometry import Pose

THUMBNAIL_PX = 320
"""Longer side of a thumbnail."""


def snapshot(renderer: Renderer, gaussians: Gaussians, photo: PhotoCamera) -> bytes:
    """A JPEG of what the photo's camera sees, for a scene that came without a photo."""
    scale = THUMBNAIL_PX / max(photo.width, photo.height)
    width, height = (max(1, round(side * scale)) for side in (photo.width, photo.height))
    fov = photo_fov(photo.width, photo.height, photo.focal_px)
    view = view_from_eye(Pose(), fov, width, height)
    rgb = renderer.render(renderer.prepare(gaussians), [view]).rgb[0]  # [3, H, W]
    image = (rgb.transpose(1, 2, 0) * 255 + 0.5).clip(0, 255).astype(np.uint8)
    return thumbnail(Photo(np.ascontiguousarray(image), photo.focal_px * scale), THUMBNAIL_PX)
