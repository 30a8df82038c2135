"""One client's video: which one its display gets, and what a session wants of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Protocol

from sharp_xr.stream import overscan
from sharp_xr_protocol.messages import (
    Candidate,
    Display,
    FrameHeader,
    QualityGoal,
    Report,
    StreamQuality,
    Tracking,
    Video,
)

if TYPE_CHECKING:
    from sharp_xr.stream.loop import ShownScene

MAX_HZ = 120.0
"""Frames per second that are offered at most."""


class ClientVideo(Protocol):
    """What a session wants of ``stream.stream.Stream``."""

    def show(self, scene: ShownScene | None) -> None: ...
    def track(self, tracking: Tracking) -> None: ...
    def report(self, report: Report) -> None: ...
    def prefer(self, goal: QualityGoal) -> None: ...
    async def answer(self, offer_sdp: str) -> str: ...
    async def add_candidate(self, candidate: Candidate) -> None: ...
    def stats(self) -> Any: ...
    async def close(self) -> None: ...


class OpenVideo(Protocol):
    """Starts one client's stream; the callbacks run on the event loop."""

    def __call__(
        self,
        video: Video,
        on_header: Callable[[FrameHeader], None],
        *,
        on_quality: Callable[[StreamQuality], None],
        capabilities: Collection[str],
        on_problem: Callable[[str], None],
        on_lost: Callable[[str], None],
    ) -> ClientVideo: ...


def video_for(display: Display, max_eye_px: int, capabilities: Collection[str] = ()) -> Video:
    """The video for a display: its shape, its longer side at most ``max_eye_px``.

    Sides are multiples of 16, H.264's macroblocks, so that the eyes never share one; the slightly
    other shape is no distortion, because fields of view travel with each frame. A picture with a
    margin, "overscan", is so much larger.
    """
    wanted = overscan.SCALE if "overscan" in capabilities else 1.0
    scale = min(wanted, max_eye_px / max(display.eye_width, display.eye_height))
    width, height = (
        max(16, round(side * scale) // 16 * 16) for side in (display.eye_width, display.eye_height)
    )
    return Video(width, height, max_hz=min(display.refresh_hz, MAX_HZ))
