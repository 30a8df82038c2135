"""What learned corrections begin with is what the rules make."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharp_xr.gaussians import Float32
from sharp_xr.model.grid import Grid
from sharp_xr.model.initializer import OPACITY, surface_gaussians
from sharp_xr.model.layers import torn_edges
from sharp_xr.model.lite_gaussians import cell_centres
from sharp_xr.model.lite_start import DEPTH, Start, start
from sharp_xr.model.sharp.composer import NdcGaussians, compose
from sharp_xr.model.sharp.initializer import Base
from sharp_xr.model.sharp.initializer import normalised as near_one
from sharp_xr.model.sharp.unprojection import unproject

ROWS, COLUMNS = 64, 96
FOCAL = 80.0
BOX = (slice(16, 48), slice(32, 64))
GREY, RED = 0.5, (0.9, 0.1, 0.1)


def grid() -> Grid:
    return Grid(ROWS, COLUMNS, FOCAL, FOCAL, COLUMNS / 2, ROWS / 2)


def begun(inverse: Float32, image: Tensor, behind: float = 0.2) -> Start:
    both = torch.from_numpy(np.stack([inverse, np.full_like(inverse, behind)]))[None]
    return start(image[None], both, both, torch.tensor([FOCAL / COLUMNS]))


def composed(inverse: Float32, made: Start, behind: float = 0.2) -> NdcGaussians:
    """Of the start alone, as a head that says 0 leaves it; the given depth is the cells'."""
    given = torch.from_numpy(np.stack([inverse, np.full_like(inverse, behind)]))[None]
    near, scale = near_one(1 / (given * made.ratio))
    base = Base(cell_centres(1 / near), (1 / near)[:, None], made.colors, scale)
    return compose(base, made.correction)


def matrices(covariances: Float32) -> NDArray[np.float64]:
    """[N, 6] -> [N, 3, 3]."""
    return covariances[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].astype(np.float64).reshape(-1, 3, 3)


def slope() -> Float32:
    """A wall that recedes to the right and a little downwards."""
    x, y = grid().slopes()
    return ((1 - 0.6 * x[None] - 0.3 * y[:, None]) / 2).astype(np.float32)


def box() -> Float32:
    inverse = np.full((ROWS, COLUMNS), 1 / 3.0, np.float32)
    inverse[BOX] = 1 / 1.2
    return inverse


def red_on_grey() -> Tensor:
    image = torch.full((3, ROWS, COLUMNS), GREY)
    image[:, BOX[0], BOX[1]] = torch.tensor(RED)[:, None, None]
    return image


def test_a_slope_gets_the_rules_gaussians() -> None:
    inverse = slope()
    image = torch.full((3, ROWS, COLUMNS), GREY)
    gaussians = composed(inverse, begun(inverse, image))
    means, covariances = unproject(gaussians, COLUMNS, ROWS * COLUMNS / ROWS, FOCAL)
    colors = np.full((ROWS, COLUMNS, 3), 0.2140, np.float32)
    wanted = surface_gaussians(inverse, torn_edges(inverse, grid()), grid(), colors)
    inside = np.zeros((ROWS, COLUMNS), np.bool_)
    inside[6:-6, 6:-6] = True  # at the border the alignment repeats cells
    seen = inside.ravel()
    visible = slice(0, ROWS * COLUMNS)
    assert means[0, visible].numpy()[seen] == pytest.approx(wanted.means[seen], rel=5e-3, abs=5e-3)
    found = matrices(covariances[0, visible].numpy()[seen])
    rules = matrices(wanted.covariances[seen])
    x, y, z = wanted.means[seen].T
    zero = np.zeros_like(z)
    onto_screen = np.array([[1 / z, zero, -x / z**2], [zero, 1 / z, -y / z**2]]).transpose(2, 0, 1)
    on_screen = (
        FOCAL**2 * onto_screen @ c @ onto_screen.transpose(0, 2, 1) for c in (found, rules)
    )
    assert next(on_screen) == pytest.approx(next(on_screen), abs=0.04)  # cells squared, of 0.4
    normal = np.array([0.6, 0.3, -1.0]) / np.sqrt(1.45)  # z = 2 + 0.6 x + 0.3 y, almost
    across = np.sqrt(np.einsum("i,nij,j->n", normal, found, normal)) / (z / FOCAL)
    assert across == pytest.approx(DEPTH, rel=0.3)
    assert gaussians.opacities[0, visible].numpy()[seen] == pytest.approx(OPACITY, abs=1e-4)
    assert gaussians.colors[0, visible].numpy()[seen] == pytest.approx(colors[inside], abs=5e-3)


def test_a_steep_slope_is_as_long_as_by_the_rules() -> None:
    """A wall that recedes to 50 m: up to 13 pitches from a cell to the next, and not torn."""
    across = np.linspace(0.5, 0.02, COLUMNS, dtype=np.float32)
    inverse = np.repeat(across[None], ROWS, 0)
    gaussians = composed(inverse, begun(inverse, torch.full((3, ROWS, COLUMNS), GREY), 0.01))
    _, covariances = unproject(gaussians, COLUMNS, ROWS, FOCAL)
    found = covariances[0, : ROWS * COLUMNS, 5].sqrt().view(ROWS, COLUMNS)[20:40, 10:-3]
    edges = torn_edges(inverse, grid())
    assert not edges[0].any()
    colors = np.full((ROWS, COLUMNS, 3), 0.2, np.float32)
    rules = surface_gaussians(inverse, edges, grid(), colors).covariances[:, 5]
    wanted = np.sqrt(rules).reshape(ROWS, COLUMNS)[20:40, 10:-3]
    assert found.numpy() == pytest.approx(wanted, rel=0.05)


def test_behind_a_box_the_wall_goes_on_in_its_own_colour_and_nowhere_else() -> None:
    inverse = box()
    made = begun(inverse, red_on_grey(), behind=1 / 3.0)
    inner = np.zeros((ROWS, COLUMNS), np.bool_)
    inner[20:44, 36:60] = True
    outer = np.ones_like(inner)
    outer[14:50, 30:66] = False
    there = made.there[0].numpy() > 0
    assert there[inner].all() and not there[outer].any()
    gaussians = composed(inverse, made, behind=1 / 3.0)
    depth, opacity = (
        t.view(2, ROWS, COLUMNS) for t in (gaussians.means[0, :, 2], gaussians.opacities)
    )
    colors = gaussians.colors.view(2, ROWS, COLUMNS, 3)
    assert depth[0][inner].numpy() == pytest.approx(1.2, rel=0.02)
    assert depth[1][inner].numpy() == pytest.approx(3.0, rel=0.05)
    assert np.ptp(colors[1][inner].numpy(), axis=-1).max() < 0.02  # grey
    assert colors[0][inner].numpy()[:, 0].min() > 0.5  # red


def test_the_second_layer_is_behind_the_first_whatever_the_network_says() -> None:
    inverse = box()
    gaussians = composed(inverse, begun(inverse, red_on_grey(), behind=5.0), behind=5.0)
    first, second = gaussians.means[0, :, 2].view(2, -1)
    assert (second > 1.005 * first).all()
