"""Photos with their novel views: their depth, lens and pose must agree to the pixel."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("embreex", reason="drawing scenes needs embreex: pip install 'sharp-xr[train]'")

from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.instances import Drawing, Instance, draw
from sharp_xr.train.data.scene import FAR_M

SMALL = Drawing(instances=1, novel=2, size_px=64)


@pytest.fixture(scope="module")
def drawn(library: Library) -> list[Instance]:
    return [one for seed in (2, 3, 5, 7) for one in draw(seed, library, SMALL)]


def test_a_seed_decides_the_scene_to_the_pixel(library: Library, drawn: list[Instance]) -> None:
    again = draw(3, library, SMALL)[0]
    first = next(one for one in drawn if one.key == "000003-0")
    for name in ("rgb", "depth", "behind", "lenses", "camera_from_input"):
        np.testing.assert_array_equal(getattr(again.sample, name), getattr(first.sample, name))
    assert again.kind == first.kind
    assert not np.array_equal(again.sample.rgb, drawn[0].sample.rgb)


def test_a_surface_has_one_place_in_all_views(drawn: list[Instance]) -> None:
    """Depth of the photo, moved into a novel view, is the depth there, save what is hidden."""
    errors = []
    for instance in drawn:
        s = instance.sample
        h, w = s.depth.shape[1:]
        y, x = np.mgrid[:h, :w] + 0.5
        fx, fy, cx, cy = s.lenses[0]
        z = s.depth[0].astype(np.float64)
        points = np.stack([(x - cx) / fx * z, (y - cy) / fy * z, z, np.ones_like(z)], -1)
        for k in range(1, len(s)):
            moved = points @ s.camera_from_input[k].T
            fx, fy, cx, cy = s.lenses[k]
            u, v = fx * moved[..., 0] / moved[..., 2] + cx, fy * moved[..., 1] / moved[..., 2] + cy
            inside = (u >= 0) & (u < w) & (v >= 0) & (v < h) & (moved[..., 2] > 0) & (z < FAR_M)
            there = s.depth[k][v[inside].astype(int), u[inside].astype(int)]
            errors.append(np.abs(np.log(there / moved[..., 2][inside])))
    assert np.median(np.concatenate(errors)) < 0.01
    assert (np.concatenate(errors) < 0.05).mean() > 0.6


def test_the_photo_is_the_origin_of_its_views_which_are_near(drawn: list[Instance]) -> None:
    for instance in drawn:
        poses = instance.sample.camera_from_input
        np.testing.assert_allclose(poses[0], np.eye(4), atol=1e-9)
        for pose in poses[1:]:
            np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-5)
            assert np.linalg.det(pose[:3, :3]) == pytest.approx(1, abs=1e-5)
            assert 0.01 < np.linalg.norm(np.linalg.inv(pose)[:3, 3]) < 0.61


def test_the_world_is_upright_and_above_its_floor(drawn: list[Instance]) -> None:
    for instance in drawn:
        pose = instance.world_from_input
        assert pose[1, 3] > 0, "cameras stand above the floor"
        assert pose[1, 1] < 0.2, "the camera's y axis points down"
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1, abs=1e-5)
