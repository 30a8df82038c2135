"""The depth alignment U-Net: the released names and shapes, and a map of ones where it must be."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.sharp.config import SHARP, TINY
from sharp_xr.model.sharp.depth_alignment import DepthAlignment

INVENTORY = Path(__file__).parents[5] / "shared" / "data" / "state_dict_keys.json"
"""Of the released checkpoint: names, shapes, types. Not part of the project."""


def trained(seed: int = 0) -> DepthAlignment:
    """One whose map is not 1."""
    torch.manual_seed(seed)
    module = DepthAlignment(TINY)
    with torch.no_grad():
        module.scale_map_estimator.conv_out.weight.normal_(0.0, 0.3)
    return module


def depths(height: int = 32, width: int = 48) -> tuple[Tensor, Tensor]:
    """Predicted depth of two layers, and another, true one; metres."""
    generator = torch.Generator().manual_seed(1)
    predicted = 1.0 + 5.0 * torch.rand((2, 2, height, width), generator=generator)
    true = 1.0 + 5.0 * torch.rand((2, 1, height, width), generator=generator)
    return predicted, true


@pytest.mark.skipif(not INVENTORY.exists(), reason="no inventory of the released checkpoint here")
def test_names_and_shapes_are_those_of_the_released_checkpoint() -> None:
    inventory = json.loads(INVENTORY.read_text(encoding="utf-8"))
    prefix = "depth_alignment."
    wanted = {
        key.removeprefix(prefix): shape
        for key, (shape, _) in inventory.items()
        if key.startswith(prefix)
    }
    with torch.device("meta"):
        state = DepthAlignment(SHARP).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == wanted


def test_it_has_as_many_parameters_as_the_paper_counts() -> None:
    with torch.device("meta"):
        module = DepthAlignment(SHARP)
    assert round(sum(p.numel() for p in module.parameters()) / 1e6, 3) == 2.015


def test_without_true_depth_the_map_is_one_whatever_the_weights() -> None:
    predicted, _ = depths()
    scale = trained()(predicted, None)
    assert scale.shape == (2, 1, 32, 48)
    assert torch.equal(scale, torch.ones_like(scale))


def test_an_untrained_one_changes_no_depth() -> None:
    predicted, true = depths()
    scale = DepthAlignment(TINY)(predicted, true)
    assert torch.equal(scale * predicted, predicted)


def test_a_trained_one_changes_depth_and_learns_with_all_its_weights() -> None:
    predicted, true = depths()
    module = trained()
    scale = module(predicted, true)
    assert scale.min() > 0.0
    assert scale.std() > 1e-3
    functional.l1_loss(scale * predicted[:, :1], true).backward()  # type: ignore[no-untyped-call]
    unreached = [k for k, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []


def test_the_layer_behind_does_not_tell_the_scale() -> None:
    predicted, true = depths()
    module = trained()
    other = predicted.clone()
    other[:, 1] *= 3.0
    assert torch.equal(module(predicted, true), module(other, true))
    assert torch.equal(module(predicted, true), module(predicted[:, :1], true))


def test_the_predicted_and_the_true_depth_are_told_apart() -> None:
    predicted, true = depths()
    module = trained()
    assert not torch.allclose(module(predicted, true), module(true, predicted[:, :1]))


@pytest.mark.parametrize(("height", "width"), [(16, 32), (33, 47), (20, 100), (7, 5)])
def test_a_map_has_the_size_of_the_depth_whatever_that_is(height: int, width: int) -> None:
    scale = trained()(*depths(height, width))
    assert scale.shape == (2, 1, height, width)
    assert torch.isfinite(scale).all()


def test_a_depth_of_nothing_gives_a_finite_map() -> None:
    predicted, true = depths()
    true[:, :, :8] = 0.0
    assert torch.isfinite(trained()(predicted, true)).all()


def test_the_finest_map_equals_the_formulas_of_the_specification() -> None:
    """The whole U-Net again from its weights, in functions: section 12, last part."""
    predicted, true = depths(16, 16)
    module = trained()
    weights: dict[str, Tensor] = module.state_dict()

    def conv(name: str, x: Tensor) -> Tensor:
        weight = weights[f"scale_map_estimator.{name}.weight"]
        bias = weights[f"scale_map_estimator.{name}.bias"]
        return functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    def norm(name: str, x: Tensor) -> Tensor:
        grouped = x.reshape(x.shape[0], 4, -1)
        mean = grouped.mean(2, keepdim=True)
        variance = grouped.var(2, unbiased=False, keepdim=True)
        x = ((grouped - mean) / (variance + 1e-5).sqrt()).reshape(x.shape)
        scale = weights[f"scale_map_estimator.{name}.weight"][None, :, None, None]
        shift = weights[f"scale_map_estimator.{name}.bias"][None, :, None, None]
        return x * scale + shift

    def block(name: str, x: Tensor) -> Tensor:
        inner = conv(f"{name}.residual.2", norm(f"{name}.residual.0", x).relu())
        inner = conv(f"{name}.residual.5", norm(f"{name}.residual.3", inner).relu())
        narrow = f"scale_map_estimator.{name}.shortcut.weight" in weights
        return inner + (conv(f"{name}.shortcut", x) if narrow else x)

    def double(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    x = torch.cat([1 / predicted[:, :1], 1 / true], dim=1)
    ways = [norm("encoder.conv_in.1", conv("encoder.conv_in.0", x)).relu()]
    for i in range(4):
        b, c, h, w = ways[-1].shape
        half = ways[-1].reshape(b, c, h // 2, 2, w // 2, 2).mean(dim=(3, 5))
        ways.append(block(f"encoder.convs_down.{i}.2", block(f"encoder.convs_down.{i}.1", half)))
    x = ways.pop()
    for i in range(4):
        x = block(f"decoder.convs_up.{i}.2", block(f"decoder.convs_up.{i}.1", double(x)))
        x = torch.cat([x, ways.pop()], dim=1)
    x = conv("decoder.conv_out.2", norm("decoder.conv_out.0", x).relu())
    x = conv("conv_out", norm("decoder.conv_out.3", x).relu())
    torch.testing.assert_close(module(predicted, true), x.exp(), rtol=1e-4, atol=1e-5)


def test_depth_that_is_not_known_is_taken_for_right() -> None:
    module = trained()
    predicted, true = depths()
    true[:, :, :, ::3] = 0.0
    filled = torch.where(true > 0, true, predicted[:, :1])
    assert torch.equal(module(predicted, true), module(predicted, filled))
    nothing = module(predicted, torch.zeros_like(true))
    assert torch.equal(nothing, module(predicted, predicted[:, :1]))


def test_the_factor_is_float32_whatever_the_rest_is_in() -> None:
    module = trained()
    predicted, true = depths()
    with torch.autocast("cpu", torch.bfloat16):
        scale = module(predicted, true)
    assert torch.equal(scale, module(predicted, true))
