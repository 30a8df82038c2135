"""``sharp-xr predict`` on real files, with a predictor of straw."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image
from tests.server.straw import some_gaussians

from sharp_xr.formats.ply import read_ply
from sharp_xr.gaussians import Gaussians
from sharp_xr.model import ModelError, Progress
from sharp_xr.photo import Photo
from sharp_xr.predict import Focal, OutputError, one, targets


class Predictor:
    """Makes three Gaussians of any photo."""

    name = "straw"

    def __init__(self, error: Exception | None = None) -> None:
        self.photos: list[Photo] = []
        self.error = error

    def predict(self, photo: Photo, progress: Progress = lambda fraction: None) -> Gaussians:
        progress(0.5)
        self.photos.append(photo)
        if self.error:
            raise self.error
        return some_gaussians()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "IMG_1.jpg"
    path.parent.mkdir()
    Image.new("RGB", (80, 60), (200, 100, 50)).save(path)
    return path


def test_one_photo_goes_to_the_file_that_was_named() -> None:
    assert targets([Path("a.jpg")], Path("b.ply")) == [(Path("a.jpg"), Path("b.ply"))]
    assert targets([Path("a.jpg")], Path("b.NPZ")) == [(Path("a.jpg"), Path("b.NPZ"))]


def test_several_photos_go_into_a_folder_without_overwriting_each_other() -> None:
    photos = [Path("x/a.jpg"), Path("y/a.png"), Path("b.jpg"), Path("z/a-2.jpg")]
    names = [target.name for _, target in targets(photos, Path("out"))]
    assert names == ["a.ply", "a-2.ply", "b.ply", "a-2-2.ply"]


@pytest.mark.parametrize(
    ("photos", "output", "sentence"),
    [
        ([], "out", "at least one photo"),
        (["a.jpg", "b.jpg"], "out.ply", "2 photos do not fit into one file"),
        (["a.jpg"], "out.obj", "wanted a .ply or .npz file, or a folder"),
    ],
)
def test_an_output_without_sense_is_a_sentence(
    photos: list[str], output: str, sentence: str
) -> None:
    with pytest.raises(OutputError, match=sentence):
        targets([Path(each) for each in photos], Path(output))


def test_a_photo_becomes_a_ply_and_its_times_are_told(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new" / "out.ply"
    assert one(Predictor(), photo, target, Focal(px=99.0))
    gaussians, info = read_ply(target)
    assert (len(gaussians), info.photo.width, info.photo.focal_px) == (3, 80, 99.0)
    assert [path.name for path in target.parent.iterdir()] == ["out.ply"]
    line = capsys.readouterr().err
    assert "3 Gaussians; decode " in line and "predict " in line and "store " in line


def test_a_photo_becomes_an_npz(photo: Path, tmp_path: Path) -> None:
    assert one(Predictor(), photo, tmp_path / "out.npz", Focal())
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["means"].shape == (3, 3)


def test_the_users_focal_length_wins(photo: Path, tmp_path: Path) -> None:
    predictor = Predictor()
    one(predictor, photo, tmp_path / "a.ply", Focal(mm_35=43.2666))  # the frame's diagonal
    assert predictor.photos[0].focal_px == pytest.approx(100.0, rel=1e-3)


def test_what_cannot_be_done_is_a_sentence_and_leaves_no_file(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("hello", encoding="utf-8")
    target = tmp_path / "out.ply"
    assert not one(Predictor(), text, target, Focal())
    assert not one(Predictor(), tmp_path / "nothing.jpg", target, Focal())
    assert not one(Predictor(ModelError("the model is tired")), photo, target, Focal())
    assert not one(Predictor(), photo, photo / "below-a-file.ply", Focal())
    first, second, third, fourth = capsys.readouterr().err.splitlines()
    assert "text.jpg: " in first
    assert "nothing.jpg: No such file" in second
    assert "IMG_1.jpg: the model is tired" in third
    assert "below-a-file" in fourth or "IMG_1.jpg: " in fourth
    assert not target.exists()


def test_a_disk_that_fills_up_leaves_no_half_file(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: BinaryIO, *rest: object) -> None:
        file.write(b"ply")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sharp_xr.predict.write_ply", full)
    assert not one(Predictor(), photo, tmp_path / "out" / "a.ply", Focal())
    assert list((tmp_path / "out").iterdir()) == []
