"""The perceptual term, and that keeping its gradient in place of its graph changes nothing."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import Tensor, nn

from sharp_xr.train.memory import SavedTensors
from sharp_xr.train.objective.perceptual import cached, perceptual


class Channels:
    """Features that can be worked out by hand: the picture itself."""

    name = "channels"

    def __call__(self, srgb: Tensor) -> list[Tensor]:
        return [srgb]


class Convolutions(nn.Module):
    """Four levels that want memory."""

    name = "convolutions"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        widths = (3, 16, 16, 16, 16)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False)
        ).requires_grad_(False)

    def forward(self, srgb: Tensor) -> list[Tensor]:
        levels = [srgb]
        for layer in self.layers:
            levels.append(torch.relu(layer(levels[-1])))
        return levels[1:]


def test_features_and_gram_at_known_values() -> None:
    drawn, true = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    drawn[0, 0] = 2.0
    # Feature: 4 of half the numbers. Gram: [[4, 0], [0, 0]]: 10 * 16 / 4.
    assert perceptual(Channels(), drawn, true).item() == pytest.approx(2 + 40)
    assert perceptual(Channels(), drawn, true, gram=False).item() == pytest.approx(2)


def test_gram_forgives_where_a_texture_is_and_features_do_not() -> None:
    drawn = torch.rand(1, 3, 8, 8)
    shifted = drawn.roll(3, 3)
    with_gram = perceptual(Channels(), drawn, shifted)
    assert with_gram.item() == pytest.approx(
        perceptual(Channels(), drawn, shifted, gram=False).item(), rel=1e-5
    )


@pytest.mark.parametrize("gram", [True, False])
def test_gradients_are_those_of_finite_differences(gram: bool) -> None:
    network = Convolutions().double()
    true = torch.rand(2, 3, 6, 6).double()
    drawn = torch.rand(2, 3, 6, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: perceptual(network, x, true, gram=gram), (drawn,))
    assert torch.autograd.gradcheck(
        lambda x: cached(lambda y: perceptual(network, y, true, gram=gram), x), (drawn,)
    )


def losses(surgery: bool, meter: SavedTensors) -> tuple[Tensor, Tensor, int]:
    """Value and gradient of a loss over two drawn views, and the bytes held between them."""
    network, mixer = Convolutions(), torch.full((3, 3, 1, 1), 0.3, requires_grad=True)
    random = torch.Generator().manual_seed(2)
    views, truths = (torch.rand(2, 2, 3, 32, 32, generator=random) for _ in range(2))
    with meter:
        value = torch.zeros(())
        for view, true in zip(views, truths, strict=True):
            drawn = torch.nn.functional.conv2d(view, mixer).sigmoid()

            def term(picture: Tensor, true: Tensor = true) -> Tensor:
                return perceptual(network, picture, true)

            terms = cached(term, drawn) if surgery else term(drawn)
            value = value + (terms * torch.tensor([1.0, 0.25])).mean()
        gc.collect()
        held = meter.now
        (gradient,) = torch.autograd.grad(value, mixer)
    return value.detach(), gradient, held


def test_surgery_gives_the_same_gradients_for_a_fraction_of_the_memory() -> None:
    plain, cut = SavedTensors(), SavedTensors()
    value, gradient, held = losses(False, plain)
    cut_value, cut_gradient, cut_held = losses(True, cut)
    assert torch.equal(value, cut_value)
    torch.testing.assert_close(cut_gradient, gradient, rtol=1e-6, atol=1e-6)
    # Four levels of 16 channels in each of two views wait in the plain way; here, the gradients.
    assert cut_held < 0.15 * held
    assert cut.peak < 0.6 * plain.peak


def test_the_meter_counts_a_storage_once_and_forgets_what_is_freed() -> None:
    x = torch.rand(10, 10, requires_grad=True)
    with SavedTensors() as meter:
        y = x * 1.0
        z = (y * y).sum()
    assert meter.now == 400
    del y, z
    gc.collect()
    assert meter.now == 0 and meter.peak == 400
