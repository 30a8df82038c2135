"""The reference against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.server.render.scenes import front_view, many, one_gaussian, random_scene

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import RenderSettings, View
from sharp_xr.render.reference import draw, srgb_from_linear

# At 2 m with a focal length of 32 px; the middle of pixel (32, 32) is half a pixel off both ways.
CORNER = math.exp(-(0.5**2 + 0.5**2) / (2 * (0.1 * 32 / 2) ** 2))


def test_one_ball_is_a_bell_of_its_projected_size() -> None:
    picture = draw(one_gaussian(sigma_m=0.1, opacity=0.8), front_view(64), RenderSettings())
    assert picture.alpha[32, 32] == pytest.approx(0.8 * CORNER, rel=1e-6)
    assert picture.depth[32, 32] == pytest.approx(2.0)
    np.testing.assert_allclose(
        picture.rgb[32, 32], 0.8 * CORNER * np.array([1.0, 0.5, 0.25]), rtol=1e-6
    )


def test_the_nearer_of_two_comes_first_whatever_their_order() -> None:
    red = one_gaussian((0, 0, 2.0), 0.1, 0.8, (1, 0, 0))
    green = one_gaussian((0, 0, 4.0), 0.2, 0.5, (0, 1, 0))
    for scene in (many(red, green), many(green, red)):
        picture = draw(scene, front_view(64), RenderSettings())
        first, second = 0.8 * CORNER, 0.5 * CORNER
        assert picture.rgb[32, 32, 0] == pytest.approx(first, rel=1e-6)
        assert picture.rgb[32, 32, 1] == pytest.approx((1 - first) * second, rel=1e-6)


def test_depth_is_the_mean_of_what_is_seen() -> None:
    scene = many(one_gaussian((0, 0, 2.0), 0.1, 0.5), one_gaussian((0, 0, 4.0), 0.2, 0.5))
    picture = draw(scene, front_view(64), RenderSettings())
    near = 0.5 * CORNER
    far = (1 - near) * 0.5 * CORNER
    expected = (near * 2 + far * 4) / (near + far)
    assert picture.depth[32, 32] == pytest.approx(expected, rel=1e-6)


def test_what_would_close_a_pixel_is_not_drawn() -> None:
    walls = many(*(one_gaussian((0, 0, z), 99.0, 1.0) for z in (2.0, 3.0, 4.0)))
    picture = draw(walls, front_view(8), RenderSettings(max_alpha=0.999))
    # 1e-3 is left after the first; the second would leave 1e-6.
    np.testing.assert_allclose(picture.alpha, 0.999, rtol=1e-9)


def test_what_covers_less_than_one_step_of_eight_bits_is_skipped() -> None:
    assert not draw(one_gaussian(opacity=0.0039), front_view(), RenderSettings()).alpha.any()
    picture = draw(one_gaussian(sigma_m=0.2, opacity=0.5), front_view(), RenderSettings())
    assert picture.alpha[picture.alpha > 0].min() >= 1 / 255


def test_what_is_before_the_near_plane_is_not_drawn() -> None:
    assert draw(one_gaussian((0, 0, 1)), front_view(), RenderSettings(near=0.99)).alpha.any()
    assert not draw(one_gaussian((0, 0, 1)), front_view(), RenderSettings(near=1.01)).alpha.any()
    assert not draw(one_gaussian((0, 0, -1)), front_view(), RenderSettings()).alpha.any()


def test_the_background_fills_what_is_left() -> None:
    settings = RenderSettings(background=(0.25, 0.5, 1.0))
    picture = draw(one_gaussian(color=(0, 0, 0)), front_view(), settings)
    left = (1 - picture.alpha)[..., None]
    np.testing.assert_allclose(picture.rgb, left * [0.25, 0.5, 1.0])


def test_eps2d_widens_what_is_seen() -> None:
    picture = draw(one_gaussian(sigma_m=0.1), front_view(64), RenderSettings(eps2d=0.3))
    variance = (0.1 * 32 / 2) ** 2 + 0.3
    assert picture.alpha[32, 32] == pytest.approx(0.8 * math.exp(-0.25 / variance), rel=1e-6)


def test_a_flat_gaussian_seen_edge_on_is_not_drawn() -> None:
    edge_on = Gaussians(
        np.array([[0, 0, 2]], np.float32),
        np.array([[0.01, 0, 0, 0, 0, 0.01]], np.float32),
        np.ones((1, 3), np.float32),
        np.ones(1, np.float32),
    )
    assert not draw(edge_on, front_view(), RenderSettings()).alpha.any()
    assert draw(edge_on, front_view(), RenderSettings(eps2d=0.3)).alpha.any()


def test_far_outside_the_picture_the_jacobian_is_the_rim_s() -> None:
    # gsplat clamps x/z at 1.3 times the half field; without, this ball 80 degrees aside would be
    # smeared over the picture.
    aside = one_gaussian((math.tan(math.radians(80)) * 0.5, 0, 0.5), 0.4, 1.0)
    assert not draw(aside, front_view(64), RenderSettings()).alpha[:, :32].any()


def test_moving_the_camera_is_moving_the_scene_the_other_way() -> None:
    scene = random_scene(50)
    moved = Gaussians(
        scene.means - np.float32(0.25), scene.covariances, scene.colors, scene.opacities
    )
    camera_from_photo = np.eye(4)
    camera_from_photo[:3, 3] = -0.25
    view = View(camera_from_photo, 32.0, 32.0, 32.0, 32.0, 64, 64)
    there = draw(scene, view, RenderSettings())
    here = draw(moved, front_view(64), RenderSettings())
    np.testing.assert_allclose(there.rgb, here.rgb, atol=1e-5)


def test_srgb_is_the_standard_curve() -> None:
    np.testing.assert_allclose(
        srgb_from_linear(np.array([-1.0, 0.0, 0.002, 0.21404114, 1.0, 2.0])),
        [0.0, 0.0, 0.02584, 0.5, 1.0, 1.0],
        atol=1e-7,
    )
