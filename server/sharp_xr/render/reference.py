"""The definition of correct: every renderer must draw the same picture as this file.

Plain float64 numpy, one Gaussian after the other, no code shared with the fast renderers. The
semantics are those of gsplat's ``classic`` pinhole rasterizer (``rasterization`` of gsplat 1.5.3;
EWA splatting, Zwicker et al. 2001):

1. Project. A Gaussian is not drawn when its centre lies before the near plane, its opacity is below
   1/255, or its projected covariance has a determinant <= 0.
2. Sort by the depth z of the centres, nearest first.
3. Blend in linear light. At a pixel's centre, alpha = min(max_alpha, opacity exp(-sigma)); an alpha
   below 1/255 is skipped. The Gaussian that would leave a transmittance of 1e-4 or less is *not*
   drawn and ends the pixel.
4. Put the background behind, encode as sRGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import COVARIANCE_ENTRIES, Gaussians
from sharp_xr.render import Frame, RenderSettings, View, check_views, finite_gaussians

Float64 = NDArray[np.float64]

MIN_ALPHA = 1 / 255
"""What covers less of a pixel is skipped (gsplat ALPHA_THRESHOLD)."""
MIN_TRANSMITTANCE = 1e-4
"""A pixel ends before it would fall to this (gsplat TRANSMITTANCE_THRESHOLD)."""
MIN_COVER = 1e-10
"""Divisor of the expected depth at least (gsplat, render mode ED)."""
FRUSTUM_MARGIN = 0.3
"""How far outside the picture, as a share of its half, the Jacobian may be taken (_persp_proj)."""


@dataclass(frozen=True)
class Splats:
    """M projected Gaussians, nearest first."""

    centers: Float64
    """[M, 2] x and y in pixels."""
    covariances: Float64
    """[M, 3] square pixels: xx, xy, yy."""
    depths: Float64
    """[M] metres."""
    opacities: Float64
    """[M]"""
    colors: Float64
    """[M, 3] linear RGB."""


@dataclass(frozen=True)
class Picture:
    """One view, before it is encoded."""

    rgb: Float64
    """[H, W, 3] linear light, background included."""
    depth: Float64
    """[H, W] metres."""
    alpha: Float64
    """[H, W]"""
    margin: Float64
    """[H, W] how near any decision at this pixel came to falling the other way, relative to its
    threshold: alpha cut, end of the pixel, order of depths. A renderer in float32 may differ where
    this is some 1e-5; such pixels are called fragile in the tests."""


class ReferenceRenderer:
    """Slow and right: about 20 microseconds per Gaussian and view."""

    name = "reference (float64)"

    def warm_up(self) -> None:
        """There is nothing to warm."""

    def prepare(self, gaussians: Gaussians) -> Gaussians:
        """The Gaussians that are finite."""
        return finite_gaussians(gaussians)

    def render(
        self, scene: object, views: Sequence[View], settings: RenderSettings = RenderSettings()
    ) -> Frame:
        """See :class:`sharp_xr.render.Renderer`."""
        if not isinstance(scene, Gaussians):
            raise ValueError("the reference renderer got a scene that another renderer prepared")
        check_views(views)
        pictures = [draw(scene, view, settings) for view in views]
        rgb = np.stack([srgb_from_linear(picture.rgb) for picture in pictures])
        return Frame(
            rgb=np.ascontiguousarray(np.moveaxis(rgb, 3, 1), np.float32),
            depth=np.stack([picture.depth for picture in pictures]).astype(np.float32),
            alpha=np.stack([picture.alpha for picture in pictures]).astype(np.float32),
        )


def draw(gaussians: Gaussians, view: View, settings: RenderSettings) -> Picture:
    """One view of finite Gaussians."""
    return blend(project(gaussians, view, settings), view, settings)


def project(gaussians: Gaussians, view: View, settings: RenderSettings) -> Splats:
    """What of the Gaussians may be seen, as ellipses on the picture, nearest first."""
    rotation, translation = view.camera_from_photo[:3, :3], view.camera_from_photo[:3, 3]
    means = gaussians.means.astype(np.float64) @ rotation.T + translation  # [N, 3] camera
    ahead = np.flatnonzero((means[:, 2] >= settings.near) & (gaussians.opacities >= MIN_ALPHA))
    means = means[ahead]
    x, y, z = means.T
    jacobian = projection_jacobian(means, view) @ rotation  # [N, 2, 3] pixels per photo metre
    covariance = (
        jacobian @ full_covariances(gaussians.covariances[ahead]) @ np.swapaxes(jacobian, 1, 2)
    )  # [N, 2, 2]
    xx, xy, yy = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    xx, yy = xx + settings.eps2d, yy + settings.eps2d
    drawn = np.flatnonzero((xx > 0) & (xx * yy - xy * xy > 0))
    drawn = drawn[np.argsort(z[drawn], kind="stable")]
    return Splats(
        centers=np.stack([x / z * view.fx + view.cx, y / z * view.fy + view.cy], 1)[drawn],
        covariances=np.stack([xx, xy, yy], 1)[drawn],
        depths=z[drawn],
        opacities=gaussians.opacities[ahead][drawn].astype(np.float64),
        colors=gaussians.colors[ahead][drawn].astype(np.float64),
    )


def projection_jacobian(means: Float64, view: View) -> Float64:
    """[N, 3] camera points -> [N, 2, 3] pixels per metre, each point held near the frustum."""
    x, y, z = means.T
    margin_x = FRUSTUM_MARGIN * 0.5 * view.width / view.fx
    margin_y = FRUSTUM_MARGIN * 0.5 * view.height / view.fy
    u = np.clip(x / z, -view.cx / view.fx - margin_x, (view.width - view.cx) / view.fx + margin_x)
    v = np.clip(y / z, -view.cy / view.fy - margin_y, (view.height - view.cy) / view.fy + margin_y)
    zero = np.zeros_like(z)
    rows = [[view.fx / z, zero, -view.fx * u / z], [zero, view.fy / z, -view.fy * v / z]]
    return np.moveaxis(np.array(rows), 2, 0)


def full_covariances(upper: NDArray[np.float32]) -> Float64:
    """[N, 6] upper triangles -> [N, 3, 3] symmetric matrices."""
    full = np.empty((len(upper), 3, 3))
    for column, (i, j) in enumerate(COVARIANCE_ENTRIES):
        full[:, i, j] = full[:, j, i] = upper[:, column]
    return full


def blend(splats: Splats, view: View, settings: RenderSettings) -> Picture:
    """Front to back, each Gaussian on the box of pixels where its alpha can reach 1/255."""
    height, width = view.height, view.width
    total = np.zeros((height, width, 5))  # r g b, w z, w
    transmittance = np.ones((height, width))
    ended = np.zeros((height, width), bool)
    margin = np.full((height, width), np.inf)
    last_depth = np.full((height, width), -np.inf)
    for index in range(len(splats.depths)):
        box = pixel_box(splats, index, view)
        alpha = np.minimum(opacity_at(splats, index, box), settings.max_alpha)
        depth = splats.depths[index]
        open_ = ~ended[box]
        margin[box] = np.where(
            open_, np.minimum(margin[box], np.abs(alpha / MIN_ALPHA - 1)), margin[box]
        )
        touched = open_ & (alpha >= MIN_ALPHA)
        after = transmittance[box] * (1 - alpha)
        drawn = touched & (after > MIN_TRANSMITTANCE)
        decisions = np.minimum(
            np.abs(after / MIN_TRANSMITTANCE - 1), (depth - last_depth[box]) / depth
        )
        margin[box] = np.where(touched, np.minimum(margin[box], decisions), margin[box])
        last_depth[box] = np.where(touched, depth, last_depth[box])
        weight = np.where(drawn, transmittance[box] * alpha, 0.0)
        total[box] += weight[..., None] * np.array([*splats.colors[index], depth, 1.0])
        transmittance[box] = np.where(drawn, after, transmittance[box])
        ended[box] |= touched & ~drawn
    cover = total[..., 4]
    return Picture(
        rgb=total[..., :3] + (1 - cover)[..., None] * np.array(settings.background),
        depth=total[..., 3] / np.maximum(cover, MIN_COVER),
        alpha=cover,
        margin=margin,
    )


def pixel_box(splats: Splats, index: int, view: View) -> tuple[slice, slice]:
    """Rows and columns that hold every pixel where this alpha is at least 1/255, and a rim."""
    variances = splats.covariances[index, [0, 2]]
    reach = np.sqrt(2 * np.log(splats.opacities[index] / MIN_ALPHA) * variances) + 1.0
    low = np.floor(splats.centers[index] - reach)
    high = np.ceil(splats.centers[index] + reach)
    size = np.array([view.width, view.height])
    (x0, y0), (x1, y1) = np.clip(low, 0, size).astype(int), np.clip(high, 0, size).astype(int)
    return slice(y0, y1), slice(x0, x1)


def opacity_at(splats: Splats, index: int, box: tuple[slice, slice]) -> Float64:
    """opacity exp(-sigma) at the centres of the box's pixels, sigma = d^T covariance^-1 d / 2."""
    xx, xy, yy = splats.covariances[index]
    center_x, center_y = splats.centers[index]
    rows, columns = box
    dy = (np.arange(rows.start, rows.stop) + 0.5 - center_y)[:, None]
    dx = (np.arange(columns.start, columns.stop) + 0.5 - center_x)[None, :]
    sigma = 0.5 * (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)
    opacity: Float64 = splats.opacities[index] * np.exp(-sigma)
    return opacity


def srgb_from_linear(linear: Float64) -> Float64:
    """IEC 61966-2-1, clipped to 0..1."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(
        clipped <= 0.0031308,
        12.92 * clipped,
        1.055 * np.maximum(clipped, 0.0031308) ** (1 / 2.4) - 0.055,
    )
