"""The small network that corrects its Gaussians."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from sharp_xr.model.lite_gaussians import TINY_GAUSSIANS, LiteGaussians
from sharp_xr.model.lite_network import metric_depth, normalised
from sharp_xr.model.lite_start import start
from sharp_xr.model.sharp.network import Parts


def network(stride: int = 1) -> LiteGaussians:
    torch.manual_seed(0)
    return LiteGaussians(dataclasses.replace(TINY_GAUSSIANS, stride=stride)).eval()


def predicted(net: LiteGaussians, true: torch.Tensor | None = None) -> Parts:
    image = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return net.parts(image, torch.tensor([0.8, 1.2]), true)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_gaussian_for_each_cell_and_layer_lies_on_its_cell_s_ray(stride: int) -> None:
    parts = predicted(network(stride))
    rows, columns = 32 // stride, 64 // stride
    assert parts.gaussians.means.shape == (2, 2 * rows * columns, 3)
    x, y, z = parts.gaussians.means.view(2, 2, rows, columns, 3).unbind(-1)
    wanted_x = (torch.arange(columns) + 0.5) / (columns / 2) - 1
    wanted_y = (torch.arange(rows) + 0.5 - rows / 2) / (columns / 2)
    torch.testing.assert_close(x / z, wanted_x.expand_as(x), atol=1e-5, rtol=0)
    torch.testing.assert_close(y / z, wanted_y[:, None].expand_as(y), atol=1e-5, rtol=0)


def test_before_training_it_is_what_the_rules_make_of_the_depth_network() -> None:
    net = network()
    parts = predicted(net)
    assert not parts.delta.any()
    image = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        y = net.depth(normalised((image * 255).permute(0, 2, 3, 1)))
    small = 1 / metric_depth(y[1:], 1.2 * 64)
    cells = torch.nn.functional.interpolate(small, (32, 64), mode="bilinear", align_corners=False)
    torch.testing.assert_close(parts.depth[1:], 1 / cells)
    begun = start(image[1:], small, cells, torch.tensor([1.2]))
    z = parts.gaussians.means[1, :, 2].view(2, 32, 64)
    torch.testing.assert_close(1 / z, (cells * begun.ratio)[0], rtol=5e-3, atol=1e-4)
    opacities = parts.gaussians.opacities[1].view(2, 32, 64)
    present = torch.stack([torch.ones_like(begun.there[0]), begun.there[0]])
    torch.testing.assert_close(opacities, begun.correction[0, 13].sigmoid() * present)


def test_sharpened_depth_keeps_the_networks_gradient() -> None:
    net = network()
    image = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    parts = net.parts(image, torch.tensor([1.0]))
    inverse = 1 / parts.gaussians.means[0, :, 2].view(2, -1)
    torch.autograd.backward(inverse.log().sum())
    bias = net.depth.head.bias
    assert bias is not None and bias.grad is not None
    # y + 1 makes all of both layers e times as near; the gap, at logits of its own, the second one.
    assert bias.grad[0] == pytest.approx(2 * 32 * 64, rel=0.02)
    assert bias.grad[1] < 0


def test_true_depth_scales_both_layers_by_the_adjustment_and_nothing_without() -> None:
    net = network()
    assert net.depth_alignment.conv_out.bias is not None
    net.depth_alignment.conv_out.bias.data.fill_(0.5)
    plain, adjusted = predicted(net), predicted(net, torch.full((2, 1, 32, 64), 3.0))
    assert plain.scale is None and adjusted.scale is not None
    factor = torch.tensor(0.5).exp()
    torch.testing.assert_close(adjusted.scale, factor.expand_as(adjusted.scale))
    torch.testing.assert_close(adjusted.depth, factor * plain.depth)
    torch.testing.assert_close(adjusted.gaussians.means, factor * plain.gaussians.means)


def test_every_weight_has_a_part_in_the_prediction() -> None:
    net = network()
    image = torch.rand(1, 3, 32, 32)
    parts = net.parts(image, torch.tensor([1.0]), torch.full((1, 1, 32, 32), 2.0))
    made = vars(parts.gaussians).values()
    torch.autograd.backward(sum((t.pow(2).sum() for t in made), torch.zeros(())))
    unmoved = {name for name, p in net.named_parameters() if p.grad is None}
    assert not unmoved
