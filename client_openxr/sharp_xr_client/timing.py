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
        self._told_s, self._told = time.monotonic(), (0, 0, 0)
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

    def lines(self, undecodable: int, now_s: float | None = None) -> list[str]:
        """For a panel of 26 letters a line: rates since the last call, medians.

        Args:
            undecodable: frames of the stream, so far.
            now_s: of ``time.monotonic``; now without it.
        """
        now_s = time.monotonic() if now_s is None else now_s
        counts = (self.frames, self.fresh, self.reused)
        seconds = max(now_s - self._told_s, 1e-3)
        frames, fresh, reused = (
            (now - before) / seconds for now, before in zip(counts, self._told, strict=True)
        )
        self._told_s, self._told = now_s, counts
        return [
            f"display {frames:.0f}/s",
            f"new {fresh:.0f}/s again {reused:.0f}/s",
            f"pose age {self._median('pose_age'):.0f} ms",
            f"wait {self._median('wait'):.1f} locate {self._median('locate'):.1f}",
            f"upload {self._median('upload'):.1f} paint {self._median('paint'):.1f}",
            f"end {self._median('end'):.1f} ms",
            f"undecodable {undecodable}",
        ]

    def _median(self, name: str) -> float:
        values = self._ms.get(name)
        return median(list(values)) if values else 0.0
