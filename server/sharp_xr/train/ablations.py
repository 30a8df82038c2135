"""The paper's ablations as data: what differs between the rows, and what the paper measured.

Numbers: Mescheder et al. 2025, supplement, ScanNet++ (LPIPS, PSNR, SSIM): 60 K steps on 32 A100,
stage 1 alone; the rows of SSFT are of the full models. The paper does not say whether depth was
adjusted by the truth in the first rows of its losses; here it is in all of them, with the two terms
that bound the adjustment: what is added from row to row is losses alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sharp_xr.train.objective import Weights

AblationName = Literal["losses", "gram", "adjustment", "depth", "grid", "ssft"]
Paper = tuple[float, float, float]
"""LPIPS, PSNR, SSIM."""

_BARE = Weights(perceptual=0, depth=0, tv=0, grad=0, delta=0, splat=0)
_DEPTH = Weights(perceptual=0, tv=0, grad=0, delta=0, splat=0)
_PERCEPTUAL = Weights(tv=0, grad=0, delta=0, splat=0)


@dataclass(frozen=True)
class Variant:
    """A row."""

    label: str
    paper: Paper
    changes: Mapping[str, object] = field(default_factory=dict)
    """Of fields of ``Stage1``."""
    photos: bool = False
    """With stage 2 behind it."""


ABLATIONS: dict[AblationName, tuple[Variant, ...]] = {
    "losses": (
        Variant("color + alpha", (0.414, 18.18, 0.768), {"weights": _BARE}),
        Variant("+ depth", (0.270, 22.95, 0.844), {"weights": _DEPTH}),
        Variant("+ perceptual", (0.143, 23.65, 0.843), {"weights": _PERCEPTUAL}),
        Variant("+ regularisers", (0.147, 22.61, 0.829)),
    ),
    "gram": (
        Variant("gram off", (0.153, 22.26, 0.827), {"gram": False}),
        Variant("gram on", (0.147, 22.61, 0.829)),
    ),
    "adjustment": (
        Variant("adjustment off", (0.154, 22.89, 0.838), {"adjustment": False}),
        Variant("adjustment on", (0.147, 22.61, 0.829)),
    ),
    "depth": (
        Variant("depth frozen", (0.158, 22.21, 0.833), {"train_depth": False}),
        Variant("depth trained", (0.147, 22.61, 0.829)),
    ),
    "grid": (
        Variant("1/4 of the sides", (0.199, 20.46, 0.799), {"stride": 4}),
        Variant("1/2 of the sides", (0.160, 22.00, 0.822), {"stride": 2}),
        Variant("full grid", (0.147, 22.61, 0.829)),
    ),
    "ssft": (
        Variant("stage 1", (0.142, 22.86, 0.835)),
        Variant("stage 1, then SSFT", (0.154, 22.63, 0.833), photos=True),
    ),
}
