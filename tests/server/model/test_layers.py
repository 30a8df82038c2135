"""What is behind the foreground: the far side, as far as a lean uncovers it."""

import numpy as np
import pytest

from sharp_xr.gaussians import Float32
from sharp_xr.model.grid import Grid
from sharp_xr.model.layers import LEARNED_M, REACH_M, Behind, behind, torn_edges
from sharp_xr.model.second_layer import MOST, second_layer

ROWS, COLUMNS = 120, 160
GRID = Grid(ROWS, COLUMNS, 140.0, 140.0, COLUMNS / 2, ROWS / 2)
BOX = (slice(40, 80), slice(60, 100))
RED = np.array([0.8, 0.05, 0.05], np.float32)


def box_before_wall(near_m: float = 1.5, far_m: float = 3.0) -> Float32:
    inverse = np.full((ROWS, COLUMNS), 1 / far_m, np.float32)
    inverse[BOX] = 1 / near_m
    return inverse


def red_box_before_grey_wall() -> Float32:
    rng = np.random.default_rng(0)
    colors = np.repeat(rng.uniform(0.3, 0.5, (ROWS, COLUMNS, 1)), 3, 2).astype(np.float32)
    colors[BOX] = RED
    return colors


def layer(near_m: float = 1.5) -> Behind:
    inverse = box_before_wall(near_m)
    return behind(inverse, torn_edges(inverse, GRID), GRID, red_box_before_grey_wall())


def test_depth_is_torn_around_the_box_and_nowhere_else() -> None:
    rows, columns = torn_edges(box_before_wall(), GRID)
    assert np.count_nonzero(rows) == 2 * 40
    assert np.count_nonzero(columns) == 2 * 40
    assert rows[40:80, 59].all() and rows[40:80, 99].all()


def test_a_floor_that_runs_to_the_horizon_is_not_torn() -> None:
    _, y = GRID.slopes()
    inverse = np.repeat(np.maximum(y / 1.5, 1 / 80)[:, None], COLUMNS, 1).astype(np.float32)
    rows, columns = torn_edges(inverse, GRID)
    assert not rows.any()
    assert not columns.any()


def test_the_wall_goes_on_behind_the_box() -> None:
    found = layer()
    covered = np.isfinite(found.lean)
    assert covered[BOX].all()  # 20 cells to the middle; half a metre uncovers 23
    assert np.count_nonzero(covered) == 40 * 40
    assert found.inverse[BOX] == pytest.approx(1 / 3.0, rel=1e-3)


def test_behind_the_edge_the_layer_is_as_deep_as_a_network_says() -> None:
    inverse = box_before_wall()
    edges = torn_edges(inverse, GRID)
    learned = np.full((ROWS, COLUMNS), 1 / 6.0, np.float32)
    found = behind(inverse, edges, GRID, red_box_before_grey_wall(), learned)
    across = 1 / found.inverse[60, 60:80]  # from the box's left edge to its middle
    assert 3.0 <= across[0] < 4.0  # at the edge: the wall, but for the smoothing
    assert across[0] < across[4] < across[9]
    far_in = found.lean[60, 60:80] > LEARNED_M + 0.09  # the seams' smoothing reaches so far
    assert far_in.any()
    assert across[far_in] == pytest.approx(6.0, rel=0.01)
    assert found.inverse[20] == pytest.approx(1 / 3.0)  # nothing is behind the wall
    hidden = second_layer(inverse, edges, GRID, red_box_before_grey_wall(), learned)
    assert hidden.means[:, 2].max() > 4.5  # it bends, see second_layer.py


def test_the_box_does_not_smear_into_what_it_hides() -> None:
    hidden = layer().colors[BOX]
    assert np.ptp(hidden, axis=2).max() < 1e-3  # grey
    assert 0.3 <= hidden.min() and hidden.max() <= 0.5


def test_a_cell_is_uncovered_by_the_lean_that_parallax_says() -> None:
    lean = layer().lean
    # The box's second column from the left is two cells from the wall's last visible one.
    assert lean[60, 61] == pytest.approx(2 / (140 * (1 / 1.5 - 1 / 3.0)), rel=1e-4)


def test_no_more_is_filled_than_a_lean_uncovers() -> None:
    """Before a wall at 3 m, half a metre uncovers 7 cells behind a box at 2.3 m."""
    found = layer(near_m=2.3)
    covered = np.isfinite(found.lean)
    reach = REACH_M * 140 * (1 / 2.3 - 1 / 3.0)
    assert covered[60, 60 : 60 + int(reach)].all()
    assert not covered[60, 60 + int(reach) + 1 : 80].any()
    assert found.lean[covered].max() <= REACH_M


def test_gaussians_of_the_second_layer_stay_behind_the_first() -> None:
    inverse = box_before_wall()
    edges = torn_edges(inverse, GRID)
    gaussians = second_layer(inverse, edges, GRID, red_box_before_grey_wall())
    assert len(gaussians) == 20 * 20
    assert gaussians.means[:, 2].min() > 2.99
    assert gaussians.means[:, 2].max() < 3.2
    assert np.ptp(gaussians.colors, axis=1).max() < 1e-3


def test_nothing_is_behind_a_wall_alone() -> None:
    inverse = np.full((ROWS, COLUMNS), 0.5, np.float32)
    edges = torn_edges(inverse, GRID)
    assert len(second_layer(inverse, edges, GRID, red_box_before_grey_wall())) == 0


def test_the_budget_goes_to_what_a_small_lean_uncovers() -> None:
    """Stripes of near and far all over a large grid want more Gaussians than there may be."""
    rows, columns = 512, 512
    grid = Grid(rows, columns, 500.0, 500.0, 256.0, 256.0)
    inverse = np.full((rows, columns), 0.2, np.float32)
    inverse[:, np.arange(columns) % 128 >= 2] = 1.0
    edges = torn_edges(inverse, grid)
    colors = np.full((rows, columns, 3), 0.5, np.float32)
    wanted = np.count_nonzero(np.isfinite(behind(inverse, edges, grid, colors).lean)) / 4
    gaussians = second_layer(inverse, edges, grid, colors)
    assert wanted > MOST
    assert 0.9 * MOST < len(gaussians) < 1.05 * MOST
    x = gaussians.means[:, 0] / gaussians.means[:, 2] * 500 + 256
    assert (x % 128).min() < 4  # next to an edge
    assert not ((x % 128 > 60) & (x % 128 < 68)).any()  # half way between two
