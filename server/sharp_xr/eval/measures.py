"""Measures of a predicted view against the true photo, where both cameras see the scene.

Outside of that region the truth stands in for the prediction, so that windows and features that
reach over its border see nothing wrong there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sharp_xr.eval.pair import Picture
from sharp_xr.perceptual import Features

Region = NDArray[np.bool_]
"""[H, W]"""

LARGER_IS_BETTER = {"psnr": True, "ssim": True}
"""Of all others less is better."""
MOST_DB = 100.0
"""PSNR of equal pictures."""


@dataclass(frozen=True)
class Measure:
    """A name for tables, and the function: (predicted, true, region) -> a number."""

    name: str
    of: Callable[[Picture, Picture, Region], float]

    @property
    def larger_is_better(self) -> bool:
        return LARGER_IS_BETTER.get(self.name, False)


def psnr(predicted: Picture, true: Picture, region: Region) -> float:
    """Decibels below 255, of the mean squared error over the region's channels."""
    error = (predicted[region].astype(np.float64) - true[region]) ** 2
    mean = float(error.mean())
    return MOST_DB if mean == 0 else min(MOST_DB, 10 * math.log10(255**2 / mean))


def ssim(predicted: Picture, true: Picture, region: Region) -> float:
    """scikit-image's (7 x 7 windows, each channel; Wang et al. 2004), mean over the region."""
    from skimage.metrics import structural_similarity

    _, everywhere = structural_similarity(  # type: ignore[no-untyped-call]
        completed(predicted, true, region), true, channel_axis=2, data_range=255, full=True
    )
    return float(everywhere[region].mean())


def perceptual(features: Features) -> Measure:
    """LPIPS's distance (Zhang et al. 2018, equation 1) with all weights 1, summed over levels: its
    numbers are not LPIPS. Features at a level count as far as their cell is in the region."""

    last: list[tuple[Picture, list[torch.Tensor]]] = []  # the truth is the same for many methods

    def of_true(true: Picture) -> list[torch.Tensor]:
        if not last or last[0][0] is not true:
            last[:] = [(true, [_unit(level) for level in features(to_tensor(true))])]
        return last[0][1]

    def distance(predicted: Picture, true: Picture, region: Region) -> float:
        inside = torch.from_numpy(region.astype(np.float32))[None, None]
        with torch.inference_mode():
            seen = features(to_tensor(completed(predicted, true, region)))
            levels = []
            for a, b in zip(seen, of_true(true), strict=True):
                apart = ((_unit(a) - b) ** 2).sum(1, keepdim=True)
                weight = functional.adaptive_avg_pool2d(inside, (apart.shape[2], apart.shape[3]))
                levels.append(float((apart * weight).sum() / weight.sum()))
        return sum(levels)

    return Measure(features.name.split("-")[0].replace("16", ""), distance)


def completed(predicted: Picture, true: Picture, region: Region) -> Picture:
    """The prediction in the region, the truth outside."""
    return np.where(region[..., None], predicted, true)


def to_tensor(picture: Picture) -> torch.Tensor:
    """[H, W, 3] -> [1, 3, H, W], 0 to 1."""
    whole = torch.from_numpy(picture.astype(np.float32))
    return whole.permute(2, 0, 1)[None] / 255


def _unit(features: torch.Tensor) -> torch.Tensor:
    """Each pixel's feature vector at length 1."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-6)
