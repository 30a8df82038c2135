"""The warp of a depth map: order, tears, holes."""

from __future__ import annotations

import numpy as np
import pytest
from tests.server.eval.synthetic import BOARD, BOARD_PX, WALL_PX, board_pair

from sharp_xr.eval.warping import warped


def ramp(columns: int) -> np.ndarray:
    return np.repeat(np.arange(columns, dtype=np.uint8)[None, :, None] * 2, 3, axis=2)


def test_one_plane_moves_as_a_whole_by_parts_of_pixels_too() -> None:
    left = ramp(100)
    moved = warped(left, np.full((1, 100), 7.5, np.float32))
    # Brightness is 2 x: at column x of the right photo stands what was at x + 7.5 of the left.
    assert np.allclose(moved.picture[0, :92, 0], 2 * np.arange(92) + 15, atol=1)
    assert moved.seen[0, :92].all() and not moved.seen[0, 94:].any()
    assert (moved.picture[0, 94:] == moved.picture[0, 93]).all()


def test_what_moves_out_at_the_left_is_gone_and_what_moves_in_is_not_invented() -> None:
    moved = warped(ramp(20), np.full((1, 20), -5.0, np.float32))
    assert moved.picture[0, 5:, 0].tolist() == [2 * x for x in range(15)]
    assert not moved.seen[0, :5].any() and (moved.picture[0, :5] == 0).all()
    out = warped(ramp(20), np.full((1, 20), 50.0, np.float32))
    assert not out.seen.any() and not out.picture.any()


def test_the_nearer_hides_the_farther_and_uncovers_a_hole_of_the_farther_colour() -> None:
    pair = board_pair()
    assert pair.true_disparity is not None
    moved = warped(pair.left, pair.true_disparity)
    assert (moved.picture == pair.right)[moved.seen].all()
    rows, columns = BOARD
    hole = np.zeros(moved.seen.shape, bool)
    hole[rows, columns.stop - BOARD_PX : columns.stop - WALL_PX] = True
    hole[:, -WALL_PX:] = True
    assert (moved.seen == ~hole).all()
    beside = moved.picture[rows, columns.stop - WALL_PX]
    assert (moved.picture[rows, columns.stop - BOARD_PX] == beside).all()


def test_a_slope_stays_closed() -> None:
    disparity = np.linspace(0, 30, 100, dtype=np.float32)[None]
    seen = warped(ramp(100), disparity).seen[0]
    assert seen[:70].all()
    back = warped(ramp(100), disparity[:, ::-1])
    assert back.seen[0, :99].sum() == 99


def test_depths_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        warped(ramp(10), np.full((1, 10), np.nan, np.float32))
