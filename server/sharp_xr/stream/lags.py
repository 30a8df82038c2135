"""Is there a queue on the way? Told from how long frames take, not from what is lost.

    lag = way through the network and the decoder         queue = least of the newest lags
                                                                  - least lag of ten seconds

A frame may be late for many reasons; a queue makes *all* newest frames late, so the least of them
counts.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from statistics import median

ENOUGH = 12
"""Before that many lags nothing is known to be usual."""
MEMORY_S = 10.0
"""How far back the least lag is looked for."""
NEWEST_S = 0.06
"""Lags that must all be late; three at least."""
STEPS = 31
"""Differences that jitter is the median of."""


class Lags:
    """The lags of the last seconds. Times are passed in."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque()  # (when, lag), both in seconds
        self._steps: deque[float] = deque(maxlen=STEPS)  # between neighbours, seconds

    def add(self, lag_s: float, now_s: float) -> None:
        """One frame's lag."""
        if self._lags:
            self._steps.append(abs(lag_s - self._lags[-1][1]))
        self._lags.append((now_s, lag_s))
        while self._lags[0][0] < now_s - MEMORY_S:
            self._lags.popleft()

    @property
    def jitter_s(self) -> float:
        """What one lag differs by from the one before: median, so that a pause changes nothing."""
        return median(self._steps) if self._steps else 0.0

    @property
    def least_s(self) -> float:
        """0 before the first."""
        return min((lag for _, lag in self._lags), default=0.0)

    @property
    def median_s(self) -> float:
        """Of the last second or so; 0 before the first."""
        newest = list(islice(reversed(self._lags), 64))
        return median(lag for _, lag in newest) if newest else 0.0

    def queue_s(self, now_s: float) -> float:
        """How much longer than the least all newest frames took; 0 while nothing is usual yet."""
        if len(self._lags) < ENOUGH:
            return 0.0
        newest = [lag for at, lag in self._lags if at > now_s - NEWEST_S]
        if len(newest) < 3:
            newest = [self._lags[i][1] for i in (-3, -2, -1)]
        return min(newest) - self.least_s
