"""From shards to batches."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sharp_xr.train.data import shards
from sharp_xr.train.data.shards import Shard
from sharp_xr.train.photographs import Photographs, developed, random_crop, targets


def slanted(views: int = 2) -> Shard:
    """Depth grows from left to right, and so does brightness: 1 to 2 m, the second layer at 3 m."""
    h, w = 216, 288
    depth = np.broadcast_to(np.linspace(1, 2, w), (views, h, w)).astype(np.float16)
    grey = np.broadcast_to(np.linspace(0, 255, w)[:, None], (views, h, w, 3)).astype(np.uint8)
    behind = np.full((views, h, w), 3, np.float16)
    return Shard(grey, depth, behind, np.full(views, 230.4, np.float32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shards.save(shards.shard_path(tmp_path, 7), slanted())
    return tmp_path


def test_a_shard_comes_back_as_it_was_saved(folder: Path) -> None:
    loaded, made = shards.load(shards.shard_path(folder, 7)), slanted()
    for name in ("rgb", "depth", "behind", "focal"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(made, name))
    assert [p.name for p in folder.iterdir()] == ["000007.npz"], "nothing half-written stays"


def test_held_out_scenes_are_not_trained_on(folder: Path) -> None:
    shards.save(shards.shard_path(folder, shards.HELD_OUT), slanted())
    assert shards.training_paths(folder) == [shards.shard_path(folder, 7)]


def test_shards_that_appear_later_are_taken_in(folder: Path) -> None:
    photographs = Photographs(folder)
    assert photographs.refresh() == 1
    shards.save(shards.shard_path(folder, 8), slanted())
    assert photographs.refresh() == 2
    assert photographs.refresh() == 2


def test_a_batch_follows_from_its_seed(folder: Path) -> None:
    photographs = Photographs(folder)
    photographs.refresh()
    a, b, other = (photographs.batch(np.random.default_rng(s), 2) for s in (1, 1, 2))
    assert torch.equal(a.x, b.x) and torch.equal(a.visible.y, b.visible.y)
    assert not torch.equal(a.x, other.x)
    assert a.x.shape == (2, 3, 192, 256)
    assert a.visible.y.shape == (2, 96, 128)


def test_a_crop_keeps_picture_and_depth_together_and_narrows_the_view() -> None:
    rng = np.random.default_rng(0)
    for size in [(256, 192), (192, 256), (384, 288)] * 7:
        crop = random_crop(rng, slanted(), 0, size)
        assert crop.rgb.shape == (size[1], size[0], 3)
        assert crop.depth.shape == (2, size[1], size[0])
        brightness = crop.rgb.mean((0, 2))
        assert np.corrcoef(brightness, crop.depth[0].mean(0))[0, 1] > 0.6, "mirrored together"
        across = abs(crop.depth[0, 0, -1] - crop.depth[0, 0, 0])
        # Depth spans 1 m over 288 px and the lens is 230.4 px long: the share tells the focal.
        assert crop.focal_px == pytest.approx(0.8 / across * size[0], rel=0.03)


def test_developing_changes_a_picture_but_not_beyond_recognition() -> None:
    rgb = slanted().rgb[0]
    rng = np.random.default_rng(3)
    versions = [developed(rng, rgb) for _ in range(30)]
    assert len({v.tobytes() for v in versions}) == 30
    for version in versions:
        assert version.shape == rgb.shape and version.dtype == np.uint8
        assert np.corrcoef(version.ravel(), rgb.ravel())[0, 1] > 0.7


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
