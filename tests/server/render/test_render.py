"""Every renderer draws the picture of the reference."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest
from tests.server.render.photo_scene import photo_scene, stereo_views
from tests.server.render.scenes import (
    TOLERANCE,
    assert_same_picture,
    front_view,
    many,
    odd_views,
    one_gaussian,
    random_scene,
)

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render import Renderer, RendererName, RenderSettings, View, create_renderer
from sharp_xr.render.cpu.renderer import CpuRenderer

NOTHING = random_scene(0)


@pytest.fixture(params=["cpu", "reference"])
def renderer(request: pytest.FixtureRequest, cpu: CpuRenderer) -> Renderer:
    return cpu if request.param == "cpu" else create_renderer("reference")


def test_random_gaussians_look_as_in_the_reference(renderer: Renderer) -> None:
    assert_same_picture(renderer, random_scene(400), odd_views())


@pytest.mark.parametrize(
    "settings",
    [
        RenderSettings(eps2d=0.3),
        RenderSettings(max_alpha=0.99),
        RenderSettings(near=3.0),
        RenderSettings(background=(0.2, 0.9, 0.001)),
    ],
)
def test_every_setting_has_the_effect_it_has_in_the_reference(
    renderer: Renderer, settings: RenderSettings
) -> None:
    assert_same_picture(renderer, random_scene(300, seed=1), odd_views(), settings)


@pytest.mark.parametrize("seed", range(12))
def test_any_camera_sees_what_the_reference_sees(cpu: CpuRenderer, seed: int) -> None:
    # Off-centre, turned, pixels not square. 1,988 such cases were run once: see the README.
    random = np.random.default_rng(seed)
    width, height = (int(n) for n in random.integers(8, 120, 2))
    camera_from_photo = np.eye(4)
    camera_from_photo[:3, :3], _ = np.linalg.qr(np.eye(3) + random.uniform(-0.2, 0.2, (3, 3)))
    camera_from_photo[:3, :3] *= np.sign(np.diag(camera_from_photo[:3, :3]))
    camera_from_photo[:3, 3] = random.uniform(-0.2, 0.2, 3)
    fx, fy = random.uniform(0.4, 1.6, 2) * (width, height)
    cx, cy = random.uniform(0.2, 0.8, 2) * (width, height)
    view = View(camera_from_photo, fx, fy, cx, cy, width, height)
    near, eps2d = ((0.01, 0.0), (0.1, 0.01), (1.0, 0.3))[seed % 3]
    settings = RenderSettings(near=near, eps2d=eps2d, background=(0.1, 0.5, 0.9))
    depths = (-2.0, 2.0) if seed % 2 else (1.5, 6.0)
    scene = random_scene(500, seed=seed, sizes_m=(0.02, 0.3), depths_m=depths)
    assert_same_picture(cpu, scene, [view], settings, fragile=0.6)


def decibels(a: Float32, b: Float32) -> float:
    return float(-10 * np.log10(max(np.mean((a - b) ** 2, dtype=np.float64), 1e-20)))


def dim(gaussians: Gaussians) -> Gaussians:
    """Nearly black before, white behind: what little comes through shows most."""
    colors = np.where(gaussians.means[:, 2:] < np.median(gaussians.means[:, 2]), 1e-3, 1.0)
    return dataclasses.replace(gaussians, colors=np.tile(colors, 3).astype(np.float32))


@pytest.mark.parametrize("background", [(0.0, 0.0, 0.0), (0.3, 0.8, 0.2), (1.0, 1.0, 1.0)])
@pytest.mark.parametrize(
    "scene",
    [
        random_scene(6000, seed=2, sizes_m=(0.02, 0.1)),
        dim(random_scene(6000, seed=3, sizes_m=(0.02, 0.1))),
        random_scene(900, seed=4, sizes_m=(0.1, 0.4), opacities=(0.97, 0.99)),
        photo_scene(96),
    ],
    ids=["random", "dark before bright", "nearly opaque", "photo"],
)
def test_the_fast_picture_is_near_the_exact_one(
    cpu: CpuRenderer, scene: Gaussians, background: tuple[float, float, float]
) -> None:
    prepared, views = cpu.prepare(scene), odd_views(96, 80)
    exact = cpu.render(prepared, views, RenderSettings(background=background))
    rgb, depth, alpha = exact.rgb.copy(), exact.depth.copy(), exact.alpha.copy()
    fast = cpu.render(prepared, views, RenderSettings(background=background, fast=True))
    assert 60 < decibels(fast.rgb, rgb) < 100  # and not the exact one itself
    assert 50 < decibels(fast.alpha, alpha)
    # By its inverse, as depth is sent.
    seen = alpha > 0.5
    nearest = depth[seen].min()
    assert 55 < decibels(nearest / fast.depth[seen], nearest / depth[seen])
    # Light that little is left of, but never a splat that is in front; at a pixel in a thousand one
    # that would close it is drawn or not.
    off = np.abs(fast.alpha - alpha)
    assert np.mean(off > 0.02) < 1e-3
    assert off.max() < 0.1


def test_a_dense_scene_of_small_gaussians(cpu: CpuRenderer) -> None:
    dense = random_scene(6000, seed=2, sizes_m=(0.02, 0.1))
    assert_same_picture(cpu, dense, odd_views(96, 80), fragile=0.7)


@pytest.mark.parametrize("cells", [48, 96])
def test_a_photo_s_scene_with_its_two_layers_and_its_edges(renderer: Renderer, cells: int) -> None:
    # Hundreds of splats to a block: nearly every pixel has some decision that is close.
    assert_same_picture(renderer, photo_scene(cells), stereo_views(cells), fragile=0.9)


def test_a_scene_around_and_behind_the_camera(renderer: Renderer) -> None:
    around = random_scene(3000, seed=3, depths_m=(-2.0, 2.0), sizes_m=(0.005, 0.2))
    assert_same_picture(renderer, around, odd_views(), fragile=0.6)


def test_huge_gaussians_among_tiny_ones(renderer: Renderer) -> None:
    tiny = random_scene(500, seed=4, sizes_m=(1e-4, 1e-2))
    huge = random_scene(5, seed=5, sizes_m=(1.0, 8.0), opacities=(0.05, 0.3))
    # The tiny ones are 1e-3 of a pixel, and a tile's coordinates have steps of 4e-6.
    assert_same_picture(renderer, many(tiny, huge), odd_views(130, 70), tolerance=40 * TOLERANCE)


def test_needles_and_sheets(renderer: Renderer) -> None:
    thin = random_scene(400, seed=7, sizes_m=(0.002, 0.7))
    assert_same_picture(renderer, thin, odd_views(), tolerance=1e-4)


@pytest.mark.parametrize("ratio", [0.4, 2.5])
def test_a_prepared_scene_is_refocused_as_its_gaussians_are(
    renderer: Renderer, ratio: float
) -> None:
    scene = random_scene(1500, seed=8, sizes_m=(0.002, 0.3))
    prepared = renderer.prepare(scene)
    before = renderer.render(prepared, odd_views()).rgb.copy()
    stretched = renderer.render(prepared.refocused(ratio), odd_views())
    rgb, depth = stretched.rgb.copy(), stretched.depth.copy()
    expected = renderer.render(renderer.prepare(scene.refocused(ratio)), odd_views())
    # Gaussians of nearly the same depth may change places.
    assert np.mean(np.abs(rgb - expected.rgb) < 1e-4) > 0.99
    assert np.mean(np.abs(depth - expected.depth) < 1e-3) > 0.99
    assert np.mean(np.abs(rgb - before) < 1e-4) < 0.9
    np.testing.assert_array_equal(renderer.render(prepared, odd_views()).rgb, before)


def test_one_gaussian(renderer: Renderer) -> None:
    assert_same_picture(renderer, one_gaussian(), odd_views())


def test_one_pixel(renderer: Renderer) -> None:
    view = View(np.eye(4), 1.0, 1.0, 0.5, 0.5, 1, 1)
    assert_same_picture(renderer, one_gaussian(sigma_m=0.5), [view])


def test_nothing_is_the_background(renderer: Renderer) -> None:
    settings = RenderSettings(background=(1.0, 0.0, 0.0))
    frame = renderer.render(renderer.prepare(NOTHING), odd_views(), settings)
    assert frame.rgb.shape == (2, 3, 45, 70)
    np.testing.assert_allclose(frame.rgb[:, 0], 1.0)
    np.testing.assert_allclose(frame.rgb[:, 1:], 0.0, atol=1e-6)
    assert not frame.alpha.any()
    assert not frame.depth.any()


def test_gaussians_too_faint_to_see_are_nothing(renderer: Renderer) -> None:
    scene = renderer.prepare(one_gaussian(opacity=0.0039))
    assert len(scene) == 1
    assert not renderer.render(scene, [front_view()]).alpha.any()


@pytest.mark.parametrize("broken", ["means", "covariances", "colors", "opacities"])
def test_a_gaussian_that_is_not_finite_is_dropped_and_told(
    renderer: Renderer, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    gaussians = many(one_gaussian(), one_gaussian((0.5, 0.0, 2.0)))
    getattr(gaussians, broken)[1] = np.nan
    with caplog.at_level(logging.WARNING):
        scene = renderer.prepare(gaussians)
    assert "1 of 2 Gaussians are not finite" in caplog.text
    assert len(scene) == 1
    view = front_view()
    frame = renderer.render(scene, [view])
    alone = renderer.render(renderer.prepare(one_gaussian()), [view])
    np.testing.assert_array_equal(frame.rgb, alone.rgb)


def test_gaussians_that_overflow_do_not_harm_the_others(renderer: Renderer) -> None:
    wild = many(*(one_gaussian((x, 0.0, 1.0), s) for x in (0.0, 3e38) for s in (1e-25, 1e19)))
    frame = renderer.render(renderer.prepare(many(one_gaussian(), wild)), odd_views())
    assert np.isfinite(frame.rgb).all()
    assert np.isfinite(frame.depth).all()


def test_views_of_different_sizes_are_refused_with_a_sentence(renderer: Renderer) -> None:
    scene = renderer.prepare(NOTHING)
    with pytest.raises(ValueError, match="share their size, these have"):
        renderer.render(scene, [front_view(64), front_view(32)])
    with pytest.raises(ValueError, match="no views"):
        renderer.render(scene, [])


def test_a_scene_of_another_renderer_is_refused(cpu: CpuRenderer) -> None:
    reference = create_renderer("reference")
    with pytest.raises(ValueError, match="another renderer prepared"):
        reference.render(cpu.prepare(NOTHING), [front_view()])
    with pytest.raises(ValueError, match="another renderer prepared"):
        cpu.render(reference.prepare(NOTHING), [front_view()])


@pytest.mark.parametrize("name", ["cpu", "reference"])
def test_renderers_are_made_by_name(name: RendererName) -> None:
    assert create_renderer(name).name.startswith(name)


def test_input_that_is_not_contiguous_is_taken(renderer: Renderer) -> None:
    scene = random_scene(50, seed=6)
    backwards = Gaussians(
        scene.means[::-1], scene.covariances[::-1], scene.colors[::-1], scene.opacities[::-1]
    )
    assert_same_picture(renderer, backwards, odd_views())
