"""The vision transformer: one tile of the picture in, one vector per patch out (section 2.1).

    tile [B, 3, 384, 384] --patches--> [B, 576, D] --class token, positions--> [B, 577, D]
        --24 blocks: x += attention(x), x += mlp(x)--> norm --> [B, 577, D]

DINOv2's ViT-L/16 (Oquab et al. 2023) as in Depth Pro (Bochkovskii et al. 2024): pre-norm blocks
with LayerScale, exact GELU, no register tokens, learned positions for exactly this tile size.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharp_xr.model.sharp.config import PATCH_PX, SharpConfig

NORM_EPS = 1e-6


class VisionTransformer(nn.Module):
    """See the module. Names are the checkpoint's."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.grid = config.grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.vit_width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, config.vit_width))
        self.patch_embed = PatchEmbedding(PATCH_PX, config.vit_width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.vit_depth))
        self.norm = nn.LayerNorm(config.vit_width, eps=NORM_EPS)
        # In the checkpoint since the classifier's days; never evaluated.
        self.head = nn.Linear(config.vit_width, config.vit_classes)

    def forward(self, tiles: Tensor, hooks: Collection[int] = ()) -> tuple[Tensor, list[Tensor]]:
        """[B, 3, T, T] -> [B, 1 + n, D] normed, and the raw outputs of the blocks in ``hooks``."""
        x = self.embed(tiles)
        hooked = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in hooks:
                hooked.append(x)
        return self.norm(x), hooked

    def embed(self, tiles: Tensor) -> Tensor:
        """[B, 3, T, T] -> [B, 1 + n, D]: class token first, then all get their positions."""
        patches = self.patch_embed(tiles)
        cls = self.cls_token.expand(len(tiles), -1, -1)
        return torch.cat([cls, patches], dim=1) + self.pos_embed

    def token_map(self, tokens: Tensor) -> Tensor:
        """[B, 1 + n, D] -> [B, D, grid, grid]; the class token goes."""
        batch, _, width = tokens.shape
        return tokens[:, 1:].transpose(1, 2).reshape(batch, width, self.grid, self.grid)


class PatchEmbedding(nn.Module):
    """[B, 3, T, T] -> [B, n, D], row by row."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, tiles: Tensor) -> Tensor:
        """See the class."""
        projected: Tensor = self.proj(tiles)
        return projected.flatten(2).transpose(1, 2)


class Block(nn.Module):
    """``x += ls1 attention(norm1 x)``, then ``x += ls2 mlp(norm2 x)``, on [B, N, D]."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        width = config.vit_width
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, config.vit_heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, config.vit_mlp)
        self.ls2 = LayerScale(width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        mixed: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return mixed


class Attention(nn.Module):
    """Multi-head self-attention; softmax(q k / sqrt(head dim)) v."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, D] -> [B, N, D]."""
        batch, count, width = x.shape
        qkv = self.qkv(x).reshape(batch, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # [B, heads, N, head dim] each
        mixed = functional.scaled_dot_product_attention(q, k, v)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected


class LayerScale(nn.Module):
    """A learned factor per channel (Touvron et al. 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        return x * self.gamma


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        mixed: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return mixed
