"""``sharp-xr predict`` on real files, with a predictor of straw."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image
from tests.server.prediction import predictors
from tests.server.straw import some_gaussians

from sharp_xr.formats.ply import read_ply
from sharp_xr.model import ModelError
from sharp_xr.photo import PhotoError
from sharp_xr.predict import Focal, OutputError, one, run, targets
from sharp_xr.prediction import OnProgress, Prediction, PredictionWorker


class Worker:
    """Makes three Gaussians of whatever begins as a JPEG does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.focals: list[tuple[float | None, float | None]] = []
        self.error = error
        self.at_work = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def predict(
        self,
        data: bytes,
        on_progress: OnProgress,
        *,
        focal_35mm: float | None,
        focal_px: float | None,
    ) -> Prediction:
        on_progress("predict", 0.34, "tile 12 of 35")
        self.focals.append((focal_35mm, focal_px))
        self.at_work.set()
        await self.may_end.wait()
        if self.error or not data.startswith(b"\xff\xd8\xff"):
            raise self.error or PhotoError("this file is text")
        return Prediction(80, 60, focal_px or 50.0, some_gaussians(), b"a jpeg", "straw", 1.5, 2.25)


NO_FOCAL = Focal()


def predicted(worker: Worker, photo: Path, target: Path, focal: Focal = NO_FOCAL) -> bool:
    return asyncio.run(one(worker, photo, target, focal))


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
    assert predicted(Worker(), photo, target, Focal(px=99.0))
    gaussians, info = read_ply(target)
    assert (len(gaussians), info.photo.width, info.photo.focal_px) == (3, 80, 99.0)
    assert [path.name for path in target.parent.iterdir()] == ["out.ply"]
    line = capsys.readouterr().err
    assert "3 Gaussians; decode 1.50 s, predict 2.25 s, store " in line
    assert "tile" not in line  # only a terminal is told the steps


def test_a_photo_becomes_an_npz(photo: Path, tmp_path: Path) -> None:
    assert predicted(Worker(), photo, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["means"].shape == (3, 3)


def test_the_user_s_focal_length_is_passed_on(photo: Path, tmp_path: Path) -> None:
    worker = Worker()
    predicted(worker, photo, tmp_path / "a.ply", Focal(mm_35=26.0))
    predicted(worker, photo, tmp_path / "a.ply", Focal(px=99.0))
    assert worker.focals == [(26.0, None), (None, 99.0)]


def test_a_terminal_is_told_where_the_model_is(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    predicted(Worker(), photo, tmp_path / "a.ply")
    assert (
        "IMG_1.jpg: predict [######..............] 34 %, tile 12 of 35\r" in capsys.readouterr().err
    )


def test_who_stops_it_gets_no_half_file(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def stop() -> None:
        worker = Worker()
        worker.may_end.clear()
        work = asyncio.create_task(one(worker, photo, tmp_path / "out" / "a.ply", Focal()))
        await worker.at_work.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(stop())
    assert capsys.readouterr().err == f"sharp-xr: {photo}: stopped, nothing is written\n"
    assert not (tmp_path / "out").exists()


def test_photos_go_through_a_process_which_then_ends(photo: Path, tmp_path: Path) -> None:
    worker = PredictionWorker("obedient", load=predictors.obedient, warm=False)
    jobs = [(photo, tmp_path / "a.ply"), (tmp_path / "nothing.jpg", tmp_path / "b.ply")]
    assert not run(worker, jobs, Focal(px=99.0))
    gaussians, info = read_ply(tmp_path / "a.ply")
    assert (len(gaussians), info.photo.focal_px) == (2, 99.0)
    assert worker.trouble == "the server is stopping"
    assert multiprocessing.active_children() == []


def test_what_cannot_be_done_is_a_sentence_and_leaves_no_file(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("hello", encoding="utf-8")
    target = tmp_path / "out.ply"
    assert not predicted(Worker(), text, target)
    assert not predicted(Worker(), tmp_path / "nothing.jpg", target)
    assert not predicted(Worker(ModelError("the model is tired")), photo, target)
    assert not predicted(Worker(), photo, photo / "below-a-file.ply")
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
    assert not predicted(Worker(), photo, tmp_path / "out" / "a.ply")
    assert list((tmp_path / "out").iterdir()) == []
