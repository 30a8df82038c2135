"""How much a graph holds for its way back, counted on any device, ``meta`` included."""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import Self

import torch
from torch import Tensor


class SavedTensors:
    """Counts the bytes that autograd keeps inside a ``with``; a storage that is kept twice counts
    once, and weights, which are there anyhow, do not count."""

    def __init__(self) -> None:
        self.now = 0
        """Bytes."""
        self.peak = 0
        self._holders: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, _unpack)

    def __enter__(self) -> Self:
        self._hooks.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hooks.__exit__(kind, error, trace)

    def _pack(self, tensor: Tensor) -> _Kept:
        kept = _Kept(tensor)
        if isinstance(tensor, torch.nn.Parameter) or _is_view_of_parameter(tensor):
            return kept
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._holders:
            self.now += size
            self.peak = max(self.peak, self.now)
        self._holders[key] = self._holders.get(key, 0) + 1
        weakref.finalize(kept, self._let_go, key, size)
        return kept

    def _let_go(self, key: int, size: int) -> None:
        self._holders[key] -= 1
        if not self._holders[key]:
            del self._holders[key]
            self.now -= size


class _Kept:
    """What autograd holds in a tensor's place."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _unpack(kept: _Kept) -> Tensor:
    return kept.tensor


def _is_view_of_parameter(tensor: Tensor) -> bool:
    return isinstance(tensor._base, torch.nn.Parameter)
