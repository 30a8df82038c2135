"""Fewer Gaussians look like all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tests.server.render.photo_scene import FIELD, photo_scene, stereo_views
from tests.server.render.scenes import random_scene

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import View
from sharp_xr.render.cpu.detail import leading_grid, thinned
from sharp_xr.render.cpu.renderer import LEVELS_FROM, CpuRenderer

CELLS = 96


def psnr(
    cpu: CpuRenderer, a: Gaussians, b: Gaussians, views: Sequence[View] = stereo_views(CELLS // 2)
) -> float:
    """Decibels between two scenes' pictures."""
    first = cpu.render(cpu.prepare(a), views).rgb.copy()
    error = np.mean((cpu.render(cpu.prepare(b), views).rgb - first) ** 2)
    return float(-10 * np.log10(max(error, 1e-20)))


def test_half_of_a_photo_s_gaussians_look_like_all(cpu: CpuRenderer) -> None:
    scene = photo_scene(CELLS)
    half, fewest = thinned(scene, len(scene) // 2), thinned(scene, 0)
    assert len(half) == pytest.approx(len(scene) // 2, rel=0.01)
    # So small a room is full of edges.
    assert len(fewest) < 0.36 * len(scene)
    assert psnr(cpu, scene, half) > 37
    assert psnr(cpu, scene, fewest) > 27
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


def half_a_picture() -> Gaussians:
    """A wall in nearly opaque Gaussians of one size: noise at the left, one colour at the right."""
    random = np.random.default_rng(0)
    rows, columns = np.indices((CELLS, CELLS)).reshape(2, -1) + 0.5 - CELLS / 2
    z = 2 + 1e-3 * random.standard_normal(len(rows))
    focal = CELLS / 2 / np.tan(FIELD / 2)
    means = np.stack([columns * z / focal, rows * z / focal, z], axis=1)
    noise = random.uniform(0, 1, (len(rows), 3))
    colors = np.where((columns < 0)[:, None], noise, [0.5, 0.3, 0.1])
    shapes = (0.77 * 2 / focal) ** 2 * np.array([1, 0, 0, 1, 0, 1])
    return Gaussians(
        means.astype(np.float32),
        np.tile(shapes, (len(rows), 1)).astype(np.float32),
        colors.astype(np.float32),
        np.full(len(rows), 0.98, np.float32),
    )


def test_what_merges_is_what_shows_least(cpu: CpuRenderer) -> None:
    scene = half_a_picture()
    level = thinned(scene, len(scene) * 5 // 8)
    # Where all are alike, four times fewer make up for it.
    assert np.count_nonzero(level.means[:, 0] < 0) == len(scene) // 2
    # Elsewhere the wall's rim is most of what is seen.
    focal = CELLS / 2 / np.tan(FIELD / 2)
    view = View(np.eye(4), focal, focal, CELLS / 2, CELLS / 2, CELLS, CELLS)
    assert psnr(cpu, scene, level, [view]) > 36
    whichever = scene[np.random.default_rng(0).permutation(len(scene))[: len(level)]]
    assert psnr(cpu, scene, whichever, [view]) < 30


def test_a_level_that_would_be_the_last_one_again_is_not_made(cpu: CpuRenderer) -> None:
    # Every Gaussian has an edge to its neighbours.
    scattered = random_scene(LEVELS_FROM, sizes_m=(0.002, 0.004), depths_m=(1.0, 100.0))
    counts = [len(level) for level in cpu.prepare(scattered).levels.wait()]
    assert all(b < 0.9 * a for a, b in zip([LEVELS_FROM, *counts], counts, strict=False))
    assert len(counts) < 2


def test_there_may_be_nothing_to_merge() -> None:
    assert len(thinned(random_scene(0), 0)) == 0
    assert len(thinned(random_scene(3), 1)) == 3
    scene = random_scene(10)
    assert thinned(scene, 10) is scene
