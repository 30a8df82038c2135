"""How many threads there may be."""

from __future__ import annotations

import os
import sys


def usable_processors() -> int:
    """Of this process; not every system says."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
