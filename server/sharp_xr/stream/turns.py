"""Who shares the one render thread.

All streams draw on it one after the other, so what a picture may take is shared out among those who
draw: eight viewers see eight moving pictures, each of fewer Gaussians, instead of each other's
waiting.
"""

from __future__ import annotations

FORGET_S = 1.5
"""Who has not drawn for so long does not share. A head that keeps still draws once a second."""


class Turns:
    """One per render thread, and used on it alone. Times are passed in, in seconds."""

    def __init__(self) -> None:
        self._drew_s: dict[object, float] = {}

    def sharers(self, who: object, now_s: float) -> int:
        """How many draw, ``who`` among them, who begins a picture now."""
        self._drew_s[who] = now_s
        self._drew_s = {one: at for one, at in self._drew_s.items() if now_s - at < FORGET_S}
        return len(self._drew_s)
