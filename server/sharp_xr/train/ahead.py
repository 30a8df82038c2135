"""The next step's batch is read while this one is computed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Batch = TypeVar("Batch")


class Ahead(Generic[Batch]):
    """Batches by step, one read ahead in a thread. What comes is the same as without it."""

    def __init__(self, make: Callable[[int], Batch]) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batch")
        self._next: tuple[int, Future[Batch]] | None = None

    def __call__(self, step: int) -> Batch:
        """The step's batch; raises what making it raises."""
        waiting, self._next = self._next, None
        if waiting is None or waiting[0] != step:
            waiting = step, self._thread.submit(self._make, step)
        self._next = step + 1, self._thread.submit(self._make, step + 1)
        return waiting[1].result()

    def close(self) -> None:
        """No more is wanted."""
        self._thread.shutdown(cancel_futures=True)
