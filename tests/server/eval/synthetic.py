"""A pair whose answer is known: a textured wall, and a textured board before it."""

from __future__ import annotations

import numpy as np

from sharp_xr.eval.pair import Calibration, Picture, StereoPair
from sharp_xr.gaussians import Float32

ROWS, COLUMNS = 96, 160
WALL_PX, BOARD_PX = 6, 14
"""Disparities."""
BOARD = np.s_[30:70, 60:110]
"""In the left photo."""
CALIBRATION = Calibration(focal_px=120.0, baseline_m=0.1, cx=80.0, cy=48.0)


def board_pair() -> StereoPair:
    """With its true disparities; what only the right camera sees is noise of its own."""
    rng = np.random.default_rng(3)
    left = texture(rng)
    left[BOARD] = texture(rng)[BOARD]
    disparity = np.full((ROWS, COLUMNS), WALL_PX, np.float32)
    disparity[BOARD] = BOARD_PX
    right = texture(rng)
    for shift in (WALL_PX, BOARD_PX):  # the nearer one last
        rows, columns = np.nonzero(disparity == shift)
        inside = columns >= shift
        right[rows[inside], columns[inside] - shift] = left[rows[inside], columns[inside]]
    return StereoPair("board", left, right, CALIBRATION, disparity)


def texture(rng: np.random.Generator) -> Picture:
    """Blotches of two pixels."""
    small = rng.integers(30, 226, (ROWS // 2, COLUMNS // 2, 3), np.uint8)
    return small.repeat(2, 0).repeat(2, 1)


def hidden_from_right(pair: StereoPair) -> Float32:
    """[H, W] 1 at the left photo's wall pixels that the board hides, or the picture's edge."""
    hidden = np.zeros((ROWS, COLUMNS), np.float32)
    hidden[:, :WALL_PX] = 1
    step = BOARD_PX - WALL_PX
    hidden[BOARD[0], BOARD[1].start - step : BOARD[1].start] = 1
    return hidden
