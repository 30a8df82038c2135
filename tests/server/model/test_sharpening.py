"""The source view shows the photo, not a blurred one."""

import numpy as np

from sharp_xr.gaussians import Float32
from sharp_xr.model.grid import Grid
from sharp_xr.model.initializer import SIGMA, surface_gaussians
from sharp_xr.model.layers import torn_edges
from sharp_xr.model.sharpening import sharpened
from sharp_xr.render.camera import View
from sharp_xr.render.reference import ReferenceRenderer

SIZE = 24
SIGMAS = np.full((SIZE, SIZE), SIGMA, np.float32)
GRID = Grid(SIZE, SIZE, 30.0, 30.0, SIZE / 2, SIZE / 2)


def picture() -> Float32:
    """Fine checks in the left half, waves in the right one; linear light."""
    i, j = np.mgrid[:SIZE, :SIZE]
    gray = np.where((i // 2 + j // 2) % 2, 0.55, 0.25)
    waves = 0.4 + 0.15 * np.sin(1.3 * i) * np.sin(1.7 * j)
    gray = np.where(j < SIZE // 2, gray, waves)
    return np.repeat(gray[..., None], 3, 2).astype(np.float32)


def slope() -> Float32:
    columns = np.linspace(0.5, 0.6, SIZE, dtype=np.float32)
    return np.repeat(columns[None], SIZE, 0)


def seen(colors: Float32, inverse: Float32) -> Float32:
    """[SIZE, SIZE, 3] linear light, the border left out."""
    gaussians = surface_gaussians(inverse, torn_edges(inverse, GRID), GRID, colors)
    renderer = ReferenceRenderer()
    view = View(np.eye(4), 30.0, 30.0, SIZE / 2, SIZE / 2, SIZE, SIZE)
    srgb = renderer.render(renderer.prepare(gaussians), [view]).rgb[0].transpose(1, 2, 0)
    linear: Float32 = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return linear[3:-3, 3:-3]


def test_sharpened_colours_draw_the_photo_where_plain_ones_blur_it() -> None:
    photo, inverse = picture(), slope()
    inner = photo[3:-3, 3:-3]
    plain = np.square(seen(photo, inverse) - inner).mean()
    sharp = np.square(seen(sharpened(photo, inverse, SIGMAS), inverse) - inner).mean()
    assert sharp < 0.4 * plain
    assert -10 * np.log10(sharp) > 25


def test_colours_stay_colours() -> None:
    extremes = np.where(picture() > 0.4, np.float32(1), np.float32(0))
    colors = sharpened(extremes, slope(), SIGMAS)
    assert colors.min() >= 0
    assert colors.max() <= 1


def test_beside_an_edge_in_depth_no_colour_is_made_up() -> None:
    inverse = np.full((SIZE, SIZE), 0.3, np.float32)
    inverse[:, SIZE // 2 :] = 1.0
    photo = np.full((SIZE, SIZE, 3), 0.4, np.float32)
    photo[:, SIZE // 2 :] = 0.1
    colors = sharpened(photo, inverse, SIGMAS)
    beside = colors[4:-4, SIZE // 2 - 1 : SIZE // 2 + 1]
    assert np.allclose(beside[:, 0], 0.4)
    assert np.allclose(beside[:, 1], 0.1)
