"""Fewer Gaussians look like all of them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.server.render.photo_scene import photo_scene, stereo_views
from tests.server.render.scenes import random_scene

from sharp_xr.gaussians import Gaussians
from sharp_xr.render.cpu.detail import leading_grid, thinned
from sharp_xr.render.cpu.renderer import CpuRenderer

CELLS = 96


def psnr(cpu: CpuRenderer, a: Gaussians, b: Gaussians) -> float:
    """Decibels between two scenes' pictures, at half the cells' resolution."""
    views = stereo_views(CELLS // 2)
    first = cpu.render(cpu.prepare(a), views).rgb.copy()
    error = np.mean((cpu.render(cpu.prepare(b), views).rgb - first) ** 2)
    return float(-10 * np.log10(max(error, 1e-20)))


def test_half_of_a_photo_s_gaussians_look_like_all(cpu: CpuRenderer) -> None:
    scene = photo_scene(CELLS)
    half, fewest = thinned(scene, len(scene) // 2), thinned(scene, 0)
    assert len(half) == pytest.approx(len(scene) // 2, rel=0.01)
    # So small a room is full of edges.
    assert len(fewest) < 0.36 * len(scene)
    assert psnr(cpu, scene, half) > 32
    assert psnr(cpu, scene, fewest) > 20
    assert psnr(cpu, scene, scene[::2]) < 27


def test_gaussians_in_any_order_are_merged_along_a_curve(cpu: CpuRenderer) -> None:
    scene = photo_scene(CELLS)
    mixed = scene[np.random.default_rng(0).permutation(len(scene))]
    assert leading_grid(mixed.means) is None
    assert psnr(cpu, scene, thinned(mixed, len(scene) // 2)) > 26


def test_the_grid_of_a_layer_is_found_by_what_the_photo_s_camera_sees() -> None:
    scene = photo_scene(CELLS)
    assert leading_grid(scene.means) == (CELLS, CELLS)
    assert leading_grid(scene.means[: 40 * CELLS + 7]) == (40, CELLS)
    assert leading_grid(random_scene(500).means) is None
    assert leading_grid(scene.means[:0]) is None


def test_edges_are_never_merged() -> None:
    # A wall at 1 m and one at 2 m, every other column.
    rows, columns = np.indices((32, 32))
    depth = np.where(columns % 2, 2.0, 1.0)
    means = np.stack([(columns - 16) / 32 * depth, (rows - 16) / 32 * depth, depth], -1)
    flat = np.tile(np.array([1e-3, 0, 0, 1e-3, 0, 1e-3]), (1024, 1))
    walls = Gaussians(
        means.reshape(-1, 3).astype(np.float32),
        flat.astype(np.float32),
        np.ones((1024, 3), np.float32),
        np.full(1024, 0.9, np.float32),
    )
    assert len(thinned(walls, 256)) == 1024


def test_there_may_be_nothing_to_merge() -> None:
    assert len(thinned(random_scene(0), 0)) == 0
    assert len(thinned(random_scene(3), 1)) == 3
    scene = random_scene(10)
    assert thinned(scene, 10) is scene
