"""Folders of shards, by index and as streams."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.server.train.slanted import slanted

from sharp_xr.train.data.reading import ShardSamples, ShardStream
from sharp_xr.train.data.shards import ShardError, shard_path, write_shard
from sharp_xr.train.samples import Sample, batch_of

SIZE = (12, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six shards of two photos of one or two novel views; a photo's lens tells which it is."""
    folder = tmp_path_factory.mktemp("shards")
    for first in range(0, 12, 2):
        made = [slanted(f"{s:06d}-0", novel=1 + s % 2, size=SIZE) for s in (first, first + 1)]
        for seed, instance in enumerate(made, first):
            instance.sample.lenses[:, 2] = seed
        write_shard(shard_path(folder, first, first + 1), made)
    return folder


def seeds(samples: list[Sample]) -> list[int]:
    return [int(sample.lenses[0, 2]) for sample in samples]


def test_each_photo_with_each_novel_view_has_an_index(folder: Path) -> None:
    samples = ShardSamples(folder)
    assert len(samples) == 18
    found = [samples[i] for i in range(len(samples))]
    assert Counter(seeds(found)) == {seed: 1 + seed % 2 for seed in range(12)}
    offsets = {
        (s, round(x.camera_from_input[1, 0, 3], 2))
        for s, x in zip(seeds(found), found, strict=True)
    }
    assert len(offsets) == 18, "no pair comes twice"
    for index in (-1, 18):
        with pytest.raises(IndexError, match="18"):
            samples[index]


def test_training_s_batches_come_from_shards(folder: Path) -> None:
    batch = batch_of(ShardSamples(folder), 0, 0, range(3), (8, 8))
    assert batch.rgb.shape == (3, 2, 3, 8, 8)
    np.testing.assert_allclose(batch.novel_from_input[:, 0, 3] % 0.05, 0, atol=1e-9)


def test_shards_that_came_later_are_left_to_another_run(folder: Path, tmp_path: Path) -> None:
    for first in (2, 4):
        path = shard_path(folder, first, first + 1)
        (tmp_path / path.name).write_bytes(path.read_bytes())
    names = ShardSamples(tmp_path).names
    early = shard_path(folder, 0, 1)
    (tmp_path / early.name).write_bytes(early.read_bytes())
    samples = ShardSamples(tmp_path)
    assert int(samples[0].lenses[0, 2]) == 0
    samples.recall(names)
    assert [int(samples[i].lenses[0, 2]) for i in range(len(samples))] == [2, 3, 3, 4, 5, 5]
    (tmp_path / names[1]).unlink()
    with pytest.raises(ShardError, match=names[1]):
        samples.recall(names)


def test_depth_of_what_mirrors_is_unknown_in_the_photo_alone(tmp_path: Path) -> None:
    made = slanted("000000-0", novel=1, size=SIZE)
    made.marks[:] = 0
    made.marks[:, 3, 4:7] = 1, 2, 3
    write_shard(shard_path(tmp_path, 0, 0), [made])
    photo, novel = ShardSamples(tmp_path)[0].depth
    unknown = np.zeros(SIZE, bool)
    unknown[3, 4:7] = True
    np.testing.assert_array_equal(photo == 0, unknown)
    assert (novel > 0).all()
    (streamed,) = ShardStream(tmp_path).epoch(0)
    np.testing.assert_array_equal(streamed.depth[0], photo)


def test_photos_without_novel_views_are_a_sentence(tmp_path: Path) -> None:
    write_shard(shard_path(tmp_path, 0, 0), [slanted("000000-0", novel=0, size=SIZE)])
    with pytest.raises(ShardError, match="no novel views; draw them with `train data synth"):
        ShardSamples(tmp_path)


def test_an_epoch_has_each_photo_once_in_another_order(folder: Path) -> None:
    stream = ShardStream(folder, buffer=4)
    first, second = seeds(list(stream.epoch(0))), seeds(list(stream.epoch(1)))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second and first != list(range(12))
    assert seeds(list(stream.epoch(0))) == first, "the same epoch is the same"
    assert seeds(list(ShardStream(folder, buffer=4, seed=1).epoch(0))) != first


def test_photos_of_a_shard_are_torn_apart(folder: Path) -> None:
    order = seeds(list(ShardStream(folder, buffer=8).epoch(0)))
    neighbours = sum(a // 2 == b // 2 for a, b in itertools.pairwise(order))
    assert neighbours < 6, "six where nothing is shuffled"


def test_workers_share_an_epoch_out(folder: Path) -> None:
    parts = [seeds(list(ShardStream(folder, w, 4).epoch(3))) for w in range(4)]
    assert sorted(sum(parts, [])) == list(range(12))
    assert all(parts), "each has its own shards"


def test_a_stream_goes_on_where_it_was_cut_off(folder: Path) -> None:
    stream = ShardStream(folder, buffer=3)
    whole, rest = list(stream.epoch(2)), list(stream.epoch(2, skip=5))
    assert seeds(rest) == seeds(whole)[5:]
    for a, b in zip(whole[5:], rest, strict=True):
        np.testing.assert_array_equal(a.camera_from_input, b.camera_from_input)


def test_more_workers_than_shards_is_an_empty_share(folder: Path) -> None:
    parts = [list(ShardStream(folder, w, 9).epoch(0)) for w in range(9)]
    assert sum(map(len, parts)) == 12 and parts[8] == []


def test_bad_settings_and_empty_folders_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="worker 2 of 2"):
        ShardStream(tmp_path, 2, 2)
    with pytest.raises(ValueError, match="buffer of 0"):
        ShardStream(tmp_path, buffer=0)
    with pytest.raises(ShardError, match="train data synth"):
        ShardSamples(tmp_path)
    with pytest.raises(ShardError, match="held-out"):
        ShardSamples(tmp_path, held_out=True)
