"""SHARP's objective: ten terms and their weights (Mescheder et al. 2025, supplement A.2).

Each term is a function of tensors with a batch, and returns one number per picture, [B]: so the
mean over a batch is the same whether one process holds it or several share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

__all__ = ["Weights", "total"]


@dataclass(frozen=True)
class Weights:
    """Factors of the terms; the defaults are the paper's. What is 0 is not computed."""

    color: float = 1.0
    """Of both views."""
    alpha: float = 1.0
    """Of both views."""
    perceptual: float = 3.0
    """Of the novel view."""
    depth: float = 0.2
    """Disparity of the visible layer."""
    tv: float = 1.0
    """Roughness of the second layer."""
    grad: float = 0.5
    """Gaussians that float at edges."""
    delta: float = 1.0
    """Offsets that leave their cell's neighbourhood."""
    splat: float = 1.0
    """Sizes on the screen."""
    scale: float = 0.1
    """How far the depth adjustment is from doing nothing."""
    grad_scale: float = 5.0
    """How rough it is."""


def total(terms: Mapping[str, Tensor], weights: Weights) -> Tensor:
    """[B] the weighted sum of the terms that there are, by the names of ``Weights``."""
    known = {field.name for field in fields(weights)}
    assert terms and set(terms) <= known, f"terms {sorted(terms)}, known are {sorted(known)}"
    weighted = [term * float(getattr(weights, name)) for name, term in terms.items()]
    return torch.stack(weighted).sum(0)
