"""A scene's levels of detail, and which one is drawn, so that a frame takes no longer than asked.

Most machines never need them. So they are made when frames are late, beside the frames, merged
first and then fitted.

A level that is too slow is left after three frames in a row, for the finest one that should fit. It
is gone back by one level at a time, and only when that one should fit with room to spare for half a
second of frames: so a load that comes and goes does not make the picture flicker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sharp_xr.render.cpu.scene import CpuScene

LATE_FRAMES, EARLY_FRAMES = 3, 30
"""In a row, before a coarser or the next finer level is chosen."""
ROOM = 0.8
"""Share of the budget that a finer level may be expected to take."""
NEWEST = 0.3
"""Weight of a frame in the mean of the level's frames."""
FIXED = 0.3
"""Share of a frame's time that does not go with the number of Gaussians: measured 0.2 to 0.4."""


Made = tuple["CpuScene", ...]
"""The same scene of fewer and fewer Gaussians."""


class Levels:
    """Any number of threads may ask.

    Args:
        make: yields all levels, then as many better ones; it is called once at most.
    """

    def __init__(self, make: Callable[[], Iterable[Made]] = tuple) -> None:
        self._make: Callable[[], Iterable[Made]] | None = make
        self._making = threading.Lock()
        self._thread: threading.Thread | None = None
        self.made: Made = ()
        """What there is by now."""

    def start(self) -> None:
        """Have them made in a thread of their own, which ends with the process."""
        if self._make is not None and self._thread is None:
            self._thread = threading.Thread(target=self.wait, name="levels", daemon=True)
            self._thread.start()

    def wait(self) -> Made:
        """The last ones, made now if nobody has begun."""
        with self._making:
            if self._make is not None:
                for made in self._make():
                    self.made = made
                self._make = None  # and the Gaussians that it held
        return self.made

    def refocused(self, ratio: float) -> Levels:
        """See :class:`sharp_xr.render.PreparedScene`; the work is shared."""

        def make() -> Iterator[Made]:
            yield tuple(level.refocused(ratio) for level in self.wait())

        levels = Levels(make)
        if self._make is None:
            levels.wait()
        return levels


class LevelChooser:
    """For one scene in one thread.

    Args:
        counts: Gaussians of each level, the finest first.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self.count = len(counts)
        most = max(1, counts[0])
        self._costs = [FIXED + (1 - FIXED) * count / most for count in counts]
        self._mean_ms: float | None = None
        self._before_ms = 0.0
        self._late = self._early = self._seen = 0
        self._came_from: int | None = None
        self.level = 0
        """To be drawn next."""

    @property
    def is_late(self) -> bool:
        """Frames have been slower than asked for so long that a coarser level is wanted."""
        return self._late >= LATE_FRAMES

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
        if self.is_late and self.level < len(self._costs) - 1:
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
