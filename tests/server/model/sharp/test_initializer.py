"""Depth, its normalisation and the base Gaussians: numbers worked out from the specification."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sharp_xr.model.sharp.initializer import cell_centres, initialize, metric_depth, normalised


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def test_depth_is_the_disparity_factor_over_disparity_within_limits() -> None:
    disparity = torch.tensor([0.0, 1e-5, 0.5, 2.0, 1e6]).reshape(1, 1, 1, 5).expand(2, 2, 3, 5)
    depth = metric_depth(disparity, torch.tensor([1.0, 3.0]))
    assert depth.shape == (2, 2, 3, 5)
    assert depth[0, 1, 2].tolist() == pytest.approx([1e4, 1e4, 2.0, 0.5, 1e-4])
    assert depth[1, 0, 0].tolist() == pytest.approx([3e4, 3e4, 6.0, 1.5, 3e-4])


@pytest.mark.parametrize("layer", [0, 1])
def test_the_nearest_pixel_of_both_layers_is_the_unit_of_depth(layer: int) -> None:
    depth = 3 + random(1, 2, 4, 4)
    depth[0, layer, 2, 1] = 1.5
    near_one, global_scale = normalised(depth)
    assert float(global_scale) == pytest.approx(1.5 + 1e-6, rel=1e-12)
    torch.testing.assert_close(near_one, depth / (1.5 + 1e-6), rtol=1e-12, atol=0)


def test_the_unit_is_a_millionth_of_a_metre_more_than_the_nearest_depth() -> None:
    near_one, global_scale = normalised(torch.full((1, 2, 2, 2), 1e-5, dtype=torch.float64))
    assert float(global_scale) == pytest.approx(1.1e-5)
    assert float(near_one.max()) == pytest.approx(1 / 1.1)


def test_what_is_100_times_farther_than_the_nearest_is_put_there() -> None:
    depth = torch.tensor([2.0, 100.0, 250.0, 1e4]).expand(1, 2, 4, 4)
    assert normalised(depth)[0][0, 0, 0].tolist() == pytest.approx(
        [1.0, 50.0, 100.0, 100.0], rel=1e-5
    )


def test_photos_of_a_batch_have_units_of_their_own() -> None:
    depth = torch.cat([1 + random(1, 2, 4, 4), 7 + random(1, 2, 4, 4, seed=1)])
    together, scales = normalised(depth)
    for i in range(2):
        alone, scale = normalised(depth[i : i + 1])
        assert torch.equal(together[i], alone[0]) and torch.equal(scales[i], scale[0])


def test_cells_are_centred_on_pairs_of_pixels() -> None:
    centres = cell_centres(768, torch.zeros(1, dtype=torch.float64))
    assert centres.shape == (1, 2, 1, 768, 768)
    x, y = centres[0, :, 0]
    # Pixel j of 1536 spans 2 j / 1536 - 1 to 2 (j + 1) / 1536 - 1; the seam of the first two is 1.
    assert float(x[5, 0]) == pytest.approx(2 * 1 / 1536 - 1, abs=1e-12)
    assert float(x[0, 767]) == pytest.approx(2 * 1535 / 1536 - 1, abs=1e-12)
    assert float(x[9, 100]) == pytest.approx(2 * 201 / 1536 - 1, abs=1e-12)
    assert torch.equal(y, x.T)


def test_a_cell_takes_the_nearest_of_its_four_depths_layer_by_layer_and_the_mean_colour() -> None:
    image, depth = random(1, 3, 8, 8), 1 + 9 * random(1, 2, 8, 8, seed=1)
    base, _ = initialize(image, depth)
    quads = [(y, x) for y in (0, 1) for x in (0, 1)]
    nearest = torch.stack([depth[..., y::2, x::2] for y, x in quads]).amin(0)
    color = torch.stack([image[..., y::2, x::2] for y, x in quads]).mean(0)
    unit = depth.min() + 1e-6
    torch.testing.assert_close(base.inverse_depth, (unit / nearest)[:, None])
    torch.testing.assert_close(base.colors.expand(1, 3, -1, 4, 4)[:, :, 0], color)
    assert float(base.global_scale) == pytest.approx(float(unit))


def test_the_decoder_is_shown_colours_and_both_inverse_depths_from_minus_one_to_one() -> None:
    image, depth = random(1, 3, 8, 8), 1 + 400 * random(1, 2, 8, 8, seed=1)
    depth[0, 1, 0, 0] = 1.0
    _, shown = initialize(image, depth)
    inverse = ((1 + 1e-6) / depth).clamp(min=0.01)
    torch.testing.assert_close(shown[:, :3], 2 * image - 1)
    torch.testing.assert_close(shown[:, 3:], 2 * inverse - 1)
