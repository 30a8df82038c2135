"""The decoders on a CPU; the same function as ../decoder.py on maps [h, w, C].

Exact shortcuts (section 14): a doubling and the 1 x 1 behind it are one doubling, also that of e0,
which is never made where only its 1 x 1 is wanted; the 1 x 1 at the very end is left to the
caller, who may fold it into what follows; the coarsest level's unused ``resnet1`` is not read.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sharp_xr.model.sharp.cpu.encoder import PREFIX as ENCODER
from sharp_xr.model.sharp.cpu.encoder import Features
from sharp_xr.model.sharp.cpu.packed import Doubling, Weights
from sharp_xr.model.sharp.cpu.winograd import WinogradConvolution


class Decoder:
    """Reads its weights level by level."""

    def __init__(
        self, weights: Weights, prefix: str, has_lateral: bool, step: Callable[[float], None]
    ) -> None:
        """``has_lateral``: e0 has not the decoder's width, and a 1 x 1 brings it there.

        ``step`` is told the done fraction after each few convolutions.
        """
        self._weights = weights
        self._prefix = prefix
        self._has_lateral = has_lateral
        self._step = step

    def __call__(self, features: Features) -> Tensor:
        """The map before the finest level's ``out_conv``, [S/2, S/2, C]."""
        skips = (features.e3, features.e2, features.e1)
        x = self._refined(4, 2, self._lateral(4, features.e4))
        for level, feature in zip((3, 2, 1), skips, strict=True):
            x = self._fused(level, x, self._lateral(level, feature))
        return self._fused(0, x, self._finest(features.half_e0))

    def _finest(self, half_e0: Tensor) -> Tensor:
        """e0's last doubling, with the lateral 1 x 1 behind it folded in."""
        double = self._weights(f"{ENCODER}.upsample_latent0.3.weight")
        if self._has_lateral:
            lateral = self._weights(f"{self._prefix}.convs.0.weight").flatten(1)
            double = mixed(double, lateral)
        return Doubling(double, None)(half_e0)

    def _fused(self, level: int, coarser: Tensor, skip: Tensor) -> Tensor:
        """The coarser level's map doubled and the skip (which is changed), refined."""
        # The skip first: at no time do more than two maps of the finest size exist.
        skip = self._refined(level, 1, skip)
        # Each level has four times the work of the one before it.
        self._step(0.625 * 0.25**level)
        x = self._refined(level, 2, self._doubling(level + 1)(coarser, add_to=skip))
        self._step(0.25**level)
        return x

    def _lateral(self, level: int, feature: Tensor) -> Tensor:
        weight = self._weights(f"{self._prefix}.convs.{level}.weight")
        return WinogradConvolution(weight)(feature)

    def _refined(self, level: int, number: int, x: Tensor) -> Tensor:
        return refined(self._weights, f"{self._prefix}.fusions.{level}.resnet{number}", x)

    def _doubling(self, level: int) -> Doubling:
        """The end of a level: its doubling and 1 x 1 in one."""
        fusion = f"{self._prefix}.fusions.{level}"
        mixing = self._weights(f"{fusion}.out_conv.weight").flatten(1)
        weight = mixed(self._weights(f"{fusion}.deconv.weight"), mixing)
        return Doubling(weight, self._weights(f"{fusion}.out_conv.bias"))


def mixed(double: Tensor, mixing: Tensor) -> Tensor:
    """A doubling [I, M, 2, 2] and the 1 x 1 [O, M] behind it as one doubling [I, O, 2, 2].

    In float64: a weight's own rounding is nothing beside the sum's, which all pixels would share.
    """
    return torch.einsum("oc,icab->ioab", mixing.double(), double.double()).float()


def refined(weights: Weights, prefix: str, x: Tensor) -> Tensor:
    """``x + conv(relu(conv(relu(x))))``; changes and returns ``x``."""
    first = convolution(weights, f"{prefix}.residual.1")
    second = convolution(weights, f"{prefix}.residual.3")
    return second(first(x, relu_input=True, relu_output=True), add=x, out=x)


def convolution(weights: Weights, name: str) -> WinogradConvolution:
    """The 3 x 3 one of that name, with its bias."""
    return WinogradConvolution(weights(f"{name}.weight"), weights(f"{name}.bias"))
