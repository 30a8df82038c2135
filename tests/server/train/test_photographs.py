"""From shards to batches."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.server.train.slanted import FOCAL_PX, slanted

from sharp_xr.train.data.shards import HELD_OUT, Shard, ShardError, shard_path, write_shard
from sharp_xr.train.photographs import (
    ENLARGED,
    MOST_SKY,
    SQUEEZE,
    Photographs,
    Plate,
    plate,
    random_crop,
    targets,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shard(shard_path(tmp_path, 7, 7), [slanted("000007-0")])
    return tmp_path


@pytest.fixture
def view(folder: Path) -> Plate:
    return plate(Shard(shard_path(folder, 7, 7)), "000007-0", 0)


def test_a_photo_knows_its_second_layer_and_a_view_beside_it_does_not(folder: Path) -> None:
    shard = Shard(shard_path(folder, 7, 7))
    photo, beside = (plate(shard, "000007-0", k) for k in (0, 1))
    assert (photo.depth[1] == 3).all() and (beside.depth[1] == 0).all()
    np.testing.assert_allclose(photo.depth[0, -1, [0, -1]], [1, 2])
    assert photo.focal_px == pytest.approx(FOCAL_PX)


def test_depth_is_unknown_where_a_picture_shows_something_else_than_the_surface(
    folder: Path,
) -> None:
    shard = Shard(shard_path(folder, 7, 7))
    marks = shard.marks("000007-0", 0) > 0
    assert 0 < marks.sum() < marks.size
    photo = plate(shard, "000007-0", 0)
    assert ((photo.depth[0] == 0) == marks).all() and (photo.depth[1] == 3).all()


def test_held_out_scenes_are_not_trained_on(folder: Path) -> None:
    write_shard(shard_path(folder, HELD_OUT, HELD_OUT), [slanted("100000-0")])
    assert Photographs(folder).refresh() == 2, "two views of the other scene"


def test_shards_that_appear_later_are_taken_in(folder: Path) -> None:
    photographs = Photographs(folder)
    assert photographs.refresh() == 2
    write_shard(shard_path(folder, 8, 8), [slanted("000008-0", novel=2)])
    assert photographs.refresh() == 5
    assert photographs.refresh() == 5


def test_a_training_that_goes_on_finds_its_views_where_they_were(folder: Path) -> None:
    before = Photographs(folder)
    before.refresh()
    write_shard(shard_path(folder, 3, 3), [slanted("000003-0")])  # sorts before the other
    before.refresh()
    after = Photographs(folder)
    after.recall(before.names)
    assert after.names == before.names == ["synth-000007-000007.tar", "synth-000003-000003.tar"]
    assert [(k, v) for _, k, v in after.views] == [(k, v) for _, k, v in before.views]
    with pytest.raises(ShardError, match="000009"):
        after.recall(["synth-000009-000009.tar"])


@pytest.mark.parametrize(("size", "least"), [((192, 160), 160 / ENLARGED), ((384, 288), 216)])
def test_large_pictures_are_not_of_small_crops(
    view: Plate, size: tuple[int, int], least: float
) -> None:
    rng = np.random.default_rng(1)
    crops = [random_crop(rng, view, size) for _ in range(20)]
    rows = np.array([FOCAL_PX * size[0] / c.focal_px for c in crops]) * size[1] / size[0]
    assert (rows > least * math.exp(-SQUEEZE) - 2).all()
    assert (rows < 216 * math.exp(SQUEEZE) + 2).all(), "no more than there is, nor squeezed more"


def test_rooms_come_as_often_as_was_asked_for(folder: Path) -> None:
    room = dataclasses.replace(slanted("000008-0"), kind="room")
    write_shard(shard_path(folder, 8, 8), [room])
    plain, asked, none = (Photographs(folder, share) for share in (None, 0.9, 0.0))
    for photographs in (plain, asked, none):
        photographs.recall(["synth-000008-000008.tar"])  # not in the order of their names
    shares = [_share_of_rooms(p) for p in (plain, asked, none)]
    assert shares == pytest.approx([0.5, 0.9, 0.0], abs=0.07)
    (folder / "synth-000007-000007.tar").unlink()
    alone = Photographs(folder, 0.0)
    alone.refresh()
    assert _share_of_rooms(alone) == 1, "there is nothing else"


def _share_of_rooms(photographs: Photographs) -> float:
    rng = np.random.default_rng(4)
    chosen = [photographs.choose(rng) for _ in range(400)]
    return float(np.mean([shard.about(key)["kind"] == "room" for shard, key, _ in chosen]))


def test_a_crop_of_little_but_sky_is_rare() -> None:
    depth = np.full((2, 384, 384), 80, np.float32)
    depth[:, 210:] = 3
    view = Plate(np.full((384, 384, 3), 128, np.uint8), depth, 300.0)
    rng = np.random.default_rng(2)
    crops = [random_crop(rng, view, (192, 128)) for _ in range(60)]
    sky = np.array([(c.depth[0] >= 80).mean() for c in crops])
    assert 0 < (sky > MOST_SKY).mean() < 0.2, "half of all windows are, an eighth three times"
    depth[:] = 80
    assert (random_crop(rng, view, (192, 128)).depth >= 80).all(), "where there is nothing else"


def test_a_batch_follows_from_its_seed(folder: Path) -> None:
    photographs = Photographs(folder)
    photographs.refresh()
    a, b, other = (photographs.batch(np.random.default_rng(s), 2) for s in (1, 1, 2))
    assert torch.equal(a.x, b.x) and torch.equal(a.visible.y, b.visible.y)
    assert not torch.equal(a.x, other.x)
    assert a.x.shape == (2, 3, 192, 256)
    assert a.visible.y.shape == (2, 96, 128)


def test_a_crop_keeps_picture_and_depth_together_and_narrows_the_view(view: Plate) -> None:
    rng = np.random.default_rng(0)
    for size in [(256, 192), (192, 256), (384, 288)] * 7:
        crop = random_crop(rng, view, size)
        assert crop.rgb.shape == (size[1], size[0], 3)
        assert crop.depth.shape == (2, size[1], size[0])
        brightness = crop.rgb.mean((0, 2))
        assert np.corrcoef(brightness, crop.depth[0].mean(0))[0, 1] > 0.6, "mirrored together"
        across = abs(crop.depth[0, -1, -1] - crop.depth[0, -1, 0])
        # Depth spans 1 m over 288 px and the lens is 230.4 px long: the share tells the focal.
        assert crop.focal_px == pytest.approx(0.8 / across * size[0], rel=0.03)


def test_a_target_is_the_nearest_of_four_with_its_own_second_layer() -> None:
    visible = torch.tensor([[4.0, 2.0], [3.0, 5.0]])
    behind = torch.tensor([[40.0, 20.0], [30.0, 50.0]])
    first, second = targets(torch.stack([visible, behind])[None], torch.tensor([204.8]))
    assert first.y.item() == pytest.approx(-math.log(2))
    assert second.y.item() == pytest.approx(-math.log(20))


def test_a_longer_lens_makes_the_same_depth_canonically_nearer() -> None:
    depth = torch.full((2, 2, 2, 2), 3.0)
    first, _ = targets(depth, torch.tensor([204.8, 409.6]))
    assert first.y[:, 0, 0].tolist() == pytest.approx([-math.log(3), -math.log(1.5)])


def test_sky_and_unknown_are_told_apart() -> None:
    depth = torch.zeros(1, 2, 2, 2)
    depth[0, 0] = 80
    first, second = targets(depth, torch.tensor([204.8]))
    assert first.sky.item() == 1 and first.known.item() == 1
    assert second.known.item() == 0
