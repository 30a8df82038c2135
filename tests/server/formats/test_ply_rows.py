"""The numbers of a PLY vertex, against the same formulas in float64."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sharp_xr.formats.ply_rows import fill_rows
from sharp_xr.gaussians import Float32

SH_C0 = np.sqrt(1 / (4 * np.pi))
COUNT = 1000  # several groups of the compiled loop, the last one not full


def rows_of(**given: Float32) -> NDArray[np.float32]:
    """[N, 14] of Gaussians that are ordinary but for what is given."""
    count = len(next(iter(given.values())))
    means, quats = np.zeros((count, 3), np.float32), np.zeros((count, 4), np.float32)
    colors, scales = np.ones((2, count, 3), np.float32)
    ordinary = {"means": means, "colors": colors, "quats": quats, "scales": scales}
    ordinary["opacities"] = np.full(count, 0.5, np.float32)
    rows = np.empty((count, 14), np.float32)
    fill_rows(**ordinary | given, rows=rows)
    return rows


def test_places_and_rotations_are_copied() -> None:
    values = np.arange(COUNT * 7, dtype=np.float32).reshape(COUNT, 7)
    rows = rows_of(means=values[:, :3].copy(), quats=values[:, 3:].copy())
    np.testing.assert_array_equal(rows[:, :3], values[:, :3])
    np.testing.assert_array_equal(rows[:, 10:], values[:, 3:])


def test_f_dc_is_srgb_for_all_colours_from_black_to_far_above_white() -> None:
    colors = np.concatenate([np.linspace(0, 0.01, 1500), 10 ** np.linspace(-2, 4, 1500)])
    linear = colors.reshape(-1, 3).astype(np.float32)
    exact = linear.astype(np.float64)
    srgb = np.where(exact <= 0.0031308, 12.92 * exact, 1.055 * exact ** (1 / 2.4) - 0.055)
    found = rows_of(colors=linear)[:, 3:6].astype(np.float64)
    np.testing.assert_allclose(found, (srgb - 0.5) / SH_C0, rtol=1e-6, atol=1e-6)


def test_what_is_darker_than_black_is_black() -> None:
    assert rows_of(colors=np.full((1, 3), -0.5, np.float32))[0, 3:6] * SH_C0 == pytest.approx(-0.5)


def test_opacities_are_logits_and_keep_a_millionth_off_their_ends() -> None:
    opacities = np.concatenate([[0, 1, -1, 2], np.linspace(0, 1, COUNT)]).astype(np.float32)
    kept = opacities.clip(np.float32(1e-6), np.float32(1 - 1e-6)).astype(np.float64)
    found = rows_of(opacities=opacities)[:, 6]
    np.testing.assert_allclose(found, np.log(kept / (1 - kept)), rtol=2e-7, atol=2e-7)


def test_scales_are_natural_logarithms_down_to_a_nanometre() -> None:
    scales = (10 ** np.linspace(-12, 30, 3 * COUNT)).reshape(-1, 3).astype(np.float32)
    exact = np.log(scales.astype(np.float64).clip(np.float32(1e-9)))
    found = rows_of(scales=scales)[:, 7:10]
    np.testing.assert_allclose(found, exact, rtol=2e-7, atol=1e-7)
    assert rows_of(scales=np.ones((1, 3), np.float32))[0, 7:10].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("name", "column"), [("colors", 3), ("opacities", 6), ("scales", 7)])
def test_nan_stays_nan_in_its_own_place(name: str, column: int) -> None:
    values = np.full((5, 3) if name != "opacities" else 5, 0.25, np.float32)
    values.reshape(5, -1)[2, 0] = np.nan
    found = np.isnan(rows_of(**{name: values}))
    assert np.argwhere(found).tolist() == [[2, column]]


@pytest.mark.parametrize(("name", "column"), [("colors", 3), ("scales", 7)])
def test_infinity_stays_infinite(name: str, column: int) -> None:
    rows = rows_of(**{name: np.full((1, 3), np.inf, np.float32)})
    assert np.isposinf(rows[0, column : column + 3]).all()
