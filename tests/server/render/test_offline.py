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


def test_from_ten_centimetres_to_the_left_the_nearer_ball_is_further_right(
    cpu: CpuRenderer,
) -> None:
    middle, left, low, back = (
        next(pictures(cpu, SCENE, LENS, Film(at=at)))
        for at in ((0.0, 0.0, 0.0), (-0.1, 0.0, 0.0), (0.0, -0.1, 0.0), (0.0, 0.0, 1.0))
    )
    # 0.1 m at 1 m with 60 px.
    assert redness(left)[0] - redness(middle)[0] == pytest.approx(6.0, abs=0.5)
    assert redness(middle)[1] - redness(low)[1] == pytest.approx(6.0, abs=0.5)
    # Twice as far off it is half as large.
    red, small = ((p[..., 0] > p[..., 2]).sum() for p in (middle, back))
    assert small == pytest.approx(red / 4, rel=0.2)


def test_depth_is_drawn_in_colours_that_last_as_long_as_the_film(cpu: CpuRenderer) -> None:
    near, far = next(pictures(cpu, SCENE, LENS, Film(depth=True)))[[32, 2], [48, 2]]
    assert near.argmax() == 2 and far.argmax() == 0
    film = [p[2, 2] for p in pictures(cpu, SCENE, LENS, Film(depth=True, steps=5))]
    # The wall comes nearer on the way forward; ranges of their own would keep it at the end.
    assert film[0].tolist() != film[2].tolist()
    both = next(pictures(cpu, SCENE, LENS, Film(depth=True, stereo=True)))
    assert both.shape == (64, 192, 3)


def test_each_picture_is_told_of(cpu: CpuRenderer, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write(tmp_path / "a.mp4", cpu, SCENE, LENS, Film(steps=3), lambda *of: told.append(of))
    assert told == [(1, 3), (2, 3), (3, 3)]
    told.clear()
    write(tmp_path / "a.png", cpu, SCENE, LENS, Film(steps=3), lambda *of: told.append(of))
    assert told == [(1, 1)]


def test_who_stops_it_gets_no_half_film(cpu: CpuRenderer, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == total:  # the encoder holds the first ones back
            raise KeyboardInterrupt

    (tmp_path / "a.mp4").write_text("what was there before", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.mp4", cpu, SCENE, LENS, Film(steps=90), stop)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_text(encoding="utf-8") == "what was there before"


def test_a_film_from_one_place_is_refused(cpu: CpuRenderer, tmp_path: Path) -> None:
    with pytest.raises(
        OutputError, match=r"a\.mp4 is a film, and from one place there is one \.png"
    ):
        write(tmp_path / "a.mp4", cpu, SCENE, LENS, Film(at=(0.0, 0.0, 0.0)))


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
