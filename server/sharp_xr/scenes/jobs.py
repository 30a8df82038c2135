"""Work that takes a while, by its id, so that somebody else may cancel it.

A job runs in a task of its own; who waits for it is answered at once when it is cancelled, with the
sentence of who cancelled it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from sharp_xr.http.refusal import Refusal

T = TypeVar("T")


class CancelledJob(Refusal):  # noqa: N818 - as a refusal
    """What was asked for is not wanted any more; 409, for HTTP has no better word (Conflict: the
    request cannot be met in the state that another request has made)."""

    def __init__(self, sentence: str) -> None:
        super().__init__(409, sentence)


@dataclass
class _Job:
    task: asyncio.Task[Any]
    may_be_cancelled: bool = True
    why: str = "cancelled because the server is stopping"


class Jobs:
    """Those under way. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs

    async def run(self, job_id: str, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` returns or raises. Cancelling the caller cancels it too.

        Raises:
            CancelledJob: somebody cancelled the job.
        """
        assert job_id not in self._jobs, job_id
        task = asyncio.create_task(work)
        job = self._jobs[job_id] = _Job(task)
        try:
            await asyncio.wait([task])
        finally:
            del self._jobs[job_id]
            task.cancel()
        if task.cancelled():
            raise CancelledJob(job.why)
        return task.result()

    def settle(self, job_id: str) -> None:
        """From here on this job cannot be cancelled, though it may not be done."""
        self._jobs[job_id].may_be_cancelled = False

    def cancel(self, job_id: str, why: str) -> bool:
        """End a job with this sentence; whether there is one that can be cancelled."""
        job = self._jobs.get(job_id)
        if job is None or not job.may_be_cancelled or not job.task.cancel():
            return False
        job.may_be_cancelled = False
        job.why = why
        return True
