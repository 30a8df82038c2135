from pathlib import Path

import av
import numpy as np
import pytest
from tests.client.flats import Flat, frame, plain, seen, waves
from tests.client.pictures import layout_of, picture_of, video_frame

from sharp_xr_client.displayed import Displayed
from sharp_xr_client.problem import ClientError
from sharp_xr_client.snapshot import snapshot, write_png
from sharp_xr_protocol.geometry import Fov, Pose, from_rotation_vector
from sharp_xr_protocol.messages import Eye, FrameHeader

DRAWN, SHOWN = Fov(-0.85, 0.8, 0.7, -0.75), Fov(-0.6, 0.65, 0.55, -0.6)
OFFSETS = (Pose((-0.03, 0.0, 0.0)), Pose((0.03, 0.0, 0.0)))
DRAWN_FOR = Pose((0.2, 0.1, 0.3), from_rotation_vector((0.1, 0.0, 0.0)))
HEAD = DRAWN_FOR @ Pose((0.04, 0.0, 0.0), from_rotation_vector((0.0, 0.05, 0.0)))
ROOM = [Flat(2.0, waves), Flat(0.5, plain(220.0, 30.0, 30.0), x=(0.1, 0.3), y=(0.0, 0.2))]


@pytest.mark.parametrize("warped", [True, False])
def test_each_eye_shows_the_world_from_where_it_is(warped: bool) -> None:
    left, right = (frame(ROOM, DRAWN_FOR @ offset, DRAWN) for offset in OFFSETS)
    first, second = (Eye(offset, DRAWN) for offset in OFFSETS)
    header = FrameHeader(1, DRAWN_FOR, (first, second), "s", layout_of(left), left.near_m)
    third, fourth = (Eye(offset, SHOWN) for offset in OFFSETS)
    tick = Displayed(header, HEAD, (third, fourth), warped)
    picture = snapshot(video_frame(picture_of(left, right)), tick, 200, 180)
    for side, offset in enumerate(OFFSETS):
        from_there, elsewhere = (
            seen(ROOM, head @ offset, SHOWN, 200, 180)[0]
            for head in ((HEAD, DRAWN_FOR) if warped else (DRAWN_FOR, HEAD))
        )
        eye = picture[:, side * 200 : (side + 1) * 200]
        assert np.abs(eye - from_there).mean() < 3
        assert np.abs(eye - elsewhere).mean() > 10


def test_a_picture_is_written_as_it_is(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (6, 10, 3)).astype(np.uint8)
    write_png(tmp_path / "a.png", rgb)
    with av.open(str(tmp_path / "a.png")) as container:
        (read,) = container.decode(video=0)
    assert (read.to_ndarray(format="rgb24") == rgb).all()


def test_a_picture_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match=r"cannot write the picture to .*: No such file"):
        write_png(tmp_path / "no" / "a.png", np.zeros((2, 2, 3), np.uint8))
