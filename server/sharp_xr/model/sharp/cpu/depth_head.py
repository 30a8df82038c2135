"""The disparity head on a CPU: linear up to its first ReLU, and folded (section 14, item 4).

    x --1x1 (the decoder's last)--3x3--> y --doubled--3x3--> relu --1x1--> relu
    x --------3x3, 256 -> 128----------> y --2x2, 128 -> 4 phases of 32--> relu --1x1--> relu

Folding is exact but for biases: a convolution pads its input with zeros, so that a bias before it
counts less at the border. What it counts there is added as a map that differs from its middle in
the first and last row and column alone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.sharp.cpu.packed import Weights, as_batch, as_map
from sharp_xr.model.sharp.cpu.winograd import WinogradConvolution


class DepthHead:
    """See the module."""

    def __init__(self, weights: Weights, prefix: str) -> None:
        """``prefix`` is that of the depth predictor, which has ``decoder`` and ``head``."""
        mixing, mixing_bias = _pair(weights, f"{prefix}.decoder.fusions.0.out_conv")
        wide, wide_bias = _pair(weights, f"{prefix}.head.0")
        double, double_bias = _pair(weights, f"{prefix}.head.1")
        narrow, narrow_bias = _pair(weights, f"{prefix}.head.2")
        last, last_bias = _pair(weights, f"{prefix}.head.4")
        # Folded in float64: all pixels share the weights' errors.
        mixed = torch.einsum("omhw,mi->oihw", wide.double(), mixing.flatten(1).double())
        self._wide = WinogradConvolution(mixed.float())
        self._wide_bias = _padded_response(mixing_bias, wide) + wide_bias
        phases = phase_kernels(double.double(), narrow.double()).float()
        self._phases = phases.contiguous(memory_format=torch.channels_last)
        self._narrow_bias = _padded_response(double_bias, narrow) + narrow_bias
        self._last = last.flatten(1), last_bias

    def __call__(self, x: Tensor) -> Tensor:
        """[S/2, S/2, C], before the decoder's last 1 x 1 -> disparity [1, 2, S, S], float32."""
        y = _add_with_border(self._wide(x), self._wide_bias)
        # A window has the kernels of all phases; each phase is right at its own windows.
        windows = as_map(functional.conv2d(as_batch(y), self._phases, padding=1))
        height, width, _ = y.shape
        narrow = windows.shape[2] // 4
        disparity = torch.empty(1, 2, 2 * height, 2 * width)
        for phase, (a, b) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            part = windows[a : a + height, b : b + width, phase * narrow : (phase + 1) * narrow]
            values = self._finished(part, a, b)
            disparity[0, :, a::2, b::2] = values.permute(2, 0, 1)
        return disparity

    def _finished(self, part: Tensor, a: int, b: int) -> Tensor:
        """Rows and columns a, a + 2, ... of the full map: bias, ReLU, 1 x 1, ReLU."""
        # Of three rows of biases (first, middle, last) a phase meets its own border and no other.
        bias = self._narrow_bias[a : a + 2, b : b + 2]
        part = part + bias[1 - a, 1 - b]
        border_row, border_column = (-1 if a else 0), (-1 if b else 0)
        part[border_row] += bias[a, 1 - b] - bias[1 - a, 1 - b]
        part[:, border_column] += bias[1 - a, b] - bias[1 - a, 1 - b]
        part[border_row, border_column] += (
            bias[a, b] - bias[a, 1 - b] - bias[1 - a, b] + bias[1 - a, 1 - b]
        )
        return functional.linear(part.relu_(), *self._last).relu_()


def phase_kernels(double: Tensor, kernel: Tensor) -> Tensor:
    """A doubling [I, M, 2, 2] and the 3 x 3 [O, M, 3, 3] behind it as 2 x 2 kernels of 4 phases.

    Returns:
        [4 O, I, 2, 2], phases (0, 0), (0, 1), (1, 0), (1, 1) of (row, column). Output (2i + a,
        2j + b) is phase (a, b) of the window whose last element is input (i + a, j + b).
    """
    phases = []
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        phase = kernel.new_zeros(kernel.shape[0], double.shape[0], 2, 2)
        for dy in range(3):
            for dx in range(3):
                # Row 2i + a + dy - 1 of the doubled map comes from input row i + down, its half r.
                down, r = divmod(a + dy - 1, 2)
                right, s = divmod(b + dx - 1, 2)
                phase[:, :, down + 1 - a, right + 1 - b] += (
                    kernel[:, :, dy, dx] @ double[:, :, r, s].T
                )
        phases.append(phase)
    return torch.cat(phases)


def _pair(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    return weights(f"{name}.weight"), weights(f"{name}.bias")


def _padded_response(bias: Tensor, kernel: Tensor) -> Tensor:
    """What a 3 x 3 makes of a constant map [C] padded with zeros: [3, 3, O] first, middle, last."""
    constant = bias.double()[None, :, None, None].expand(1, -1, 3, 3)
    return as_map(functional.conv2d(constant, kernel.double(), padding=1)).float()


def _add_with_border(x: Tensor, bias: Tensor) -> Tensor:
    """Adds [3, 3, C] to [h, w, C], the middle to all but the border; changes ``x``."""
    x += bias[1, 1]
    for edge, place in ((0, 0), (2, -1)):
        x[place] += bias[edge, 1] - bias[1, 1]
        x[:, place] += bias[1, edge] - bias[1, 1]
        for other, there in ((0, 0), (2, -1)):
            x[place, there] += bias[edge, other] - bias[edge, 1] - bias[1, other] + bias[1, 1]
    return x
