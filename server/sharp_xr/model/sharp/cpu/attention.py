"""Attention for the transformers on a CPU: softmax(q k^T / sqrt(D)) v, heads side by side.

Per tile of 48 queries and a head, all in the first two caches (attention_kernels.py):

    scores  q k^T of all keys, and the highest per query while they are in registers
    shares  2^(scale (score - highest)), some 96 keys at a time, a polynomial; and their sum
    mixed   shares times values, summed per piece; over the sum of shares at the end

All sums are float32. In bfloat16, where the processor multiplies pairs of it, scores and sums are
float32 as well, and shares are rounded; elsewhere it is computed in float32.

One thread and tile at full size: 14 ms in float32 (torch: 20) and 8 in bf16 (22); in float32 also
nearer to float64 than torch's, 4.4e-7 of the result against 6.8e-7.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.kernels import over_rows
from sharp_xr.model.sharp.cpu.attention_kernels import (
    CHUNK,
    ROWS,
    WIDE,
    attend,
)
from sharp_xr.model.sharp.cpu.attention_vectors import multiplies_pairs
from sharp_xr.model.sharp.cpu.winograd_kernels import LANES

PAIRS = multiplies_pairs()


def attention(qkv: Tensor, rows: Tensor | None = None) -> Tensor:
    """What each token takes from all tokens of its image.

    Deterministic, and the same for any number of threads. Needs 0.6 MB per thread at 577 tokens.

    Args:
        qkv: [B, N, 3, heads, D], queries, keys and values, contiguous, float32 or bfloat16.
        rows: [M] the tokens that ask; all where it is not given.

    Returns:
        [B, M, heads D], of the same dtype, ready for the layer behind.
    """
    assert_fits(qkv, rows)
    if qkv.dtype == torch.bfloat16 and not PAIRS:
        return attention(qkv.float(), rows).to(qkv.dtype)
    per_unit = {torch.float32: 1, torch.bfloat16: 2}.get(qkv.dtype)
    if per_unit is None or qkv.shape[4] % (LANES * per_unit):
        return plain_attention(qkv, rows)
    return _fast_attention(qkv.detach().contiguous(), rows, per_unit)


def assert_fits(qkv: Tensor, rows: Tensor | None) -> None:
    """Places are read without a check later."""
    wanted = "[B, N, 3, heads, D] was wanted"
    assert qkv.ndim == 5 and qkv.shape[2] == 3, f"{tuple(qkv.shape)} came, {wanted}"
    if rows is not None and len(rows):
        lowest, highest = rows.aminmax()
        count = qkv.shape[1]
        assert 0 <= lowest and highest < count, f"rows {lowest} to {highest} of {count}"


def plain_attention(qkv: Tensor, rows: Tensor | None = None) -> Tensor:
    """The same by torch, for any D."""
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    q = q if rows is None else q[:, :, rows]
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _fast_attention(qkv: Tensor, rows: Tensor | None, per_unit: int) -> Tensor:
    batch, count, _, heads, depth = qkv.shape
    asked = np.arange(count) if rows is None else rows.long().contiguous().numpy()
    out = qkv.new_empty(batch, len(asked), heads * depth)
    source = qkv.view(torch.float32).numpy()
    target = out.view(torch.float32).view(batch, len(asked), heads, depth // per_unit).numpy()
    kind = np.int32(0) if per_unit == 2 else np.float32(0)
    scale = np.float32(math.log2(math.e) / math.sqrt(depth))
    # One iterator for all: a thread whose core is slow, or busy elsewhere, takes fewer.
    remaining = iter(range(batch * heads))

    def work(_first: int, _end: int) -> None:
        scratch = torch.empty(scratch_units(count, depth, per_unit)).numpy()
        for item in remaining:
            attend(kind, per_unit, source, asked, target, scratch, item, scale)

    over_rows(batch * heads, work)
    return out


def scratch_units(count: int, depth: int, per_unit: int) -> int:
    """What attention_kernels.cut divides; 64-byte aligned, as torch's memory is."""
    filled, units = -(-count // ROWS) * ROWS, depth // per_unit
    return 2 * filled * units + WIDE * LANES * (units + filled + CHUNK + depth + 2)
