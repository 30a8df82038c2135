"""Scenes and views that renderers are compared on, and how two pictures are compared."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import Renderer, RenderSettings, View
from sharp_xr.render.cpu.compilation import has_wide_vectors
from sharp_xr.render.reference import Float64, draw, srgb_from_linear

FRAGILE = 2e-4
"""A float32 renderer may decide otherwise where a decision was nearer (see Picture.margin)."""

TOLERANCE = 5e-6 if has_wide_vectors() else 1.5e-5
"""Of linear colours; the portable kernels place centres in float32 only."""


def random_scene(
    count: int,
    *,
    seed: int = 0,
    sizes_m: tuple[float, float] = (0.02, 0.3),
    depths_m: tuple[float, float] = (1.5, 6.0),
    opacities: tuple[float, float] = (0.02, 1.0),
) -> Gaussians:
    """Anywhere in the view and a little outside, all shapes and colours."""
    random = np.random.default_rng(seed)
    log_sizes = math.log(sizes_m[0]), math.log(sizes_m[1])
    z = random.uniform(*depths_m, count)
    x, y = random.uniform(-0.7, 0.7, (2, count)) * np.maximum(z, 0.3)
    return Gaussians.from_quats_scales(
        means=np.stack([x, y, z], axis=1).astype(np.float32),
        quats=random.standard_normal((count, 4)).astype(np.float32),
        scales=np.exp(random.uniform(*log_sizes, (count, 3))).astype(np.float32),
        colors=random.uniform(0, 1, (count, 3)).astype(np.float32),
        opacities=random.uniform(*opacities, count).astype(np.float32),
    )


def one_gaussian(
    mean: tuple[float, float, float] = (0.0, 0.0, 2.0),
    sigma_m: float = 0.05,
    opacity: float = 0.8,
    color: tuple[float, float, float] = (1.0, 0.5, 0.25),
) -> Gaussians:
    """A ball."""
    variance = sigma_m**2
    return Gaussians(
        np.array([mean], np.float32),
        np.array([[variance, 0, 0, variance, 0, variance]], np.float32),
        np.array([color], np.float32),
        np.array([opacity], np.float32),
    )


def many(*parts: Gaussians) -> Gaussians:
    """All of them in one scene."""
    return Gaussians(
        np.concatenate([part.means for part in parts]),
        np.concatenate([part.covariances for part in parts]),
        np.concatenate([part.colors for part in parts]),
        np.concatenate([part.opacities for part in parts]),
    )


def odd_views(width: int = 70, height: int = 45) -> list[View]:
    """Two eyes apart and turned, pixels not square, the optical axis off the middle, the size no
    multiple of a block or tile."""
    views = []
    for offset, angle in ((-0.03, 0.1), (0.03, -0.05)):
        camera_from_photo = np.eye(4)
        cosine, sine = np.cos(angle), np.sin(angle)
        camera_from_photo[:3, :3] = [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
        camera_from_photo[:3, 3] = -offset, 0.02, 0.05
        views.append(
            View(
                camera_from_photo,
                0.9 * width,
                1.3 * height,
                (0.45 - offset) * width,
                0.6 * height,
                width,
                height,
            )
        )
    return views


def front_view(size: int = 64) -> View:
    """From the photo's camera, 90 degrees wide."""
    return View(np.eye(4), size / 2, size / 2, size / 2, size / 2, size, size)


def linear_from_srgb(srgb: NDArray[np.float32]) -> Float64:
    """IEC 61966-2-1."""
    x = srgb.astype(np.float64)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def assert_same_picture(
    renderer: Renderer,
    gaussians: Gaussians,
    views: list[View],
    settings: RenderSettings = RenderSettings(),
    *,
    fragile: float = 0.2,
    tolerance: float = TOLERANCE,
) -> None:
    """The renderer draws what the reference does: pixel by pixel where no decision was close, which
    must be all but the share ``fragile`` of them, and within 75 dB everywhere."""
    frame = renderer.render(renderer.prepare(gaussians), views, settings)
    for index, view in enumerate(views):
        right = draw(gaussians, view, settings)
        firm = right.margin > FRAGILE
        assert np.mean(~firm) <= fragile
        rgb = linear_from_srgb(np.moveaxis(frame.rgb[index], 0, 2))
        assert np.abs(rgb - np.clip(right.rgb, 0, 1))[firm].max(initial=0) < tolerance
        assert np.abs(frame.alpha[index] - right.alpha)[firm].max(initial=0) < tolerance
        depth_error = np.abs(frame.depth[index] - right.depth) / np.maximum(right.depth, 1e-6)
        assert depth_error[firm].max(initial=0) < 2 * tolerance
        error = np.moveaxis(frame.rgb[index], 0, 2) - srgb_from_linear(right.rgb)
        assert 10 * np.log10(1 / max(np.mean(error**2), 1e-20)) > 75
