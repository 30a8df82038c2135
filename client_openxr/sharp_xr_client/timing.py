"""How a display's loop goes: what stages take, how old pictures are, how many are shown again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

KEPT = 600
"""Frames that medians are of: the last ten seconds."""


class Timing:
    """Filled by the display's thread."""

    def __init__(self) -> None:
        self.frames = 0
        """That the display asked for."""
        self.fresh = 0
        """Of these, with a picture that was not shown before."""
        self.reused = 0
        """With one that was: none newer had come."""
        self.hidden = 0
        """That nobody would have seen: the headset is off, or shows something else."""
        self.focused = 0
        """With the person's hands and eyes on us alone."""
        self._ms: dict[str, deque[float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done within."""
        began_s = time.perf_counter()
        yield
        self.add(name, (time.perf_counter() - began_s) * 1e3)

    def add(self, name: str, value_ms: float) -> None:
        self._ms.setdefault(name, deque(maxlen=KEPT)).append(value_ms)

    def figures(self) -> dict[str, float]:
        """Counts, and the median of each stage as ``<stage>_ms``."""
        found: dict[str, float] = {
            "display_frames": self.frames,
            "display_fresh": self.fresh,
            "display_reused": self.reused,
            "display_hidden": self.hidden,
            "display_focused": self.focused,
        }
        for name, values in self._ms.items():
            found[f"{name}_ms"] = median(list(values))
        return found
