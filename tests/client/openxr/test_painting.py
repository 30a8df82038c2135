"""The headset's shader beside the plain warp, on whatever GL this machine has without a screen."""

from collections.abc import Iterator

import numpy as np
import pytest
from scripts.warp.offscreen import GlWarp, NoGlError, offscreen
from tests.client.flats import DRAWN, EYES, MOVES, ROOM, SHOWN, frame
from tests.client.pictures import as_shown, layout_of, picture_of, video_frame

from sharp_xr_client.reprojection import reproject
from sharp_xr_client.warp import warp
from sharp_xr_protocol.geometry import Pose
from sharp_xr_protocol.messages import Layout

SIZE = (200, 180)


@pytest.fixture(scope="module")
def gl() -> Iterator[GlWarp]:
    try:
        with offscreen(*SIZE) as warping:
            yield warping
    except NoGlError as error:
        pytest.skip(f"no OpenGL without a screen on this machine: {error}")


@pytest.mark.parametrize("head", MOVES)
@pytest.mark.parametrize("near_m", [0.5, 0.0])
def test_the_shader_shows_what_the_plain_warp_shows(gl: GlWarp, head: Pose, near_m: float) -> None:
    left, right = (frame(ROOM, eye, DRAWN) for eye in EYES)
    picture, layout = picture_of(left, right), layout_of(left)
    gl.upload(video_frame(picture))
    a, b = (reproject(eye, DRAWN, head @ eye, SHOWN, layout, near_m) for eye in EYES)
    gl.paint(layout, (a, b))
    for side, drawn in enumerate((left, right)):
        eye = as_shown(picture, drawn, side)
        bare = type(eye)(eye.colour, eye.codes, near_m, eye.world_from_eye, eye.fov)
        wanted = warp(bare, head @ EYES[side], SHOWN, *SIZE)
        shown = gl.pixels()[:, side * SIZE[0] : (side + 1) * SIZE[0]]
        apart = np.abs(shown.astype(int) - wanted).max(-1)
        # On an outline, floats of another width may decide the other way.
        assert apart.mean() < 0.5
        assert (apart > 8).mean() < 0.01


def test_a_frame_without_depth_is_shown(gl: GlWarp) -> None:
    left, right = (frame(ROOM, eye, DRAWN) for eye in EYES)
    layout = Layout(*left.colour.shape[1::-1])
    picture = picture_of(left, right)[: layout.eye_height]
    gl.upload(video_frame(picture))
    a, b = (reproject(eye, DRAWN, eye, SHOWN, layout, 0.0) for eye in EYES)
    gl.paint(layout, (a, b))
    wanted = warp(type(left)(left.colour, None, 0.0, EYES[0], DRAWN), EYES[0], SHOWN, *SIZE)
    assert np.abs(gl.pixels()[:, : SIZE[0]].astype(int) - wanted).max() <= 2
