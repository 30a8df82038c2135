"""A transformer on a CPU: the same function as ../vit.py, packed.

What makes it quicker than the plain modules, exactly (section 14): packed weights; LayerNorm's
affine folded into the layer behind it and LayerScale into the layer before it; the residual added
by the layer itself; in bf16 attention of our own; and in the last block only those tokens that the
merge keeps ask (their keys and values are all there).

In bf16 the residual stream, the LayerNorms and the softmax stay in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.sharp.config import PATCH_PX, SharpConfig
from sharp_xr.model.sharp.cpu.attention import attention
from sharp_xr.model.sharp.cpu.packed import Linear, Weights
from sharp_xr.model.sharp.vit import NORM_EPS

HIDDEN_AT_ONCE = 1024
"""Of an MLP's channels in float32: sums over all 4096 at once have rounding errors 1.4 times as
large. bf16 would round each part's sum."""


class Block:
    """One transformer block, packed."""

    def __init__(self, weights: Weights, prefix: str, heads: int, dtype: torch.dtype) -> None:
        self._heads = heads

        def get(name: str) -> tuple[Tensor, Tensor]:
            return weights(f"{prefix}.{name}.weight"), weights(f"{prefix}.{name}.bias")

        self._qkv = Linear(*after_norm(*get("norm1"), *get("attn.qkv")), dtype)
        self._proj = Linear(*scaled(*get("attn.proj"), weights(f"{prefix}.ls1.gamma")), dtype)
        fc1, bias1 = after_norm(*get("norm2"), *get("mlp.fc1"))
        fc2, bias2 = scaled(*get("mlp.fc2"), weights(f"{prefix}.ls2.gamma"))
        step = HIDDEN_AT_ONCE if dtype == torch.float32 else len(bias1)
        parts = [slice(start, start + step) for start in range(0, len(bias1), step)]
        self._mlp = [
            (Linear(fc1[part], bias1[part], dtype), Linear(fc2[:, part], bias, dtype))
            for part, bias in zip(parts, [bias2, *[None] * (len(parts) - 1)], strict=True)
        ]

    def __call__(self, x: Tensor) -> Tensor:
        """[B, N, D] float32 -> the same; ``x`` may be changed."""
        return self._mixed(x, attention(self._qkv_of(x)))

    def asked_by(self, x: Tensor, rows: Tensor) -> Tensor:
        """As the block itself, for the tokens ``rows`` [M] of one tile [N, D] alone: [M, D]."""
        # Queries of tokens that do not ask cost 2 % of a block; a layer of its own would too.
        return self._mixed(x[rows][None], attention(self._qkv_of(x[None]), rows))[0]

    def _qkv_of(self, x: Tensor) -> Tensor:
        """Queries, keys and values: [B, N, 3, heads, D / heads]."""
        batch, count, width = x.shape
        return self._qkv(normed(x)).view(batch, count, 3, self._heads, width // self._heads)

    def _mixed(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = self._proj.added(mixed, to=x)
        normal = normed(x)
        for fc1, fc2 in self._mlp:
            x = fc2.added(fc1(normal, gelu=True), to=x)
        return x


def normed(x: Tensor) -> Tensor:
    """LayerNorm over channels without its affine part, which is folded into what follows."""
    return functional.layer_norm(x, x.shape[-1:], eps=NORM_EPS)


def after_norm(gain: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer behind a LayerNorm whose affine part they take over."""
    # A bias that is a little wrong is so for every token: its sum is float64's.
    return weight * gain, (bias + weight.double() @ shift.double()).float()


def scaled(weight: Tensor, bias: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer with the LayerScale behind it."""
    return weight * gamma[:, None], bias * gamma


class Transformer:
    """A packed ViT; needs 0.6 GB in bf16 and 1.2 GB in float32 at full size while it lives."""

    def __init__(
        self, weights: Weights, prefix: str, config: SharpConfig, dtype: torch.dtype
    ) -> None:
        self._config = config
        self._patch = Linear(
            weights(f"{prefix}.patch_embed.proj.weight").flatten(1),
            weights(f"{prefix}.patch_embed.proj.bias"),
            torch.float32,
        )
        self._cls = weights(f"{prefix}.cls_token")
        self._positions = weights(f"{prefix}.pos_embed")
        self._norm = weights(f"{prefix}.norm.weight"), weights(f"{prefix}.norm.bias")
        self._blocks = []
        for index in range(config.vit_depth):
            block = Block(weights, f"{prefix}.blocks.{index}", config.vit_heads, dtype)
            self._blocks.append(block)
            weights.release()

    def __call__(
        self,
        tiles: Tensor,
        keep: Sequence[Tensor],
        hooks: Sequence[int],
        step: Callable[[float], None],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Runs some tiles.

        Args:
            tiles: [B, 3, T, T] in -1..1.
            keep: for each tile the patches [M] wanted in the end, as rows of its n patches.
            hooks: blocks whose outputs are wanted as well.
            step: told the done fraction after each block.

        Returns:
            Normed tokens [M, D] of each tile, and of each hook the raw patches [B, n, D].
        """
        x = self._embedded(tiles)
        hooked = []
        for index, block in enumerate(self._blocks[:-1]):
            x = block(x)
            if index in hooks:
                hooked.append(x[:, 1:].clone())
            step((index + 1) / len(self._blocks))
        last = self._blocks[-1]
        tokens = [last.asked_by(tile, rows + 1) for tile, rows in zip(x, keep, strict=True)]
        step(1.0)
        return [
            functional.layer_norm(t, t.shape[-1:], *self._norm, NORM_EPS) for t in tokens
        ], hooked

    def _embedded(self, tiles: Tensor) -> Tensor:
        grid, patch = self._config.grid, PATCH_PX
        patches = tiles.view(len(tiles), 3, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
        embedded = self._patch(patches.reshape(len(tiles), grid * grid, -1))
        cls = self._cls.expand(len(tiles), -1, -1)
        return torch.cat([cls, embedded], dim=1) + self._positions
