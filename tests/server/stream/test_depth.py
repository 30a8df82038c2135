from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sharp_xr.render import Frame
from sharp_xr.render.device_frame import DeviceFrame, FrameTensors
from sharp_xr.stream.colour import new_picture, planes, write_frame
from sharp_xr.stream.depth import (
    FARTHEST_M,
    NEAREST_M,
    RIM,
    START_NEAR_M,
    NearPlane,
    layout_for,
    picture_size,
)
from sharp_xr.stream.encoder import EncoderSettings, open_encoder
from sharp_xr_protocol.messages import Layout

Array = NDArray[np.float32]


def plain(depth: Array, near_m: float, layout: Layout) -> NDArray[np.float64]:
    """Luma of the rows of depth, not rounded, texel by texel."""
    luma = np.full((layout.depth_height, len(depth) * layout.eye_width), 16.0)
    tall = layout.eye_height // layout.depth_height
    wide = layout.eye_width // layout.depth_width
    for view, metres in enumerate(depth):
        for row in range(layout.depth_height):
            for column in range(layout.depth_width):
                top, left = row * tall, column * wide
                block = metres[
                    max(top - RIM, 0) : top + tall + RIM, max(left - RIM, 0) : left + wide + RIM
                ]
                code = max(min(near_m / z, 1.0) if z > 0 else 0.0 for z in block.ravel())
                luma[row, view * layout.depth_width + column] = 16 + 219 * code
    return luma


def frame_of(depth: Array, *, on_device: bool = False) -> Frame:
    views, height, width = depth.shape
    rgb = np.full((views, 3, height, width), 0.75, np.float32)
    if not on_device:
        return Frame(rgb, depth, np.ones_like(depth))
    with torch.inference_mode():
        tensors = (torch.from_numpy(array).clone() for array in (rgb, depth, np.ones_like(depth)))
        return DeviceFrame(FrameTensors(*tensors))


def some_depth(height: int, width: int) -> Array:
    """Surfaces from 0.1 m on, and a third of it nothing."""
    rng = np.random.default_rng(1)
    depth = 0.1 / rng.uniform(0.01, 1.0, (2, height, width))
    return np.where(rng.random(depth.shape) < 0.33, 0.0, depth).astype(np.float32)


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("size", [(24, 16), (48, 8), (12, 32)])
def test_a_texel_is_the_nearest_that_its_pixels_and_their_rim_see(
    size: tuple[int, int], on_device: bool
) -> None:
    depth, layout = some_depth(32, 48), Layout(48, 32, *size)
    picture = new_picture(*picture_size(layout))
    write_frame(frame_of(depth, on_device=on_device), picture, layout, near_m=0.25)
    y, u, v = planes(picture)
    assert np.abs(y[32:] - plain(depth, 0.25, layout)).max() <= 0.501
    assert (u[16:] == 128).all() and (v[16:] == 128).all()
    assert (y[:32] == round(16 + 219 * 0.75)).all()


def test_depth_lies_below_colour_for_those_who_want_it() -> None:
    without, beside = (layout_for(512, 480, depth=wanted) for wanted in (False, True))
    assert without == Layout(512, 480) and picture_size(without) == (1024, 480)
    assert beside.depth_width and picture_size(beside) == (1024, 480 + beside.depth_height)


def test_depth_survives_h264_nearly_as_it_was() -> None:
    """A floor with a box on it, at a quarter of a bit per pixel: as from server to client."""
    layout = layout_for(256, 256, depth=True)
    depth = np.broadcast_to(1.0 / np.linspace(0.02, 0.5, 256)[:, None], (2, 256, 256)).copy()
    depth[:, 60:200, 90:170] = 1.0
    picture = new_picture(*picture_size(layout))
    write_frame(frame_of(depth.astype(np.float32)), picture, layout, near_m=0.5)
    width, height = picture_size(layout)
    encoder = open_encoder(EncoderSettings(width, height, 60.0, 3_000_000), "x264")
    decoder = av.CodecContext.create("h264", "r")
    decoded: list[av.VideoFrame] = []
    for number in range(12):
        packet = av.Packet(encoder.encode(picture, key_frame=number == 0))
        packet.pts, packet.time_base = number, Fraction(1, 60)
        decoded += decoder.decode(packet)
    codes = (planes(decoded[-1])[0][256:].astype(float) - 16) / 219
    wanted = (plain(depth.astype(np.float32), 0.5, layout) - 16) / 219
    error = np.abs(codes - wanted)[:, : 2 * layout.depth_width]
    assert error.mean() < 0.5 / 219
    assert np.percentile(error, 99.5) < 4 / 219


def near_after(pictures: int, plane: NearPlane, nearest_m: float) -> list[float]:
    """near_m of so many pictures of a wall."""
    found = []
    for _ in range(pictures):
        found.append(plane.near_m)
        code = min(1.0, plane.near_m / nearest_m)
        plane.saw(np.full((8, 8), int(16.5 + 219 * code), np.uint8))
    return found


@pytest.mark.parametrize("nearest_m", [0.06, 0.3, 0.7, 5.0, 60.0])
def test_near_fits_a_scene_after_a_few_pictures_and_then_stays(nearest_m: float) -> None:
    found = near_after(100, NearPlane(), nearest_m)
    assert found[0] == START_NEAR_M
    assert len(set(found[5:])) == 1
    assert nearest_m / 2.5 <= found[-1] <= nearest_m


def test_near_follows_at_once_what_comes_nearer_and_slowly_what_goes_away() -> None:
    plane = NearPlane()
    near_after(5, plane, 1.2)
    assert near_after(3, plane, 0.4)[-1] == 0.25
    assert set(near_after(NearPlane.PATIENCE - 1, plane, 3.0)) == {0.25}
    assert near_after(5, plane, 3.0)[-1] in (1.0, 2.0)


def test_near_ignores_strays_and_empty_pictures() -> None:
    plane = NearPlane()
    before = near_after(5, plane, 1.2)[-1]
    codes = np.full((64, 64), 140, np.uint8)
    codes[0, :8] = 235  # two in a thousand
    for _ in range(50):
        plane.saw(codes)
    for _ in range(50):
        plane.saw(np.full((8, 8), 16, np.uint8))
    assert plane.near_m == before


def test_near_has_bounds() -> None:
    assert near_after(50, NearPlane(), 0.001)[-1] == NEAREST_M
    assert near_after(100, NearPlane(), 1e5)[-1] <= FARTHEST_M
