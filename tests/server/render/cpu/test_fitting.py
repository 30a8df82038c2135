"""Fewer Gaussians become like all of them, from places that the fitting was not shown too."""

from __future__ import annotations

import numpy as np
import pytest
from tests.server.render.photo_scene import photo_scene, stereo_views

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import Frame, RenderSettings
from sharp_xr.render.cpu.detail import Thinner
from sharp_xr.render.cpu.fitting import Fitter
from sharp_xr.render.cpu.renderer import CpuRenderer
from sharp_xr.render.cpu.vantages import photo_view

CELLS = 96
SCENE = photo_scene(CELLS)
LIT = RenderSettings(background=(0.3, 0.8, 0.2))


@pytest.fixture(scope="module")
def merged() -> Gaussians:
    return Thinner(SCENE).to(len(SCENE) * 3 // 8)


def fitter(threads: int | None = None) -> Fitter:
    photo = photo_view(SCENE, CELLS * CELLS)
    assert photo is not None
    return Fitter(SCENE, photo, threads)


@pytest.fixture(scope="module")
def fitted(merged: Gaussians) -> Gaussians:
    return fitter().fitted(merged, 30)


def seen(cpu: CpuRenderer, scene: Gaussians, settings: RenderSettings = RenderSettings()) -> Frame:
    frame = cpu.render(cpu.prepare(scene), stereo_views(CELLS), settings)
    return Frame(frame.rgb.copy(), frame.depth.copy(), frame.alpha.copy())


@pytest.mark.parametrize("settings", [RenderSettings(), LIT])
def test_pictures_are_far_more_alike(
    cpu: CpuRenderer, merged: Gaussians, fitted: Gaussians, settings: RenderSettings
) -> None:
    wanted, before, after = (seen(cpu, each, settings).rgb for each in (SCENE, merged, fitted))
    # By 4 dB.
    assert np.mean((after - wanted) ** 2) < 0.4 * np.mean((before - wanted) ** 2)


def test_depth_and_cover_are_more_alike_too(
    cpu: CpuRenderer, merged: Gaussians, fitted: Gaussians
) -> None:
    wanted, before, after = (seen(cpu, each) for each in (SCENE, merged, fitted))
    solid = wanted.alpha > 0.5

    def depth_error(frame: Frame) -> float:
        return float(np.mean(np.abs(frame.depth / np.maximum(wanted.depth, 1e-3) - 1)[solid]))

    assert depth_error(after) < 0.7 * depth_error(before)
    cover = [np.mean((frame.alpha - wanted.alpha) ** 2) for frame in (after, before)]
    assert cover[0] < cover[1]


def test_a_level_is_the_same_for_any_number_of_threads(merged: Gaussians) -> None:
    one, three = (fitter(threads).fitted(merged, 3) for threads in (1, 3))
    np.testing.assert_array_equal(one.means, three.means)
    np.testing.assert_array_equal(one.covariances, three.covariances)
    np.testing.assert_array_equal(one.colors, three.colors)
    np.testing.assert_array_equal(one.opacities, three.opacities)


def test_merged_gaussians_are_left_as_they_were(merged: Gaussians) -> None:
    before = [merged.means.copy(), merged.covariances.copy(), merged.colors.copy()]
    fitter().fitted(merged, 2)
    for now, then in zip((merged.means, merged.covariances, merged.colors), before, strict=True):
        np.testing.assert_array_equal(now, then)
