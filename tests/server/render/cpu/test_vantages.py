"""The photo's camera and a head around it are found from the Gaussians alone."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from tests.server.render.photo_scene import FIELD, photo_scene
from tests.server.render.scenes import random_scene

from sharp_xr.render.cpu.vantages import head_views, photo_view

CELLS = 48


def test_the_photo_s_camera_is_found_from_what_it_sees() -> None:
    view = photo_view(photo_scene(CELLS), CELLS * CELLS)
    assert view is not None
    assert (view.camera_from_photo == np.eye(4)).all()
    assert abs(view.width - CELLS) <= 2
    assert abs(view.height - CELLS) <= 2
    assert abs(view.cx - CELLS / 2) < 1.5
    across = 2 * math.atan(0.5 * view.width / view.fx)
    assert abs(across - FIELD) < 0.05


def test_a_scene_around_the_camera_has_no_photo() -> None:
    assert photo_view(random_scene(500, depths_m=(-2.0, 2.0)), 1000) is None
    assert photo_view(random_scene(0), 1000) is None


@pytest.mark.parametrize(
    ("nearer", "reach_m"),
    [(1.0, (0.45, 0.3, 0.5)), (0.1, (0.045, 0.03, 0.0675)), (100.0, (0.5, 0.5, 0.5))],
)
def test_a_head_reaches_as_far_as_the_page_lets_it(
    nearer: float, reach_m: tuple[float, float, float]
) -> None:
    scene = photo_scene(CELLS)
    # The nearest tenth ends at 1.5 m.
    factor = np.float32(nearer * 1.5 / (scene.depth_quantile(0.1) or 0))
    scene = dataclasses.replace(scene, means=scene.means * factor)
    photo = photo_view(scene, CELLS * CELLS)
    assert photo is not None
    first, *others = head_views(scene, photo)
    assert (first.camera_from_photo == np.eye(4)).all()
    places = np.array([-view.camera_from_photo[:3, 3] for view in others])
    # Left and right, up and down, in and out.
    expected = np.repeat(np.diag(reach_m), 2, axis=0) * np.tile([[1], [-1]], (3, 1))
    np.testing.assert_allclose(places, expected, atol=1e-6)
    for view in others:
        assert (view.camera_from_photo[:3, :3] == np.eye(3)).all()
        assert dataclasses.replace(view, camera_from_photo=first.camera_from_photo) == first


def test_a_head_sees_a_little_more_than_the_photo_on_every_side() -> None:
    scene = photo_scene(CELLS)
    photo = photo_view(scene, CELLS * CELLS)
    assert photo is not None
    wide = head_views(scene, photo)[0]
    more = wide.cx - photo.cx
    assert 2 <= more <= 4
    assert wide.cy - photo.cy == more
    assert (wide.width, wide.height) == (photo.width + 2 * more, photo.height + 2 * more)
    assert (wide.fx, wide.fy) == (photo.fx, photo.fy)
