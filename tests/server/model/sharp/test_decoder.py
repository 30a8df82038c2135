"""Fusion blocks, the decoder and the disparity head against formulas of single numbers."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.decoder import Fusion, MultiresDecoder, ResidualUnit
from sharp_xr.model.sharp.depth import disparity_head


def relu(x: float) -> float:
    return max(x, 0.0)


def set_point(conv: nn.Module, weight: float, bias: float = 0.0) -> None:
    """Makes a convolution multiply each pixel and each channel by one number, and add another."""
    assert isinstance(conv, nn.Conv2d)
    middle = conv.kernel_size[0] // 2
    with torch.no_grad():
        conv.weight.zero_()
        for channel in range(min(conv.weight.shape[:2])):
            conv.weight[channel, channel, middle, middle] = weight
        if conv.bias is not None:
            conv.bias.fill_(bias)


def set_unit(unit: ResidualUnit, inner: tuple[float, float], outer: tuple[float, float]) -> None:
    set_point(unit.residual[1], *inner)
    set_point(unit.residual[3], *outer)


def flat(value: float, side: int = 3, channels: int = 1) -> Tensor:
    return torch.full((1, channels, side, side), value)


@torch.no_grad()
def test_a_residual_unit_adds_to_what_came_and_not_to_its_positive_part() -> None:
    unit = ResidualUnit(1)
    set_unit(unit, (2.0, 0.5), (-3.0, 0.25))
    for u in (-1.5, 0.75):
        wanted = u - 3.0 * relu(2.0 * relu(u) + 0.5) + 0.25
        torch.testing.assert_close(unit(flat(u)), flat(wanted))
    set_unit(unit, (2.0, -4.0), (-3.0, 0.25))  # the second ReLU
    torch.testing.assert_close(unit(flat(1.0)), flat(1.25))


@torch.no_grad()
def test_a_fusion_refines_the_skip_then_the_sum_then_doubles_then_projects() -> None:
    fusion = Fusion(1, double=True)
    set_unit(fusion.resnet1, (1.0, 0.0), (2.0, 0.0))  # R(u) = u + 2 relu(u)
    set_unit(fusion.resnet2, (1.0, 0.0), (-0.5, 1.0))  # R(u) = u - relu(u) / 2 + 1
    phases = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    fusion.state_dict()["deconv.weight"][0, 0] = phases
    set_point(fusion.out_conv, 10.0, 5.0)
    x, skip = -2.0, 3.0
    mixed = (x + 3 * skip) / 2 + 1
    wanted = 10 * phases * mixed + 5  # and no bias in the doubling
    torch.testing.assert_close(fusion(flat(x), flat(skip)), wanted.repeat(3, 3)[None, None])
    wanted = 10 * phases * (x + 1) + 5  # alone, x is not refined by resnet1
    torch.testing.assert_close(fusion(flat(x)), wanted.repeat(3, 3)[None, None])


@torch.no_grad()
def test_without_doubling_a_fusion_keeps_the_size() -> None:
    fusion = Fusion(1, double=False)
    assert fusion(flat(1.0), flat(1.0)).shape == (1, 1, 3, 3)
    assert not any("deconv" in name for name in fusion.state_dict())


def doubled(x: Tensor, times: int) -> Tensor:
    """Each pixel 2^times as wide and high."""
    return x.repeat_interleave(2**times, 2).repeat_interleave(2**times, 3)


def transparent(channels: int) -> MultiresDecoder:
    """A decoder that only doubles and adds."""
    decoder = MultiresDecoder([channels] * 5, channels)
    for level, fusion in enumerate(decoder.fusions):
        assert isinstance(fusion, Fusion)
        for unit in (fusion.resnet1, fusion.resnet2):
            set_unit(unit, (0.0, 0.0), (0.0, 0.0))
        set_point(fusion.out_conv, 1.0)
        if level:
            set_point(decoder.convs[level], 1.0)
            doubling = torch.eye(channels)[:, :, None, None].expand(-1, -1, 2, 2)
            fusion.state_dict()["deconv.weight"].copy_(doubling)
    return decoder


def features(channels: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, channels, 32 >> i, 32 >> i, generator=generator) for i in range(5)]


@torch.no_grad()
def test_the_decoder_adds_each_feature_at_its_own_size() -> None:
    e = features(2)
    wanted = sum(doubled(feature, level) for level, feature in enumerate(e))
    torch.testing.assert_close(transparent(2)(e), wanted)


@torch.no_grad()
def test_the_coarsest_fusion_never_uses_its_refinement_of_a_skip() -> None:
    decoder, e = transparent(2), features(2)
    fusion = decoder.fusions[4]
    assert isinstance(fusion, Fusion)
    for parameter in fusion.resnet1.parameters():
        parameter.fill_(torch.nan)
    assert decoder(e).isfinite().all()


@torch.no_grad()
def test_lateral_projections_see_their_neighbours_but_for_the_finest() -> None:
    decoder = transparent(1)
    for level in range(1, 5):
        decoder.convs[level].state_dict()["weight"][0, 0] = torch.arange(9.0).reshape(3, 3)
        e = [torch.zeros_like(feature) for feature in features(1)]
        e[level][0, 0, 1, 0] = 1.0
        # A point spreads as the kernel turned by half a turn; a column of it is outside.
        around = torch.zeros_like(e[level])
        seen = torch.tensor([[7.0, 6.0], [4.0, 3.0], [1.0, 0.0]])[: e[level].shape[2]]
        around[0, 0, :3, :2] = seen
        torch.testing.assert_close(decoder(e), doubled(around, level))


def test_the_finest_projection_has_weights_only_where_the_width_changes() -> None:
    same = MultiresDecoder([8, 4, 4, 4, 4], 8).state_dict()
    other = MultiresDecoder([8, 4, 4, 4, 4], 6).state_dict()
    assert "convs.0.weight" not in same and other["convs.0.weight"].shape == (6, 8, 1, 1)
    assert not any("bias" in name for name in other if name.startswith("convs."))


@torch.no_grad()
def test_disparity_is_linear_up_to_the_first_relu_and_never_negative() -> None:
    head = disparity_head(replace(TINY, depth_dim=1, depth_head_dims=(1, 1)))
    numbers, phases = head.state_dict(), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    set_point(head[0], 1.0, -5.0)
    numbers["1.weight"][0, 0] = phases
    numbers["1.bias"].fill_(-1.0)
    set_point(head[2], -2.0, 1.0)
    numbers["4.weight"][:, 0, 0, 0] = torch.tensor([1.0, -1.0])
    numbers["4.bias"].copy_(torch.tensor([-20.0, 30.0]))
    narrow = -2 * (phases * (2.0 - 5.0) - 1) + 1  # 9, 15, 21, 27: all before was negative
    wanted = torch.stack([(narrow - 20).clamp(min=0), 30 - narrow]).repeat(1, 3, 3)[None]
    torch.testing.assert_close(head(flat(2.0)), wanted)
    # 10 makes the narrow map negative; the first ReLU leaves the biases.
    assert head(flat(10.0)).amax((0, 2, 3)).tolist() == [0.0, 30.0]
