"""Losses on log inverse canonical depth y; all take a mask and are means over what it keeps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Target:
    """The truth for one layer."""

    y: Tensor
    """[B, H, W]"""
    known: Tensor
    """[B, H, W] 1 where the truth is known."""
    sky: Tensor
    """[B, H, W] 1 where it is the sky: at least that far."""


def absolute(y: Tensor, target: Target) -> Tensor:
    """Mean absolute error; the sky may be farther than it says, but not nearer."""
    return masked_mean(_error(y, target).abs(), target.known)


MOST_NEARNESS = 4.0
"""So much more than the mean does a near pixel count at most."""


def parallax(y: Tensor, target: Target) -> Tensor:
    """Mean absolute error, each pixel by how near it is: what an error moves when a head does.

    Inverse depth q gives the parallax, and an error of y one of q times as much. So the weight is
    the true q, divided by its mean over the picture: a person counts more than the hills behind.
    """
    inverse = torch.exp(target.y) * target.known
    count = target.known.sum((1, 2)).clamp(min=1)
    mean = (inverse.sum((1, 2)) / count).clamp(min=1e-6)[:, None, None]
    weight = (inverse / mean).clamp(max=MOST_NEARNESS)
    return masked_mean(_error(y, target).abs(), weight)


def scale_invariant(y: Tensor, target: Target) -> Tensor:
    """The same after each picture's mean error is taken away: a factor on depth is forgiven.

    (Eigen et al. 2014, equation 4, with an absolute in place of a square.) The sky does not count.
    """
    near = target.known * (1 - target.sky)
    error = _error(y, target) * near
    count = near.sum((1, 2)).clamp(min=1)
    offset = (error.sum((1, 2)) / count)[:, None, None]
    return masked_mean((error - offset).abs(), near)


def gradient(y: Tensor, target: Target, levels: int = 4) -> Tensor:
    """Mean absolute difference of the error over 1, 2, 4, ... pixels, both ways: edges and slopes.

    (After Li and Snavely 2018, equation 4, by strides rather than by shrinking.)
    """
    error, known = _error(y, target), target.known
    total = y.new_zeros(())
    for k in (2**i for i in range(levels)):
        for along in (1, 2):
            n = error.shape[along] - k
            step = error.narrow(along, k, n) - error.narrow(along, 0, n)
            both = known.narrow(along, k, n) * known.narrow(along, 0, n)
            total = total + masked_mean(step.abs(), both)
    return total / levels


def layers_loss(y: Tensor, visible: Target, behind: Target) -> tuple[Tensor, Tensor]:
    """Of the network's y [B, 2, H, W]: the visible layer's loss and that of the second layer."""
    return _layer_loss(y[:, 0], visible), _layer_loss(y[:, 1], behind)


def _layer_loss(y: Tensor, target: Target) -> Tensor:
    near = 0.5 * absolute(y, target) + 0.5 * parallax(y, target)
    return near + 0.5 * scale_invariant(y, target) + 1.0 * gradient(y, target)


def _error(y: Tensor, target: Target) -> Tensor:
    error = y - target.y
    return torch.where(target.sky > 0, functional.relu(error), error)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of x where mask is 1; 0 if it nowhere is."""
    return (x * mask).sum() / mask.sum().clamp(min=1)
