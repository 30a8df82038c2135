"""One process, or one of several that torchrun started and that share each step's batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

Value = TypeVar("Value")


@dataclass(frozen=True)
class Processes:
    """Which one this is, and of how many."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """The one that writes files."""
        return self.rank == 0

    def places(self, batch: int) -> range:
        """This one's places in a batch of ``count * batch`` pictures."""
        return range(self.rank * batch, (self.rank + 1) * batch)

    def first_s(self, value: Value) -> Value:
        """What the first process has, in all; waits for the others."""
        if self.count == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared, device=self.device)
        return shared[0]

    def mean(self, values: Tensor) -> Tensor:
        """Over all processes, the same in each; waits for the others."""
        if self.count == 1:
            return values
        summed = values.clone()
        distributed.all_reduce(summed)
        return summed / self.count

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """As torchrun's environment says (RANK, WORLD_SIZE, LOCAL_RANK); alone without it.

    Args:
        device: "cpu" (processes talk by gloo) or "cuda" (by NCCL, each on the GPU of its rank).
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu and count > 1:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    if count == 1:
        yield Processes(device=torch.device(device))
        return
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), count, torch.device(device))
    finally:
        distributed.destroy_process_group()
