"""A silhouette's mixed cells take their own side's colour."""

import numpy as np

from sharp_xr.gaussians import Float32
from sharp_xr.model.matting import unmixed

ROWS, COLUMNS, SPLIT = 20, 30, 15
NEAR, FAR = np.array([0.8, 0.2, 0.1], np.float32), np.array([0.1, 0.2, 0.7], np.float32)


def sides() -> Float32:
    inverse = np.full((ROWS, COLUMNS), 0.3, np.float32)
    inverse[:, :SPLIT] = 1.0
    return inverse


def mixed(near_share: float, far_share: float) -> Float32:
    """Pure colours but for the two columns at the edge, which show so much of the near side."""
    colors = np.empty((ROWS, COLUMNS, 3), np.float32)
    colors[:, :SPLIT], colors[:, SPLIT:] = NEAR, FAR
    colors[:, SPLIT - 1] = near_share * NEAR + (1 - near_share) * FAR
    colors[:, SPLIT] = far_share * NEAR + (1 - far_share) * FAR
    return colors


def test_the_fringe_of_the_other_side_goes() -> None:
    before = mixed(0.6, 0.3)
    after = unmixed(before, sides())
    for column, own in ((SPLIT - 1, NEAR), (SPLIT, FAR)):
        fringe = np.abs(before[:, column] - own).max(), np.abs(after[:, column] - own).max()
        assert fringe[1] < 0.7 * fringe[0]


def test_pure_colours_stay() -> None:
    colors = mixed(1.0, 0.0)
    assert np.allclose(unmixed(colors, sides()), colors, atol=1e-6)


def test_an_edge_in_colour_alone_stays() -> None:
    colors = mixed(0.6, 0.3)
    assert np.array_equal(unmixed(colors, np.ones((ROWS, COLUMNS), np.float32)), colors)
