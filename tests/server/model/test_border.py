"""The rim around the photo."""

import numpy as np
import pytest

from sharp_xr.model.border import OVERLAP, WIDTH, rim
from sharp_xr.model.grid import Grid

ROWS, COLUMNS = 96, 128
GRID = Grid(ROWS, COLUMNS, 110.0, 110.0, COLUMNS / 2, ROWS / 2)
WALL = np.full((ROWS, COLUMNS), 0.5, np.float32)
ORANGE = np.broadcast_to(np.array([0.8, 0.4, 0.1], np.float32), (ROWS, COLUMNS, 3))


def test_the_rim_goes_around_the_photo_at_the_photos_depth() -> None:
    gaussians = rim(WALL, GRID, ORANGE)
    assert gaussians is not None
    u = gaussians.means[:, 0] / gaussians.means[:, 2] * 110 / COLUMNS
    v = gaussians.means[:, 1] / gaussians.means[:, 2] * 110 / ROWS
    outside = np.maximum(abs(u), abs(v))
    pitch = 4 / ROWS  # of the rim's cells, in shares of the photo
    assert 0.5 - OVERLAP * pitch < outside.min() < 0.5  # it begins behind the photo's edge
    assert 0.5 + 0.6 * WIDTH < abs(u).max() <= 0.5 + WIDTH
    assert gaussians.means[:, 2] == pytest.approx(2.0, rel=0.03)
    assert gaussians.means[:, 2].min() > 2.0  # never before the photo


def test_the_rim_fades_outwards_in_the_photos_colours() -> None:
    gaussians = rim(WALL, GRID, ORANGE)
    assert gaussians is not None
    assert gaussians.colors == pytest.approx(np.broadcast_to(ORANGE[0, 0], gaussians.colors.shape))
    u = abs(gaussians.means[:, 0] / gaussians.means[:, 2]) * 110 / COLUMNS
    middle = abs(gaussians.means[:, 1]) < 0.3
    inner = gaussians.opacities[middle & (u < 0.54)]
    outer = gaussians.opacities[middle & (u > 0.56)]
    assert inner.min() > outer.max()
    assert outer.min() < 0.2


def test_a_tiny_photo_has_no_rim() -> None:
    small = Grid(20, 30, 25.0, 25.0, 15.0, 10.0)
    assert rim(WALL[:20, :30], small, ORANGE[:20, :30]) is None
