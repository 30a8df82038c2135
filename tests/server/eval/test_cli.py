"""`sharp-xr eval`: what a user types, gets, and is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.server.eval.synthetic import board_pair

from sharp_xr import cli, perceptual
from sharp_xr.eval.pair import StereoPair
from sharp_xr.gaussians import Gaussians
from sharp_xr.model import Progress, silent
from sharp_xr.model.grid import Grid, to_linear
from sharp_xr.model.initializer import surface_gaussians
from sharp_xr.perceptual import PerceptualError
from sharp_xr.photo import Photo

CAMERA = ["--fx", "120", "--cx", "80", "--cy", "48", "--baseline", "0.1"]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    pair: StereoPair = board_pair()
    paths = [tmp_path / "left.png", tmp_path / "right.png"]
    for path, picture in zip(paths, (pair.left, pair.right), strict=True):
        Image.fromarray(picture).save(path)
    return [str(path) for path in paths]


@pytest.fixture
def no_hed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the package is missing: its network would cost most of a test's time."""

    def missing() -> Path:
        raise PerceptualError("it comes from a package")

    monkeypatch.setattr(perceptual, "find_hed", missing)


class Wall:
    """A predictor: everything is 2 m away."""

    name = "lite"

    def predict(self, photo: Photo, progress: Progress = silent) -> Gaussians:
        grid = Grid.of(photo, photo.width * photo.height)
        inverse = np.full((grid.rows, grid.columns), 0.5, np.float32)
        torn = (
            np.zeros((grid.rows, grid.columns - 1), bool),
            np.zeros((grid.rows - 1, grid.columns), bool),
        )
        return surface_gaussians(inverse, torn, grid, to_linear(photo.image))


@pytest.mark.usefixtures("no_hed")
def test_a_pair_is_scored_and_both_views_are_written(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, figures = tmp_path / "view.png", tmp_path / "figures.json"
    code = cli.run(["eval", "pairs", *files, *CAMERA, "-o", str(out), "--json", str(figures)])
    assert code == 0
    values = json.loads(figures.read_text())
    assert {"lite_psnr", "lite_ssim", "lite_absrel", "lite_metric_psnr"} <= set(values)
    said = capsys.readouterr()
    assert f"| lite_metric | {values['lite_metric_psnr']:.3f} |" in said.out
    assert "vgg is left out: it comes from a package" in said.err and "lite_vgg" not in values
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


@pytest.mark.usefixtures("no_hed")
def test_a_set_has_a_line_for_each_scene(
    files: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sharp_xr.eval.cli.load_predictor", lambda *wanted: Wall())
    scene = tmp_path / "set" / "board"
    scene.mkdir(parents=True)
    for source, name in zip(files, ("im0.png", "im1.png"), strict=True):
        Path(source).rename(scene / name)
    (scene / "calib.txt").write_text("cam0=[120 0 80; 0 120 48; 0 0 1]\ndoffs=0\nbaseline=100\n")
    assert cli.run(["eval", "middlebury", str(scene.parent)]) == 0
    assert "| board | " in capsys.readouterr().out
    assert cli.run(["eval", "middlebury", str(tmp_path / "none")]) == 1
