"""The frame loop of one session: where the head will be goes out, the newest frame is shown.

    wait ─> locate at the next picture ──────────────────────> warp for position ─> end
             └─> locate at that + lead ─> Tracking                    ^
                                          newest decoded frame ───────┘

A frame is warped to where each eye is at the next picture, but keeps the orientation that it was
drawn with; it is submitted with just that pose and field of view, so that the runtime does the rest
of the turn, later than we could. Where nothing moved and nothing came, the last picture is
submitted again, with its own pose.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import xr

from sharp_xr_client.follower import Follower, Picture
from sharp_xr_client.hands import Hands
from sharp_xr_client.lead import Lead
from sharp_xr_client.openxr.actions import Actions
from sharp_xr_client.openxr.painting import Canvas, Painter, Style
from sharp_xr_client.openxr.session import EyeLayer, Moment, Session, Sight
from sharp_xr_client.openxr.window import Context
from sharp_xr_client.outbox import Outbox
from sharp_xr_client.placement import Placement, recentred
from sharp_xr_client.reprojection import reproject
from sharp_xr_client.timing import Timing
from sharp_xr_protocol.geometry import Pose, Velocity, conjugate, rotate
from sharp_xr_protocol.messages import Eye, Report

PAUSE_S = 0.05
"""Between looks at a runtime that wants no frames."""
STILL_M = 0.0005
"""An eye that moved by less, in the photo's metres, sees the same picture: at 0.3 m this is 0.1
degrees, about a pixel."""
ASKED = 512
"""Poses whose display time is remembered: seconds of them."""


@dataclass
class State:
    """What outlives a session: when a runtime comes back, the world is where it was."""

    follower: Follower
    outbox: Outbox
    timing: Timing = field(default_factory=Timing)
    lead: Lead = field(default_factory=Lead)
    placement: Placement | None = None
    """None: to be made where the head is."""
    picture: Picture | None = None
    """The newest; its pixels are in the painter."""


@dataclass(frozen=True)
class Painted:
    """What is in the swapchain's newest picture."""

    key: int
    photo_from_eyes: tuple[Pose, Pose]
    """As warped: the eyes' places, the frame's orientation."""
    eyes: tuple[Eye, Eye]
    width_px: int
    height_px: int
    style: Style


class Frames:
    """Runs one session to its end."""

    def __init__(self, session: Session, context: Context, painter: Painter, state: State) -> None:
        self._session = session
        self._context = context
        self._painter = painter
        self._state = state
        self._actions = Actions(session)
        self._hands = Hands()
        self._canvas: Canvas | None = None
        self._painted: Painted | None = None
        self._asked_for: OrderedDict[int, int] = OrderedDict()

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Until the runtime ends the session, or is asked to.

        Raises:
            RuntimeLostError: it ended otherwise.
        """
        try:
            while not self._session.is_over:
                self._session.poll()
                if is_stopped():
                    self._session.leave()
                if self._session.is_running:
                    self._frame()
                else:
                    time.sleep(PAUSE_S)
        finally:
            if self._canvas is not None:
                self._canvas.close()

    # --- one frame -----------------------------------------------------------------------------

    def _frame(self) -> None:
        timing = self._state.timing
        with timing.stage("wait"):
            moment = self._session.next_frame()
        timing.frames += 1
        timing.focused += self._session.state == xr.SessionState.FOCUSED
        # Some runtimes leave another context current behind them.
        self._context.make_current()
        if moment.should_render:
            self._render(moment)
        else:
            timing.hidden += 1
        with timing.stage("end"):
            self._session.end_frame(
                moment,
                self._canvas.handle if self._canvas else None,
                self._layers() if moment.should_render else (),
                xr.EnvironmentBlendMode.OPAQUE,
            )

    def _render(self, moment: Moment) -> None:
        timing, state = self._state.timing, self._state
        with timing.stage("locate"):
            now = self._session.locate(moment.display_ns)
            ahead = self._session.locate(moment.display_ns + state.lead.ns)
        if now is not None:
            self._place(moment, now)
        if ahead is not None:
            self._track(moment, ahead)
        is_fresh = self._take(moment)
        timing.fresh += is_fresh
        timing.reused += not is_fresh and state.picture is not None
        if now is not None and state.picture is not None and state.placement is not None:
            self._paint(state.picture, state.placement, now)

    def _place(self, moment: Moment, now: Sight) -> None:
        """Around the head at first, again when the headset was recentred, then where hands put
        it."""
        moves_at_ns = self._session.room_moves_at_ns
        if moves_at_ns is not None and moment.display_ns >= moves_at_ns:
            self._session.room_moves_at_ns = None
            self._state.placement = None
        if self._state.placement is None:
            self._state.placement = recentred(now.room_from_head)
            self._hands = Hands()
        if self._session.state != xr.SessionState.FOCUSED:
            self._hands = Hands()
        else:
            left, right = self._actions.read(moment.display_ns)
            wish = self._hands.update(left, right, self._state.placement, now.room_from_head)
            self._state.placement = wish.placement
            if wish.scene_step:
                self._state.outbox.step(wish.scene_step)

    def _track(self, moment: Moment, ahead: Sight) -> None:
        placement = self._state.placement
        if placement is None:
            return
        head = placement.photo_from_room(ahead.room_from_head)
        eyes = tuple(Eye(_scaled(eye.pose, 1 / placement.scale), eye.fov) for eye in ahead.eyes)
        left, right = eyes
        tracking = self._state.follower.pose(
            head, (left, right), _in_photo(placement, ahead.velocity)
        )
        self._asked_for[tracking.key] = moment.display_ns
        if len(self._asked_for) > ASKED:
            self._asked_for.popitem(last=False)
        self._state.outbox.track(tracking)

    def _take(self, moment: Moment) -> bool:
        """Whether there is a newer frame; it is on the GPU then."""
        picture = self._state.follower.take()
        if picture is None:
            return False
        with self._state.timing.stage("upload"):
            self._painter.upload(picture.frame.picture)
        self._state.picture = picture
        key = picture.frame.key
        asked_for_ns = self._asked_for.get(key)
        if asked_for_ns is not None:
            self._state.lead.saw(asked_for_ns, moment.display_ns)
        if picture.tracking is not None:
            sent_ns = picture.tracking.time_ns
            decoded_ms = (picture.frame.decoded_ns - sent_ns) / 1e6
            shown_ms = (time.monotonic_ns() - sent_ns) / 1e6
            self._state.timing.add("pose_age", shown_ms)
            self._state.outbox.tell(Report(key, decoded_ms, shown_ms))
        return True

    # --- painting ------------------------------------------------------------------------------

    def _paint(self, picture: Picture, placement: Placement, now: Sight) -> None:
        header = picture.header
        poses = tuple(
            _moved_to(
                header.head @ drawn.pose,
                placement.photo_from_room(now.room_from_head @ eye.pose),
            )
            for drawn, eye in zip(header.eyes, now.eyes, strict=True)
        )
        left, right = poses
        style = Style()
        if not self._is_worth_it(header.key, (left, right), style):
            return
        layout = header.layout
        eyes = [
            reproject(header.head @ eye.pose, eye.fov, pose, eye.fov, layout, header.near_m)
            for eye, pose in zip(header.eyes, poses, strict=True)
        ]
        size = layout.eye_width, layout.eye_height
        with self._state.timing.stage("paint"), self._canvas_of(*size).next_picture() as target:
            self._painter.paint(target, size, layout, eyes, style)
        self._painted = Painted(header.key, (left, right), header.eyes, *size, style)

    def _is_worth_it(self, key: int, poses: tuple[Pose, Pose], style: Style) -> bool:
        """Whether a new picture would differ from the one that is there."""
        painted = self._painted
        if painted is None or painted.key != key or painted.style != style:
            return True
        return any(
            math.dist(a.position, b.position) > STILL_M
            for a, b in zip(painted.photo_from_eyes, poses, strict=True)
        )

    def _canvas_of(self, width: int, height: int) -> Canvas:
        """At least so large, for one eye."""
        canvas = self._canvas
        if canvas is None or canvas.width < width or canvas.height < height:
            if canvas is not None:
                width, height = max(width, canvas.width), max(height, canvas.height)
                canvas.close()
            self._canvas = canvas = Canvas(self._session, width, height)
        return canvas

    def _layers(self) -> list[EyeLayer]:
        """What is painted, where it stands in the room by now."""
        painted, placement = self._painted, self._state.placement
        if painted is None or placement is None:
            return []
        assert self._canvas is not None
        return [
            EyeLayer(
                placement.room_from(pose),
                eye.fov,
                # The right eye is beside the left, whatever the swapchain's own size.
                side * painted.width_px,
                painted.width_px,
                painted.height_px,
            )
            for side, (pose, eye) in enumerate(
                zip(painted.photo_from_eyes, painted.eyes, strict=True)
            )
        ]


def _moved_to(drawn: Pose, now: Pose) -> Pose:
    """The eye's place by now, with the orientation that the frame was drawn with."""
    return Pose(now.position, drawn.orientation)


def _scaled(pose: Pose, factor: float) -> Pose:
    x, y, z = pose.position
    return Pose((x * factor, y * factor, z * factor), pose.orientation)


def _in_photo(placement: Placement, velocity: Velocity) -> Velocity:
    """A velocity of the room, in the photo's axes and metres."""
    back = conjugate(placement.room_from_photo.orientation)
    x, y, z = rotate(back, velocity.linear)
    linear = (x / placement.scale, y / placement.scale, z / placement.scale)
    return Velocity(linear, rotate(back, velocity.angular))
