"""Where the time goes, and how many frames: what the page and the log show of a stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

from sharp_xr_protocol.messages import QualityLimit


@dataclass(frozen=True)
class StreamStats:
    """A stream at one moment. Times are medians of the last :data:`WINDOW` frames."""

    connected: bool
    encoder: str
    """For a person; empty before the first frame."""
    frames: int
    """Sent since the stream began."""
    key_frames: int
    poses: int
    dropped_poses: int
    """Came, and were never drawn: a newer one was there, or nothing had changed."""
    dropped_pictures: int
    """Drawn, and never encoded: a newer one was there."""
    fps: float
    """Frames sent in the last second."""
    bitrate_bps: float
    """Bits sent in the last second."""
    target_bps: int
    """What the rate control allows."""
    pose_wait_ms: float
    """Arrival of a pose until drawing began."""
    render_ms: float
    """Drawing and conversion to the encoder's colours."""
    encode_ms: float
    lag_ms: float
    """Sending of a frame until the acknowledgement that it is decoded."""
    repairs_asked: int
    """Packets that the client missed."""
    repairs_sent: int
    eye_width: int
    """Pixels."""
    eye_height: int
    limit: QualityLimit
    """What keeps it from being better."""
    resizes: int
    """How often pictures got another size."""


WINDOW = 120
"""Frames that a median is taken of: two seconds of a full stream."""


@dataclass(frozen=True)
class FrameTiming:
    """One frame's way through the server, milliseconds."""

    pose_wait_ms: float = 0.0
    render_ms: float = 0.0
    encode_ms: float = 0.0
    key: int | None = None
    """Whose they are; None of several frames."""


class Timings:
    """The last frames. Times are passed in; the event loop's thread only."""

    def __init__(self) -> None:
        self.frames = self.key_frames = 0
        self.last = FrameTiming()
        self._timings: deque[FrameTiming] = deque(maxlen=WINDOW)
        self._sent: deque[tuple[float, int]] = deque()  # (when, bytes)

    def sent(self, timing: FrameTiming, size: int, key_frame: bool, now_s: float) -> None:
        """A frame of ``size`` bytes left."""
        self.frames += 1
        self.key_frames += key_frame
        self.last = timing
        self._timings.append(timing)
        self._sent.append((now_s, size))
        self._forget(now_s)

    def fps(self, now_s: float) -> float:
        """Frames in the last second."""
        self._forget(now_s)
        return float(len(self._sent))

    def bitrate_bps(self, now_s: float) -> float:
        """Bits in the last second."""
        self._forget(now_s)
        return 8.0 * sum(size for _, size in self._sent)

    def medians(self) -> FrameTiming:
        """Each stage's median; all 0 before the first frame."""
        if not self._timings:
            return FrameTiming()
        return FrameTiming(
            median(one.pose_wait_ms for one in self._timings),
            median(one.render_ms for one in self._timings),
            median(one.encode_ms for one in self._timings),
        )

    def _forget(self, now_s: float) -> None:
        while self._sent and self._sent[0][0] < now_s - 1.0:
            self._sent.popleft()
