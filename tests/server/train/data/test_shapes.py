"""Solids."""

from __future__ import annotations

import numpy as np
import pytest

from sharp_xr.train.data import shapes
from sharp_xr.train.data.mesh import Mesh


def outwardness(mesh: Mesh, middle: tuple[float, float, float]) -> np.ndarray:
    """Cosine between each corner's normal and its way from the middle, [T, 3]."""
    away = mesh.points - np.array(middle, np.float32)
    away /= np.linalg.norm(away, axis=-1, keepdims=True) + 1e-9
    return np.asarray((away * mesh.normals).sum(-1))


def test_an_ellipsoid_has_its_radii_and_looks_outwards() -> None:
    mesh = shapes.ellipsoid((1, 2, 3), (0.5, 1, 0.25))
    low, high = mesh.box
    np.testing.assert_allclose(low, [0.5, 1, 2.75], atol=1e-5)
    np.testing.assert_allclose(high, [1.5, 3, 3.25], atol=1e-5)
    assert outwardness(mesh, (1, 2, 3)).min() > 0.4
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=-1), 1, atol=1e-5)


def test_a_box_stands_on_the_ground() -> None:
    low, high = shapes.box((2, 3, 4)).box
    np.testing.assert_allclose(low, [-1, 0, -2])
    np.testing.assert_allclose(high, [1, 3, 2])


@pytest.mark.parametrize("end", [(0, 2, 0), (1, 0, 0), (-0.3, 0.4, 0.5)])
def test_a_limb_reaches_from_start_to_end_with_round_ends(end: tuple[float, float, float]) -> None:
    start, tip = np.zeros(3, np.float32), np.array(end, np.float32)
    mesh = shapes.limb(start, tip, (0.1, 0.1))
    along = mesh.points.reshape(-1, 3) @ (tip / np.linalg.norm(tip))
    assert along.min() == pytest.approx(-0.1, abs=1e-3)
    assert along.max() == pytest.approx(float(np.linalg.norm(tip)) + 0.1, abs=1e-3)


def test_a_turned_cylinder_looks_outwards() -> None:
    mesh = shapes.lathe(np.array([0.0, 0.5, 1.0]), np.array([0.2, 0.2, 0.2]))
    level = mesh.points * [1, 0, 1]
    level /= np.linalg.norm(level, axis=-1, keepdims=True)
    np.testing.assert_allclose((level * mesh.normals).sum(-1), 1, atol=1e-5)


def test_a_hanging_line_sags_in_its_middle_and_not_at_its_ends() -> None:
    a, b = np.array([0, 2, 0], np.float32), np.array([4, 2, 0], np.float32)
    line = shapes.sagging(a, b, 0.3)
    np.testing.assert_allclose(line[[0, -1]], [a, b])
    np.testing.assert_allclose(line[4], [2, 1.7, 0], atol=1e-6)


def test_a_wire_is_as_thick_as_it_says() -> None:
    low, high = shapes.wire(np.array([(0, 0, 0), (1, 0, 0), (1, 0, 2)], np.float32), 0.01).box
    np.testing.assert_allclose(low, [-0.01, -0.01, -0.01], atol=1e-4)
    np.testing.assert_allclose(high, [1.01, 0.01, 2.01], atol=1e-4)


def test_a_stretched_solid_keeps_normals_at_right_angles_to_it() -> None:
    ball = shapes.ellipsoid((0, 0, 0), (1, 1, 1))
    flat = ball.stretched(np.array([2, 0.5, 1], np.float32))
    right = shapes.ellipsoid((0, 0, 0), (2, 0.5, 1))
    np.testing.assert_allclose(flat.points, right.points, atol=1e-5)
    np.testing.assert_allclose(flat.normals, right.normals, atol=1e-4)
