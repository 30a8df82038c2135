"""The composer: what each correction does, in numbers worked out from the specification."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sharp_xr.model.sharp.composer import NdcGaussians, compose, softplus_inverse
from sharp_xr.model.sharp.initializer import Base, cell_centres

CELLS = 4
SIDE = 2 * CELLS
COUNT = 2 * CELLS * CELLS
METRES = 2.5


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


Q = 0.01 + 0.99 * random(1, 1, 2, CELLS, CELLS)
"""Inverse depth."""
COLORS = 0.1 + 0.8 * random(1, 3, 1, CELLS, CELLS, seed=1)


def base(q: Tensor = Q, colors: Tensor = COLORS) -> Base:
    scale = torch.full((len(q),), METRES, dtype=torch.float64)
    return Base(cell_centres(CELLS, q), q, colors, scale)


def delta(values: dict[int, float | Tensor] | None = None, count: int = 1) -> Tensor:
    """[B, 14, 2, CELLS, CELLS], zero but for some attributes."""
    result = torch.zeros(count, 14, 2, CELLS, CELLS, dtype=torch.float64)
    for attribute, value in (values or {}).items():
        result[:, attribute] = value
    return result


def rows(x: Tensor) -> Tensor:
    """[2, h, w] in the order of Gaussians."""
    return x.reshape(COUNT)


def z_of(inverse: Tensor) -> Tensor:
    return 1 / (inverse + 1e-3)


def linear(srgb: Tensor) -> Tensor:
    """Of the standard curve (IEC 61966-2-1) the part above 0.04045."""
    return torch.pow((srgb + 0.055) / 1.055, 2.4)


def close(ours: Tensor, wanted: Tensor | float) -> None:
    wanted = torch.as_tensor(wanted, dtype=torch.float64).expand(ours.shape)
    torch.testing.assert_close(ours, wanted, rtol=1e-9, atol=1e-12)


def test_without_corrections_the_gaussians_are_the_base() -> None:
    g = compose(base(), delta())
    z = rows(z_of(Q[0, 0]))
    x, y = (rows(c.expand(2, -1, -1)) for c in cell_centres(CELLS, Q)[0])
    close(g.means[0], torch.stack([x * z, y * z, z], 1) * METRES)
    s0 = rows(2 * 1.0 * 2 / SIDE / Q[0, 0])  # base scale; times q z, the base depth cancels
    close(g.scales[0], (s0 * rows(Q[0, 0]) * z * METRES)[:, None])
    close(g.scales[0], (4 / SIDE * z * METRES)[:, None])
    close(g.quats[0], torch.tensor([1.0, 0.0, 0.0, 0.0]))
    close(g.opacities[0], 0.5)
    close(g.colors[0], linear(COLORS.expand(-1, -1, 2, -1, -1)[0].reshape(3, COUNT).T))


def test_gaussians_come_layer_by_layer_row_by_row() -> None:
    place = torch.arange(float(COUNT), dtype=torch.float64).reshape(2, CELLS, CELLS)
    g = compose(base(), delta({9: place}))
    assert g.quats[0, :, 3].tolist() == list(range(COUNT))


@pytest.mark.parametrize("attribute", range(14))
def test_each_correction_changes_its_own_attribute_alone(attribute: int) -> None:
    plain, changed = compose(base(), delta()), compose(base(), delta({attribute: 0.5}))
    parts = ("means", "scales", "quats", "colors", "opacities")
    columns = [(part, i) for part in parts for i in range(getattr(plain, part)[..., None].shape[2])]
    seen = [
        (part, i)
        for part, i in columns
        if not torch.equal(
            getattr(plain, part)[..., None][:, :, i], getattr(changed, part)[..., None][:, :, i]
        )
    ]
    wanted = [
        *([("means", i)] for i in range(2)),
        [*(("means", i) for i in range(3)), *(("scales", i) for i in range(3))],  # depth
        *([("scales", i)] for i in range(3)),
        *([("quats", i)] for i in range(4)),
        *([("colors", i)] for i in range(3)),
        [("opacities", 0)],
    ]
    assert seen == wanted[attribute]


def test_positions_move_by_a_thousandth_of_half_a_picture() -> None:
    g, plain = compose(base(), delta({0: 3.0, 1: -2.0})), compose(base(), delta())
    z = plain.means[0, :, 2]
    close(g.means[0, :, 0] - plain.means[0, :, 0], 3e-3 * z)
    close(g.means[0, :, 1] - plain.means[0, :, 1], -2e-3 * z)


@pytest.mark.parametrize("d", [-40.0, 25.0])
def test_inverse_depth_is_corrected_before_its_softplus(d: float) -> None:
    g = compose(base(), delta({2: d}))
    before = torch.log(torch.expm1(Q[0, 0])) + 1e-3 * d
    close(g.means[0, :, 2], rows(z_of(torch.log1p(torch.exp(before)))) * METRES)
    close(g.scales[0, :, 1], 4 / SIDE * g.means[0, :, 2])


def test_softplus_inverse_is_one_down_to_a_millionth() -> None:
    q = torch.logspace(-6, 1, 50, dtype=torch.float64)
    torch.testing.assert_close(torch.log1p(torch.exp(softplus_inverse(q))), q, rtol=1e-9, atol=0)
    least = float(softplus_inverse(torch.tensor(0.0, dtype=torch.float64)))
    assert least == pytest.approx(math.log(math.expm1(1e-6)))
    # In float32 too it may cost no more than a millionth of the depth.
    back = torch.nn.functional.softplus(softplus_inverse(q[q >= 0.01].float()))
    torch.testing.assert_close(back, q[q >= 0.01].float(), rtol=1e-5, atol=0)


def scale_factor(d: float) -> float:
    """Of all Gaussians, for a correction of the third scale."""
    g = compose(base(), delta({5: d}))
    factors = g.scales[0, :, 2] / (4 / SIDE * g.means[0, :, 2])
    assert float(factors.max() - factors.min()) < 1e-9
    return float(factors[0])


def test_scales_are_changed_by_a_factor_from_0_to_10() -> None:
    assert scale_factor(0.0) == pytest.approx(1.0, abs=1e-12)
    slope = (scale_factor(1e-4) - scale_factor(-1e-4)) / 2e-4
    assert slope == pytest.approx(1.0, abs=1e-7)
    assert scale_factor(60.0) == pytest.approx(10.0) and scale_factor(-60.0) < 1e-20
    # sigma(10 / 9 d + b), b = -2.1972246 = ln(1 / 9)
    assert scale_factor(2.0) == pytest.approx(10 / (1 + 9 * math.exp(-20 / 9)))


def test_quaternions_are_added_and_not_normalised() -> None:
    g = compose(base(), delta({6: 1.0, 7: -2.0, 8: 0.5, 9: 4.0}))
    close(g.quats[0], torch.tensor([2.0, -2.0, 0.5, 4.0]))


def test_colours_are_corrected_as_logits_of_srgb_and_become_linear() -> None:
    g = compose(base(), delta({11: -3.0}))
    c = COLORS[0, 1, 0].expand(2, -1, -1)
    odds = c / (1 - c) * math.exp(-0.3)
    close(g.colors[0, :, 1], linear(rows(odds / (1 + odds))))


def test_black_and_white_are_moved_a_hundredth_inwards() -> None:
    colors = torch.zeros(1, 3, 1, CELLS, CELLS, dtype=torch.float64)
    colors[:, 1:] = 1.0
    g = compose(base(colors=colors), delta())
    close(g.colors[0, :, 0], 0.01 / 12.92)  # the curve's straight part
    close(g.colors[0, :, 1:], ((0.99 + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("d", [-3.0, 2.0])
def test_opacity_is_the_logistic_function_of_its_correction(d: float) -> None:
    close(compose(base(), delta({13: d})).opacities[0], 1 / (1 + math.exp(-d)))


def test_each_photo_of_a_batch_has_its_own_unit_of_length() -> None:
    two = Base(
        cell_centres(CELLS, Q),
        torch.cat([Q, Q]),
        torch.cat([COLORS, COLORS]),
        torch.tensor([1.0, 3.0], dtype=torch.float64),
    )
    g: NdcGaussians = compose(two, delta(count=2))
    close(g.means[1], 3 * g.means[0])
    close(g.scales[1], 3 * g.scales[0])
    close(g.colors[1], g.colors[0])
