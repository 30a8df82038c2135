"""Which frames are on their way, and which ones arrived: the server's only knowledge of the link.

Each Tracking acknowledges the newest frame that its client has decoded. That one number tells the
lag, the delivered rate, and (when it stops rising while frames are on their way) that a picture is
lost and only a key frame will bring the stream back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sharp_xr.stream.poses import is_newer

HISTORY = 1024
"""Frames remembered; a client that acknowledges later than that is far gone."""


@dataclass(frozen=True)
class SentFrame:
    """A frame on its way."""

    key: int
    size: int
    """Bytes."""
    sent_s: float
    key_frame: bool = False


@dataclass(frozen=True)
class Delivery:
    """What one acknowledgement tells."""

    lag_s: float
    """Sending of the acknowledged frame until now: network, decoding, and the way back."""
    size: int
    """Bytes of the acknowledged frame and of those before it that were not acknowledged yet; of
    those before a key frame nobody knows whether they arrived, so that they do not count."""


class Acks:
    """The frames in flight. Times are passed in; the event loop's thread only."""

    def __init__(self) -> None:
        self._flight: deque[SentFrame] = deque(maxlen=HISTORY)
        self.newest: int | None = None
        """Key of the newest acknowledged frame."""

    def sent(self, key: int, size: int, now_s: float, key_frame: bool = False) -> None:
        """A frame of ``size`` bytes left."""
        self._flight.append(SentFrame(key, size, now_s, key_frame))

    def acknowledged(self, key: int, now_s: float) -> Delivery | None:
        """The client has decoded this frame; None where that is no news.

        No news: the same acknowledgement again, an older one, or a key that was never sent.
        """
        if self.newest is not None and not is_newer(key, self.newest):
            return None
        if all(frame.key != key for frame in self._flight):
            return None
        self.newest = key
        size = 0
        while True:
            frame = self._flight.popleft()
            size = frame.size + (0 if frame.key_frame else size)
            if frame.key == key:
                return Delivery(now_s - frame.sent_s, size)

    def in_flight(self) -> int:
        """How many frames are sent and not acknowledged."""
        return len(self._flight)

    def bytes_in_flight(self) -> int:
        """How many bytes those have."""
        return sum(frame.size for frame in self._flight)

    def oldest_age_s(self, now_s: float) -> float:
        """How long the oldest frame in flight has been on its way; 0 when there is none."""
        return now_s - self._flight[0].sent_s if self._flight else 0.0

    def forget(self) -> None:
        """The frames in flight belonged to a connection that is gone."""
        self._flight.clear()
