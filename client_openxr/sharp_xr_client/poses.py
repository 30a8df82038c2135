"""Keys of poses: the client's 90 kHz clock, and the poses that frames come back for.

A key goes up in a Tracking and comes back as the RTP timestamp of the frame that was drawn for it,
so finding a frame's pose is one exact look-up. Keys are 32 bits and wrap after 13 hours.
"""

from __future__ import annotations

from collections import OrderedDict

from sharp_xr_protocol.messages import CLOCK_HZ, Tracking

KEYS = 1 << 32


def key_difference(newer: int, older: int) -> int:
    """``newer - older`` in ticks, in [-2**31, 2**31): positive where ``newer`` is."""
    return (newer - older + KEYS // 2) % KEYS - KEYS // 2


class KeyClock:
    """Turns nanoseconds of a monotonic clock into keys that rise strictly, modulo 2**32."""

    def __init__(self) -> None:
        self._last: int | None = None

    def key(self, time_ns: int) -> int:
        """The key of this moment, or one tick after the last key where that is later."""
        key = time_ns * CLOCK_HZ // 1_000_000_000 % KEYS
        if self._last is not None and key_difference(key, self._last) <= 0:
            key = (self._last + 1) % KEYS
        self._last = key
        return key


class PoseHistory:
    """The newest ``capacity`` poses by key.

    Written by the thread that sends poses, read by the one that decodes: each method is one step of
    the dictionary under the interpreter's lock, or tolerates the other's.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._poses: OrderedDict[int, Tracking] = OrderedDict()

    def add(self, tracking: Tracking) -> None:
        self._poses[tracking.key] = tracking
        if len(self._poses) > self._capacity:
            self._poses.popitem(last=False)

    def get(self, key: int) -> Tracking | None:
        """The pose with exactly this key; None if it was never sent or is too old."""
        return self._poses.get(key)
