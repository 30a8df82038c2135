"""The control of quality, joined to a stream: measures its frames, and changes what is drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sharp_xr.stream.load import SHOWN_S, FrameLoad, LoadMeter
from sharp_xr.stream.loop import DrawLoop, Drawn
from sharp_xr.stream.quality import Quality, QualityControl
from sharp_xr.stream.rate import RateControl
from sharp_xr_protocol.messages import QualityGoal, StreamQuality, Video

log = logging.getLogger(__name__)

TELL_S = 1.0
"""A bit rate or a detail that has changed is told no sooner; a size is told at once."""


class Adaptation:
    """One stream's. The event loop's thread only; times are passed in."""

    def __init__(
        self,
        video: Video,
        drawing: DrawLoop,
        rate: RateControl,
        tell: Callable[[StreamQuality], None],
    ) -> None:
        """``tell`` is given what is streamed, whenever it has changed."""
        self._drawing, self._rate, self._tell = drawing, rate, tell
        self._control = QualityControl(video)
        self._meter = LoadMeter()
        self._told: StreamQuality | None = None
        self._told_s = float("-inf")
        self.resizes = 0
        """How often pictures got another size."""
        self._draw(self.quality)

    @property
    def quality(self) -> Quality:
        """As chosen last."""
        return self._control.quality

    def prefer(self, goal: QualityGoal, now_s: float) -> None:
        """The viewer's choice."""
        self._rate.generous = goal == "sharper"
        self._draw(self._control.prefer(goal))
        self._report(now_s)

    def posed(self, now_s: float) -> None:
        """A pose came."""
        self._meter.posed(now_s)

    def shown(self, now_s: float) -> None:
        """A frame was, at the client."""
        self._meter.shown(now_s)

    def sent(self, drawn: Drawn, encode_ms: float, size: int, now_s: float) -> None:
        """A frame of ``size`` bytes was encoded in that time."""
        if drawn.moving and drawn.layout == self._drawing.layout:
            self._meter.add(
                FrameLoad(
                    drawn.render_ms,
                    encode_ms,
                    8 * size,
                    drawn.gaussians,
                    len(drawn.scene.prepared),
                    drawn.sharers,
                ),
                now_s,
            )
        is_calm = self._rate.calm_s(now_s) > SHOWN_S
        load = self._meter.read(self._rate.video_bps, now_s, is_calm=is_calm)
        if load is not None:
            self._draw(self._control.look(load, now_s))
            self._report(now_s)

    def _draw(self, quality: Quality) -> None:
        size = quality.eye_width, quality.eye_height
        drawing = self._drawing
        drawing.hz, drawing.budget_ms = quality.hz, quality.budget_ms
        if size != (drawing.layout.eye_width, drawing.layout.eye_height):
            drawing.resize(*size)
            self._meter.forget()
            self.resizes += 1

    def _report(self, now_s: float) -> None:
        quality, told = self.quality, self._told
        newest = StreamQuality(
            self._control.goal,
            quality.eye_width,
            quality.eye_height,
            quality.hz,
            self._control.detail,
            self._rate.video_bps,
            quality.limit,
        )
        is_other = told is None or _steps(newest) != _steps(told)
        if not is_other and (newest == told or now_s - self._told_s < TELL_S):
            return
        if is_other:
            width, height = quality.eye_width, quality.eye_height
            size = f"2x{width}x{height}"
            fields = {"size": size, "hz": round(quality.hz, 1), "limit": quality.limit}
            log.info("quality", extra={"fields": {**fields, "goal": newest.goal}})
        self._told, self._told_s = newest, now_s
        self._tell(newest)


def _steps(quality: StreamQuality) -> tuple[object, ...]:
    """What changes seldom."""
    return quality.goal, quality.eye_width, quality.eye_height, quality.max_hz
