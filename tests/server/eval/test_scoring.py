"""Scores of predictions whose worth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.server.eval.synthetic import BOARD, board_pair

from sharp_xr.eval.pair import PairError, StereoPair
from sharp_xr.eval.scoring import (
    Truth,
    judge_gaussians,
    score,
    score_depth,
    standard_measures,
    truth_of,
)
from sharp_xr.gaussians import Gaussians
from sharp_xr.model.grid import Grid, to_linear
from sharp_xr.model.initializer import surface_gaussians
from sharp_xr.render import create_renderer

BY = standard_measures()


def gaussians_of(pair: StereoPair, factor: float) -> Gaussians:
    """The true scene, all distances times the factor."""
    assert pair.true_disparity is not None
    inverse = np.float32(1) / (np.float32(factor) * pair.calibration.depth(pair.true_disparity))
    grid = Grid.of(pair.photo, pair.left.shape[0] * pair.left.shape[1])
    edges = (np.diff(inverse, axis=1) != 0, np.diff(inverse, axis=0) != 0)
    return surface_gaussians(inverse, edges, grid, to_linear(pair.left))


def test_true_depth_is_right_and_no_depth_is_not() -> None:
    pair = board_pair()
    truth = truth_of(pair)
    right = score_depth(truth.depth, pair, truth, BY).values
    assert right["psnr"] > 99 and right["ssim"] > 0.99
    assert score(pair.left, pair, truth, BY).values["psnr"] < 15


def test_without_disparities_matching_is_the_truth() -> None:
    pair = board_pair()
    known, matched = truth_of(pair), truth_of(replace(pair, true_disparity=None))
    assert matched.median_m == pytest.approx(known.median_m, rel=0.01)
    assert (matched.region == known.region).mean() > 0.97


def test_photos_that_do_not_match_are_no_pair() -> None:
    pair = replace(board_pair(), true_disparity=None)
    with pytest.raises(PairError, match="wanted a rectified pair, the left photo first"):
        truth_of(replace(pair, left=pair.right, right=pair.left[::-1]))


def test_gaussians_of_a_wrong_scale_are_right_when_scaled() -> None:
    pair = board_pair()
    truth = truth_of(pair)
    renderer = create_renderer("cpu")
    judged = judge_gaussians(gaussians_of(pair, 2.0), renderer, pair, truth, BY)
    # Half of the disparity, 3 px of 6: nothing fits, and the depth is off by all of the truth.
    assert judged.factor == pytest.approx(0.5, rel=0.02)
    assert judged.absrel_metric == pytest.approx(1, rel=0.05) and judged.absrel_scaled < 0.05
    assert judged.metric.values["psnr"] < 15 < 17 < judged.scaled.values["psnr"]


def test_gaussians_arrive_where_principal_points_apart_put_them() -> None:
    pair = board_pair()
    moved = replace(
        pair,
        calibration=replace(pair.calibration, doffs_px=-6.0),
        right=np.roll(pair.right, -6, 1),
        true_disparity=None if pair.true_disparity is None else pair.true_disparity + 6,
    )
    judged = judge_gaussians(
        gaussians_of(moved, 1.0), create_renderer("cpu"), moved, truth_of(moved), BY
    )
    assert judged.metric.values["psnr"] > 17


def test_a_hole_counts_as_wrong_by_all_of_the_truth() -> None:
    depth = np.full((4, 4), 2.0, np.float32)
    depth[0] = np.nan
    truth = Truth(depth, np.ones((4, 4), bool))
    predicted = np.full((4, 4), 3.0, np.float32)
    assert truth.absrel(predicted) == pytest.approx(0.5)
    predicted[1] = np.nan
    assert truth.absrel(predicted) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert truth.factor(predicted) == pytest.approx(2 / 3)
    with pytest.raises(PairError, match="no depth where the truth is known"):
        truth.factor(np.full((4, 4), np.nan, np.float32))


def test_the_region_leaves_out_what_one_camera_sees() -> None:
    pair = board_pair()
    region = truth_of(pair).region
    assert not region[BOARD[0], BOARD[1].stop - 12].any()
    assert region[:20, :150].all()
