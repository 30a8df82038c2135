"""Between a drawing's five sums and the picture that a loss is of: there and back."""

from __future__ import annotations

import numpy as np

from sharp_xr.gaussians import Float32
from sharp_xr.render.cpu.backward import Drawing
from sharp_xr.render.cpu.backward_tiles import PLANES
from sharp_xr.render.cpu.blending import MIN_COVER
from sharp_xr.render.cpu.compilation import kernel
from sharp_xr.render.cpu.projection import Lens


def picture_of(drawing: Drawing) -> tuple[Float32, Float32, Float32]:
    """[V, 3, H, W] linear RGB on the background, [V, H, W] expected depth in metres, and cover."""
    lens, cover = drawing.lens, drawing.planes[:, 4]
    background = np.array([lens.red, lens.green, lens.blue], np.float32)[:, None, None]
    rgb = drawing.planes[:, :3] + (1 - cover)[:, None] * background
    depth = np.divide(drawing.planes[:, 3], np.maximum(cover, MIN_COVER), dtype=np.float32)
    return rgb, depth, cover.copy()


def cotangents_of(
    drawing: Drawing, to_rgb: Float32, to_depth: Float32, to_alpha: Float32
) -> Float32:
    """What a loss is to a drawing's planes, from what it is to ``picture_of`` it."""
    result = np.empty_like(drawing.planes)
    views, pixels = len(result), result[0, 0].size
    fill_cotangents(
        drawing.planes.reshape(views, PLANES, pixels),
        drawing.lens,
        to_rgb.reshape(views, 3, pixels),
        to_depth.reshape(views, pixels),
        to_alpha.reshape(views, pixels),
        result.reshape(views, PLANES, pixels),
    )
    return result


@kernel
def fill_cotangents(
    planes: Float32,
    lens: Lens,
    to_rgb: Float32,
    to_depth: Float32,
    to_alpha: Float32,
    result: Float32,
) -> None:
    """``cotangents_of`` with the pixels in one row."""
    for view in range(len(planes)):
        sums, covers = planes[view, 3], planes[view, 4]
        reds, greens, blues = to_rgb[view, 0], to_rgb[view, 1], to_rgb[view, 2]
        red, green, blue = result[view, 0], result[view, 1], result[view, 2]
        depth, cover = result[view, 3], result[view, 4]
        depths, alphas = to_depth[view], to_alpha[view]
        for i in range(len(sums)):
            red[i], green[i], blue[i] = reds[i], greens[i], blues[i]
            inverse = np.float32(1) / max(covers[i], MIN_COVER)
            depth[i] = depths[i] * inverse
            hidden = lens.red * reds[i] + lens.green * greens[i] + lens.blue * blues[i]
            # A divisor at its least does not move with the cover.
            moves = depth[i] * sums[i] * inverse if covers[i] >= MIN_COVER else np.float32(0)
            cover[i] = alphas[i] - hidden - moves
