"""How a display's loop goes: what stages take, how old pictures are, how many are shown again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from sharp_xr_protocol.messages import DisplayTimes

KEPT = 600
"""Frames that medians are of: the last ten seconds."""
TELL_S = 10.0
"""Between two reports to the server."""


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
        self._written, self._told = Rates(self), Rates(self)
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
        frames, fresh, reused = self._written.since(now_s)
        return [
            f"display {frames:.0f}/s",
            f"new {fresh:.0f}/s again {reused:.0f}/s",
            f"pose age {self._median('pose_age'):.0f} ms",
            f"wait {self._median('wait'):.1f} locate {self._median('locate'):.1f}",
            f"upload {self._median('upload'):.1f} paint {self._median('paint'):.1f}",
            f"end {self._median('end'):.1f} ms",
            f"undecodable {undecodable}",
        ]

    def due(self, undecodable: int, now_s: float | None = None) -> DisplayTimes | None:
        """For the server, each TELL_S; None in between. Arguments as of :meth:`lines`."""
        if self._told.age_s(now_s) < TELL_S:
            return None
        frames, fresh, reused = self._told.since(now_s)
        return DisplayTimes(
            frames_hz=frames,
            fresh_hz=fresh,
            reused_hz=reused,
            pose_age_ms=self._median("pose_age"),
            wait_ms=self._median("wait"),
            locate_ms=self._median("locate"),
            upload_ms=self._median("upload"),
            paint_ms=self._median("paint"),
            end_ms=self._median("end"),
            undecodable=undecodable % (1 << 32),
        )

    def _median(self, name: str) -> float:
        values = self._ms.get(name)
        return median(list(values)) if values else 0.0


class Rates:
    """How many a second, between two looks; each who looks has one."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._looked_s, self._counts = time.monotonic(), (0, 0, 0)

    def age_s(self, now_s: float | None = None) -> float:
        """Since the last look."""
        return (time.monotonic() if now_s is None else now_s) - self._looked_s

    def since(self, now_s: float | None = None) -> tuple[float, float, float]:
        """Frames, fresh and reused ones per second since the last look, which is now."""
        timing, seconds = self._timing, max(self.age_s(now_s), 1e-3)
        before, self._counts = self._counts, (timing.frames, timing.fresh, timing.reused)
        self._looked_s += seconds
        frames, fresh, reused = (
            (now - then) / seconds for now, then in zip(self._counts, before, strict=True)
        )
        return frames, fresh, reused
