"""The encoder: a picture cut into tiles at three scales, their features joined (section 2).

    x0 1536 --25 tiles, 25 % overlap--+
    x1  768 --9 tiles, 50 % overlap---+--35 tiles--> patch_encoder --merge--> e0 e1 e2 | e3 | g2
    x2  384 --1 tile------------------+                                                     |
         \\-----------------------------------------> image_encoder ------------------> gl --+--> e4

Depth Pro's "sliding pyramid network". Overlapping tiles are merged by cutting half of the overlap
off each: no blending, and nothing is cut at the picture's border.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.model.sharp.config import SharpConfig
from sharp_xr.model.sharp.vit import VisionTransformer

FINE, MIDDLE = 5, 3
"""Tiles along a side of x0 and of x1."""
FINE_TILES, MIDDLE_TILES = FINE * FINE, MIDDLE * MIDDLE
TILES = FINE_TILES + MIDDLE_TILES + 1


class SlidingPyramid(nn.Module):
    """See the module. Names are the checkpoint's."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.config = config
        width = config.vit_width
        e0, e1, e2, e3, e4 = config.encoder_dims
        self.patch_encoder = VisionTransformer(config)
        self.image_encoder = VisionTransformer(config)
        self.upsample_latent0 = upsampler(width, e0, steps=3)
        self.upsample_latent1 = upsampler(width, e1, steps=2)
        self.upsample0 = upsampler(width, e2, steps=1)
        self.upsample1 = upsampler(width, e3, steps=1)
        self.upsample2 = upsampler(width, e4, steps=1)
        self.upsample_lowres = nn.ConvTranspose2d(width, e4, 2, stride=2)
        self.fuse_lowres = nn.Conv2d(2 * e4, e4, 1)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """[B, 3, S, S] in -1..1 -> e0 (S/2), e1 (S/4), ... e4 (S/32), [B, C, h, h] each."""
        x0, x1, x2 = pyramid(picture)
        tiles = torch.cat([cut(x0, FINE), cut(x1, MIDDLE), x2])
        last, hooked = self.patch_encoder(tiles, self.config.hooks)
        fine, middle, coarse = split_levels(self.patch_encoder.token_map(last), len(picture))
        early, later = (
            merge(split_levels(self.patch_encoder.token_map(x), len(picture))[0], FINE)
            for x in hooked
        )
        whole = self.image_encoder.token_map(self.image_encoder(x2)[0])
        g2, gl = self.upsample2(coarse), self.upsample_lowres(whole)
        return [
            self.upsample_latent0(early),
            self.upsample_latent1(later),
            self.upsample0(merge(fine, FINE)),
            self.upsample1(merge(middle, MIDDLE)),
            self.fuse_lowres(torch.cat([g2, gl], dim=1)),
        ]


def upsampler(width: int, channels: int, steps: int) -> nn.Sequential:
    """1 x 1, then ``steps`` doublings; linear, without biases (section 2.5)."""
    doublings = (
        nn.ConvTranspose2d(channels, channels, 2, stride=2, bias=False) for _ in range(steps)
    )
    return nn.Sequential(nn.Conv2d(width, channels, 1, bias=False), *doublings)


def pyramid(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[B, 3, S, S] -> itself, [.., S/2] and [.., S/4].

    Bilinear sampling without antialiasing: at 1/2 that is the mean of 2 x 2 pixels, at 1/4 the
    mean of the *middle* 2 x 2 of 4 x 4.
    """
    half = functional.avg_pool2d(picture, 2)
    batch, channels, height, width = picture.shape
    blocks = picture.reshape(batch, channels, height // 4, 4, width // 4, 4)
    return picture, half, blocks[:, :, :, 1:3, :, 1:3].mean(dim=(3, 5))


def cut(level: Tensor, count: int) -> Tensor:
    """[B, C, s, s] -> [count * count * B, C, T, T]: tiles row by row, the batch inside.

    The tile is 1/4 of 5 tiles' level and 1/2 of 3 tiles': the first overlap by 1/4, those by 1/2.
    """
    tile = level.shape[2] // (4 if count == FINE else 2)
    stride = (level.shape[2] - tile) // (count - 1)
    places = [stride * i for i in range(count)]
    return torch.cat([level[:, :, y : y + tile, x : x + tile] for y in places for x in places])


def split_levels(maps: Tensor, batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """[35 B, ...] in the order of the tiles -> [25 B, ...], [9 B, ...], [B, ...]."""
    fine, middle = FINE_TILES * batch, MIDDLE_TILES * batch
    return maps[:fine], maps[fine : fine + middle], maps[fine + middle :]


def kept(index: int, count: int, grid: int) -> slice:
    """The rows (or columns) of tile ``index`` of ``count`` that the merged map keeps.

    Half of the overlap goes on each inner side: 3 of 24 tokens at five tiles, 6 at three.
    """
    pad = grid // (8 if count == FINE else 4)
    return slice(0 if index == 0 else pad, grid if index == count - 1 else grid - pad)


def merge(maps: Tensor, count: int) -> Tensor:
    """[count * count * B, D, g, g] -> [B, D, n, n]; 5 tiles of 24 are 96, 3 are 48 (2.4)."""
    grid = maps.shape[2]
    tiles = maps.reshape(count, count, -1, *maps.shape[1:])
    rows = [
        torch.cat(
            [tiles[y, x][..., kept(y, count, grid), kept(x, count, grid)] for x in range(count)],
            dim=3,
        )
        for y in range(count)
    ]
    return torch.cat(rows, dim=2)
