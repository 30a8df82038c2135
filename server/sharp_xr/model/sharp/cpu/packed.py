"""Layers on maps, with weights laid out for the CPU's own kernels (oneDNN).

Maps are [height, width, channels] here, contiguous: the layout that both a linear layer over
pixels and a convolution want ("channels last": 1.4 times as fast as channels first). A layer's
weights are packed when it is made and gone with it; that takes 0.2 % of running a transformer.

The linear operators are those that torch.compile itself emits. A torch without them (another
platform) runs the plain one, at the plain speed; ``PACKS`` tells which.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional


class Weights(Protocol):
    """Where the parts of the network read their weights when their turn comes."""

    def __call__(self, key: str, /) -> Tensor:
        """A tensor of the checkpoint, float32."""
        ...

    def release(self) -> None:
        """Lets go of the memory behind tensors that nobody holds any more."""
        ...


CHUNK_NUMBERS = 4 << 20
"""Of what is made on the way at a time: 16 MB."""
ROWS_HINT = 1154
"""Rows that a packed weight is laid out for; others work as well."""


def _packs() -> bool:
    """Whether the packed operators are here and work."""
    try:
        weight = torch.ops.mkldnn._reorder_linear_weight(torch.eye(16), 4)
        ones = torch.ones(4, 16)
        result = torch.ops.mkldnn._linear_pointwise(ones, weight, None, "none", [], "")
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return torch.equal(result, ones)


PACKS = _packs()


class Linear:
    """``x W^T + b`` on [..., K] -> [..., N], in the dtype that it was made for."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype = torch.float32
    ) -> None:
        """``weight`` [N, K] and ``bias`` [N] in float32; folded already."""
        self._dtype = dtype
        self._bias = None if bias is None else bias.to(dtype)
        weight = weight.to(dtype).contiguous()
        self._weight = (
            torch.ops.mkldnn._reorder_linear_weight(weight, ROWS_HINT) if PACKS else weight
        )

    def __call__(self, x: Tensor, *, gelu: bool = False) -> Tensor:
        """``gelu`` is the exact one, applied to the result."""
        x = x.to(self._dtype)
        if PACKS:
            activation, algorithm = ("gelu", "none") if gelu else ("none", "")
            result: Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._weight, self._bias, activation, [], algorithm
            )
            return result
        result = functional.linear(x, self._weight, self._bias)
        return functional.gelu(result) if gelu else result

    def added(self, x: Tensor, to: Tensor) -> Tensor:
        """``to + layer(x)``, in the dtype of ``to``; in place where that is of another dtype."""
        if PACKS and to.dtype == self._dtype:
            result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
                x.to(self._dtype), to, self._weight, self._bias, "add"
            )
            return result
        return to.add_(self(x))


def as_batch(x: Tensor) -> Tensor:
    """A map [h, w, C] as [1, C, h, w] in channels-last layout; no copy."""
    # In this order: permuted first, the batch would have a stride that is taken for channels first.
    return x[None].permute(0, 3, 1, 2)


def as_map(x: Tensor) -> Tensor:
    """[1, C, h, w] in channels-last layout as a map [h, w, C]; no copy."""
    return x[0].permute(1, 2, 0).contiguous()


class Doubling:
    """A 2 x 2 transposed convolution of stride 2 as a linear layer: [h, w, C] -> [2h, 2w, C']."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """``weight`` [Cin, Cout, 2, 2] and ``bias`` [Cout] in float32."""
        cin, cout = weight.shape[:2]
        rows = weight.permute(2, 3, 1, 0).reshape(4 * cout, cin)
        self._channels = cout
        self._linear = Linear(rows, None if bias is None else bias.repeat(4))

    def __call__(self, x: Tensor, add_to: Tensor | None = None) -> Tensor:
        """See the class; ``add_to`` is a map of the result's size, changed and returned."""
        height, width, _ = x.shape
        channels = self._channels
        out = add_to
        if out is None:
            out = x.new_zeros(2 * height, 2 * width, channels)
        places = out.view(height, 2, width, 2, channels)
        # Some rows at a time: what the layer makes is four times x, and in another order than out.
        step = max(1, CHUNK_NUMBERS // (4 * width * channels))
        for start in range(0, height, step):
            quads = self._linear(x[start : start + step]).view(-1, width, 2, 2, channels)
            places[start : start + step] += quads.transpose(1, 2)
        return out


def give_back_memory() -> None:
    """Small tensors, freed, stay with the allocator: some 1 GB of them goes to the system here."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library than glibc
            ctypes.CDLL(None).malloc_trim(0)
