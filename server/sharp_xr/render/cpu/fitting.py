"""Fewer Gaussians made to look like all of them, from wherever a head may be.

Merging gives a start that is right on the mean. From there each round draws one of some views,
weighs what differs from all Gaussians' picture as a screen shows it, and takes the gradients of
``backward.py`` one step down (``descent.py``). Depth and cover have their share in it: a stream
sends depth, and there may be another background. Depths along the photo's rays are left as merged:
few views tell them, and badly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render import RenderSettings, View
from sharp_xr.render.cpu.backward import Workshop
from sharp_xr.render.cpu.descent import Descent
from sharp_xr.render.cpu.likeness import light_slopes
from sharp_xr.render.cpu.projection import Lens, camera_row, lens_of
from sharp_xr.render.cpu.scene import visible_order
from sharp_xr.render.cpu.vantages import head_views

DEPTH_WEIGHT = 0.3
"""Of a squared relative error in depth, beside squared errors of colour."""
COVER_WEIGHT = 1.0
COVERED = 1e-3
"""Cover from which there is a depth."""
NEAREST_M = 0.01
JUMP = 2
"""Views from one round to the next: neighbours in the list are opposite sides."""


@dataclass(frozen=True)
class Wanted:
    """All Gaussians in one view."""

    camera: Float32
    """[1, 16]"""
    lens: Lens
    planes: Float32
    """[5, H, W] as of ``Drawing``."""
    weights: Float32
    """[5, H, W] of the planes' squared errors."""


class Fitter:
    """Of levels of one scene. It keeps 40 bytes for each pixel of each of seven views.

    Args:
        whole: the scene.
        photo: what the photo's camera sees of it; the other views are around that.
        threads: as many as the machine has processors if None. The result is the same.
    """

    def __init__(self, whole: Gaussians, photo: View, threads: int | None = None) -> None:
        self._workshop = Workshop(threads)
        order = visible_order(whole)
        self._wanted = []
        for view in head_views(whole, photo):
            camera = camera_row(view)[None]
            lens = lens_of(view.width, view.height, RenderSettings())
            planes = self._workshop.draw(whole, camera, lens, order).planes[0]
            self._wanted.append(Wanted(camera, lens, planes, weights_of(planes)))

    def fitted(self, level: Gaussians, rounds: int) -> Gaussians:
        """As many Gaussians, whose pictures are more like the scene's."""
        descent, order = Descent(level, rounds), visible_order(level)
        for k in range(rounds):
            wanted = self._wanted[JUMP * k % len(self._wanted)]
            drawing = self._workshop.draw(descent.gaussians, wanted.camera, wanted.lens, order)
            wrong = (drawing.planes - wanted.planes) * wanted.weights
            descent.step(self._workshop.pull(drawing, wrong))
        return descent.gaussians


def weights_of(planes: Float32) -> Float32:
    """[5, H, W] what an error of each plane counts: as in sRGB, of relative depth, of cover."""
    weights = np.empty_like(planes)
    weights[:3] = light_slopes(planes[:3]) ** 2
    depths = planes[3] / np.maximum(planes[4], COVERED)
    weights[3] = DEPTH_WEIGHT / np.maximum(depths, NEAREST_M) ** 2
    weights[4] = COVER_WEIGHT
    return weights
