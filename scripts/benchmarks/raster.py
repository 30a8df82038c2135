"""The CPU's rasterizer on a scene as SHARP makes them, beside the classic tile algorithm.

    scripts/bench raster [--json FILE] [--repeats N] [--portable-only]

The scene is ``tests/server/render/photo_scene.py``: a real photo, 2 x 768 x 768 Gaussians on
made-up depth; ``lod`` is the level of detail of a quarter of them. A frame is both eyes, RGB and
depth and alpha. Times are CPU milliseconds of one thread, the least of interleaved repetitions.

| figure | what |
|---|---|
| N_S_cpu_ms | a frame of 1180k or lod at S x S pixels an eye |
| N_S_fast_ms, fast_saving_512 | with RenderSettings.fast, and the share saved (1180k) |
| fast_psnr_db, fast_lit_psnr_db | the fast picture against the exact one, 512 px, on black and |
| | before a bright background |
| threads_ratio_512 | wall clock of 1180k on one thread over that on all there are |
| classic_512_cpu_ms, classic_ratio_512 | ``tests/server/render/classic.py``, and over 1180k_512 |
| lod_psnr_db, half_psnr_db | a quarter and a half of the Gaussians against all, 768 px, sRGB |
| lite_... | ``scripts/bench levels``: those of what the embedded model makes of photos |
| backward_ratio | gradients of the lod scene at 512 px, over the renderer's frame of it |
| backward_own_ratio | the same over training's own forward, which orders the Gaussians anew |
| portable_ratio | 1180k_512 without AVX-512, in a process that is told of AVX2 only |
| warm_start_s, cold_start_s | wall clock of a fresh process to its first frame, the imports |
| | included: compiled functions on disk, and none |
| prepare_s, levels_s | CPU seconds to arrange 1180k, and of the thread that makes its levels |
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from scripts.benchmarks.levels import levels_of_photos, psnr_db
from scripts.figures import bench_parser, report
from tests.server.render.classic import render_classic
from tests.server.render.photo_scene import photo_scene, stereo_views

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import RenderSettings
from sharp_xr.render.cpu.detail import thinned
from sharp_xr.render.cpu.renderer import CpuRenderer
from sharp_xr.render.differentiable import rasterize

SIZES = (512, 768, 960)
LIT = (0.3, 0.8, 0.2)
AVX2 = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+cx16,+f16c"

FIRST_FRAME = """
from sharp_xr.render import create_renderer
create_renderer("cpu").warm_up()
"""
Figures = dict[str, float]


def least_ms(jobs: Mapping[str, Callable[[], object]], repeats: int) -> Figures:
    """CPU milliseconds of this thread, each job in turn so that all share the machine's mood."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(repeats + 1):
        for name, job in jobs.items():
            began_s = time.thread_time()
            job()
            best[name] = min(best[name], 1e3 * (time.thread_time() - began_s))
    return best


def forward(repeats: int) -> Figures:
    renderer = CpuRenderer(threads=1)
    whole = photo_scene()
    renderer.warm_up()
    began_s = time.process_time()
    scene = renderer.prepare(whole)
    figures = {"prepare_s": time.process_time() - began_s}
    began_s = time.thread_time()
    half, quarter = scene.levels.wait()
    figures["levels_s"] = time.thread_time() - began_s
    scenes = {"1180k": scene, "lod": quarter}
    fast = RenderSettings(fast=True)
    for size in SIZES:
        views = stereo_views(size)
        jobs: dict[str, Callable[[], object]] = {}
        for name, drawn in scenes.items():
            jobs[f"{name}_{size}_cpu_ms"] = partial(renderer.render, drawn, views)
            jobs[f"{name}_{size}_fast_ms"] = partial(renderer.render, drawn, views, fast)
        if size == 512:
            jobs["classic_512_cpu_ms"] = partial(render_classic, scene, views)
        figures |= least_ms(jobs, repeats)
    views = stereo_views(768)
    exact = renderer.render(scene, views).rgb.copy()
    figures["lod_psnr_db"] = psnr_db(renderer.render(scenes["lod"], views).rgb, exact)
    figures["half_psnr_db"] = psnr_db(renderer.render(half, views).rgb, exact)
    exact = renderer.render(scene, stereo_views(512)).rgb.copy()
    figures["fast_psnr_db"] = psnr_db(renderer.render(scene, stereo_views(512), fast).rgb, exact)
    lit = RenderSettings(background=LIT)
    exact = renderer.render(scene, stereo_views(512), lit).rgb.copy()
    lit = RenderSettings(background=LIT, fast=True)
    drawn_fast = renderer.render(scene, stereo_views(512), lit).rgb
    figures["fast_lit_psnr_db"] = psnr_db(drawn_fast, exact)
    figures["classic_ratio_512"] = figures["classic_512_cpu_ms"] / figures["1180k_512_cpu_ms"]
    figures["fast_saving_512"] = 1 - figures["1180k_512_fast_ms"] / figures["1180k_512_cpu_ms"]
    return figures


def scaling(repeats: int) -> Figures:
    """Wall clock, which other processes' load is in: for idle machines."""
    whole, views = photo_scene(), stereo_views(512)
    renderers = CpuRenderer(threads=1), CpuRenderer()
    scene = renderers[0].prepare(whole)
    best = [np.inf, np.inf]
    for _ in range(repeats + 1):
        for k, renderer in enumerate(renderers):
            began_s = time.perf_counter()
            renderer.render(scene, views)
            best[k] = min(best[k], time.perf_counter() - began_s)
    return {"threads_ratio_512": best[0] / best[1]}


def backward(repeats: int) -> Figures:
    """What the loss's derivative takes to become the Gaussians', in all threads there are (one)."""
    whole = photo_scene()
    scene = thinned(whole, len(whole) // 4)
    renderer = CpuRenderer(threads=1)
    prepared, views = renderer.prepare(scene), stereo_views(512)
    means, covariances, colors, opacities = tensors_of(scene)
    ours = there = back = np.inf
    for _ in range(repeats + 1):
        began_s = time.process_time()
        renderer.render(prepared, views)
        ours = min(ours, time.process_time() - began_s)
        for each in (means, covariances, colors, opacities):
            each.grad = None
        began_s = time.process_time()
        drawn = rasterize(means, covariances, colors, opacities, views, threads=1)
        there = min(there, time.process_time() - began_s)
        loss = drawn.rgb.sum() + drawn.depth.sum() + drawn.alpha.sum()
        began_s = time.process_time()
        loss.backward()  # type: ignore[no-untyped-call]
        back = min(back, time.process_time() - began_s)
    return {"backward_ratio": back / ours, "backward_own_ratio": back / there}


def tensors_of(scene: Gaussians) -> list[torch.Tensor]:
    arrays = (scene.means, scene.covariances, scene.colors, scene.opacities)
    return [torch.from_numpy(array).requires_grad_() for array in arrays]


def without_wide_vectors(repeats: int) -> float:
    """CPU milliseconds of 1180k at 512 px in a process that is told of AVX2 only."""
    with tempfile.TemporaryDirectory() as cache:
        features = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2}
        environment = {**os.environ, **features, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, __file__, "--portable-only", "--repeats", str(repeats)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)


def start_s(cache: str) -> float:
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", FIRST_FRAME], env=environment, check=True)
    return time.monotonic() - began_s


def starts() -> Figures:
    with tempfile.TemporaryDirectory() as cache:
        cold = start_s(cache)
        return {"cold_start_s": cold, "warm_start_s": min(start_s(cache) for _ in range(3))}


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--portable-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.portable_only:
        renderer = CpuRenderer(threads=1)
        scene, views = renderer.prepare(photo_scene()), stereo_views(512)
        job = {"ms": lambda: renderer.render(scene, views)}
        return print(least_ms(job, options.repeats)["ms"])
    figures = forward(options.repeats)
    figures |= scaling(options.repeats)
    figures |= backward(options.repeats)
    figures |= levels_of_photos()
    portable = without_wide_vectors(options.repeats)
    figures["portable_512_cpu_ms"] = portable
    figures["portable_ratio"] = portable / figures["1180k_512_cpu_ms"]
    figures |= starts()
    report(figures, options.json)


if __name__ == "__main__":
    main()
