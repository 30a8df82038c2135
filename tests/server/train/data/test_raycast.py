"""Drawing, on scenes whose depth is known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("embreex", reason="drawing scenes needs embreex: pip install 'sharp-xr[train]'")

from sharp_xr.train.data import shapes
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined
from sharp_xr.train.data.raycast import FAR_M, Camera, Lights, Scene, Shot, scene_of, shoot

FORWARD = np.array([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
"""Right-handed, y up: looking along +z, right is -x."""
SUN = Lights(
    np.array([[0, 1, 0, 0]], np.float32),
    np.ones((1, 3), np.float32),
    np.full((2, 3), 0.2, np.float32),
    0.0,
)


def blue(directions: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.array([0, 0, 1], np.float32), directions.shape).copy()


def camera(height_m: float = 0.5) -> Camera:
    return Camera(np.array([0, height_m, 0], np.float32), FORWARD, 40.0, 32, 24)


def wall(z: float, half: float = 50.0) -> Mesh:
    corners = np.array([(-half, -half, z), (half, -half, z), (half, half, z), (-half, half, z)])
    return shapes.quad(corners.astype(np.float32))


def box_before_wall() -> Scene:
    """A room's shell at 5 m (object 0), a 1 m cube whose near face is at 2 m (object 1)."""
    builder = SceneBuilder()
    builder.add(wall(5))
    builder.add(shapes.box((1, 1, 1)).moved(np.eye(3, dtype=np.float32), np.array([0, 0, 2.5])))
    return scene_of(builder, SUN, blue)


@pytest.fixture(scope="module")
def shot() -> Shot:
    return shoot(box_before_wall(), camera())


def test_depth_is_along_the_axis_and_not_along_the_ray(shot: Shot) -> None:
    np.testing.assert_allclose(shot.depth[12, 16], 2, atol=1e-4)
    np.testing.assert_allclose(shot.depth[0, 0], 5, atol=1e-3)


def test_the_second_layer_passes_the_whole_visible_object(shot: Shot) -> None:
    """Not the cube's own back at 3 m, but the wall."""
    np.testing.assert_allclose(shot.behind[12, 16], 5, atol=1e-3)


def test_behind_a_rooms_shell_is_nothing(shot: Shot) -> None:
    np.testing.assert_array_equal(shot.behind[0], shot.depth[0])
    assert shot.subject[0, 0] == 0 and shot.subject[12, 16] == 1


def test_the_sky_is_far_and_has_its_colour() -> None:
    builder = SceneBuilder()
    builder.add(shapes.quad(np.array([(-9, 0, -9), (9, 0, -9), (9, 0, 9), (-9, 0, 9)], np.float32)))
    seen = shoot(scene_of(builder, SUN, blue), camera())
    assert (seen.depth[0] == FAR_M).all() and (seen.behind[0] == FAR_M).all()
    assert (seen.subject[0] == -1).all()
    np.testing.assert_allclose(seen.linear[0, 0], [0, 0, 1])
    assert seen.depth[-1, 16] < 3


def test_behind_a_thing_under_the_sky_is_the_sky() -> None:
    builder = SceneBuilder()
    builder.add(wall(90, half=0.01))
    builder.add(wall(4, half=0.5))
    seen = shoot(scene_of(builder, SUN, blue), camera(0.0))
    np.testing.assert_allclose(seen.depth[12, 16], 4, atol=1e-3)
    assert seen.behind[12, 16] == FAR_M


def test_a_roof_shades_the_ground() -> None:
    ground = np.array([(-9, 0, -9), (9, 0, -9), (9, 0, 9), (-9, 0, 9)], np.float32)
    builder = SceneBuilder()
    builder.add(shapes.quad(ground))
    open_air = shoot(scene_of(builder, SUN, blue), camera()).linear[-1, 16]
    builder.add(joined([shapes.quad(ground + np.array([0, 3, 0], np.float32))]))
    shaded = shoot(scene_of(builder, SUN, blue), camera()).linear[-1, 16]
    np.testing.assert_allclose(open_air, 1.2, atol=1e-3)
    np.testing.assert_allclose(shaded, 0.2, atol=1e-3)
