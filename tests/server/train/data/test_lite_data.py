"""Whole scenes, drawn with the tests' own furniture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("embreex", reason="drawing scenes needs embreex: pip install 'sharp-xr[train]'")

from sharp_xr.train.data import shards
from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.lite_data import LiteData, draw
from sharp_xr.train.data.outdoors import outdoors
from sharp_xr.train.data.raycast import FAR_M, Camera, shoot
from sharp_xr.train.data.rooms import Place, room, tabletop
from sharp_xr.train.data.views import HEIGHT, WIDTH, exposed, look_at, random_view

Make = Callable[[np.random.Generator, Library], Place]


@pytest.mark.parametrize("make", [room, tabletop, outdoors])
def test_a_place_has_views_with_two_layers(make: Make, library: Library) -> None:
    rng = np.random.default_rng(1)
    place = make(rng, library)
    view = random_view(rng, place, tries=30)
    assert view is not None
    _, shot = view
    assert shot.depth.shape == (HEIGHT, WIDTH)
    assert np.isfinite(shot.depth).all() and shot.depth.min() > 0
    assert shot.depth.max() <= FAR_M
    known = shot.behind > 0
    assert known.mean() > 0.97
    # Rays of one pixel differ by a rounding; nothing else may be nearer behind than before.
    assert (shot.behind >= shot.depth * 0.999)[known].all()
    picture = exposed(rng, shot.linear)
    assert picture.std() > 10, "neither black nor burnt"


@pytest.mark.parametrize("make", [room, outdoors])
def test_there_is_sky_outdoors_and_none_in_a_room(make: Make, library: Library) -> None:
    place = make(np.random.default_rng(1), library)
    eye = ((place.low + place.high) / 2).astype(np.float32)
    sky = 0.0
    for x, z in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        aim = eye + np.array([x, 0.2, z], np.float32)
        shot = shoot(place.scene, Camera(eye, look_at(eye, aim, 0.0), 30.0, 48, 36))
        sky += float((shot.depth == FAR_M).mean()) / 4
    assert sky > 0.05 if make is outdoors else sky == 0


def test_a_seed_decides_the_shard(library: Library) -> None:
    a, b, other = (draw(seed, library, views=1) for seed in (5, 5, 6))
    np.testing.assert_array_equal(a.rgb, b.rgb)
    np.testing.assert_array_equal(a.depth, b.depth)
    assert not np.array_equal(a.rgb, other.rgb)


def test_shards_that_exist_are_kept(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = shards.shard_path(tmp_path, 3)
    kept.write_bytes(b"precious")
    LiteData(assets, tmp_path, first_seed=3, count=2, views=1).run()
    assert kept.read_bytes() == b"precious"
    assert len(shards.load(shards.shard_path(tmp_path, 4))) == 1
    assert "000004.npz" in capsys.readouterr().out


def test_a_camera_looks_at_its_target_upright() -> None:
    eye, target = np.array([1, 2, 3], np.float32), np.array([4, 1, 5], np.float32)
    right, up, forward = look_at(eye, target, roll=0.0).T
    np.testing.assert_allclose(forward, (target - eye) / np.linalg.norm(target - eye), atol=1e-6)
    assert right[1] == pytest.approx(0, abs=1e-6) and up[1] > 0
    np.testing.assert_allclose(np.cross(right, up), -forward, atol=1e-6)
