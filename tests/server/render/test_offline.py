"""Scenes drawn to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.server.render.scenes import many, one_gaussian

from sharp_xr.render.cpu.renderer import CpuRenderer
from sharp_xr.render.offline import Film, OutputError, eyes, pictures, write
from sharp_xr.render.trajectories import PhotoLens

LENS = PhotoLens(96, 64, 60.0)
SCENE = many(
    one_gaussian((0.0, 0.0, 1.0), 0.1, 0.95, (1.0, 0.02, 0.02)),
    one_gaussian((0.0, 0.0, 8.0), 20.0, 0.95, (0.02, 0.02, 1.0)),
)
"""A red ball before a blue wall."""


def redness(picture: NDArray[Any]) -> tuple[float, float]:
    """Column and row of the red ball's middle."""
    red = np.clip(picture[..., 0].astype(float) - picture[..., 2], 0, None)
    rows, columns = np.indices(red.shape)
    return float((columns * red).sum() / red.sum()), float((rows * red).sum() / red.sum())


def test_a_png_is_the_first_picture_of_the_path(cpu: CpuRenderer, tmp_path: Path) -> None:
    file = tmp_path / "scene.png"
    assert write(file, cpu, SCENE, LENS) == 1
    with Image.open(file) as image:
        assert image.size == (96, 64)
        assert redness(np.asarray(image)) == pytest.approx((47.5, 31.5), abs=0.3)


def test_a_film_has_the_pictures_in_their_order_and_colours(
    cpu: CpuRenderer, tmp_path: Path
) -> None:
    file = tmp_path / "scene.MP4"
    film = Film("swipe", steps=12)
    assert write(file, cpu, SCENE, LENS, film) == 12
    drawn = list(pictures(cpu, SCENE, LENS, film))
    with av.open(file) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 30
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(decoded) == 12
    for before, after in zip(drawn, decoded, strict=True):
        assert redness(after) == pytest.approx(redness(before), abs=0.5)
        # x264 halves the resolution of colour; a wrong matrix or range would move the means.
        assert after.mean((0, 1)) == pytest.approx(before.mean((0, 1)), abs=4)
    # From left to right: the ball, nearer than what is looked at, moves left.
    assert redness(decoded[0])[0] > redness(decoded[-1])[0] + 2


def test_stereo_is_left_eye_left(cpu: CpuRenderer) -> None:
    picture = next(pictures(cpu, SCENE, LENS, Film(stereo=True, ipd_m=0.1)))
    assert picture.shape == (64, 192, 3)
    left, right = redness(picture[:, :96])[0], redness(picture[:, 96:])[0]
    # 0.1 m at 1 m with 60 px.
    assert left - right == pytest.approx(6.0, abs=0.5)


def test_the_eyes_stand_beside_the_head() -> None:
    left, right = eyes(LENS.view(np.eye(4)), 0.06)
    middle = np.array([0.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose((left.camera_from_photo @ middle)[:3], [0.03, 0, 0])
    np.testing.assert_allclose((right.camera_from_photo @ middle)[:3], [-0.03, 0, 0])


@pytest.mark.parametrize("name", ["scene.gif", "scene"])
def test_other_kinds_of_file_are_refused_with_a_sentence(
    cpu: CpuRenderer, tmp_path: Path, name: str
) -> None:
    with pytest.raises(OutputError, match=r"ends in neither \.mp4 nor \.png"):
        write(tmp_path / name, cpu, SCENE, LENS)


@pytest.mark.parametrize("name", ["scene.mp4", "scene.png"])
def test_a_place_that_cannot_be_written_is_named(
    cpu: CpuRenderer, tmp_path: Path, name: str
) -> None:
    with pytest.raises(OutputError, match=rf"missing/{name} cannot be written: No such file"):
        write(tmp_path / "missing" / name, cpu, SCENE, LENS, Film(steps=1))
