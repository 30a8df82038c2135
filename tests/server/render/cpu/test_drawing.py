"""Tiles, slabs, bins and threads of the CPU's renderer."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.server.render.photo_scene import photo_scene, stereo_views
from tests.server.render.scenes import (
    assert_same_picture,
    front_view,
    linear_from_srgb,
    many,
    odd_views,
    one_gaussian,
    random_scene,
)

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render import RenderSettings
from sharp_xr.render.cpu.binning import Bins
from sharp_xr.render.cpu.compilation import has_wide_vectors
from sharp_xr.render.cpu.projection import camera_row, lens_of
from sharp_xr.render.cpu.renderer import CpuRenderer
from sharp_xr.render.cpu.scene import CHUNK, arrange
from sharp_xr.render.cpu.scratch import SLAB
from sharp_xr.render.reference import draw

HASWELL = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+cx16,+f16c"
ROOT = Path(__file__).parents[4]


def test_more_gaussians_on_a_tile_than_sixteen_bits_can_number(cpu: CpuRenderer) -> None:
    # One tile; each pixel has 17 balls of its own, a fifth of a pixel in size, at its centre.
    size, layers = 64, 17
    random = np.random.default_rng(1)
    depths = np.sort(random.uniform(1.0, 9.0, (layers, size, size)), axis=0)
    opacities = random.uniform(0.01, 0.4, (layers, size, size))
    colors = random.uniform(0.0, 1.0, (layers, size, size, 3))
    rows, columns = np.indices((size, size)) + 0.5 - size / 2
    means = np.stack([columns * depths, rows * depths, depths * size / 2], axis=-1) / (size / 2)
    variances = (0.2 * depths / (size / 2)) ** 2
    shapes = variances[..., None] * np.array([1, 0, 0, 1, 0, 1])
    count = layers * size * size
    crowd = Gaussians(
        means.reshape(count, 3).astype(np.float32),
        shapes.reshape(count, 6).astype(np.float32),
        colors.reshape(count, 3).astype(np.float32),
        opacities.reshape(count).astype(np.float32),
    )
    assert len(crowd) > SLAB

    before = np.cumprod(np.concatenate([np.ones((1, size, size)), 1 - opacities]), axis=0)
    weights = before[:-1] * opacities
    shuffled = crowd[random.permutation(len(crowd))]
    frame = cpu.render(cpu.prepare(shuffled), [front_view(size)])
    rgb = linear_from_srgb(np.moveaxis(frame.rgb[0], 0, 2))
    np.testing.assert_allclose(rgb, (weights[..., None] * colors).sum(0), atol=2e-5)
    np.testing.assert_allclose(frame.alpha[0], weights.sum(0), atol=1e-5)
    depth = (weights * depths).sum(0) / weights.sum(0)
    np.testing.assert_allclose(frame.depth[0], depth, rtol=2e-5)


def test_a_wall_seen_dead_on_before_a_far_point(cpu: CpuRenderer) -> None:
    # All depths within a few units in the last place: the quick sort gives up, the thorough takes
    # over.
    random = np.random.default_rng(2)
    wall = random_scene(3000, seed=3, opacities=(0.02, 0.1))
    steps = random.permutation(3000).astype(np.float32) * np.spacing(np.float32(5.0))
    wall.means[:, 2] = np.float32(5.0) + steps
    far = one_gaussian((0.0, 0.0, 5000.0), 100.0)
    # To the reference every order is fragile, though a camera at the origin sees exact depths.
    scene = many(wall, far)
    frame = cpu.render(cpu.prepare(scene), [front_view()])
    order = np.argsort(scene.means[:, 2], kind="stable")
    sorted_before = cpu.render(cpu.prepare(scene[order]), [front_view()])
    np.testing.assert_allclose(frame.rgb, sorted_before.rgb, atol=1e-6)
    assert_same_picture(cpu, scene, [front_view()], fragile=1.0)


def test_any_number_of_threads_draws_the_same_picture(cpu: CpuRenderer) -> None:
    scene = random_scene(2000, seed=4)
    alone, four = CpuRenderer(threads=1), CpuRenderer(threads=4)
    views = odd_views(200, 150)
    first = alone.render(alone.prepare(scene), views)
    second = four.render(four.prepare(scene), views)
    np.testing.assert_array_equal(first.rgb, second.rgb)
    np.testing.assert_array_equal(first.depth, second.depth)


def test_several_threads_draw_several_scenes_at_once(cpu: CpuRenderer) -> None:
    scenes = [cpu.prepare(random_scene(300 * k, seed=k)) for k in range(1, 7)]
    views = odd_views()

    def draw(index: int) -> Float32:
        return cpu.render(scenes[index], views).rgb.copy()

    in_turn = [draw(index) for index in range(6)]
    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(draw, [*range(6)] * 10))
    for index, rgb in enumerate(at_once):
        np.testing.assert_array_equal(rgb, in_turn[index % 6])


def test_a_thread_s_next_frame_takes_the_last_one_s_place(cpu: CpuRenderer) -> None:
    scene = cpu.prepare(one_gaussian())
    first = cpu.render(scene, odd_views())
    assert cpu.render(scene, odd_views()).rgb is first.rgb
    assert cpu.render(scene, [front_view()]).rgb.shape == (1, 3, 64, 64)


def test_a_frame_after_the_first_takes_no_memory(cpu: CpuRenderer) -> None:
    scene, views = (
        cpu.prepare(random_scene(20_000, seed=11, sizes_m=(0.01, 0.1))),
        odd_views(400, 300),
    )
    scratches = []
    for _ in range(3):
        cpu.render(scene, views)
        scratches.append({id(scratch) for scratch in cpu._scratches})
    tracemalloc.start()
    try:
        cpu.render(scene, views)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Threads' bookkeeping and two cameras; a frame has 4.8 MB, a thread's scratch as much.
    assert most < 100_000
    assert {id(scratch) for scratch in cpu._scratches} <= set.union(*scratches)


def test_one_view_three_views_and_large_views(cpu: CpuRenderer) -> None:
    scene = random_scene(200, seed=5)
    for views in ([front_view(300)], [*odd_views(), odd_views()[0]]):
        assert_same_picture(cpu, scene, views)


def test_every_tile_gets_all_that_touches_it(cpu: CpuRenderer) -> None:
    views = odd_views(420, 330)
    assert_same_picture(cpu, one_gaussian((0.1, 0.0, 3.0), 0.5), views)
    around = random_scene(300, seed=9, sizes_m=(0.01, 0.1), depths_m=(-0.3, 0.4))
    assert_same_picture(cpu, around, views, fragile=0.3)


def test_dust_that_drifts_past_the_eye_is_seen_wherever_it_is(cpu: CpuRenderer) -> None:
    # One chunk, from behind the camera to before it: its near part spreads over the picture, its
    # far part does not.
    dust = random_scene(CHUNK, seed=10, sizes_m=(1e-4, 2e-4))
    random = np.random.default_rng(10)
    dust.means[:] = random.uniform([0.0, 0.0, -0.3], [0.05, 0.03, 0.4], (CHUNK, 3))
    assert_same_picture(cpu, dust, [front_view(400)], tolerance=1e-4)


def tiles_that_look(gaussians: Gaussians) -> list[int]:
    """Indices among the 8 x 8 tiles of a view of 512 x 512."""
    bins = Bins()
    view = front_view(512)
    bins.fill(arrange(gaussians), camera_row(view), lens_of(512, 512, RenderSettings()))
    return [int(tile) for tile in np.flatnonzero(np.diff(bins.offsets))]


def test_a_chunk_is_looked_at_by_the_tiles_under_it() -> None:
    assert tiles_that_look(one_gaussian((-1.9, -1.9, 2.0), 0.01)) == [0]
    assert tiles_that_look(one_gaussian((1.9, -1.9, 2.0), 0.01)) == [7]
    assert tiles_that_look(one_gaussian((0.0, 0.0, 2.0), 0.01)) == [27, 28, 35, 36]
    assert tiles_that_look(one_gaussian((0.0, 0.0, -2.0), 0.01)) == []
    assert tiles_that_look(one_gaussian((9.0, 0.0, 2.0), 0.01)) == []


def test_a_chunk_through_the_near_plane_costs_only_the_tiles_that_it_touches() -> None:
    corner = one_gaussian((-1.9, -1.9, 2.0), 0.01)
    behind = one_gaussian((0.5, 0.5, -1.0), 0.01)
    assert tiles_that_look(many(corner, behind)) == [0]


def test_a_huge_gaussian_does_not_make_its_neighbours_huge() -> None:
    small = [one_gaussian((-1.9, -1.9, 2.0), 0.01)] * (2 * CHUNK)
    assert tiles_that_look(many(*small, one_gaussian((-1.9, -1.9, 2.0), 0.3))) != [0]
    faint = one_gaussian((-1.9, -1.9, 2.0), 0.3, opacity=0.004)
    assert tiles_that_look(many(*small, faint)) == [0]


def looks(gaussians: Gaussians) -> int:
    """How often a tile of either eye has to look at a chunk."""
    scene, total = arrange(gaussians), 0
    for view in stereo_views(512):
        bins = Bins()
        bins.fill(scene, camera_row(view), lens_of(512, 512, RenderSettings()))
        total += int(bins.offsets[-1])
    return total


def test_in_whatever_order_a_scene_comes_its_chunks_are_patches_of_the_picture() -> None:
    scene = photo_scene(256)
    mixed = scene[np.random.default_rng(3).permutation(len(scene))]
    # Equal places on the curve stay in the order in which they came.
    assert looks(mixed) < 1.05 * looks(scene)
    # A chunk is 5 pixels here, with its Gaussians' reach 11, and a tile 64.
    assert looks(scene) < 3 * 2 * len(scene) / CHUNK


@pytest.mark.slow
def test_five_million_gaussians_are_drawn(cpu: CpuRenderer) -> None:
    scene = random_scene(5_000_000, seed=12, sizes_m=(1e-3, 4e-3))
    frame = cpu.render(cpu.prepare(scene), [front_view(256)])
    assert np.isfinite(frame.rgb).all()
    # Those of one pixel, drawn alone, are what stands there.
    view, column, row = front_view(256), 150, 100
    x, y = ((scene.means[:, k] / scene.means[:, 2] + 1) * 128 for k in (0, 1))
    near = (abs(x - column) < 6) & (abs(y - row) < 6)
    alone = draw(scene[near], view, RenderSettings())
    assert alone.alpha[row, column] > 0.5
    rgb = linear_from_srgb(np.moveaxis(frame.rgb[0], 0, 2))[row, column]
    np.testing.assert_allclose(rgb, alone.rgb[row, column], atol=1e-3)
    np.testing.assert_allclose(frame.depth[0, row, column], alone.depth[row, column], rtol=1e-3)


def test_bins_grow_with_the_scene() -> None:
    scene = random_scene(6000, seed=6, sizes_m=(0.5, 2.0))
    bins = Bins()
    room = len(bins.members)
    bins.fill(arrange(scene), camera_row(front_view(2048)), lens_of(2048, 2048, RenderSettings()))
    assert bins.offsets[-1] > room
    assert bins.most_splats() >= 6000 // CHUNK * CHUNK


DRAW_AND_SAVE = """
import sys
import numpy as np
from tests.server.render.scenes import odd_views, random_scene
from sharp_xr.render.cpu.renderer import CpuRenderer
renderer = CpuRenderer(threads=1)
frame = renderer.render(renderer.prepare(random_scene(2000, seed=7)), odd_views(90, 70))
np.savez(sys.argv[1], rgb=frame.rgb, depth=frame.depth, alpha=frame.alpha, name=renderer.name)
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 features")
@pytest.mark.skipif(not has_wide_vectors(), reason="all other tests draw without AVX-512 here")
def test_without_avx_512_the_picture_is_the_same(cpu: CpuRenderer, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": HASWELL,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
    }
    file = tmp_path / "frame.npz"
    subprocess.run([sys.executable, "-c", DRAW_AND_SAVE, str(file)], env=environment, check=True)
    portable = np.load(file)
    assert portable["name"] == "cpu (portable, 1 thread)"
    frame = cpu.render(cpu.prepare(random_scene(2000, seed=7)), odd_views(90, 70))
    same = np.abs(portable["rgb"] - frame.rgb) < 2e-5
    # The rest are decisions that another rounding turned.
    assert np.mean(same) > 0.999
    assert np.abs(portable["rgb"] - frame.rgb).max() < 0.02
    assert np.mean(np.abs(portable["alpha"] - frame.alpha) < 1e-5) > 0.999
