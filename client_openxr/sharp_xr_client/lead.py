"""How far ahead of a display's next picture a head must be located: the smoothed pipeline latency.

A pose goes to the server, its frame comes back some display periods later. If the head is located
not for the next picture but for the one that its frame will be in, the frame is of where the head
is by then, and there is little left to warp.
"""

from __future__ import annotations

from collections import deque
from statistics import median

LIMIT_NS = 150_000_000
"""Beyond it a prediction misses by more than the warp has to make up for."""
SAMPLES = 31


class Lead:
    """The median of how late the last frames were. The display's thread owns it."""

    def __init__(self) -> None:
        self._late_ns: deque[int] = deque(maxlen=SAMPLES)

    def saw(self, asked_for_ns: int, shown_at_ns: int) -> None:
        """A frame is in the picture at ``shown_at_ns`` for the first time; when its pose was
        located, the next picture was at ``asked_for_ns`` (both display times of one runtime)."""
        self._late_ns.append(max(shown_at_ns - asked_for_ns, 0))

    @property
    def ns(self) -> int:
        """0 to LIMIT_NS; 0 before any frame came."""
        if not self._late_ns:
            return 0
        return min(round(median(self._late_ns)), LIMIT_NS)
