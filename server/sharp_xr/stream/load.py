"""What a stream's moving pictures take: gathered frame by frame, read a few times a second."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import fmean, median

LOOK_S = 0.25
"""Between two readings."""
POSES = 30
"""The newest ones; among them are those of a head that rests."""
AWAY_S = 1.0
"""Who sends nothing for so long does something else."""
LEAST_FRAMES = 3
"""Of which one is made: a median outvotes one frame that something else has delayed."""
SHOWN_S = 2.0
"""Frames sent and shown are counted over that time."""
SHOWN = 0.85
"""A client that shows a smaller share of its frames has not the time for them."""


@dataclass(frozen=True)
class FrameLoad:
    """One moving picture. Whoever rests is drawn in full, which says nothing of what would fit."""

    render_ms: float
    """Drawing, and conversion to the encoder's colours."""
    encode_ms: float
    bits: int
    gaussians: int | None
    """Of the level of detail; None where the renderer has but one."""
    scene_gaussians: int
    sharers: int
    """Streams that draw in turns on the one render thread, this one among them."""


@dataclass(frozen=True)
class Load:
    """What pictures took since the last reading: medians, and the mean of the bits."""

    render_ms: float
    encode_ms: float
    frame_bits: float
    gaussians: int | None
    """Drawn; None where there is no choice of how many."""
    scene_gaussians: int
    sharers: int
    link_bps: float
    """What the rate control allows."""
    client_ms: float = 0.0
    """Of the client's, between two poses or two frames that it shows; 0 where that is not known."""


class LoadMeter:
    """The frames since the last reading. Times are passed in, in seconds."""

    def __init__(self) -> None:
        self._frames: list[FrameLoad] = []
        self._read_s = float("-inf")
        self._posed_s: float | None = None
        self._pose_gaps_s: deque[float] = deque(maxlen=POSES)
        self._sent, self._shown = _Count(), _Count()

    def posed(self, now_s: float) -> None:
        """A pose came."""
        if self._posed_s is not None and now_s - self._posed_s < AWAY_S:
            self._pose_gaps_s.append(now_s - self._posed_s)
        self._posed_s = now_s

    def shown(self, now_s: float) -> None:
        """The client has shown a frame."""
        self._shown.add(now_s)

    def add(self, frame: FrameLoad, now_s: float) -> None:
        """A moving picture was sent."""
        self._frames.append(frame)
        self._sent.add(now_s)

    def read(self, link_bps: float, now_s: float, *, is_calm: bool = True) -> Load | None:
        """The load since the last reading; None while there is too little to tell.

        ``is_calm``: whether what was sent has lately arrived, as far as anyone knows.
        """
        if now_s - self._read_s < LOOK_S or len(self._frames) < LEAST_FRAMES:
            return None
        self._read_s = now_s
        frames, self._frames = self._frames, []
        return Load(
            median(frame.render_ms for frame in frames),
            median(frame.encode_ms for frame in frames),
            fmean(frame.bits for frame in frames),
            frames[-1].gaussians,
            frames[-1].scene_gaussians,
            frames[-1].sharers,
            link_bps,
            max(self._posed_ms, self._shown_ms(now_s) if is_calm else 0.0),
        )

    def forget(self) -> None:
        """Pictures are of another kind from now on."""
        self._frames.clear()
        self._pose_gaps_s.clear()
        self._sent, self._shown = _Count(), _Count()

    @property
    def _posed_ms(self) -> float:
        return 1e3 * median(self._pose_gaps_s or [0.0])

    def _shown_ms(self, now_s: float) -> float:
        """Between two frames that are shown, where others are replaced before they are."""
        sent_hz, shown_hz = self._sent.hz(now_s), self._shown.hz(now_s)
        return 1e3 / shown_hz if 0.0 < shown_hz < SHOWN * sent_hz else 0.0


class _Count:
    """Of what happens in :data:`SHOWN_S`."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()
        self._since_s: float | None = None

    def add(self, now_s: float) -> None:
        if self._since_s is None:
            self._since_s = now_s
        self._times.append(now_s)

    def hz(self, now_s: float) -> float:
        """0 while it has not been counted for so long."""
        while self._times and self._times[0] < now_s - SHOWN_S:
            self._times.popleft()
        if self._since_s is None or now_s - self._since_s < SHOWN_S:
            return 0.0
        return len(self._times) / SHOWN_S
