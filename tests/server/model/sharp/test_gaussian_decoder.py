"""The Gaussian decoder's own parts: what is fused with what, norms over the map, channel order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.gaussian_decoder import (
    GaussianDecoder,
    ImageEncoder,
    NormedResidual,
    PredictionHead,
    feature_head,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def group_normed(x: Tensor, groups: int, weight: Tensor, bias: Tensor) -> Tensor:
    """[1, C, h, w]: one mean and deviation for each group of channels, over the whole map."""
    normal = torch.empty_like(x)
    size = x.shape[1] // groups
    for group in range(groups):
        channels = x[:, group * size : (group + 1) * size]
        deviation = (channels.var(correction=0) + 1e-5).sqrt()
        normal[:, group * size : (group + 1) * size] = (channels - channels.mean()) / deviation
    return normal * weight[:, None, None] + bias[:, None, None]


@torch.no_grad()
def test_a_head_normalises_eight_groups_over_the_whole_map() -> None:
    block = NormedResidual(16, 8, 16, groups=8)
    numbers = block.state_dict()
    for seed, (name, number) in enumerate(sorted(numbers.items())):
        number.copy_(
            random(*number.shape, seed=seed) / (1 if ".0." in name or ".3." in name else 4)
        )
    x = random(1, 16, 6, 5, seed=99) / 300  # so small that the epsilon matters
    y = group_normed(x, 8, numbers["residual.0.weight"], numbers["residual.0.bias"]).clamp(min=0)
    y = nn.functional.conv2d(y, numbers["residual.2.weight"], numbers["residual.2.bias"], padding=1)
    y = group_normed(y, 8, numbers["residual.3.weight"], numbers["residual.3.bias"]).clamp(min=0)
    y = nn.functional.conv2d(y, numbers["residual.5.weight"], numbers["residual.5.bias"], padding=1)
    torch.testing.assert_close(block(x), x + y, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_head_is_two_such_blocks_then_a_projection_between_two_relus() -> None:
    head = feature_head(TINY)
    names = set(head.state_dict())
    assert {name.split(".")[0] for name in names} == {"0", "1", "3"}
    for name, number in head.state_dict().items():
        if name.startswith(("0", "1")):
            number.zero_()  # each block passes on what comes
    number = head.state_dict()["3.weight"]
    x = random(1, TINY.gaussian_dim, 4, 4)
    wanted = torch.einsum("oi,bihw->bohw", number[:, :, 0, 0], x.clamp(min=0))
    wanted = (wanted + head.state_dict()["3.bias"][:, None, None]).clamp(min=0)
    torch.testing.assert_close(head(x), wanted)
    assert (wanted == 0).any() and (wanted > 0).any()


@torch.no_grad()
def test_each_two_by_two_pixels_are_one_cell_of_the_image_encoder() -> None:
    encoder = ImageEncoder(4)
    numbers, x = encoder.state_dict(), random(1, 5, 8, 8)
    wanted = torch.einsum("ocyx,cyx->o", numbers["conv.weight"], x[0, :, 4:6, 2:4])
    assert encoder(x).shape == (1, 4, 4, 4)
    torch.testing.assert_close(encoder(x)[0, :, 2, 1], wanted + numbers["conv.bias"])
    assert encoder(x).min() < 0, "no activation"


class Constant(nn.Module):
    """In the place of a part: the same map whatever comes."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, _: object) -> Tensor:
        return torch.full((1, TINY.gaussian_dim, 4, 4), self.value)


@torch.no_grad()
def test_the_image_is_the_skip_of_what_the_decoder_made_and_geometry_comes_first() -> None:
    model = GaussianDecoder(TINY)
    numbers = model.state_dict()
    for name, number in numbers.items():
        if name.startswith("fusion."):
            number.zero_()
    # The skip's refinement makes u + 2 relu(u) of it, all else passes on what comes.
    dim = TINY.gaussian_dim
    numbers["fusion.out_conv.weight"][:, :, 0, 0] = torch.eye(dim)
    numbers["fusion.resnet1.residual.1.weight"][:, :, 1, 1] = torch.eye(dim)
    numbers["fusion.resnet1.residual.3.weight"][:, :, 1, 1] = 2 * torch.eye(dim)
    parts = {"decoder": Constant(-1.0), "image_encoder": Constant(20.0)}
    heads = {"geometry_head": nn.Identity(), "texture_head": nn.Flatten(0)}
    for name, part in {**parts, **heads}.items():
        setattr(model, name, part)
    geometry, texture = model(torch.zeros(1), [])
    assert torch.equal(geometry, torch.full((1, dim, 4, 4), -1.0 + 3 * 20.0))
    assert texture.shape == (dim * 16,)


@torch.no_grad()
def test_channels_of_the_prediction_are_attribute_times_two_plus_layer() -> None:
    head = PredictionHead(TINY)
    features = random(1, TINY.gaussian_features, 2, 3)
    assert not head(features, features).any(), "an untrained head corrects nothing"
    numbers = head.state_dict()
    numbers["geometry_prediction_head.bias"].copy_(torch.arange(6.0))
    numbers["texture_prediction_head.bias"].copy_(torch.arange(6.0, 28.0))
    delta = head(features, features)
    assert delta.shape == (1, 14, 2, 2, 3)
    wanted = torch.arange(28.0).reshape(14, 2)[None, :, :, None, None].expand(1, 14, 2, 2, 3)
    assert torch.equal(delta, wanted)
    numbers["geometry_prediction_head.weight"][5, 1] = 1.0
    changed = head(features, 0 * features) - wanted
    torch.testing.assert_close(changed[0, 2, 1], features[0, 1], rtol=1e-5, atol=1e-5)
    assert changed.abs().sum() == changed[0, 2, 1].abs().sum()
