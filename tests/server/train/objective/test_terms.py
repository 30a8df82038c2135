"""SHARP's terms: at values that can be worked out by hand, and against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sharp_xr.gaussians import Gaussians
from sharp_xr.model.sharp.composer import NdcGaussians
from sharp_xr.model.sharp.unprojection import unproject
from sharp_xr.render import RenderSettings, View
from sharp_xr.render.reference import project
from sharp_xr.train.objective import Weights, total
from sharp_xr.train.objective.depth import (
    disparity_error,
    scale_error,
    scale_roughness,
    second_layer_tv,
)
from sharp_xr.train.objective.gaussians import (
    PAPER_CELLS,
    floaters,
    offset_hinge,
    screen_variances,
    splat_hinge,
)
from sharp_xr.train.objective.image import color, coverage, frustum_mask


def random(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


def gaussians(means: Tensor, scales: Tensor, quats: Tensor) -> NdcGaussians:
    count = means.shape[:2]
    return NdcGaussians(means, scales, quats, torch.zeros(*count, 3), torch.ones(*count))


MASK = (random(2, 5, 6) > 0.3).double()
TRUE = random(2, 1, 5, 6) + 0.5
CASES: dict[str, tuple[Callable[[Tensor], Tensor], Tensor]] = {
    "color": (lambda x: color(x, random(2, 3, 5, 6).flip(0), MASK), random(2, 3, 5, 6)),
    "coverage": (lambda x: coverage(x, MASK), 0.1 + 0.8 * random(2, 5, 6)),
    "disparity": (lambda x: disparity_error(x, TRUE), random(2, 2, 5, 6) + 0.5),
    "second layer": (second_layer_tv, random(2, 2, 5, 6) + 0.5),
    "floaters, opacity": (lambda x: floaters(x, 50 * random(2, 1, 2, 4, 5)), random(2, 40)),
    "floaters, disparity": (lambda x: floaters(random(2, 40), x), 5 * random(2, 1, 2, 4, 5)),
    "offsets": (offset_hinge, 1000 * (random(2, 14, 2, 2, 3) - 0.5)),
    "splats": (splat_hinge, torch.tensor([[[0.05, 1.0], [150.0, 50.0]]]).double()),
    "scale": (scale_error, random(2, 1, 8, 8)),
    "roughness": (scale_roughness, random(2, 1, 16, 20)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    term, x = CASES[name]
    assert torch.autograd.gradcheck(term, (x.clone().requires_grad_(),))
    assert term(x).shape == x.shape[:1]
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(term(x).sum(), x)
    assert gradient.abs().max() > 0, "a term that nothing changes"


def test_projected_variances_have_the_gradients_of_finite_differences() -> None:
    inputs = [random(1, 4, 3) + 0.5, random(1, 4, 3) + 0.1, random(1, 4, 4) + 0.1]

    def term(means: Tensor, scales: Tensor, quats: Tensor) -> Tensor:
        return screen_variances(gaussians(means, scales, quats), 8)

    assert torch.autograd.gradcheck(term, [x.requires_grad_() for x in inputs])


def test_color_is_the_mean_over_pixels_that_count_of_each_picture() -> None:
    drawn, true, mask = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2), torch.zeros(2, 2, 2)
    drawn[0, :, 0, 0] = torch.tensor([0.3, 0.6, 0.0])
    mask[0, 0, :] = 1
    assert color(drawn, true, mask).tolist() == pytest.approx([0.15, 0.0])
    assert color(drawn, true).tolist() == pytest.approx([0.075, 0.0])


def test_a_hole_costs_its_logarithm_and_stays_finite() -> None:
    alpha = torch.tensor([[[1.0, 0.5]], [[0.0, 1.0]]], requires_grad=True)
    loss = coverage(alpha)
    assert loss.tolist() == pytest.approx([math.log(2) / 2, -math.log(1e-4) / 2])
    torch.autograd.backward(loss.sum())
    assert alpha.grad is not None and alpha.grad.isfinite().all()


def test_disparity_counts_where_truth_is_known_and_in_the_visible_layer() -> None:
    depth = torch.full((1, 2, 1, 2), 2.0)
    depth[:, 1] = 77
    true = torch.tensor([[[[4.0, 0.0]]]])
    assert disparity_error(depth, true).item() == pytest.approx(0.25)
    assert disparity_error(depth, torch.zeros(1, 1, 1, 2)).item() == 0


def test_the_second_layer_pays_for_steps_of_disparity() -> None:
    depth = torch.ones(1, 2, 4, 4)
    depth[:, 0, :, 2:] = 9
    assert second_layer_tv(depth).item() == 0
    depth[:, 1, :, 2:] = 2
    assert second_layer_tv(depth).item() == pytest.approx(0.5 * 4 / 12)
    assert second_layer_tv(depth.mT).item() == pytest.approx(0.5 * 4 / 12)


def test_a_floater_is_opaque_and_at_a_step() -> None:
    """Two cells beside a step of 0.5: slope 0.25 a cell, brought to SHARP's grid."""
    inverse = torch.full((1, 1, 1, 1, 8), 0.5)
    inverse[..., 4:] = 1.0
    opacities = torch.zeros(1, 8)
    assert floaters(opacities, inverse).item() == 0
    opacities[0, 3] = 0.8
    slope = 0.25 * 8 / PAPER_CELLS
    assert slope < 1e-2 and floaters(opacities, inverse).item() == 0
    slope = 20 * slope
    wanted = 0.8 / 8 * (1 - math.exp(-(slope - 1e-2) / 1e-2))
    assert floaters(opacities, 20 * inverse).item() == pytest.approx(wanted, rel=1e-5)


def test_a_floater_s_slope_is_the_steepest_way_up() -> None:
    """On 8 x 8 cells, of 3 a cell to the right and 4 down: 5 in all."""
    across, down = torch.arange(8.0), torch.arange(8.0)[:, None]
    opacities = torch.zeros(1, 8, 8)
    opacities[0, 3, 2] = 0.8
    for x, y, steepest in ((3, 0, 3), (0, 4, 4), (3, 4, 5)):
        inverse = (x * across + y * down).expand(1, 1, 1, 8, 8)
        slope = steepest * 8 / PAPER_CELLS
        wanted = 0.8 / 64 * (1 - math.exp(-(slope - 1e-2) / 1e-2))
        assert floaters(opacities.flatten(1), inverse).item() == pytest.approx(wanted, rel=1e-5)


def test_offsets_up_to_400_are_free() -> None:
    delta = torch.zeros(1, 14, 2, 1, 1)
    delta[:, 2:] = 1e4
    delta[:, 0] = 400
    assert offset_hinge(delta).item() == 0
    delta[0, 1, 0] = -410
    assert offset_hinge(delta).item() == pytest.approx(5)


def test_splats_from_a_tenth_to_a_hundred_square_pixels_are_free() -> None:
    free = torch.tensor([[[0.1, 100.0]]])
    assert splat_hinge(free).item() == 0
    assert splat_hinge(torch.tensor([[[0.0, 104.0]]])).item() == pytest.approx((0.1 + 4) / 2)


def test_a_base_gaussian_s_deviation_on_screen_is_its_cell() -> None:
    """Scale 2 / cells times depth, straight ahead: one cell of cells over width px."""
    z, cells, width = 3.0, 16, 64
    means = torch.tensor([[[0.0, 0.0, z]]])
    scales = torch.full((1, 1, 3), 2 / cells * z)
    quats = torch.tensor([[[1.0, 0, 0, 0]]])
    seen = screen_variances(gaussians(means, scales, quats), width)
    assert seen.flatten().tolist() == pytest.approx([(width / cells) ** 2] * 2)


def test_a_turned_gaussian_off_the_axis_is_as_wide_as_it_is_drawn() -> None:
    """Against the reference renderer; the lens, which the term does not know, cancels out."""
    one = gaussians(
        torch.tensor([[[0.7, -1.1, 2.0]]]),
        torch.tensor([[[0.02, 0.05, 0.3]]]),
        torch.tensor([[[0.8, 0.3, -0.4, 0.2]]]),
    )
    width, focal = 64, 50.0
    means, covariances = unproject(one, width, width, focal)
    scene = Gaussians(
        *(part[0].numpy() for part in (means, covariances, one.colors, one.opacities))
    )
    view = View(np.eye(4), focal, focal, width / 2, width / 2, width, width)
    ((wide, _, high),) = project(scene, view, RenderSettings(eps2d=0.0)).covariances
    seen = screen_variances(one, width)
    assert seen.flatten().tolist() == pytest.approx([wide, high], rel=1e-5)


def test_the_identity_costs_no_adjustment() -> None:
    assert scale_error(torch.ones(1, 1, 8, 8)).item() == 0
    assert scale_error(torch.full((1, 1, 8, 8), 1.2)).item() == pytest.approx(0.2)
    assert scale_roughness(torch.full((1, 1, 64, 64), 1.2)).item() == 0


def test_roughness_is_a_slope_s_steepness_at_every_size() -> None:
    """Of a ramp of 0.01 a pixel over 16 px: differences of 0.02, 0.04, 0.08 between means."""
    ramp = (0.01 * torch.arange(16.0)).expand(1, 1, 16, 16)
    assert scale_roughness(ramp).item() == pytest.approx(0.02 + 0.04 + 0.08, rel=1e-4)
    assert scale_roughness(ramp.mT).item() == pytest.approx(0.02 + 0.04 + 0.08, rel=1e-4)


def test_the_frustum_mask_is_what_the_photo_saw_and_a_little_more() -> None:
    """A plane 2 m away, seen from 0.5 m to the right: its right quarter was outside the photo."""
    lens = torch.tensor([[20.0, 20.0, 10.0, 10.0]])
    pose = torch.eye(4)[None].clone()
    pose[0, 0, 3] = 0.5
    size = torch.tensor([[20.0, 20.0]])
    mask = frustum_mask(torch.full((1, 20, 20), 2.0), lens, lens, pose, size)
    # 0.5 m at 2 m are 5 px; the margin of 1.05 allows half a pixel more.
    assert mask[0, 10].tolist() == [1.0] * 16 + [0.0] * 4
    below = torch.eye(4)[None].clone()
    below[0, 1, 3] = 0.5
    mask = frustum_mask(torch.full((1, 20, 20), 2.0), lens, lens, below, size)
    assert mask[0, :, 10].tolist() == [1.0] * 16 + [0.0] * 4
    behind = torch.eye(4)[None].clone()
    behind[0, 2, 3] = -3
    assert frustum_mask(torch.full((1, 4, 4), 2.0), lens, lens, behind, size).sum() == 0
    assert frustum_mask(torch.zeros(1, 4, 4), lens, lens, torch.eye(4)[None], size).sum() == 0


def test_weights_are_the_paper_s_and_the_sum_is_by_picture() -> None:
    paper = (1.0, 1.0, 3.0, 0.2, 1.0, 0.5, 1.0, 1.0, 0.1, 5.0)
    assert tuple(vars(Weights()).values()) == paper
    terms = {"color": torch.tensor([1.0, 2.0]), "perceptual": torch.tensor([0.5, 0.0])}
    assert total(terms, Weights()).tolist() == [2.5, 2.0]
