"""A frame as it comes out of a decoder: both eyes' colour, their depth below."""

from __future__ import annotations

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from sharp_xr_client.warp import EyeImage
from sharp_xr_protocol.messages import Layout

UInt8 = NDArray[np.uint8]


def layout_of(left: EyeImage) -> Layout:
    """Of a frame with eyes like this one."""
    assert left.codes is not None
    height, width = left.colour.shape[:2]
    depth_height, depth_width = left.codes.shape
    return Layout(width, height, depth_width, depth_height)


def picture_of(left: EyeImage, right: EyeImage) -> UInt8:
    """[H, W, 3] sRGB; codes are grey."""
    layout = layout_of(left)
    picture = np.zeros((layout.eye_height + layout.depth_height, 2 * layout.eye_width, 3), np.uint8)
    for side, eye in enumerate((left, right)):
        assert eye.codes is not None
        x, x_depth = side * layout.eye_width, side * layout.depth_width
        picture[: layout.eye_height, x : x + layout.eye_width] = eye.colour
        grey = np.round(255 * eye.codes).astype(np.uint8)[..., None]
        picture[layout.eye_height :, x_depth : x_depth + layout.depth_width] = grey
    return picture


def as_shown(picture: UInt8, eye: EyeImage, side: int) -> EyeImage:
    """The same eye, read back out of the picture's bytes."""
    layout = layout_of(eye)
    x, x_depth = side * layout.eye_width, side * layout.depth_width
    luma = picture[layout.eye_height :, x_depth : x_depth + layout.depth_width, 0]
    return EyeImage(
        picture[: layout.eye_height, x : x + layout.eye_width],
        luma.astype(np.float32) / np.float32(255),
        eye.near_m,
        eye.world_from_eye,
        eye.fov,
    )


def video_frame(picture: UInt8) -> VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
