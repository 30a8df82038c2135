"""Losses, at values that can be worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sharp_xr.train.depth_losses import (
    MOST_NEARNESS,
    Target,
    absolute,
    gradient,
    layers_loss,
    parallax,
    scale_invariant,
)


def target(y: Tensor, sky: Tensor | None = None, known: Tensor | None = None) -> Target:
    ones, zeros = torch.ones_like(y), torch.zeros_like(y)
    return Target(y, ones if known is None else known, zeros if sky is None else sky)


def test_the_truth_costs_nothing() -> None:
    y = torch.randn(2, 2, 8, 8)
    visible, behind = layers_loss(y, target(y[:, 0]), target(y[:, 1]))
    assert visible.item() == 0 and behind.item() == 0


def test_a_wrong_scale_costs_once_but_not_twice() -> None:
    """A factor on depth is a constant error of y."""
    truth = target(torch.randn(2, 8, 8))
    y = truth.y + torch.tensor([0.5, -0.25])[:, None, None]
    assert absolute(y, truth).item() == pytest.approx(0.375)
    assert scale_invariant(y, truth).item() == pytest.approx(0, abs=1e-6)
    assert gradient(y, truth).item() == pytest.approx(0, abs=1e-6)


def test_a_slope_costs_its_steepness_over_each_stride() -> None:
    truth = target(torch.zeros(1, 16, 16))
    y = torch.arange(16.0).expand(1, 16, 16) * 0.1
    assert gradient(y, truth, levels=2).item() == pytest.approx((0.1 + 0.2) / 2, rel=1e-5)
    assert gradient(y.mT, truth, levels=2).item() == pytest.approx((0.1 + 0.2) / 2, rel=1e-5)


def test_an_error_of_what_is_near_costs_by_its_parallax() -> None:
    """Half of the picture is three times as near: it moves three times as far."""
    truth = target(torch.log(torch.tensor([3.0, 1.0])).repeat(1, 4, 2))
    near, far = truth.y.exp() > 2, truth.y.exp() < 2
    assert parallax(truth.y + 0.2 * near, truth).item() == pytest.approx(0.2 * 3 / 4)
    assert parallax(truth.y + 0.2 * far, truth).item() == pytest.approx(0.2 * 1 / 4)
    assert parallax(truth.y - 0.2, truth).item() == pytest.approx(0.2), "one factor, once"


def test_a_hand_before_the_lens_does_not_count_for_everything() -> None:
    q = torch.ones(1, 10, 10)
    q[0, 0, 0] = 1000.0
    truth = target(q.log())
    one = torch.zeros(1, 10, 10)
    one[0, 0, 0] = 1.0
    rest = float((q[0, 1:].sum() + q[0, 0, 1:].sum()) / q.mean())
    expected = MOST_NEARNESS / (MOST_NEARNESS + rest)
    assert parallax(truth.y + one, truth).item() == pytest.approx(expected, rel=1e-4)


def test_the_sky_may_be_farther_than_it_says_but_not_nearer() -> None:
    truth = target(torch.full((1, 4, 4), -4.0), sky=torch.ones(1, 4, 4))
    assert absolute(truth.y - 2, truth).item() == 0
    assert absolute(truth.y + 2, truth).item() == pytest.approx(2)


def test_what_is_unknown_does_not_count() -> None:
    known = torch.ones(1, 8, 8)
    known[:, 2:4] = 0
    y = torch.zeros(1, 8, 8)
    y[:, 2:4] = 9
    truth = target(torch.zeros(1, 8, 8), known=known)
    assert absolute(y, truth).item() == 0
    assert gradient(y, truth).item() == 0
    assert scale_invariant(y, truth).item() == 0
    assert parallax(y, truth).item() == 0


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    truth = target(torch.randn(2, 4, 4, dtype=torch.float64), (torch.rand(2, 4, 4) > 0.7).double())
    y = (truth.y + 0.3 * torch.randn(2, 4, 4).double()).requires_grad_()
    for loss in (absolute, parallax, scale_invariant, lambda y, t: gradient(y, t, levels=2)):
        assert torch.autograd.gradcheck(lambda y, loss=loss: loss(y, truth), (y,))
