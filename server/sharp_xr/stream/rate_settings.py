"""The numbers of the rate control, and which rates suit a picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RateSettings:
    """Rates in bits per second, times in seconds."""

    ceiling_bps: int
    start_bps: int
    floor_bps: int
    enough_bps: int | None = None
    """More only costs processor time at both ends; None: the ceiling."""
    window_frames: int = 12
    window_poses: float = 2.5
    """Time, in poses, beyond the least lag that frames on their way may take of the link's."""
    lossy_window_poses: float = 6.0
    """The same while packets get lost: behind a hole, frames are not in the link's way but wait for
    a repair, and whoever stops sending meanwhile has nothing new to show once it is there."""
    stall_s: float = 0.1
    key_frame_interval_s: float = 0.15
    """Requests in between are answered at its end; so long at most, and 1.5 lags where those are
    shorter: a request that was sent before the last key frame came must not bring another one."""
    stall_interval_s: float = 0.03
    """The same in a stall: the first key frame after an outage ends it, so one must be near."""
    stall_part: float = 0.1
    stall_most_s: float = 0.2
    """Of a stall's length, so much between two of them, at most: a link that was dead for two
    seconds is used again a fifth of a second later, and a client that is gone costs little."""
    start_s: float = 2.0
    """Until the first acknowledgement, for so long, key frames come as in a stall."""
    watchdog_s: float = 0.2
    queue_s: float = 0.012
    """A queue that counts: frames wait so much longer than they do anyway."""
    all_delivered: float = 0.95
    """Share that is taken for all; and for the queue's cause, where all was delivered."""
    drain_s: float = 0.25
    """A queue is to be gone after that."""
    drop: float = 0.9
    """Of the rate that got through, once the queue is gone."""
    climb_interval_s: float = 0.1
    climb: float = 0.005
    climb_more: float = 0.015
    """Per second without a queue."""
    climb_most: float = 0.05
    used: float = 0.5
    """Share of the rate that must be used for it to climb."""


def settings_for(width: int, height: int, hz: float) -> RateSettings:
    """Rates for a picture of that many pixels: a quarter of a bit per pixel to begin with.

    8 Mbit/s for 1024 x 512 at 60 Hz, which is 39 dB there (streaming.md, 3.3) and enough; the
    ceiling, for who wants more, is twice that. 50 Mbit/s at most, 25 to begin with.
    """
    enough = round(min(50e6, max(16_000 * hz, 0.25 * width * height * hz)))
    start, ceiling = min(25_000_000, enough), min(50_000_000, 2 * enough)
    floor = round(max(8_000 * hz, start / 16))  # a key frame of one kilobyte is hardly a picture
    return RateSettings(ceiling, start, min(floor, start), enough)
