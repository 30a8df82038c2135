"""Shards on disk, by our reader and by strangers."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.server.train.slanted import slanted

from sharp_xr.train.data.shards import (
    HELD_OUT,
    Shard,
    ShardError,
    seeds_of,
    shard_path,
    shard_paths,
    write_shard,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = shard_path(tmp_path, 7, 8)
    write_shard(path, [slanted("000007-0", novel=2), slanted("000008-0", novel=1)])
    return path


def test_an_instance_comes_back_as_it_was_written(path: Path) -> None:
    shard, made = Shard(path), slanted("000007-0", novel=2)
    assert shard.keys == ["000007-0", "000008-0"]
    read = shard.instance("000007-0")
    assert (read.key, read.kind) == (made.key, made.kind)
    np.testing.assert_array_equal(read.marks, made.marks)
    for name, value in vars(made.sample).items():
        tolerance = 1e-3 if name in ("depth", "behind") else 0
        np.testing.assert_allclose(getattr(read.sample, name), value, rtol=tolerance)
    assert [p.name for p in path.parent.iterdir()] == [path.name], "nothing half-written stays"


def test_some_views_are_read_by_themselves(path: Path) -> None:
    sample = Shard(path).sample("000007-0", [2])
    assert len(sample) == 2
    assert sample.camera_from_input[1, 0, 3] == pytest.approx(-0.1)


def test_the_same_instances_make_the_same_bytes(path: Path) -> None:
    before = path.read_bytes()
    write_shard(path, [slanted("000007-0", novel=2), slanted("000008-0", novel=1)])
    assert path.read_bytes() == before


def test_a_writer_that_fails_leaves_no_shard(tmp_path: Path) -> None:
    def instances() -> Any:
        yield slanted("000000-0")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(shard_path(tmp_path, 0, 0), instances())
    assert shard_paths(tmp_path) == []


def test_plain_tarfile_and_pillow_read_it(path: Path) -> None:
    with tarfile.open(path) as tar:
        names = tar.getnames()
        file = tar.extractfile("000007-0.novel01.rgb.png")
        assert file is not None
        with Image.open(io.BytesIO(file.read())) as image:
            assert image.size == (288, 216) and image.mode == "RGB"
    assert names[0] == "000007-0.json" and "000008-0.behind.npy" in names
    assert [n.split(".")[0] for n in names] == sorted(n.split(".")[0] for n in names)


# It leaves its file to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_it(path: Path) -> None:
    """The library whose format it is: samples by key, pictures and depths by their endings."""
    wds = pytest.importorskip("webdataset", reason="read by webdataset: pip install webdataset")
    found = list(wds.WebDataset(str(path), shardshuffle=False).decode("rgb8"))
    assert [sample["__key__"] for sample in found] == ["000007-0", "000008-0"]
    made = slanted("000007-0", novel=2)
    np.testing.assert_array_equal(found[0]["novel02.rgb.png"], made.sample.rgb[2])
    np.testing.assert_allclose(found[0]["depth.npy"], made.sample.depth[0], rtol=1e-3)
    assert found[0]["json"]["views"][1]["lens"] == made.sample.lenses[1].tolist()


def test_seeds_are_in_the_name_and_held_out_ones_apart(path: Path) -> None:
    folder = path.parent
    kept = shard_path(folder, HELD_OUT, HELD_OUT + 3)
    write_shard(kept, [slanted(f"{HELD_OUT}-0")])
    early = shard_path(folder, 0, 6)
    write_shard(early, [slanted("000000-0")])
    (folder / "synth-notes.tar").write_bytes(b"")
    assert shard_paths(folder) == [early, path]
    assert shard_paths(folder, held_out=True) == [kept]
    assert list(seeds_of(path)) == [7, 8] and not seeds_of(folder / "other.tar")


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 99])
def test_a_file_that_is_no_tar_is_named(tmp_path: Path, content: bytes) -> None:
    path = shard_path(tmp_path, 0, 0)
    path.write_bytes(content)
    with pytest.raises(ShardError, match=path.name):
        Shard(path)


def test_a_cut_off_shard_is_named(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ShardError, match=path.name):
        Shard(path).sample("000007-0")


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"views": [{"lens": [1]}]}', b'{"views": []}'])
def test_a_foreign_json_is_refused(tmp_path: Path, text: bytes) -> None:
    path = shard_path(tmp_path, 0, 0)
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("a.json")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    with pytest.raises(ShardError, match=r"a\.json"):
        Shard(path).about("a")


def test_a_photo_without_second_layer_has_none(tmp_path: Path) -> None:
    whole = slanted("000000-0")
    sample = dataclasses.replace(whole.sample, behind=None)
    path = shard_path(tmp_path, 0, 0)
    write_shard(path, [dataclasses.replace(whole, sample=sample)])
    assert Shard(path).sample("000000-0").behind is None
