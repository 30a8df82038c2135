"""Surfaces become Gaussians of SHARP's size, lying in the surface."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.model.grid import Grid
from sharp_xr.model.initializer import (
    DARK_SIGMA,
    SIGMA,
    THICKNESS,
    deviations,
    joined,
    surface_gaussians,
)

GRID = Grid(8, 10, 50.0, 50.0, 5.0, 4.0)
WHITE = np.ones((8, 10, 3), np.float32)
NO_EDGES = (np.zeros((8, 9), np.bool_), np.zeros((7, 10), np.bool_))


def matrices(gaussians: Gaussians) -> NDArray[np.float64]:
    """[N, 3, 3]"""
    rows = gaussians.covariances[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].astype(np.float64)
    return rows.reshape(-1, 3, 3)


def wall(depth: float) -> Float32:
    return np.full((8, 10), 1 / depth, np.float32)


def slanted() -> Float32:
    """The plane z = 2 + x: its inverse depth is linear in the picture."""
    x, _ = GRID.slopes()
    return np.repeat(((1 - x) / 2)[None], 8, 0).astype(np.float32)


def test_each_gaussian_lies_on_its_cells_ray() -> None:
    means = surface_gaussians(wall(3.0), NO_EDGES, GRID, WHITE).means.reshape(8, 10, 3)
    assert means[2, 7].tolist() == pytest.approx([(7.5 - 5) / 50 * 3, (2.5 - 4) / 50 * 3, 3.0])


def test_a_wall_gets_deviations_of_the_cells_pitch() -> None:
    gaussians = surface_gaussians(wall(3.0), NO_EDGES, GRID, WHITE)
    pitch = 3.0 / 50
    deviations = np.sqrt(np.linalg.eigvalsh(matrices(gaussians)))
    expected = np.array([THICKNESS, np.hypot(SIGMA, THICKNESS), np.hypot(SIGMA, THICKNESS)])
    assert deviations == pytest.approx(
        np.broadcast_to(expected * pitch, deviations.shape), rel=1e-3
    )


def test_gaussians_of_a_slope_lie_in_it() -> None:
    gaussians = surface_gaussians(slanted(), NO_EDGES, GRID, WHITE)
    normal = np.array([1.0, 0.0, -1.0]) / np.sqrt(2)
    across = np.einsum("i,nij,j->n", normal, matrices(gaussians), normal)
    pitch = gaussians.means[:, 2] / 50
    assert np.sqrt(across) / pitch == pytest.approx(THICKNESS, rel=0.2)


def test_a_torn_edge_is_not_bridged() -> None:
    inverse = wall(1.0)
    inverse[:, 5:] = 0.2
    edges = (np.zeros((8, 9), np.bool_), np.zeros((7, 10), np.bool_))
    edges[0][:, 4] = True
    torn = surface_gaussians(inverse, edges, GRID, WHITE)
    sheet = surface_gaussians(inverse, NO_EDGES, GRID, WHITE)
    along_z = [np.sqrt(g.covariances[:, 5].reshape(8, 10)[:, 4]) for g in (torn, sheet)]
    pitch = 1.0 / 50
    assert along_z[0] == pytest.approx(THICKNESS * pitch, rel=1e-3)
    assert (along_z[1] > 5 * pitch).all()


def test_a_cloud_joined_of_two_holds_both() -> None:
    one = surface_gaussians(wall(1.0), NO_EDGES, GRID, WHITE)
    two = surface_gaussians(wall(2.0), NO_EDGES, GRID, WHITE)
    both = joined([one, two])
    assert len(both) == 160
    assert np.array_equal(both.means[80:], two.means)


def test_gaussians_are_wide_where_the_photo_is_dark_all_around() -> None:
    photo = np.zeros((20, 30, 3), np.float32)
    photo[:, 15:] = 0.5
    sigmas = deviations(photo)
    assert sigmas[:, :12] == pytest.approx(DARK_SIGMA)
    assert sigmas[:, 13:] == pytest.approx(SIGMA)
