"""How many threads there may be, and the crew of them that shares a frame's work."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait


def usable_processors() -> int:
    """Of this process; not every system says."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Crew:
    """Threads that do a caller's work beside it; any number of callers may have some at a time.

    On Linux they begin on other processors than their caller's. A thread that is woken for a few
    tens of milliseconds is often put on the processor of who woke it, most of all where others are
    busy, and stays there: the frame then takes as long as with one thread.
    """

    def __init__(self, threads: int) -> None:
        """``threads`` are those that work at a time, the calling one among them."""
        self._helpers = threads - 1
        self._numbers: list[int] = []  # the system's, of those who have begun
        self._pool = ThreadPoolExecutor(
            max(1, self._helpers),
            "rasterizer",
            initializer=lambda: self._numbers.append(threading.get_native_id()),
        )

    def spread(self, work: Callable[[], None]) -> None:
        """Run it on this thread and the crew's; who has not begun when this thread is through is
        not needed any more."""
        usable = _keep_off_this_processor(self._numbers) if self._helpers else None

        def help_out() -> None:
            if usable is not None:
                _stay_on(0, usable)
            work()

        helpers = [self._pool.submit(help_out) for _ in range(self._helpers)]
        try:
            work()
        finally:
            begun = [helper for helper in helpers if not helper.cancel()]
            wait(begun)
        for helper in begun:
            helper.result()


def _keep_off_this_processor(threads: list[int]) -> set[int] | None:
    """Where these threads may be woken next; returns all that they may use, once they are awake.
    None: the system has no such thing, or there is no other processor."""
    if sys.platform != "linux":
        return None
    usable = os.sched_getaffinity(0)
    others = usable - {_this_processor()}
    if not others:
        return None
    for thread in threads:
        _stay_on(thread, others)
    return usable


def _stay_on(thread: int, processors: set[int]) -> None:
    """0 is the calling thread. A wish, which a container may forbid."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setaffinity(thread, processors)


def _this_processor() -> int:
    """-1: the C library does not say."""
    ask = getattr(_c_library(), "sched_getcpu", None)
    return int(ask()) if ask else -1


@functools.cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)
