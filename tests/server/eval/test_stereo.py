"""Semi-global matching finds what is known, and knows what it cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.server.eval.synthetic import WALL_PX, board_pair, hidden_from_right

from sharp_xr.eval.pair import Calibration
from sharp_xr.eval.stereo import drop_speckles, filled, matched_disparity


def test_both_surfaces_are_found_and_what_one_camera_sees_is_not() -> None:
    pair = board_pair()
    assert pair.true_disparity is not None
    found = matched_disparity(pair)
    known = np.isfinite(found)
    hidden = hidden_from_right(pair) > 0
    assert known[~hidden].mean() > 0.95
    assert known[hidden].mean() < 0.2
    assert (np.abs(found - pair.true_disparity)[known & ~hidden] < 0.5).mean() > 0.98


def test_disparities_behind_infinity_are_looked_for_where_principal_points_are_apart() -> None:
    pair = board_pair()
    # Both photos shifted against each other: the wall's disparity becomes -4.
    moved = replace(
        pair,
        right=np.roll(pair.right, WALL_PX + 4, 1),
        calibration=Calibration(120.0, 0.1, doffs_px=20.0),
        true_disparity=None,
    )
    middle = matched_disparity(moved)[5:25, 20:140]
    assert abs(float(np.nanmedian(middle)) + 4) < 0.1


def test_holes_take_the_farther_side() -> None:
    disparity = np.full((4, 8), np.nan, np.float32)
    disparity[0, 1], disparity[0, 6] = 9.0, 2.0
    disparity[2] = 5.0
    result = filled(disparity)
    assert result[0].tolist() == [9, 9, 2, 2, 2, 2, 2, 2]
    assert (result[1:] == [[9, 9, 2, 2, 2, 2, 2, 2], [5] * 8, [5] * 8]).all()
    assert not filled(np.full((2, 3), np.nan, np.float32)).any()


def test_small_patches_are_dropped_and_large_ones_stay() -> None:
    disparity = np.full((20, 20), np.nan, np.float32)
    disparity[:3, :3] = 40.0
    disparity[5:, :] = np.linspace(3, 9, 20)  # a slope: its neighbours are close, its ends are not
    drop_speckles(disparity, 50, 1.0)
    assert np.isnan(disparity[:3, :3]).all()
    assert np.isfinite(disparity[5:]).all()
