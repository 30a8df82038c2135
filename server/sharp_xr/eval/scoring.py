"""Scores of predictions on one pair, in two columns: *metric*, as the prediction is, and *scaled*,
its depth multiplied by the median of true over predicted depth (what the paper calls privileged
depth)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.eval import measures
from sharp_xr.eval.measures import Measure, Region
from sharp_xr.eval.pair import PairError, Picture, StereoPair
from sharp_xr.eval.predicted import left_depth, right_view, scaled
from sharp_xr.eval.stereo import filled, matched_disparity
from sharp_xr.eval.warping import warped
from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model import Predictor
from sharp_xr.render import Renderer

LEAST_KNOWN = 0.05
"""Share of pixels whose depth must be known."""


@dataclass(frozen=True)
class Truth:
    """What is known about a pair besides its photos."""

    depth: Float32
    """[H, W] metres of the left photo, NaN where unknown."""
    region: Region
    """[H, W] of the right photo: what both cameras see."""

    @property
    def median_m(self) -> float:
        """Metres."""
        return float(np.median(self.depth[self.known]))

    @property
    def known(self) -> NDArray[np.bool_]:
        """[H, W]"""
        return np.isfinite(self.depth)

    def factor(self, depth: Float32) -> float:
        """What a predicted depth [H, W] is to be multiplied with: median of true / predicted."""
        both = self.known & np.isfinite(depth) & (depth > 0)
        if not both.any():
            raise PairError("the prediction has no depth where the truth is known")
        return float(np.median(self.depth[both] / depth[both]))

    def absrel(self, depth: Float32) -> float:
        """Mean of |predicted - true| / true; a hole counts as wrong by all of it."""
        off = np.abs(np.nan_to_num(depth[self.known]) - self.depth[self.known])
        return float((off / self.depth[self.known]).mean())


@dataclass(frozen=True)
class Scored:
    """One prediction."""

    picture: Picture
    """The right view."""
    values: dict[str, float]
    """By measure."""


def truth_of(pair: StereoPair) -> Truth:
    """From the pair's disparities, or by matching.

    Raises:
        PairError: too few pixels match: no rectified pair, or not in this order.
    """
    disparity = pair.true_disparity if pair.true_disparity is not None else matched_disparity(pair)
    depth = pair.calibration.depth(disparity)
    depth = np.where(np.isfinite(depth), depth, np.float32(np.nan))
    if np.isfinite(depth).mean() < LEAST_KNOWN:
        raise PairError(
            f"{pair.name}: {np.isfinite(depth).mean():.0%} of the left photo is found again in the "
            "right one, wanted a rectified pair, the left photo first"
        )
    return Truth(depth, warped(pair.left, filled(disparity)).seen)


def standard_measures() -> list[Measure]:
    """PSNR and SSIM."""
    return [Measure("psnr", measures.psnr), Measure("ssim", measures.ssim)]


def score(picture: Picture, pair: StereoPair, truth: Truth, by: Sequence[Measure]) -> Scored:
    """A right view, however it was made."""
    values = {each.name: each.of(picture, pair.right, truth.region) for each in by}
    return Scored(picture, values)


def score_depth(depth: Float32, pair: StereoPair, truth: Truth, by: Sequence[Measure]) -> Scored:
    """The left photo warped by a depth [H, W] of it, metres."""
    moved = warped(pair.left, pair.calibration.disparity(depth))
    return score(moved.picture, pair, truth, by)


@dataclass(frozen=True)
class Judged:
    """A predictor on a pair."""

    metric: Scored
    scaled: Scored
    absrel_metric: float
    absrel_scaled: float
    factor: float
    """What the prediction was multiplied with for the scaled column."""


def judge(
    predictor: Predictor,
    renderer: Renderer,
    pair: StereoPair,
    truth: Truth,
    by: Sequence[Measure],
) -> Judged:
    """The left photo through the predictor, its Gaussians drawn for the right camera."""
    return judge_gaussians(predictor.predict(pair.photo), renderer, pair, truth, by)


def judge_gaussians(
    gaussians: Gaussians,
    renderer: Renderer,
    pair: StereoPair,
    truth: Truth,
    by: Sequence[Measure],
) -> Judged:
    """Gaussians of the left photo, drawn for the right camera."""
    depth = left_depth(renderer, gaussians, pair)
    factor = truth.factor(depth)
    in_scale = scaled(gaussians, factor)
    return Judged(
        score(right_view(renderer, gaussians, pair), pair, truth, by),
        score(right_view(renderer, in_scale, pair), pair, truth, by),
        truth.absrel(depth),
        truth.absrel(depth * np.float32(factor)),
        factor,
    )
