"""The client without a headset against the real server, both as commands that a user starts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.e2e.conftest import ServerProcess

from sharp_xr.formats.ply import write_ply
from sharp_xr.gaussians import Gaussians

NEAR_M, FAR_M = 0.8, 4.0
EYE_PX = 256
HALF_IPD_M = 0.0315


def two_balls() -> Gaussians:
    """A near red ball and, higher in the picture, a far green one, before a grey wall."""
    grid = np.linspace(-8, 8, 60)
    wall = np.stack([*(axis.ravel() for axis in np.meshgrid(grid, grid)), np.full(3600, 6.0)], 1)
    means = np.concatenate([[[0.0, 0.16, NEAR_M], [0.0, -0.8, FAR_M]], wall])
    radii = np.concatenate([[0.05, 0.25], np.full(3600, 0.2)])
    colors = np.concatenate([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.full((3600, 3), 0.05)])
    covariances = np.zeros((len(means), 6))
    covariances[:, [0, 3, 5]] = radii[:, None] ** 2
    arrays = (means, covariances, colors, np.full(len(means), 0.99))
    return Gaussians(*(array.astype(np.float32) for array in arrays))


@dataclass
class Run:
    """What one run of the command left behind."""

    process: subprocess.CompletedProcess[str]
    figures: dict[str, float]
    poses: list[dict[str, Any]]
    film: list[NDArray[np.uint8]]
    """[H, W, 3] each."""


@pytest.fixture(scope="module")
def scene_id(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("scene") / "balls.ply"
    write_ply(file, two_balls())
    answer = httpx.post(
        f"{server.url}scenes", params={"filename": "balls.ply"}, content=file.read_bytes()
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def lean(server: ServerProcess, scene_id: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two seconds of leaning, recorded."""
    folder = tmp_path_factory.mktemp("run")
    film, poses, report = (folder / name for name in ("out.mp4", "poses.jsonl", "report.json"))
    process = client(
        *(server.session_url, "--simulate", "--motion", "lean", "--seconds", "2", "--hz", "30"),
        *("--eye-size", str(EYE_PX), "--quality", "full", "--scene", scene_id),
        *("--record", str(film), "--record-poses", str(poses), "--json", str(report)),
    )
    assert process.returncode == 0, process.stderr
    with av.open(str(film)) as container:
        pictures = [
            picture.to_ndarray(format="rgb24").astype(np.uint8)
            for picture in container.decode(video=0)
        ]
    lines = [json.loads(line) for line in poses.read_text().splitlines()]
    return Run(process, json.loads(report.read_text()), lines, pictures)


def client(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = str(Path(sys.executable).with_name("sharp-xr-client"))
    return subprocess.run([command, *arguments], capture_output=True, text=True, timeout=90)


def test_every_shown_frame_is_matched_with_the_pose_it_was_drawn_for(lean: Run) -> None:
    figures = lean.figures
    assert figures["frames_decoded"] > 5
    assert figures["matched_share"] == 1.0
    assert figures["header_frames"] == figures["sei_frames"] == figures["frames_decoded"]
    assert figures["header_disagreements"] == figures["sei_disagreements"] == 0
    assert (figures["eye_width"], figures["eye_height"]) == (EYE_PX, EYE_PX)
    assert "shown frames with their pose (100.0%)" in lean.process.stdout


def test_the_film_has_every_frame_that_was_decoded(lean: Run) -> None:
    assert len(lean.film) == lean.figures["frames_decoded"]
    named = [line["frame"] for line in lean.poses if line["frame"] is not None]
    assert named == list(range(len(lean.film)))
    assert lean.film[0].shape == (EYE_PX, 2 * EYE_PX, 3)


def test_each_frame_shows_the_world_from_where_its_head_was(lean: Run) -> None:
    seen = [line for line in lean.poses if line["frame"] is not None]
    ends = (min, max)
    for line in [end(seen, key=lambda line: float(line["position"][0])) for end in ends]:
        picture = lean.film[line["frame"]]
        for eye, offset_m in enumerate((-HALF_IPD_M, HALF_IPD_M)):
            x, z = line["position"][0] + offset_m, line["position"][2]
            for ball, distance_m in ((red, NEAR_M), (green, FAR_M)):
                # A field of 90 degrees: the focal length is half the picture's width.
                wanted = EYE_PX / 2 * (1 - x / (distance_m + z))
                assert column(picture, eye, ball) == pytest.approx(wanted, abs=2.0)


def test_near_things_move_more_than_far_ones_between_eyes_and_as_the_head_moves(
    lean: Run,
) -> None:
    seen = [line for line in lean.poses if line["frame"] is not None]
    left, right = (
        lean.film[end(seen, key=lambda line: float(line["position"][0]))["frame"]]
        for end in (min, max)
    )
    for eye in (0, 1):
        near, far = (column(left, eye, ball) - column(right, eye, ball) for ball in (red, green))
        assert near > 2 * far > 0
    near, far = (column(left, 0, ball) - column(left, 1, ball) for ball in (red, green))
    assert near > 2 * far > 0


def test_a_display_that_warps_shows_the_world_from_where_the_head_is_by_then(
    server: ServerProcess, scene_id: str, tmp_path: Path
) -> None:
    shown, poses, report = (tmp_path / name for name in ("a.png", "poses.jsonl", "report.json"))
    process = client(
        *(server.session_url, "--simulate", "--motion", "lean", "--seconds", "2", "--hz", "30"),
        *("--eye-size", str(EYE_PX), "--quality", "full", "--scene", scene_id, "--warp"),
        *("--picture", str(shown), "--record-poses", str(poses), "--json", str(report)),
    )
    assert process.returncode == 0, process.stderr
    figures = json.loads(report.read_text())
    assert figures["head_moved_p95_mm"] > 1.0, "nothing to make up for"
    assert figures["shown_off_p95_mm"] == figures["shown_off_p95_deg"] == 0.0
    assert figures["uncovered_share_max"] == 0.0
    assert figures["eye_width"] > EYE_PX  # the margin, at the display's density
    with av.open(str(shown)) as container:
        (picture,) = container.decode(video=0)
    pixels = picture.to_ndarray(format="rgb24").astype(np.uint8)
    assert pixels.shape == (EYE_PX, 2 * EYE_PX, 3)
    last = json.loads(poses.read_text().splitlines()[-1])
    for eye, offset_m in enumerate((-HALF_IPD_M, HALF_IPD_M)):
        x, z = last["position"][0] + offset_m, last["position"][2]
        for ball, distance_m in ((red, NEAR_M), (green, FAR_M)):
            wanted = EYE_PX / 2 * (1 - x / (distance_m + z))
            assert column(pixels, eye, ball) == pytest.approx(wanted, abs=2.0)


def test_a_scene_that_does_not_exist_is_refused_with_those_that_do(
    server: ServerProcess, scene_id: str
) -> None:
    process = client(server.session_url, "--simulate", "--scene", "nowhere")
    assert process.returncode == 1
    assert "no scene 'nowhere'" in process.stderr
    assert scene_id in process.stderr


def red(picture: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[H, W]"""
    return picture[..., 0] - picture[..., 1] > 60


def green(picture: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[H, W]"""
    return picture[..., 1] - picture[..., 0] > 60


def column(
    picture: NDArray[np.uint8], eye: int, ball: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> float:
    """Where this ball's middle is in one eye's picture, pixels from its left edge."""
    mask = ball(picture[:, eye * EYE_PX : (eye + 1) * EYE_PX].astype(np.int64))
    assert mask.sum() > 20
    return float(np.nonzero(mask)[1].mean()) + 0.5
