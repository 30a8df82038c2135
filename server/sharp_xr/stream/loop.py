"""Poses to pictures: draw when a pose arrives, for the newest pose there is when drawing begins.

    Poses ──arrival──> may it be drawn? ──> render thread: latch, both eyes in one call, to YUV
                                              └──> newest-wins slot of pictures ──> encoder

The client paces: it sends a pose for each of its display's frames. What is drawn for a pose carries
the pose's key, keys rise strictly, and no key is made up here: so a new scene, or a key frame that
someone asks for, waits for the next pose, a display frame away. Without poses the loop sleeps.

A head that keeps still gets :data:`STILL_FRAMES` more pictures, in which the encoder's rate control
sharpens what motion blurred; then one a second, until head or scene change.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import av

from sharp_xr.render import Frame, PreparedScene, Renderer, RenderSettings
from sharp_xr.render.camera import View, view_from_eye
from sharp_xr.stream.colour import new_picture, planes, write_frame
from sharp_xr.stream.depth import NearPlane, layout_for, picture_size
from sharp_xr.stream.latest import Latest
from sharp_xr.stream.overscan import overscanned
from sharp_xr.stream.poses import Poses
from sharp_xr.stream.turns import Turns
from sharp_xr_protocol.messages import Eye, Layout, Tracking, Video

log = logging.getLogger(__name__)

STILL_FRAMES = 12
"""Pictures of an unchanged view until it is as sharp as it gets (a key frame takes about ten)."""
KEEP_ALIVE_S = 1.0
"""Then one at this distance: a receiver that hears nothing for 3 s asks for a key frame."""
BUDGET_MS = 50.0
"""What drawing may take before the renderer draws fewer Gaussians, unless someone knows better: 20
pictures a second. Viewers who share the render thread share this too."""
PICTURES = 3
"""One being drawn, one in the slot, one being encoded."""


@dataclass(frozen=True)
class ShownScene:
    """A scene in the form that the renderer draws."""

    id: str
    prepared: PreparedScene


@dataclass(frozen=True)
class Drawn:
    """A picture on its way to the encoder."""

    tracking: Tracking
    """The pose that it was drawn for."""
    scene: ShownScene
    picture: av.VideoFrame
    layout: Layout
    eyes: tuple[Eye, Eye]
    """As drawn."""
    near_m: float
    """Of the depth in the picture; 0 where there is none."""
    pose_wait_ms: float
    render_ms: float
    drawn_s: float
    """When it was ready, by the loop's clock."""
    moving: bool
    """Drawn in time; else in full, for someone who keeps still."""
    gaussians: int | None
    """Of the level of detail; None: all of the scene's, the renderer knows no other way."""
    sharers: int
    """Who drew on the render thread by then, this loop among them."""


class DrawLoop:
    """One viewer's pictures. All but :meth:`_draw` runs on the event loop."""

    def __init__(
        self,
        renderer: Renderer,
        render_thread: ThreadPoolExecutor,
        video: Video,
        settings: RenderSettings,
        poses: Poses,
        *,
        may_draw: Callable[[], bool],
        must_draw: Callable[[], bool],
        on_failure: Callable[[str], None],
        depth: bool = False,
        overscan: bool = False,
        turns: Turns | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``must_draw``: even where nothing has changed. ``on_failure`` is given a sentence.

        ``depth``: pictures have depth below their colour; ``overscan``: they show more than is
        asked for. ``turns`` are those of the thread.

        Raises:
            ValueError: a video with an odd number of pixels.
        """
        self._renderer = renderer
        self._render_thread = render_thread
        self._settings = settings
        self.budget_ms = BUDGET_MS if settings.budget_ms is None else settings.budget_ms
        """What drawing may take, on a thread of one's own. Assigned by the owner."""
        self.hz = video.max_hz
        """Pictures per second at most. Assigned by the owner."""
        self._poses = poses
        self._may_draw = may_draw
        self._must_draw = must_draw
        self._on_failure = on_failure
        self._turns = turns or Turns()
        self._clock = clock
        if video.eye_width % 2:
            raise ValueError(f"a video of {video.eye_width} px per eye, wanted an even number")
        self.layout = layout_for(video.eye_width, video.eye_height, depth=depth)
        """Of the next pictures."""
        self._overscan = overscan
        self._near = NearPlane()
        self._free = deque(new_picture(*picture_size(self.layout)) for _ in range(PICTURES))
        self._began_s = self._due_s = float("-inf")
        self._still = 0
        self._drawn: Drawn | None = None
        self.scene: ShownScene | None = None
        """What to draw; None draws nothing. Assigned by the owner."""
        self.pictures: Latest[Drawn] = Latest()
        """The newest picture that the encoder has not taken."""
        self.dropped = 0
        """Pictures that were replaced in there."""

    async def run(self) -> None:
        """Draw until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._poses.arrival()
            if not self._is_worth_it():
                self._poses.skip()
                continue
            self._pace()
            scene = self.scene
            try:
                await loop.run_in_executor(self._render_thread, self._draw)
            except Exception:
                log.exception("drawing failed; the scene is not shown any more")
                if scene is not None:
                    self.hide(scene.id)
                self._on_failure("this scene could not be drawn; the server's log says why")

    def hide(self, scene_id: str) -> None:
        """Draw nothing any more, if this is still the scene: it failed, and would at each pose."""
        if self.scene is not None and self.scene.id == scene_id:
            self.scene = None

    def resize(self, eye_width: int, eye_height: int) -> None:
        """Draw eyes of this size from the next picture on."""
        self.layout = layout_for(eye_width, eye_height, depth=bool(self.layout.depth_height))

    def give_back(self, picture: av.VideoFrame) -> None:
        """The encoder has read it."""
        self._free.append(picture)

    def _pace(self) -> None:
        """No more than ``hz`` on average; a pose may jitter by half a frame without harm."""
        period_s = 1.0 / self.hz
        self._began_s = self._clock()
        self._due_s = max(self._due_s, self._began_s - period_s) + period_s

    def _is_worth_it(self) -> bool:
        """Whether the newest pose is to be drawn."""
        if self.scene is None or not self._may_draw():
            return False
        now_s = self._clock()
        if now_s < self._due_s - 0.5 / self.hz:
            return False
        if self._moved() or self._must_draw():
            return True
        return self._still < STILL_FRAMES or now_s - self._began_s >= KEEP_ALIVE_S

    def _moved(self) -> bool:
        """Whether head, eyes, scene or size changed since the last picture."""
        newest, scene = self._poses.newest, self.scene
        return newest is None or scene is None or not self._shows(newest, scene, self.layout)

    def _draw(self) -> None:
        """In the render thread, which may have been busy with others: so the pose is taken now."""
        arrival, scene = self._poses.latch(), self.scene
        if arrival is None or scene is None:
            return
        began_s, layout = self._clock(), self.layout
        same = self._shows(arrival.tracking, scene, layout)
        sharers = self._turns.sharers(self, began_s)
        budget_ms = self.budget_ms / sharers
        # Whoever keeps still waits for nothing, and gets all Gaussians.
        settings = dataclasses.replace(self._settings, budget_ms=None if same else budget_ms)
        eyes = self._eyes(arrival.tracking, scene, layout)
        views = _views(arrival.tracking, eyes, layout)
        frame = self._renderer.render(scene.prepared, views, settings)
        picture = self._free_picture(layout)
        try:
            near_m = self._write(frame, picture, layout)
        except BaseException:
            self._free.append(picture)
            raise
        drawn_s = self._clock()
        drawn = Drawn(
            arrival.tracking,
            scene,
            picture,
            layout,
            eyes,
            near_m,
            pose_wait_ms=1e3 * (began_s - arrival.at_s),
            render_ms=1e3 * (drawn_s - began_s),
            drawn_s=drawn_s,
            moving=not same,
            gaussians=frame.gaussians,
            sharers=sharers,
        )
        self._count_still(drawn)
        replaced = self.pictures.put(drawn)
        if replaced is not None:
            self.dropped += 1
            self._free.append(replaced.picture)

    def _free_picture(self, layout: Layout) -> av.VideoFrame:
        """Those of another size are let go one by one, as they come back."""
        picture, size = self._free.popleft(), picture_size(layout)
        return picture if (picture.width, picture.height) == size else new_picture(*size)

    def _eyes(self, tracking: Tracking, scene: ShownScene, layout: Layout) -> tuple[Eye, Eye]:
        """As they are drawn."""
        if self._drawn is None or self._drawn.scene is not scene:
            self._near = NearPlane()
        if not self._overscan:
            return tracking.eyes
        # A client without depth makes up for turns alone: as if all were far away.
        return overscanned(tracking, self._near.near_m if layout.depth_height else math.inf)

    def _write(self, frame: Frame, picture: av.VideoFrame, layout: Layout) -> float:
        """The frame into the picture; the near_m of its depth, 0 where it has none."""
        if not layout.depth_height:
            write_frame(frame, picture)
            return 0.0
        near_m = self._near.near_m
        write_frame(frame, picture, layout, near_m)
        luma = planes(picture)[0]
        self._near.saw(luma[layout.eye_height :, : 2 * layout.depth_width])
        return near_m

    def _shows(self, tracking: Tracking, scene: ShownScene, layout: Layout) -> bool:
        """Whether the last picture was of this view of this scene, and of this size."""
        drawn = self._drawn
        if drawn is None or drawn.scene is not scene or drawn.layout != layout:
            return False
        return _same_view(drawn.tracking, tracking)

    def _count_still(self, drawn: Drawn) -> None:
        self._still = (
            self._still + 1 if self._shows(drawn.tracking, drawn.scene, drawn.layout) else 0
        )
        self._drawn = drawn


def _views(tracking: Tracking, eyes: tuple[Eye, Eye], layout: Layout) -> list[View]:
    size = layout.eye_width, layout.eye_height
    return [view_from_eye(tracking.head @ eye.pose, eye.fov, *size) for eye in eyes]


def _same_view(a: Tracking, b: Tracking) -> bool:
    return a.head == b.head and a.eyes == b.eyes
