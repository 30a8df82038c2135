"""How far a long step is, on one line of a terminal, or now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

REDRAW_S = 0.2
LOG_LINES = 10
"""Without a terminal, from beginning to end."""


class BytesProgress:
    """Told bytes done and bytes in all; writes MB, MB/s and the time left."""

    def __init__(
        self, what: str, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._stream = stream
        self._clock = clock
        self._live = stream.isatty()
        self._begin: tuple[float, int] | None = None
        self._written_at = float("-inf")
        self._lines = -1
        """The last written of LOG_LINES."""

    def __call__(self, done: int, total: int) -> None:
        now = self._clock()
        if self._begin is None:
            self._begin = (now, done)
        lines = LOG_LINES * done // total
        due = now - self._written_at >= REDRAW_S if self._live else lines > self._lines
        if due or done == total:
            self._written_at, self._lines = now, lines
            self._write(now, done, total)

    def _write(self, now: float, done: int, total: int) -> None:
        assert self._begin is not None
        seconds, bytes_ = now - self._begin[0], done - self._begin[1]
        line = f"{self._what}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
        if seconds > 0 and bytes_ > 0:
            rate = bytes_ / seconds
            line += f", {rate / 1e6:,.1f} MB/s"
            if done < total:
                line += f", {duration((total - done) / rate)} left"
        if self._live:
            # The rest of a longer line before it is cleared.
            self._stream.write(f"\r{line}\x1b[K" + ("\n" if done == total else ""))
        else:
            self._stream.write(line + "\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    """ "50 s", "12 min", "3 h 5 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
