"""The grid of rays, and sizes of pictures."""

import numpy as np
import pytest

from sharp_xr.model.grid import Grid, in_blocks, resized, to_linear
from sharp_xr.photo import Photo


def photo(height: int, width: int, focal_px: float = 100.0) -> Photo:
    return Photo(np.zeros((height, width, 3), np.uint8), focal_px)


@pytest.mark.parametrize(("height", "width"), [(3000, 4000), (4000, 3000), (800, 2400)])
def test_a_large_photo_gets_square_cells_within_the_budget(height: int, width: int) -> None:
    grid = Grid.of(photo(height, width), 10_000)
    assert 0.97 * 10_000 < grid.rows * grid.columns < 1.03 * 10_000
    assert grid.columns / grid.rows == pytest.approx(width / height, rel=0.02)
    assert grid.fx == pytest.approx(grid.fy, rel=0.02)


def test_a_small_photo_gets_a_cell_per_pixel() -> None:
    grid = Grid.of(photo(48, 64), 10_000)
    assert (grid.rows, grid.columns, grid.fx, grid.fy) == (48, 64, 100.0, 100.0)


def test_field_of_view_is_the_photos() -> None:
    grid = Grid.of(photo(3000, 4000, 2000.0), 10_000)
    assert grid.columns / grid.fx == pytest.approx(4000 / 2000)
    x, y = grid.slopes()
    assert x[0] == pytest.approx(-x[-1])
    assert y[0] == pytest.approx(-y[-1])


@pytest.mark.parametrize("columns", [8, 9])
def test_a_halved_grid_looks_where_the_pairs_of_cells_look(columns: int) -> None:
    grid = Grid.of(photo(6, columns), 10_000)
    x, y = grid.slopes()
    half_x, half_y = grid.halved().slopes()
    assert half_x[:4] == pytest.approx((x[0:8:2] + x[1:8:2]) / 2)
    assert half_y == pytest.approx((y[::2] + y[1::2]) / 2)
    assert len(half_x) == (columns + 1) // 2


def test_blocks_hold_the_cells_of_a_halved_grid() -> None:
    blocks = in_blocks(np.arange(15, dtype=np.float32).reshape(3, 5))
    assert blocks.shape == (2, 3, 4)
    assert blocks[0, 0].tolist() == [0, 1, 5, 6]
    assert blocks[1, 2].tolist() == [14, 14, 14, 14]  # the odd corner is there four times


def test_shrinking_takes_the_mean_over_each_cell() -> None:
    image = np.zeros((4, 8, 3), np.uint8)
    image[::2] = 200
    assert (resized(image, 2, 4) == 100).all()


def test_linear_light_is_that_of_the_standard() -> None:
    values = to_linear(np.array([[[0, 10, 188]], [[255, 255, 128]]], np.uint8))
    assert values[0, 0].tolist() == pytest.approx([0.0, 10 / 255 / 12.92, 0.5028865], abs=1e-5)
    assert values[1, 0].tolist() == pytest.approx([1.0, 1.0, 0.2158605], abs=1e-5)
