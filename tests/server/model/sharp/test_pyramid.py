"""The picture at three scales, cut into tiles, and their features joined: where everything lies."""

from __future__ import annotations

from collections.abc import Collection

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.pyramid import SlidingPyramid, cut, kept, merge, pyramid, upsampler


def coordinates(side: int) -> Tensor:
    """[1, 2, side, side]: a picture that holds its own columns and rows."""
    index = torch.arange(side, dtype=torch.float32)
    return torch.stack([index.expand(side, side), index[:, None].expand(side, side)])[None]


# --- scales --------------------------------------------------------------------------------------


def test_half_the_size_is_the_mean_of_two_by_two_pixels() -> None:
    x0 = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    same, x1, _ = pyramid(x0)
    wanted = (x0[..., ::2, ::2] + x0[..., 1::2, ::2] + x0[..., ::2, 1::2] + x0[..., 1::2, 1::2]) / 4
    assert torch.equal(same, x0)
    torch.testing.assert_close(x1, wanted, rtol=0, atol=1e-6)


def test_a_quarter_of_the_size_is_the_mean_of_the_middle_of_four_by_four_pixels() -> None:
    x0 = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    middle = [x0[..., y::4, x::4] for y in (1, 2) for x in (1, 2)]
    wanted = torch.stack(middle).mean(0)
    torch.testing.assert_close(pyramid(x0)[2], wanted, rtol=0, atol=1e-6)


def test_both_are_bilinear_sampling_without_antialiasing() -> None:
    x0 = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for level, factor in zip(pyramid(x0)[1:], (0.5, 0.25), strict=True):
        wanted = functional.interpolate(
            x0, scale_factor=factor, mode="bilinear", align_corners=False
        )
        torch.testing.assert_close(level, wanted, rtol=0, atol=1e-6)


# --- tiles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "count", "stride"), [(1536, 5, 288), (768, 3, 192)])
def test_tiles_are_384_pixels_row_by_row_and_reach_both_borders(
    side: int, count: int, stride: int
) -> None:
    tiles = cut(coordinates(side), count)
    assert tiles.shape == (count * count, 2, 384, 384)
    first = [(int(x), int(y)) for x, y in tiles[:, :, 0, 0]]
    assert first == [(stride * i, stride * j) for j in range(count) for i in range(count)]
    last = [(int(x), int(y)) for x, y in tiles[:, :, -1, -1]]
    assert last == [(x + 383, y + 383) for x, y in first] and last[-1] == (side - 1, side - 1)


def test_of_several_photos_each_tile_comes_for_all_before_the_next() -> None:
    photos = torch.arange(3.0)[:, None, None, None].expand(3, 1, 32, 32)
    assert cut(photos, 5)[:, 0, 0, 0].tolist() == [0.0, 1.0, 2.0] * 25
    assert merge(photos[:, :, :8, :8].repeat(25, 1, 1, 1), 5)[:, 0, 0, 0].tolist() == [0, 1, 2]


# --- merging -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "widths"), [(5, [21, 18, 18, 18, 21]), (3, [18, 12, 18])], ids=["x0", "x1"]
)
def test_of_each_tile_half_of_an_overlap_is_kept_and_nothing_is_cut_at_borders(
    count: int, widths: list[int]
) -> None:
    spans = [kept(index, count, 24) for index in range(count)]
    assert [span.stop - span.start for span in spans] == widths
    assert spans[0].start == 0 and spans[-1].stop == 24


@pytest.mark.parametrize(("count", "side"), [(5, 96), (3, 48)], ids=["x0", "x1"])
def test_tiles_that_hold_their_coordinates_merge_to_a_perfect_ramp(count: int, side: int) -> None:
    assert torch.equal(merge(cut(coordinates(side), count), count), coordinates(side))


# --- which feature comes from where --------------------------------------------------------------

GRID, SIDE = TINY.grid, 4 * TINY.grid


class Labels(nn.Module):
    """In a transformer's place: tokens that say from which output and which tile they are."""

    grid = GRID

    def __init__(self, name: float) -> None:
        super().__init__()
        self.label = name
        self.tiles = torch.empty(0)

    def forward(self, tiles: Tensor, hooks: Collection[int] = ()) -> tuple[Tensor, list[Tensor]]:
        self.tiles = tiles
        tile = torch.arange(float(len(tiles)))[:, None, None]
        tokens = tile.expand(-1, 1 + GRID**2, 1)
        last, *hooked = (
            torch.cat([tokens, torch.full_like(tokens, self.label + k)], 2)
            for k in (0, *(1 + hook for hook in sorted(hooks)))
        )
        return last, hooked

    def token_map(self, tokens: Tensor) -> Tensor:
        return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, GRID, GRID)


def tiles_of(count: int, first: int) -> Tensor:
    """[n, n] of a merged map at the tiny size: which tile each token is from."""
    spans = [kept(index, count, GRID) for index in range(count)]
    owner = torch.cat([torch.full((s.stop - s.start,), float(i)) for i, s in enumerate(spans)])
    return first + owner[:, None] * count + owner


def labelled() -> tuple[SlidingPyramid, Labels, Labels]:
    """An encoder with nothing in it but where things go; its two transformers."""
    encoder, patches, whole = SlidingPyramid(TINY), Labels(10.0), Labels(20.0)
    for name, _ in list(encoder.named_children()):
        setattr(encoder, name, nn.Identity())
    setattr(encoder, "patch_encoder", patches)  # noqa: B010
    setattr(encoder, "image_encoder", whole)  # noqa: B010
    return encoder, patches, whole


def test_one_transformer_sees_35_tiles_from_fine_to_coarse_and_the_other_the_whole() -> None:
    encoder, patches, whole = labelled()
    shape = (1, 3, TINY.side_px, TINY.side_px)
    x0 = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    x1, x2 = functional.avg_pool2d(x0, 2), pyramid(x0)[2]
    encoder(x0)
    assert torch.equal(patches.tiles, torch.cat([cut(x0, 5), cut(x1, 3), x2]))
    assert torch.equal(whole.tiles, x2)


def test_each_feature_comes_from_its_hook_its_level_and_its_tiles() -> None:
    encoder, _, _ = labelled()
    early, later = (11.0 + hook for hook in TINY.hooks)
    e0, e1, e2, e3, e4 = (x[0] for x in encoder(torch.zeros(1, 3, TINY.side_px, TINY.side_px)))
    for feature, label, tiles in (
        (e0, early, tiles_of(5, 0)),
        (e1, later, tiles_of(5, 0)),
        (e2, 10.0, tiles_of(5, 0)),
        (e3, 10.0, tiles_of(3, 25)),
        (e4[:2], 10.0, torch.full((GRID, GRID), 34.0)),
        (e4[2:], 20.0, torch.zeros(GRID, GRID)),
    ):
        assert torch.equal(feature[0], tiles) and torch.all(feature[1] == label)


def test_upsampling_is_linear_and_has_one_doubling_for_each_step() -> None:
    layers = upsampler(4, 3, steps=2)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.ConvTranspose2d, nn.ConvTranspose2d]
    x = torch.rand(1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert layers(x).shape == (1, 3, 8, 8)
        torch.testing.assert_close(layers(-2 * x), -2 * layers(x))
        # The pixel (1, 2) of the result is token (0, 0): offset (0, 1), then (1, 0).
        first, second, third = (layer.state_dict()["weight"] for layer in layers)
        token = first[:, :, 0, 0] @ x[0, :, 0, 0]
        pixel = (token @ second[:, :, 0, 1]) @ third[:, :, 1, 0]
        torch.testing.assert_close(layers(x)[0, :, 1, 2], pixel)
