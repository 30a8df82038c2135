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
    pose_ms: float = 0.0
    """Between two poses; 0 where that is not known."""


class LoadMeter:
    """The frames since the last reading. Times are passed in, in seconds."""

    def __init__(self) -> None:
        self._frames: list[FrameLoad] = []
        self._read_s = float("-inf")
        self._posed_s: float | None = None
        self._pose_gaps_s: deque[float] = deque(maxlen=POSES)

    def posed(self, now_s: float) -> None:
        """A pose came."""
        if self._posed_s is not None and now_s - self._posed_s < AWAY_S:
            self._pose_gaps_s.append(now_s - self._posed_s)
        self._posed_s = now_s

    def add(self, frame: FrameLoad) -> None:
        """A moving picture was sent."""
        self._frames.append(frame)

    def read(self, link_bps: float, now_s: float) -> Load | None:
        """The load since the last reading; None while there is too little to tell."""
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
            1e3 * median(self._pose_gaps_s or [0.0]),
        )

    def forget(self) -> None:
        """Pictures are of another kind from now on."""
        self._frames.clear()
        self._pose_gaps_s.clear()
