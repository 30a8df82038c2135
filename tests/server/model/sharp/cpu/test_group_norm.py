"""GroupNorm on large maps, against float64."""

import pytest
import torch
from torch.nn import functional

from sharp_xr.model.sharp.cpu.group_norm import group_norm


@pytest.mark.parametrize("mean", [0.0, 1.3, 30.0])
@pytest.mark.parametrize("size", [(400, 600, 32), (7, 5, 16), (1, 1, 8)])
def test_it_is_as_near_to_float64_as_float32_can_be(
    size: tuple[int, int, int], mean: float
) -> None:
    source = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(size, generator=source) + mean
    weight, bias = torch.randn(2, size[2], generator=source)
    ours = group_norm(x, 4, weight, bias)
    batch = x.double().permute(2, 0, 1)[None]
    wanted = functional.group_norm(batch, 4, weight.double(), bias.double())[0].permute(1, 2, 0)
    # Subtracting a mean of 30 costs 15 times the rounding of x itself.
    assert float((ours - wanted).abs().max()) < 2e-6 * max(1.0, mean / 2)
    assert ours.is_contiguous()


def test_each_group_has_a_mean_and_a_variance_of_its_own() -> None:
    x = torch.randn(50, 40, 8, generator=torch.Generator().manual_seed(0))
    x[:, :, 4:] = 100 * x[:, :, 4:] + 7
    normed = group_norm(x, 2, torch.ones(8), torch.zeros(8))
    for group in (normed[:, :, :4], normed[:, :, 4:]):
        assert float(group.mean()) == pytest.approx(0.0, abs=1e-5)
        assert float(group.var(correction=0)) == pytest.approx(1.0, abs=1e-4)
