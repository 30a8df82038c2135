"""The vision transformer against its formulas, written out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from sharp_xr.model.sharp.config import PATCH_PX, TINY
from sharp_xr.model.sharp.vit import Attention, Block, VisionTransformer

AnyModule = TypeVar("AnyModule", bound=nn.Module)

CONFIG = replace(TINY, vit_depth=4, hooks=(0, 1))
WIDTH, GRID, PATCH = CONFIG.vit_width, CONFIG.grid, PATCH_PX


@pytest.fixture
def vit() -> VisionTransformer:
    """Random in all that it has, float64."""
    return randomized(VisionTransformer(CONFIG))


def randomized(module: AnyModule) -> AnyModule:
    generator = torch.Generator().manual_seed(0)
    module.double().requires_grad_(False)
    for parameter in module.parameters():
        parameter.normal_(0.0, 0.25, generator=generator)
    return module


def tiles(count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (count, 3, CONFIG.tile_px, CONFIG.tile_px)
    return torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1


def test_patches_are_numbered_row_by_row_and_the_class_token_is_before_them(
    vit: VisionTransformer,
) -> None:
    x = tiles()
    tokens = vit.embed(x)
    proj = vit.patch_embed.proj
    assert proj.bias is not None
    for row, column in ((0, 0), (0, 1), (3, 2), (GRID - 1, GRID - 1)):
        patch = x[1, :, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]
        index = 1 + row * GRID + column
        wanted = (proj.weight * patch).sum((1, 2, 3)) + proj.bias + vit.pos_embed[0, index]
        torch.testing.assert_close(tokens[1, index], wanted)
    # All tokens get a position, the class token too.
    torch.testing.assert_close(tokens[1, 0], vit.cls_token[0, 0] + vit.pos_embed[0, 0])


def test_a_token_map_has_rows_of_patches_and_no_class_token(vit: VisionTransformer) -> None:
    tokens = torch.arange(1.0 + GRID**2)[None, :, None].expand(2, -1, 3)
    wanted = torch.arange(1.0, 1 + GRID**2).reshape(GRID, GRID).expand(2, 3, -1, -1)
    assert torch.equal(vit.token_map(tokens), wanted)


def test_hooks_give_the_stream_behind_their_blocks_before_any_norm(vit: VisionTransformer) -> None:
    for power, block in enumerate(vit.blocks):
        for parameter in block.parameters():
            parameter.zero_()
        numbers = block.state_dict()
        numbers["ls2.gamma"].fill_(1.0)
        numbers["mlp.fc2.bias"].fill_(10.0**power)
    x = tiles()
    last, (first, second) = vit(x, (0, 2))
    torch.testing.assert_close(first, vit.embed(x) + 1)
    torch.testing.assert_close(second, vit.embed(x) + 111)
    torch.testing.assert_close(last, normed(vit.embed(x) + 1111, vit.norm))


def normed(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Layer normalisation with the epsilon of this family, 1e-6."""
    centred = x - x.mean(-1, keepdim=True)
    deviation = ((centred**2).mean(-1, keepdim=True) + 1e-6).sqrt()
    return centred / deviation * norm.weight + norm.bias


def softmax_attention(x: Tensor, attention: Attention, heads: int) -> Tensor:
    """[N, D], one head and one token after the other."""
    width = x.shape[1]
    size = width // heads
    qkv = x @ attention.qkv.weight.T + attention.qkv.bias
    q, k, v = qkv[:, :width], qkv[:, width : 2 * width], qkv[:, 2 * width :]
    mixed = torch.empty_like(x)
    for head in range(heads):
        span = slice(head * size, (head + 1) * size)
        for token in range(len(x)):
            weights = torch.exp(k[:, span] @ q[token, span] / math.sqrt(size))
            mixed[token, span] = weights @ v[:, span] / weights.sum()
    return mixed @ attention.proj.weight.T + attention.proj.bias


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_is_softmax_of_scaled_products_head_by_head(heads: int) -> None:
    attention = randomized(Attention(12, heads))
    x = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wanted = torch.stack([softmax_attention(tile, attention, heads) for tile in x])
    torch.testing.assert_close(attention(x), wanted)


def test_a_block_norms_before_it_mixes_and_scales_before_it_adds() -> None:
    block = randomized(Block(replace(CONFIG, vit_width=12, vit_heads=3, vit_mlp=20)))
    # So small that the norms' epsilon matters.
    x = 1e-3 * torch.randn(5, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mixed = softmax_attention(normed(x, block.norm1), block.attn, 3)
    y = x + block.ls1.gamma * mixed
    hidden = normed(y, block.norm2) @ block.mlp.fc1.weight.T + block.mlp.fc1.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2  # the exact GELU
    wanted = y + block.ls2.gamma * (hidden @ block.mlp.fc2.weight.T + block.mlp.fc2.bias)
    torch.testing.assert_close(block(x[None])[0], wanted, rtol=1e-9, atol=1e-9)
