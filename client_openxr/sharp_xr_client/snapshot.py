"""What a display shows at one moment, as a picture: by the plain warp, for people and for tests."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from sharp_xr_client.displayed import Displayed
from sharp_xr_client.problem import ClientError
from sharp_xr_client.warp import EyeImage, warp
from sharp_xr_protocol.messages import FrameHeader

UInt8 = NDArray[np.uint8]


def eye_image(picture: VideoFrame, header: FrameHeader, side: int) -> EyeImage:
    """One eye of a decoded frame, 0 the left one."""
    layout, eye = header.layout, header.eyes[side]
    rgb = cast(UInt8, picture.to_ndarray(format="rgb24"))
    left, left_depth = side * layout.eye_width, side * layout.depth_width
    codes = rgb[layout.eye_height :, left_depth : left_depth + layout.depth_width, 0]
    return EyeImage(
        rgb[: layout.eye_height, left : left + layout.eye_width],
        codes.astype(np.float32) / np.float32(255) if layout.depth_width else None,
        header.near_m,
        header.head @ eye.pose,
        eye.fov,
    )


def snapshot(picture: VideoFrame, tick: Displayed, width: int, height: int) -> UInt8:
    """[height, 2 width, 3] sRGB, left eye left; ``width`` and ``height`` of one eye."""
    header, head = tick.header, tick.head if tick.is_warped else tick.header.head
    eyes = [
        warp(eye_image(picture, header, side), head @ eye.pose, eye.fov, width, height)
        for side, eye in enumerate(tick.eyes)
    ]
    return np.concatenate(eyes, 1)


def write_png(path: Path, rgb: UInt8) -> None:
    """Raises ClientError if the file cannot be written."""
    codec = av.CodecContext.create("png", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.height, codec.width = rgb.shape[:2]
    codec.pix_fmt = "rgb24"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    data = b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ClientError(f"cannot write the picture to {path}: {error.strerror}") from error
