"""How like a scene of fewer Gaussians looks to all of them, by its picture from the photo's camera.

The picture is the sum of colours times weights, so the way back through it answers two questions:
which Gaussian has to answer for what is wrong (``errors``), and which colours would be less wrong
(``refit``, a step of Jacobi's on the least squares). Errors count as a screen shows them:
linear light by the slope of sRGB's curve.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render import RenderSettings, View
from sharp_xr.render.cpu.backward import Drawing, Workshop
from sharp_xr.render.cpu.backward_tiles import PLANES
from sharp_xr.render.cpu.projection import camera_row, lens_of

DARKEST = 1.2e-3
"""Linear light where the curve's slope is taken to end."""
LEAST_WEIGHT = 1e-3
"""Pixels; a Gaussian that is seen less keeps its colour."""


class Likeness:
    """To the picture of ``whole`` in ``view``. Its pictures take some 100 bytes per Gaussian."""

    def __init__(self, whole: Gaussians, view: View, threads: int | None = None) -> None:
        self._workshop = Workshop(threads)
        self._view = view
        self._camera = camera_row(view)[None]
        self._lens = lens_of(view.width, view.height, RenderSettings())
        self._wanted = self._draw(whole).planes[0, :3]
        self._slopes = light_slopes(self._wanted)

    def errors(self, scene: Gaussians) -> Float32:
        """[N] each Gaussian's share of the squared error, in square radians of the picture."""
        drawing = self._draw(scene)
        shown = (self._wanted - drawing.planes[0, :3]) * self._slopes
        wrong = (shown * shown).sum(0)
        return self._colors(drawing, wrong[None])[:, 0] / np.float32(self._view.fx * self._view.fy)

    def refit(self, scene: Gaussians) -> Gaussians:
        """The same Gaussians in colours that make the picture more like."""
        squares = self._slopes * self._slopes
        drawing = self._draw(scene)
        weights = self._colors(drawing, squares) + np.float32(LEAST_WEIGHT)
        wrong = squares * (self._wanted - drawing.planes[0, :3])
        colors = scene.colors + self._colors(drawing, wrong) / weights
        return dataclasses.replace(scene, colors=np.maximum(colors, 0))

    def _draw(self, scene: Gaussians) -> Drawing:
        return self._workshop.draw(scene, self._camera, self._lens)

    def _colors(self, drawing: Drawing, planes: Float32) -> Float32:
        """[N, 3] sums over the pixels of a Gaussian's weight times up to three planes."""
        cotangents = np.zeros((1, PLANES, self._view.height, self._view.width), np.float32)
        cotangents[0, : len(planes)] = planes
        return self._workshop.pull(drawing, cotangents).colors


def light_slopes(linear: Float32) -> Float32:
    """How much more a screen shows of a little more light, in linear light and of [...]: 1.055
    x^(1/2.4) - 0.055, derived."""
    light = np.clip(linear, DARKEST, 1)
    slopes: Float32 = np.float32(1.055 / 2.4) * light ** np.float32(1 / 2.4 - 1)
    return slopes
