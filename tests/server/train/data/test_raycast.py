"""Drawing, on scenes whose depth is known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("embreex", reason="drawing scenes needs embreex: pip install 'sharp-xr[train]'")

from sharp_xr.train.data import shapes
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined
from sharp_xr.train.data.raycast import (
    REFLECTIVE,
    TRANSPARENT,
    Camera,
    Shot,
    shoot,
)
from sharp_xr.train.data.scene import FAR_M, Lights, Scene, scene_of

FORWARD = np.array([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
"""Right-handed, y up: looking along +z, right is -x."""
SUN = Lights(
    np.array([[0, 1, 0, 0]], np.float32),
    np.ones((1, 3), np.float32),
    np.full((2, 3), 0.2, np.float32),
    gloss=0.0,
    radius=np.zeros(1, np.float32),
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
    assert shot.behind is not None
    np.testing.assert_allclose(shot.behind[12, 16], 5, atol=1e-3)


def test_behind_a_rooms_shell_is_nothing(shot: Shot) -> None:
    assert shot.behind is not None
    np.testing.assert_array_equal(shot.behind[0], shot.depth[0])
    assert shot.subject[0, 0] == 0 and shot.subject[12, 16] == 1


def test_the_sky_is_far_and_has_its_colour() -> None:
    builder = SceneBuilder()
    builder.add(shapes.quad(np.array([(-9, 0, -9), (9, 0, -9), (9, 0, 9), (-9, 0, 9)], np.float32)))
    seen = shoot(scene_of(builder, SUN, blue), camera())
    assert (seen.depth[0] == FAR_M).all()
    assert seen.behind is not None and (seen.behind[0] == FAR_M).all()
    assert (seen.subject[0] == -1).all()
    np.testing.assert_allclose(seen.linear[0, 0], [0, 0, 1])
    assert seen.depth[-1, 16] < 3


def test_behind_a_thing_under_the_sky_is_the_sky() -> None:
    builder = SceneBuilder()
    builder.add(wall(90, half=0.01))
    builder.add(wall(4, half=0.5))
    seen = shoot(scene_of(builder, SUN, blue), camera(0.0))
    np.testing.assert_allclose(seen.depth[12, 16], 4, atol=1e-3)
    assert seen.behind is not None and seen.behind[12, 16] == FAR_M


def test_a_roof_shades_the_ground() -> None:
    ground = np.array([(-9, 0, -9), (9, 0, -9), (9, 0, 9), (-9, 0, 9)], np.float32)
    builder = SceneBuilder()
    builder.add(shapes.quad(ground))
    open_air = shoot(scene_of(builder, SUN, blue), camera()).linear[-1, 16]
    builder.add(joined([shapes.quad(ground + np.array([0, 3, 0], np.float32))]))
    shaded = shoot(scene_of(builder, SUN, blue), camera()).linear[-1, 16]
    np.testing.assert_allclose(open_air, 1.2, atol=1e-3)
    np.testing.assert_allclose(shaded, 0.2, atol=1e-3)


GROUND = np.array([(-9, 0, -9), (9, 0, -9), (9, 0, 9), (-9, 0, 9)], np.float32)


def test_a_large_lamp_has_a_soft_shadow_and_a_point_a_hard_one() -> None:
    builder = SceneBuilder()
    builder.add(shapes.quad(GROUND))
    edge = shapes.quad(GROUND * np.array([1, 1, 0.5], np.float32) + np.array([0, 1, 7], np.float32))
    builder.add(edge)  # a shelf 1 m above the ground, from z = 2.5 on
    above = Camera(np.array([0, 0.9, 2.5], np.float32), DOWN, 40.0, 32, 32)

    def shades(radius: float) -> np.ndarray:
        lights = Lights(SUN.position, SUN.color, SUN.ambient * 0, 0.0, np.full(1, radius))
        column = shoot(scene_of(builder, lights, blue), above, second_layer=False).linear[:, 16, 0]
        return column[(column > 0.05) & (column < 0.95)]

    assert len(shades(0.0)) <= 4, "only what one tile's mean blurs"
    assert len(shades(0.3)) >= 8


DOWN = np.array([[-1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
"""Right is -x, up is +z, forward is -y."""


def test_corners_are_darker_than_open_ground() -> None:
    builder = SceneBuilder()
    builder.add(joined([shapes.quad(GROUND), wall(5.5)]))
    lights = Lights(SUN.position, SUN.color * 0, SUN.ambient, 0.0, SUN.radius)
    column = shoot(scene_of(builder, lights, blue), camera(1.0)).linear[:, 16, 0]
    assert column[-1] == pytest.approx(0.2, abs=1e-3), "two metres before the wall"
    assert column[12:].min() < 0.15


def test_a_mirror_shows_what_is_before_it_and_is_as_far_as_its_glass() -> None:
    builder = SceneBuilder()
    builder.add(shapes.polished(wall(3), 1.0))
    mirror = shoot(scene_of(builder, SUN, blue), camera())
    np.testing.assert_allclose(mirror.depth, 3, atol=1e-3)
    np.testing.assert_allclose(mirror.linear[2, 2], [0, 0, 1], atol=1e-3)
    assert (mirror.marks == REFLECTIVE).all()


def test_glass_shows_what_is_behind_it_and_is_marked() -> None:
    builder = SceneBuilder()
    builder.add(wall(90, half=0.01))  # object 0, behind which there is nothing, is another
    builder.add(shapes.polished(wall(3, half=0.5), 0.0, 1.0))
    pane = shoot(scene_of(builder, SUN, blue), camera(0.0))
    assert pane.behind is not None
    assert pane.depth[12, 16] == pytest.approx(3, abs=1e-3) and pane.behind[12, 16] == FAR_M
    np.testing.assert_allclose(pane.linear[12, 16], [0, 0, 1], atol=0.05)
    assert pane.marks[12, 16] == TRANSPARENT and pane.marks[0, 0] == 0


def test_edges_are_smooth_and_planes_are_spared_the_work() -> None:
    builder = SceneBuilder()
    builder.add(wall(4, half=1.05))
    seen = shoot(scene_of(builder, SUN, blue), camera(0.0)).linear[..., 0]
    rim = (seen > 0.02) & (seen < 0.9 * seen[12, 16])
    assert rim.any(), "pixels that the wall covers in part"
    assert np.ptp(seen[8:16, 12:20]) < 1e-3


def test_without_a_second_layer_the_picture_is_the_same() -> None:
    scene = box_before_wall()
    whole, quick = shoot(scene, camera()), shoot(scene, camera(), second_layer=False)
    assert quick.behind is None
    np.testing.assert_array_equal(whole.linear, quick.linear)
    np.testing.assert_array_equal(whole.depth, quick.depth)
