"""Steps of Adam (Kingma and Ba 2015) on Gaussians, in numbers of one size.

A Gaussian is 12 numbers here: its centre on the plane of its depth, which stays; the lower Cholesky
factor of its covariance; the square roots of its colour, as even to the eye; the logit of its
opacity. Centre and factor move by shares of its size, so that one rate does for near and far.
"""

from __future__ import annotations

import numpy as np

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render.cpu.backward import Gradients
from sharp_xr.render.cpu.compilation import allocating_kernel, kernel

f32 = np.float32

CENTER, FACTOR, COLOR, LOGIT = 0, 2, 8, 11
NUMBERS = 12
"""To a Gaussian, in this order; the factor's are l00, l10, l11, l20, l21, l22."""
RATES = np.array([0.036] * 2 + [0.036] * 6 + [0.012] * 3 + [0.06], np.float32)
"""Of the first step. Twice and half as much end within 0.5 dB."""
LAST_RATE = 0.3
"""Share of it that the last step has."""
MEMORY, SQUARES_MEMORY = 0.7, 0.9
"""Short ones: it is for a few dozen steps."""
FAINT = f32(3e-4)
"""Gradient, in pixels of full contrast, from which a Gaussian moves: nobody sees one below, and
what is right would only tremble."""
NARROWEST = f32(0.05)
"""Of a factor's first two diagonals, in sizes."""
DARKEST = f32(0.01)
"""Root of a colour, below which it would have no gradient."""
BRIGHTEST = f32(1.5)
LOGITS = f32(-5.5), f32(6.9)
"""Opacities of 1 / 246, which can just be seen, and 0.999."""


class Descent:
    """Some Gaussians on their way down a loss.

    Args:
        start: where from.
        steps: how many there will be.
    """

    def __init__(self, start: Gaussians, steps: int) -> None:
        self._steps, self._taken = steps, 0
        self._numbers = np.empty((len(start), NUMBERS), np.float32)
        self._sizes = np.empty(len(start), np.float32)
        self._momenta, self._squares = np.zeros((2, len(start), NUMBERS), np.float32)
        number(
            start.means,
            start.covariances,
            start.colors,
            start.opacities,
            self._numbers,
            self._sizes,
        )
        self.gaussians = Gaussians(
            start.means.copy(),
            np.empty_like(start.covariances),
            np.empty_like(start.colors),
            np.empty_like(start.opacities),
        )
        """Where it is now: overwritten by the next step."""
        self._tell()

    def step(self, gradients: Gradients) -> None:
        """Down the gradients of ``gaussians``; with each step a little less far."""
        rate = 1 - (1 - LAST_RATE) * self._taken / self._steps
        self._taken += 1
        descend(
            self._numbers,
            self._momenta,
            self._squares,
            self._sizes,
            gradients.means,
            gradients.covariances,
            gradients.colors,
            gradients.opacities,
            f32(rate) * RATES,
            f32(1 / (1 - MEMORY**self._taken)),
            f32(1 / (1 - SQUARES_MEMORY**self._taken)),
        )
        self._tell()

    def _tell(self) -> None:
        into = self.gaussians
        tell(self._numbers, into.means, into.covariances, into.colors, into.opacities)


@kernel
def number(
    means: Float32,
    covariances: Float32,
    colors: Float32,
    opacities: Float32,
    numbers: Float32,
    sizes: Float32,
) -> None:
    """Gaussians -> their numbers and sizes (metres), within what ``descend`` allows."""
    for i in range(len(numbers)):
        row, entries = numbers[i], covariances[i]
        xx, xy, xz = np.float64(entries[0]), np.float64(entries[1]), np.float64(entries[2])
        yy, yz, zz = np.float64(entries[3]), np.float64(entries[4]), np.float64(entries[5])
        l00 = np.sqrt(max(xx, 1e-20))
        l10, l20 = xy / l00, xz / l00
        l11 = np.sqrt(max(yy - l10 * l10, 1e-20))
        l21 = (yz - l20 * l10) / l11
        l22 = np.sqrt(max(zz - l20 * l20 - l21 * l21, 0.0))
        sizes[i] = np.sqrt(l00 * l11)
        row[0], row[1] = means[i, 0], means[i, 1]
        row[2], row[3], row[4], row[5], row[6], row[7] = l00, l10, l11, l20, l21, l22
        for channel in range(3):
            row[COLOR + channel] = np.sqrt(max(colors[i, channel], f32(0)))
        opacity = min(max(np.float64(opacities[i]), 1e-6), 1 - 1e-6)
        row[LOGIT] = np.log(opacity / (1 - opacity))
        limit(row, sizes[i])


@kernel
def limit(row: Float32, size: np.float32) -> None:
    narrowest = NARROWEST * size
    row[FACTOR] = max(row[FACTOR], narrowest)
    row[FACTOR + 2] = max(row[FACTOR + 2], narrowest)
    row[FACTOR + 5] = max(row[FACTOR + 5], f32(0))
    for channel in range(3):
        row[COLOR + channel] = min(max(row[COLOR + channel], DARKEST), BRIGHTEST)
    row[LOGIT] = min(max(row[LOGIT], LOGITS[0]), LOGITS[1])


@kernel
def tell(
    numbers: Float32, means: Float32, covariances: Float32, colors: Float32, opacities: Float32
) -> None:
    """Numbers -> Gaussians, but for their depths."""
    for i in range(len(numbers)):
        row, entries = numbers[i], covariances[i]
        l00, l10, l11, l20, l21, l22 = row[2], row[3], row[4], row[5], row[6], row[7]
        means[i, 0], means[i, 1] = row[0], row[1]
        entries[0], entries[1], entries[2] = l00 * l00, l00 * l10, l00 * l20
        entries[3], entries[4] = l10 * l10 + l11 * l11, l10 * l20 + l11 * l21
        entries[5] = l20 * l20 + l21 * l21 + l22 * l22
        for channel in range(3):
            colors[i, channel] = row[COLOR + channel] * row[COLOR + channel]
        opacities[i] = f32(1) / (f32(1) + np.exp(-row[LOGIT]))


@allocating_kernel
def descend(
    numbers: Float32,
    momenta: Float32,
    squares: Float32,
    sizes: Float32,
    to_means: Float32,
    to_covariances: Float32,
    to_colors: Float32,
    to_opacities: Float32,
    rates: Float32,
    momentum_scale: np.float32,
    square_scale: np.float32,
) -> None:
    """One step; the scales make up for the memories' empty beginning."""
    slope = np.empty(NUMBERS, np.float32)
    for i in range(len(numbers)):
        row, size = numbers[i], sizes[i]
        slopes_of(row, size, to_means[i], to_covariances[i], to_colors[i], to_opacities[i], slope)
        for k in range(NUMBERS):
            momenta[i, k] += f32(1 - MEMORY) * (slope[k] - momenta[i, k])
            squares[i, k] += f32(1 - SQUARES_MEMORY) * (slope[k] * slope[k] - squares[i, k])
            down = rates[k] * (momenta[i, k] * momentum_scale)
            down /= np.sqrt(squares[i, k] * square_scale) + FAINT
            row[k] -= down * size if k < COLOR else down
        limit(row, size)


@kernel
def slopes_of(
    row: Float32,
    size: np.float32,
    to_mean: Float32,
    to_covariance: Float32,
    to_color: Float32,
    to_opacity: np.float32,
    slope: Float32,
) -> None:
    """A loss by a Gaussian -> by its numbers. With G symmetric, d loss = <G, d(L L^T)> is
    <2 G L, dL>; an entry of the covariance off the diagonal stands for both of G."""
    slope[0], slope[1] = size * to_mean[0], size * to_mean[1]
    xx, xy, xz = f32(2) * to_covariance[0], to_covariance[1], to_covariance[2]
    yy, yz, zz = f32(2) * to_covariance[3], to_covariance[4], f32(2) * to_covariance[5]
    l00, l10, l11, l20, l21, l22 = row[2], row[3], row[4], row[5], row[6], row[7]
    slope[2] = size * (xx * l00 + xy * l10 + xz * l20)
    slope[3] = size * (xy * l00 + yy * l10 + yz * l20)
    slope[4] = size * (yy * l11 + yz * l21)
    slope[5] = size * (xz * l00 + yz * l10 + zz * l20)
    slope[6] = size * (yz * l11 + zz * l21)
    slope[7] = size * zz * l22
    for channel in range(3):
        slope[COLOR + channel] = f32(2) * row[COLOR + channel] * to_color[channel]
    opacity = f32(1) / (f32(1) + np.exp(-row[LOGIT]))
    slope[LOGIT] = to_opacity * opacity * (f32(1) - opacity)
