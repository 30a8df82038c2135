"""Poses by key: which one is newer, and which one to draw next.

A key is the client's 90 kHz clock modulo 2**32 (13 hours), so "newer" is serial number arithmetic
(RFC 1982): of two keys, the newer one lies less than half the circle ahead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sharp_xr.stream.latest import Latest
from sharp_xr_protocol.messages import Tracking

KEYS = 1 << 32
"""How many keys there are before they begin again."""


def is_newer(key: int, than: int) -> bool:
    """Whether one key comes after another one on the circle of 2**32."""
    return 0 < (key - than) % KEYS < KEYS // 2


@dataclass(frozen=True)
class Arrival:
    """A pose, and when it came."""

    tracking: Tracking
    at_s: float
    """The server's monotonic clock."""


class Poses:
    """The newest pose that is not drawn yet. Put on the event loop, latched in the render thread.

    Keys leave this slot strictly rising, whatever order they arrive in: an RTP stream wants that,
    and no pose is drawn twice.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slot: Latest[Arrival] = Latest()
        self.newest: Tracking | None = None
        """Drawn or not."""
        self.arrived = 0
        """How many came."""
        self.dropped = 0
        """How many were never drawn: too old on arrival, or replaced by a newer one."""

    def put(self, tracking: Tracking) -> bool:
        """Offer a pose; False if a newer one, or the same, came before it."""
        self.arrived += 1
        if self.newest is not None and not is_newer(tracking.key, self.newest.key):
            self.dropped += 1
            return False
        self.newest = tracking
        if self._slot.put(Arrival(tracking, self._clock())) is not None:
            self.dropped += 1
        return True

    async def arrival(self) -> None:
        """Wait until there is a pose to draw, and leave it there for :meth:`latch`."""
        await self._slot.filled()

    def latch(self) -> Arrival | None:
        """Take the newest pose, as late as possible; None if there is no new one."""
        return self._slot.take()

    def skip(self) -> None:
        """Let the pose go undrawn; the next one wakes the loop again."""
        if self._slot.take() is not None:
            self.dropped += 1
