"""Seeded random checkpoints of any size whose activations stay sane.

Nothing in a network with these weights is dead, equal or saturated: residual branches matter, the
attention chooses, the two layers differ, the nearest and the farthest disparity are apart, and no
prediction head is zero. Each tensor has a generator of its own, so one tensor's numbers depend on
its name, its shape and the seed alone, and a checkpoint of 702 million can be made one by one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def random_state(
    shapes: Mapping[str, Sequence[int]], seed: int = 0, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """A checkpoint with tensors of these names and shapes."""
    return {name: random_tensor(name, shape, seed).to(dtype) for name, shape in shapes.items()}


def random_tensor(name: str, shape: Sequence[int], seed: int = 0) -> Tensor:
    """The float32 tensor of that name."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    normal = torch.empty(tuple(shape)).normal_(generator=generator)
    if name.endswith(("cls_token", "pos_embed")):
        return normal * 0.5
    if name.endswith(".gamma"):
        return torch.pow(0.1, torch.rand(tuple(shape), generator=generator))  # 0.1 to 1
    if name.endswith("predictor.head.4.bias"):
        return 0.3 + 0.05 * normal
    if name.endswith(".bias"):
        return normal * 0.1
    if len(shape) == 1:
        return 1 + 0.1 * normal  # the scale of a norm
    weight = normal * (gain(name) / math.sqrt(fan_in(name, shape)))
    if name.endswith("predictor.head.4.weight"):
        return weight.abs()  # disparities are positive
    if name.endswith(".qkv.weight"):
        weight[: 2 * shape[1]] *= 1.4  # logits of deviation 2: some tokens matter more than others
    return weight


def fan_in(name: str, shape: Sequence[int]) -> int:
    """How many inputs an output is the sum of."""
    is_deconv = tuple(shape[2:]) == (2, 2) and not name.endswith("image_encoder.conv.weight")
    return shape[0] if is_deconv else math.prod(shape[1:])


def gain(name: str) -> float:
    """Deviation of a layer's output for inputs of deviation 1."""
    if name.startswith("prediction_head."):
        return 0.4
    if "patch_embed" in name:
        return 2.0  # pixels are small and neighbours alike
    return 1.4 if ".mlp." in name else 1.0
