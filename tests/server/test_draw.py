"""``sharp-xr render`` on real files and the real renderer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.server.straw import some_gaussians

from sharp_xr.draw import DrawError, Wish, run
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


@pytest.mark.parametrize(
    ("source", "target", "wish", "sentence"),
    [
        ("scene.ply", "out.gif", Wish(size=64), "ends in neither .mp4 nor .png"),
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
