"""`sharp-xr eval`: what a user types, gets, and is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.server.eval.synthetic import board_pair

from sharp_xr import cli
from sharp_xr.eval.pair import StereoPair

CAMERA = ["--fx", "120", "--cx", "80", "--cy", "48", "--baseline", "0.1"]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    pair: StereoPair = board_pair()
    paths = [tmp_path / "left.png", tmp_path / "right.png"]
    for path, picture in zip(paths, (pair.left, pair.right), strict=True):
        Image.fromarray(picture).save(path)
    return [str(path) for path in paths]


def test_a_pair_is_scored_and_both_views_are_written(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, figures = tmp_path / "view.png", tmp_path / "figures.json"
    code = cli.run(["eval", "pairs", *files, *CAMERA, "-o", str(out), "--json", str(figures)])
    assert code == 0
    values = json.loads(figures.read_text())
    assert {"lite_psnr", "lite_ssim", "lite_absrel", "lite_metric_psnr"} <= set(values)
    assert f"| lite_metric | {values['lite_metric_psnr']:.3f} ± nan |" in capsys.readouterr().out
    for path in (out, tmp_path / "view_scaled.png"):
        view = np.asarray(Image.open(path))
        assert view.shape == board_pair().right.shape and view.std() > 20


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--baseline", "75"], "a baseline of 75 m was given, wanted metres"),
        (["--fx", "-3"], "a focal length of -3 px was given, wanted a positive one"),
        (["--cx", "500"], "cx is 500, wanted 0 to 160, inside the photo"),
        (["--model", "huge"], "there is no model 'huge', wanted one of lite, sharp"),
        (["-o", "view.txt"], "-o view.txt: wanted a .png file"),
        (
            ["-o", "no/such/folder/view.png"],
            "-o no/such/folder/view.png: there is no folder no/such/folder",
        ),
        (["--perceptual", "none.h5"], "there is no perceptual network at none.h5"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    files: list[str], words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["eval", "pairs", *files, *CAMERA, *words]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("sharp-xr: ") and sentence in last


def test_a_set_has_a_line_for_each_scene(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = tmp_path / "set" / "board"
    scene.mkdir(parents=True)
    for source, name in zip(files, ("im0.png", "im1.png"), strict=True):
        Path(source).rename(scene / name)
    (scene / "calib.txt").write_text("cam0=[120 0 80; 0 120 48; 0 0 1]\ndoffs=0\nbaseline=100\n")
    assert cli.run(["eval", "middlebury", str(scene.parent)]) == 0
    assert "| board | " in capsys.readouterr().out
    assert cli.run(["eval", "middlebury", str(tmp_path / "none")]) == 1
