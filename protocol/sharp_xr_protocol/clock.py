"""The offset between two monotonic clocks, from ping samples (NTP's formula, RFC 5905 section 8).

The sample with the shortest round trip bounds the offset best, so the estimate is that sample's,
among the last few: queues only ever add delay.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One answered ping: local times of sending and receiving, remote time between. Nanoseconds."""

    sent_ns: int
    remote_ns: int
    received_ns: int

    @property
    def round_trip_ns(self) -> int:
        return self.received_ns - self.sent_ns

    @property
    def offset_ns(self) -> int:
        """Remote clock minus local clock; wrong by half the round trip at most."""
        return self.remote_ns - (self.sent_ns + self.received_ns) // 2


class ClockOffset:
    """Estimates ``remote - local`` from the last ``window`` samples."""

    def __init__(self, window: int = 16) -> None:
        self._samples: deque[Sample] = deque(maxlen=window)

    def add(self, sample: Sample) -> None:
        """Raises ValueError if the answer came before the ping."""
        if sample.round_trip_ns < 0:
            raise ValueError(f"a ping was answered {-sample.round_trip_ns} ns before it was sent")
        self._samples.append(sample)

    @property
    def stable(self) -> bool:
        """Whether enough samples stand behind the estimate (three)."""
        return len(self._samples) >= 3

    @property
    def best(self) -> Sample | None:
        """The sample with the shortest round trip; None before the first."""
        return min(self._samples, key=lambda sample: sample.round_trip_ns, default=None)

    def to_remote_ns(self, local_ns: int) -> int:
        """Raises ValueError before the first sample."""
        return local_ns + self._offset_ns()

    def to_local_ns(self, remote_ns: int) -> int:
        """Raises ValueError before the first sample."""
        return remote_ns - self._offset_ns()

    def _offset_ns(self) -> int:
        best = self.best
        if best is None:
            raise ValueError("no ping has been answered yet")
        return best.offset_ns
