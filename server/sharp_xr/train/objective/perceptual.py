"""The perceptual term, and the surgery that keeps its network's graph out of memory.

picture --network--> features --loss--> value          plain: the graph waits for backward
   |                                      |
   +-- cached gradient <-- autograd now --+             cached: only [B, 3, H, W] waits
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sharp_xr.perceptual import Features

GRAM_FACTOR = 10.0
"""Of the Gram terms; the paper tried 1, 10, 100 and 500."""


def perceptual(features: Features, drawn: Tensor, true: Tensor, *, gram: bool = True) -> Tensor:
    """L_percep = sum_l 1 / (D H W) |phi_l(a) - phi_l(b)|^2 + 10 / D^2 |Gram_l(a) - Gram_l(b)|^2.

    Weight 3. phi_l are the four levels of the network, D x H x W.

    Args:
        features: the network.
        drawn, true: [B, 3, H, W] sRGB; ``true`` has no gradient.
        gram: with the Gram terms, which ask for texture where feature terms alone blur.
    """
    with torch.no_grad():
        wanted = features(true)
    result = drawn.new_zeros(len(drawn))
    for a, b in zip(features(drawn), wanted, strict=True):
        result = result + (a - b).pow(2).mean((1, 2, 3))
        if gram:
            result = result + GRAM_FACTOR * (_gram(a) - _gram(b)).pow(2).mean((1, 2))
    return result


def _gram(level: Tensor) -> Tensor:
    """[B, D, H, W] -> [B, D, D] products of channels, meaned over pixels: size does not matter."""
    flat = level.flatten(2)
    return flat @ flat.mT / flat.shape[2]


def cached(loss: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
    """loss(picture), its gradient computed now and kept in place of the graph.

    Args:
        loss: [B, 3, H, W] -> [B], each number of its own picture alone.
        picture: what the gradient goes back to.
    """
    result: Tensor = _Cached.apply(picture, loss)  # type: ignore[no-untyped-call]
    return result


class _Cached(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, picture: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.enable_grad():
            leaf = picture.detach().requires_grad_()
            values = loss(leaf)
            (gradient,) = torch.autograd.grad(values.sum(), leaf)
        ctx.save_for_backward(gradient)
        return values.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangents: Tensor) -> Any:
        (gradient,) = ctx.saved_tensors
        return gradient * cotangents[:, None, None, None], None
