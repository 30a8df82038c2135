"""How far a command's work is, on one line of a terminal."""

from __future__ import annotations

import shutil
import sys

BAR_CELLS = 20


class ProgressLine:
    """One line of a terminal that is written again and again; elsewhere only its last state."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._live = sys.stderr.isatty()

    def show(self, stage: str, fraction: float, detail: str = "") -> None:
        """How much of the stage is done, and what the worker says to it."""
        if self._live:
            line = f"{self._name}: {progress_words(stage, fraction, detail)}"
            # A line that wraps cannot be written over.
            self._write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")

    def end(self, sentence: str) -> None:
        """The last state."""
        self._write(("\r\x1b[K" if self._live else "") + f"sharp-xr: {sentence}\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def progress_words(stage: str, fraction: float, detail: str) -> str:
    """As "predict [######..............] 34 %, tile 12 of 35"."""
    done = int(BAR_CELLS * min(max(fraction, 0.0), 1.0))
    bar = "#" * done + "." * (BAR_CELLS - done)
    return f"{stage} [{bar}] {fraction * 100:.0f} %" + (f", {detail}" if detail else "")
