"""How a scene's levels of detail look, and what they take: photos through the embedded model.

    scripts/bench levels [--json FILE]

For each of scikit-image's photos P (``bench raster`` prints the same figures among its own):

| figure | what, in dB of sRGB against all Gaussians |
|---|---|
| lite_P_lod_psnr_db | a quarter of the Gaussians, stereo frame of 2 x 512 x 512 px from where |
| lite_P_half_psnr_db | ``tests/server/render/photo_scene.py`` looks by default; and a half |
| lite_P_lod_moved_psnr_db | the mean over twelve places of a head, both eyes: half and all of the |
| lite_P_lod_worst_psnr_db | way that the page lets it go, on six axes; and the worst of them |
| lite_P_lod_depth_error | mean relative error of depth, by default's view |
| lite_P_merged_psnr_db | the quarter as merged, before it is fitted |
| lite_P_photo_psnr_db | yardstick: the photo itself, a quarter of its pixels (cubic, smoothed |
| | against aliases) against all of them |
| lite_levels_s, lite_merged_s | CPU seconds of the one thread that makes them: all, and merged |
| | only (the photo that takes longest) |
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scripts.figures import bench_parser, report
from skimage import data, transform
from tests.server.render.photo_scene import FIELD, stereo_views

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model.lite import LitePredictor
from sharp_xr.photo import Photo
from sharp_xr.render import Frame, View
from sharp_xr.render.cpu.renderer import CpuRenderer, levels_of
from sharp_xr.render.cpu.scene import CpuScene, arrange
from sharp_xr.render.cpu.vantages import REACH_M, REACH_OF_NEAR

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle")
SIZE = 512
Figures = dict[str, float]


def psnr_db(a: Float32, b: Float32) -> float:
    return float(-10 * np.log10(np.mean((a - b) ** 2, dtype=np.float64)))


def levels_of_photos() -> Figures:
    torch.set_num_threads(1)
    renderer, predictor = CpuRenderer(), LitePredictor()
    renderer.warm_up()
    figures = {"lite_levels_s": 0.0, "lite_merged_s": 0.0}
    for name in PHOTOS:
        picture = photo(name)
        focal_px = 0.5 * max(picture.shape) / math.tan(FIELD / 2)
        whole = predictor.predict(Photo(picture, focal_px))
        began_s = time.thread_time()
        making = levels_of(whole)
        _, merged = next(making)
        took_s = {"lite_merged_s": time.thread_time() - began_s}
        half, quarter = next(making)
        took_s["lite_levels_s"] = time.thread_time() - began_s
        figures |= {key: max(figures[key], seconds) for key, seconds in took_s.items()}
        scenes = {"merged": merged, "half": half, "lod": quarter}
        looks = looks_of(renderer, whole, scenes) | {"photo_psnr_db": of_fewer_pixels(picture)}
        figures |= {f"lite_{name}_{key}": figure for key, figure in looks.items()}
    return figures


def photo(name: str) -> NDArray[np.uint8]:
    load: Any = data.stereo_motorcycle if name == "motorcycle" else getattr(data, name)
    picture = load()[0] if name == "motorcycle" else load()
    return np.ascontiguousarray(picture[..., :3])


def looks_of(renderer: CpuRenderer, whole: Gaussians, scenes: dict[str, CpuScene]) -> Figures:
    """Of one photo's levels."""
    scene = arrange(whole)
    views = stereo_views(SIZE)
    exact = drawn(renderer, scene, views)
    figures = {}
    for label, level in scenes.items():
        frame = renderer.render(level, views)
        figures[f"{label}_psnr_db"] = psnr_db(frame.rgb, exact.rgb)
        if label == "lod":
            solid = exact.alpha > 0.5
            error = frame.depth[solid] / exact.depth[solid] - 1
            figures["lod_depth_error"] = float(np.mean(np.abs(error)))
    moved = []
    for head_m in head_places(whole.depth_quantile(0.1) or 0.0):
        views = stereo_views(SIZE, head_m=head_m)
        exact = drawn(renderer, scene, views)
        moved.append(psnr_db(renderer.render(scenes["lod"], views).rgb, exact.rgb))
    return figures | {
        "lod_moved_psnr_db": float(np.mean(moved)),
        "lod_worst_psnr_db": min(moved),
    }


def drawn(renderer: CpuRenderer, scene: CpuScene, views: Sequence[View]) -> Frame:
    """A frame that stays."""
    frame = renderer.render(scene, views)
    return Frame(frame.rgb.copy(), frame.depth.copy(), frame.alpha.copy())


def head_places(near_m: float) -> list[tuple[float, float, float]]:
    places = []
    for axis, share in enumerate(REACH_OF_NEAR):
        for way in (-1.0, -0.5, 0.5, 1.0):
            place = np.zeros(3)
            place[axis] = way * min(REACH_M, share * near_m)
            places.append((float(place[0]), float(place[1]), float(place[2])))
    return places


def of_fewer_pixels(picture: NDArray[np.uint8]) -> float:
    wanted = (picture / 255).astype(np.float32)
    height, width = wanted.shape[:2]
    resize: Any = transform.resize
    small = resize(wanted, (height // 2, width // 2), order=3, anti_aliasing=True)
    large = resize(small, (height, width), order=3).clip(0, 1).astype(np.float32)
    return psnr_db(large, wanted)


def main() -> None:
    parser = bench_parser(__doc__)
    options = parser.parse_args()
    figures = levels_of_photos()
    report(figures, options.json)


if __name__ == "__main__":
    main()
