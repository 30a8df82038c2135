"""One batch, from pictures to terms."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from tests.server.train.blurs import Blurs
from tests.server.train.planes import Planes
from torch import Tensor

from sharp_xr.model.lite_gaussians import LiteGaussians
from sharp_xr.train.networks import CONFIGS, build, freeze, training_mode
from sharp_xr.train.objective import Weights, total
from sharp_xr.train.samples import Batch, batch_of
from sharp_xr.train.step import Drawn, Manner, Step, draw, novel_mask

PLAIN = Manner()


def step_of(name: str, manner: Manner = PLAIN) -> Step:
    torch.manual_seed(0)
    network = build(CONFIGS[name])
    freeze(network, adjustment=manner.adjustment)
    training_mode(network)
    return Step(network, manner, Blurs())


def batch(count: int = 2, size: int = 32) -> Batch:
    return batch_of(Planes(), 0, 0, range(count), (size, size))


@pytest.mark.parametrize("name", ["tiny-lite", "tiny-sharp"])
def test_a_step_moves_all_that_is_not_frozen(name: str) -> None:
    step = step_of(name)
    size = 128 if name == "tiny-sharp" else 32
    # Zero to begin with, so that nothing below them would move.
    for parameter in step.network.parameters():
        if parameter.requires_grad and not parameter.abs().sum():
            torch.nn.init.normal_(parameter, std=0.02)
    size = CONFIGS[name].side_px if name == "tiny-sharp" else size  # type: ignore[union-attr]
    terms = step(batch(1, size))
    assert set(terms) == {f.name for f in dataclasses.fields(Weights)}
    assert all(term.shape == (1,) and term.isfinite().all() for term in terms.values())
    torch.autograd.backward(total(terms, Weights()).mean())
    moving = {n: p.grad for n, p in step.network.named_parameters() if p.requires_grad}
    assert not [name for name, gradient in moving.items() if gradient is None]
    assert all(g.isfinite().all() for g in moving.values() if g is not None)
    frozen = [p.grad for p in step.network.parameters() if not p.requires_grad]
    assert frozen and all(gradient is None for gradient in frozen)


def test_right_depth_draws_the_novel_view_and_wrong_depth_does_not() -> None:
    """Adjustment by hand: Gaussians at the true depth land where the novel view has them."""
    truth = batch(1, 64)
    step = step_of("tiny-lite")
    assert isinstance(step.network, LiteGaussians)

    def errors(factor: float) -> tuple[float, float]:
        network = step.network
        assert isinstance(network, LiteGaussians)
        layers = (truth.depth[:, :1] * factor).expand(-1, 2, -1, -1).contiguous()
        inverse = torch.nn.functional.avg_pool2d(1 / layers, 2)
        features = torch.zeros(1, 8, 32, 32)
        lens = truth.focal_over_width
        with torch.no_grad():
            made, _, _ = network.corrected(truth.rgb[:, 0], inverse, features, lens)
            drawn = draw(made, network.half_view(64, 64), truth)
        mask = novel_mask(truth)[0].bool()
        off = (drawn.rgb - truth.rgb).abs().mean(2)[0]
        return float(off[0].mean()), float(off[1][mask].mean())

    input_right, novel_right = errors(1.0)
    input_wrong, novel_wrong = errors(0.4)
    assert input_right == pytest.approx(input_wrong, abs=5e-3) and input_right < 0.08
    assert novel_right < 0.7 * novel_wrong


def test_the_photo_s_own_view_can_count_more_in_the_colour_term() -> None:
    none, one, three = (
        step_of("tiny-lite", dataclasses.replace(PLAIN, own_view=factor))(batch())["color"]
        for factor in (0.0, 1.0, 3.0)
    )
    assert (one > none).all()
    torch.testing.assert_close(three - none, 3 * (one - none))


def test_what_a_novel_view_shows_beyond_the_photo_costs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step, aside = step_of("tiny-lite"), batch().novel_from_input.clone()
    aside[:, :2, 3] = torch.tensor([1.5, -0.5])
    far = dataclasses.replace(batch(), novel_from_input=aside)
    inside = novel_mask(far) > 0
    assert 0.3 < inside.float().mean() < 0.7

    def terms(where: Tensor) -> dict[str, Tensor]:
        """As if the novel view came out otherwise there."""

        def otherwise(*made: Any) -> Drawn:
            drawn = draw(*made)
            rgb, alpha = drawn.rgb.clone(), drawn.alpha.clone()
            rgb[:, 1] = torch.where(where[:, None], 1 - rgb[:, 1], rgb[:, 1])
            alpha[:, 1] = torch.where(where, 0.5, alpha[:, 1])
            return dataclasses.replace(drawn, rgb=rgb, alpha=alpha)

        monkeypatch.setattr("sharp_xr.train.step.draw", otherwise)
        found: dict[str, Tensor] = step(far)
        return found

    as_it_is = terms(torch.zeros_like(inside))
    for name, term in terms(~inside).items():
        assert torch.equal(term, as_it_is[name]), name
    costs = {name for name, term in terms(inside).items() if (term != as_it_is[name]).all()}
    assert costs == {"color", "alpha", "perceptual"}


def test_terms_are_each_picture_s_own() -> None:
    """So that processes which share a batch agree with one that has it all."""
    step = step_of("tiny-lite")
    both = step(batch(2))
    one = step(Batch(*(t[1:] for t in vars(batch(2)).values())))
    for name, term in one.items():
        # On a plateau the last bit, which is another in a larger batch, says which cell is nearer,
        # and so what colour each shows: of lite's rules.
        torch.testing.assert_close(both[name][1:], term, rtol=3e-3, atol=1e-6)


def test_what_weighs_nothing_is_not_computed() -> None:
    weights = Weights(perceptual=0, tv=0, scale=0)
    step = Step(step_of("tiny-lite").network, Manner(weights, adjustment=False), None)
    assert set(step(batch())) == {"color", "alpha", "depth", "grad", "delta", "splat"}


def test_bfloat16_is_near_and_leaves_losses_in_float32() -> None:
    plain, half = (step_of("tiny-lite", Manner(bf16=bf16))(batch()) for bf16 in (False, True))
    for name in ("color", "alpha", "depth", "scale"):
        assert half[name].dtype == torch.float32
        torch.testing.assert_close(half[name], plain[name], rtol=0.1, atol=0.02)
    assert any(not torch.equal(half[n], plain[n]) for n in plain)


def test_surgery_changes_no_gradient_of_the_network() -> None:
    gradients = []
    for surgery in (True, False):
        step = step_of("tiny-lite", Manner(surgery=surgery))
        torch.autograd.backward(total(step(batch()), Weights()).mean())
        assert isinstance(step.network, LiteGaussians)
        gradients.append(step.network.head.out.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-6, atol=1e-6)
