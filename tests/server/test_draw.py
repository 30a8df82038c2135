"""``sharp-xr render`` on real files and the real renderer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.server.straw import some_gaussians

from sharp_xr.draw import DrawError, Wish, place, run
from sharp_xr.formats.ply import PhotoCamera, write_ply


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "scene.ply"
    write_ply(path, some_gaussians(), PhotoCamera(80, 60, 70.0))
    return path


def test_a_scene_becomes_a_picture_of_the_size_that_was_wanted(scene: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    said = run(scene, output, Wish(size=64, renderer="cpu"))
    assert said.startswith(f"{scene} -> {output}: 1 picture by cpu (")
    with Image.open(output) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (48, 64, 3)
    assert pixels[24, 32].min() > 50 and pixels[0, 0].max() == 0  # three dots in the middle


def test_both_eyes_stand_side_by_side(scene: Path, tmp_path: Path) -> None:
    run(scene, tmp_path / "out.png", Wish(size=64, renderer="cpu", stereo=True))
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (128, 48)


def test_another_place_and_depth_are_other_pictures(scene: Path, tmp_path: Path) -> None:
    pixels = []
    for wish in (Wish(), Wish(at=(-0.1, 0.0, 0.0)), Wish(at=(0.0, 0.0, 0.0)), Wish(depth=True)):
        run(scene, tmp_path / "out.png", replace(wish, size=64, renderer="cpu"))
        with Image.open(tmp_path / "out.png") as picture:
            pixels.append(np.asarray(picture).astype(int))
    photo, left, there, depth = pixels
    assert np.abs(photo - there).max() <= 1
    assert np.abs(photo - left).max() > 50
    assert np.abs(photo - depth).max() > 50


@pytest.mark.parametrize("text", ["", "0.1", "1,2", "1,2,3,4", "a,b,c", "nan,0,0", "inf,0,0"])
def test_a_place_that_is_none_is_a_sentence(text: str) -> None:
    assert place("-0.1,0,2e-1") == (-0.1, 0.0, 0.2)
    assert place(None) is None
    with pytest.raises(DrawError, match=f"--at {text}: wanted X,Y,Z in metres"):
        place(text)


def test_the_steps_are_told(scene: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float, str]] = []
    wish = Wish(size=64, renderer="cpu")
    run(scene, tmp_path / "out.png", wish, lambda *of: told.append(of))
    assert [stage for stage, _, _ in told] == ["read", "warm up", "draw", "draw"]
    assert told[-1] == ("draw", 1.0, "picture 1 of 1")


@pytest.mark.parametrize(
    ("source", "target", "wish", "sentence"),
    [
        ("scene.ply", "out.gif", Wish(size=64), "ends in neither .mp4 nor .png"),
        ("scene.ply", "out.mp4", Wish(size=64, at=(0, 0, 0)), "from one place there is one .png"),
        ("scene.ply", "out.png", Wish(size=8), "--size 8: wanted 16 to 4096"),
        ("scene.ply", "no/such/out.png", Wish(size=64), "cannot be written"),
        ("nothing.ply", "out.png", Wish(size=64), "nothing.ply: No such file"),
        ("text.ply", "out.png", Wish(size=64), "text.ply: "),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(
    scene: Path, source: str, target: str, wish: Wish, sentence: str
) -> None:
    (scene.parent / "text.ply").write_text("hello", encoding="utf-8")
    with pytest.raises(DrawError, match=sentence):
        run(scene.parent / source, scene.parent / target, wish)
