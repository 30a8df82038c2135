"""Photos as samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sharp_xr.train.data.photo_folder import PhotoFolder
from sharp_xr.train.data.shards import ShardError


def test_photos_are_samples_of_one_view_in_order_of_their_paths(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name, level in (("b.png", 40), ("deep/a.JPG", 200), ("a.png", 90)):
        kind = "JPEG" if name.endswith("JPG") else "PNG"
        Image.new("RGB", (24, 16), (level,) * 3).save(tmp_path / name, kind)
    (tmp_path / "notes.txt").write_text("no photo")
    photos = PhotoFolder(tmp_path)
    assert [int(photos[i].rgb[0, 0, 0, 0]) for i in range(len(photos))] == [90, 40, 200]
    sample = photos[0]
    assert len(sample) == 1 and not sample.depth.any()
    assert sample.lenses[0].tolist()[2:] == [12, 8] and sample.lenses[0, 0] > 10
    assert np.array_equal(sample.camera_from_input[0], np.eye(4))


def test_what_is_no_photo_is_named(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="no photos in"):
        PhotoFolder(tmp_path)
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(ShardError, match=r"a\.png: "):
        PhotoFolder(tmp_path)[0]


def test_for_a_broken_photo_stands_the_next_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, level in (("a.png", 90), ("c.png", 200)):
        Image.new("RGB", (24, 16), (level,) * 3).save(tmp_path / name)
    (tmp_path / "b.png").write_text("not a picture")
    (tmp_path / "d.png").write_text("nor this")
    photos = PhotoFolder(tmp_path)
    for _ in range(2):
        found = [int(photos[i].rgb[0, 0, 0, 0]) for i in range(len(photos))]
        assert found == [90, 200, 200, 90]
    told = [record.message.split(":")[0] for record in caplog.records]
    assert told == ["b.png", "d.png"], "each once"
    for index in (-1, 4):
        with pytest.raises(IndexError, match=f"photo {index} was asked for, there are 4"):
            photos[index]


def test_a_folder_goes_on_with_the_photos_that_it_had(tmp_path: Path) -> None:
    for name in ("b.png", "d.png"):
        Image.new("RGB", (24, 16)).save(tmp_path / name)
    names = PhotoFolder(tmp_path).names
    Image.new("RGB", (24, 16)).save(tmp_path / "a.png")
    later = PhotoFolder(tmp_path)
    later.recall(names)
    assert later.names == ["b.png", "d.png"] and len(later) == 2
    (tmp_path / "d.png").unlink()
    with pytest.raises(ShardError, match=r"d\.png is gone"):
        later.recall(names)
