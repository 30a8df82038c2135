"""Depth becomes sharp where the photo has an edge, and only where depth has one."""

import numpy as np
import torch

from sharp_xr.gaussians import Float32
from sharp_xr.model.edges import aligned, enlarged, median_3x3
from sharp_xr.model.grid import Grid

ROWS, COLUMNS, SPLIT = 120, 160, 83
GRID = Grid(ROWS, COLUMNS, 140.0, 140.0, COLUMNS / 2, ROWS / 2)
NEAR, FAR = 1.0, 0.25


def two_colors() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = np.full((ROWS, COLUMNS, 3), (200, 60, 40), np.uint8)
    image[:, SPLIT:] = (40, 90, 180)
    return image


def blurred_step() -> Float32:
    """A quarter of the size; the step is spread over four cells and lies a cell to the left."""
    ramp = np.clip((SPLIT / 4 - 1 - np.arange(COLUMNS // 4)) / 4 + 0.5, 0, 1)
    values = (FAR + (NEAR - FAR) * ramp).astype(np.float32)
    return np.repeat(values[None], ROWS // 4, 0)


def test_a_blurred_step_in_depth_moves_to_the_edge_in_the_photo() -> None:
    inverse = aligned(blurred_step(), two_colors(), GRID)
    middle = inverse[10:-10]
    assert (middle[:, : SPLIT - 1] > 0.8 * NEAR).all()
    assert (middle[:, SPLIT + 1 :] < 1.3 * FAR).all()


def test_no_depth_is_left_between_the_sides() -> None:
    inverse = aligned(blurred_step(), two_colors(), GRID)
    share = (inverse - FAR) / (NEAR - FAR)
    assert np.mean((share > 0.25) & (share < 0.75)) < 0.002


def test_a_slope_stays_a_slope_under_any_texture() -> None:
    texture = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS, 3)).astype(np.uint8)
    slope = np.linspace(0.7, 1.0, COLUMNS // 4, dtype=np.float32)[None].repeat(ROWS // 4, 0)
    inverse = aligned(slope, texture, GRID)
    expected = enlarged(slope, ROWS, COLUMNS)
    assert np.abs(inverse - expected)[8:-8, 8:-8].max() < 0.01


def test_single_cells_on_the_wrong_side_go() -> None:
    values = np.full((9, 9), FAR, np.float32)
    values[4, 4] = NEAR
    result = np.empty_like(values)
    median_3x3(values, 0, 9, result)
    assert (result == np.float32(FAR)).all()


def test_the_number_of_threads_changes_nothing() -> None:
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(aligned(blurred_step(), two_colors(), GRID))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(results[0], results[1])
