"""Which level of detail is drawn, so that a frame takes no longer than asked.

A level that is too slow is left after three frames in a row, for the finest one that should fit. It
is gone back by one level at a time, and only when that one should fit with room to spare for half a
second of frames: so a load that comes and goes does not make the picture flicker.
"""

from __future__ import annotations

from collections.abc import Sequence

LATE_FRAMES, EARLY_FRAMES = 3, 30
"""In a row, before a coarser or the next finer level is chosen."""
ROOM = 0.8
"""Share of the budget that a finer level may be expected to take."""
NEWEST = 0.3
"""Weight of a frame in the mean of the level's frames."""
FIXED = 0.3
"""Share of a frame's time that does not go with the number of Gaussians: measured 0.2 to 0.4."""


class LevelChooser:
    """For one scene in one thread.

    Args:
        counts: Gaussians of each level, the finest first.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        most = max(1, counts[0])
        self._costs = [FIXED + (1 - FIXED) * count / most for count in counts]
        self._mean_ms: float | None = None
        self._before_ms = 0.0
        self._late = self._early = self._seen = 0
        self._came_from: int | None = None
        self.level = 0
        """To be drawn next."""

    def took(self, ms: float, budget_ms: float) -> None:
        """The frame of this level took so long; chooses the next one's level."""
        mean = ms if self._mean_ms is None else (1 - NEWEST) * self._mean_ms + NEWEST * ms
        self._mean_ms = mean
        self._seen += 1
        if self._seen == EARLY_FRAMES // 3:
            self._learn(mean)
        self._late = self._late + 1 if mean > budget_ms else 0
        finer = self.level - 1
        fits = finer >= 0 and self._expected(finer) < ROOM * budget_ms
        self._early = self._early + 1 if fits else 0
        if self._late >= LATE_FRAMES and self.level < len(self._costs) - 1:
            coarser = range(self.level + 1, len(self._costs))
            fitting = [k for k in coarser if self._expected(k) <= budget_ms]
            self._go(fitting[0] if fitting else coarser[-1])
        elif self._early >= EARLY_FRAMES:
            self._go(finer)

    def _expected(self, level: int) -> float:
        assert self._mean_ms is not None
        return self._mean_ms * self._costs[level] / self._costs[self.level]

    def _go(self, level: int) -> None:
        assert self._mean_ms is not None
        self._before_ms, self._came_from = self._mean_ms, self.level
        self.level, self._mean_ms = level, None
        self._late = self._early = self._seen = 0

    def _learn(self, mean_ms: float) -> None:
        """What this level costs beside the one that it was chosen from, within a factor of two."""
        if self._came_from is None or self._before_ms <= 0:
            return
        known = self._costs[self.level]
        measured = self._costs[self._came_from] * mean_ms / self._before_ms
        self._costs[self.level] = min(max(measured, known / 2), known * 2)
        self._came_from = None
