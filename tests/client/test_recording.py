"""Recorded films and poses."""

import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sharp_xr.stream.encoder import EncoderSettings, open_x264
from sharp_xr_client.jitter import AccessUnit
from sharp_xr_client.poses import KEYS
from sharp_xr_client.problem import ClientError
from sharp_xr_client.recording import Recorder, write_poses
from sharp_xr_client.simulated import eyes
from sharp_xr_protocol.geometry import Pose
from sharp_xr_protocol.messages import Tracking

FIRST_KEY = KEYS - 4000
"""So that the keys wrap within the film."""


def encoded_frames(count: int) -> list[AccessUnit]:
    """Frames that grow brighter, with keys 1500 apart but for one gap."""
    encoder = open_x264(EncoderSettings(128, 64, 60.0, 2_000_000))
    units = []
    for number in range(count):
        grey = np.full((64, 128, 3), 10 * number, np.uint8)
        picture = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
        data = encoder.encode(picture, key_frame=number == 0)
        key = (FIRST_KEY + 1500 * number + (9000 if number > 5 else 0)) % KEYS
        units.append(AccessUnit(key, data, number == 0, 0.0))
    return units


def test_a_film_has_every_frame_at_the_time_of_its_pose(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    recorder = Recorder(path)
    for unit in encoded_frames(12):
        recorder.put(unit)
    recorder.close()
    assert recorder.frames == 12
    with av.open(str(path)) as film:
        pictures = list(film.decode(video=0))
    times = [Fraction(picture.pts or 0) * (picture.time_base or 0) for picture in pictures]
    wanted = [1500 * i + (9000 if i > 5 else 0) for i in range(12)]
    assert times == [Fraction(time, 90_000) for time in wanted]
    brightness = [picture.to_ndarray(format="gray").mean() for picture in pictures]
    assert brightness == sorted(brightness)
    assert (pictures[0].width, pictures[0].height) == (128, 64)


def test_a_recording_without_frames_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    Recorder(path).close()
    assert not path.exists()


def test_a_film_that_cannot_be_made_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="cannot record to"):
        Recorder(tmp_path / "no such folder" / "out.mp4")
    with pytest.raises(ClientError, match="cannot record to"):
        Recorder(tmp_path / "out.text")


def test_poses_are_lines_that_name_their_frame(tmp_path: Path) -> None:
    path = tmp_path / "poses.jsonl"
    poses = [Tracking(key, 10 * key, Pose((0.1, 0.2, 0.3)), eyes()) for key in (1, 2)]
    write_poses(path, poses, {2: 0})
    lines = [json.loads(line) for line in io.StringIO(path.read_text())]
    assert [line["frame"] for line in lines] == [None, 0]
    assert lines[1]["key"] == 2
    assert lines[1]["time_ns"] == 20
    assert lines[1]["position"] == [0.1, 0.2, 0.3]
    assert lines[1]["orientation"] == [0.0, 0.0, 0.0, 1.0]
