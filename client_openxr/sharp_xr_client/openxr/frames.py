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

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xr

from sharp_xr_client.comfort import Comfort, hole_share
from sharp_xr_client.follower import Follower, Picture
from sharp_xr_client.hands import Hands
from sharp_xr_client.lead import Lead
from sharp_xr_client.openxr.actions import Actions
from sharp_xr_client.openxr.easel import Easel
from sharp_xr_client.openxr.painting import Painter, Style
from sharp_xr_client.openxr.panel import Panel
from sharp_xr_client.openxr.session import Moment, Session, Sight
from sharp_xr_client.openxr.window import Context
from sharp_xr_client.outbox import Outbox
from sharp_xr_client.placement import Placement, recentred
from sharp_xr_client.room import choose_room
from sharp_xr_client.timing import Timing
from sharp_xr_protocol.geometry import Pose, Velocity, conjugate, rotate
from sharp_xr_protocol.messages import Eye, Report, Scene

PAUSE_S = 0.05
"""Between looks at a runtime that wants no frames."""
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
    comfort: Comfort = field(default_factory=Comfort)
    wants_room: bool = False
    """The room is to be seen around the photo."""
    wants_panel: bool = False
    """Figures are to be seen in the headset."""
    undecodable: Callable[[], int] = lambda: 0
    """Frames of the stream that could not be decoded."""
    say: Callable[[str], None] = print
    """Tells the person a sentence."""
    scene_of: Callable[[str], Scene | None] = lambda scene: None
    """The scene with an id, as the server lists it."""


class Frames:
    """Runs one session to its end."""

    def __init__(self, session: Session, context: Context, painter: Painter, state: State) -> None:
        self._session = session
        runtime = session.runtime
        self._room = choose_room(runtime.blend_modes, runtime.extensions, state.wants_room)
        if self._room.problem:
            state.say(self._room.problem)
        self._context = context
        self._painter = painter
        self._easel = Easel(session, painter)
        self._state = state
        self._actions = Actions(session)
        self._hands = Hands()
        self._panel = Panel(session) if state.wants_panel else None
        self._period_s = 0.0
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
            self._easel.close()
            if self._panel is not None:
                self._panel.close()

    # --- one frame -----------------------------------------------------------------------------

    def _frame(self) -> None:
        timing = self._state.timing
        with timing.stage("wait"):
            moment = self._session.next_frame()
        timing.frames += 1
        self._period_s = moment.period_ns / 1e9
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
                self._easel.swapchain if moment.should_render else None,
                self._easel.layers(self._state.placement),
                self._room,
                self._above() if moment.should_render else (),
            )

    def _above(self) -> list[Any]:
        if self._panel is None:
            return []
        if self._panel.is_due():
            self._panel.write(self._state.timing.lines(self._state.undecodable()))
        return [self._panel.layer()]

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
        if now is not None:
            self._paint(now)
        times = timing.due(state.undecodable())
        if times is not None:
            state.outbox.tell(times)

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
        self._trust(picture)
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

    def _trust(self, picture: Picture) -> None:
        """How much of what the photo covers is missing in this frame."""
        header = picture.header
        scene, layout = self._state.scene_of(header.scene), header.layout
        if scene is None or not layout.depth_height or not header.near_m:
            return
        if not self._state.comfort.wants(scene.id, time.monotonic()):
            return
        plane = picture.frame.picture.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        below = luma[layout.eye_height : layout.eye_height + layout.depth_height]
        left = header.eyes[0]
        self._state.comfort.saw(
            scene.id,
            hole_share(
                below[:, : layout.depth_width],
                header.head @ left.pose,
                left.fov,
                scene.photo_fov,
                scene.focus_m,
            ),
        )

    def _paint(self, now: Sight) -> None:
        state = self._state
        if state.picture is None or state.placement is None:
            return
        head = state.placement.photo_from_room(now.room_from_head)
        fade = state.comfort.update(head, self._period_s)
        style = Style(fade, self._room.is_clear)
        began_s = time.perf_counter()
        if self._easel.paint(state.picture, state.placement, now, style):
            state.timing.add("paint", (time.perf_counter() - began_s) * 1e3)


def _scaled(pose: Pose, factor: float) -> Pose:
    x, y, z = pose.position
    return Pose((x * factor, y * factor, z * factor), pose.orientation)


def _in_photo(placement: Placement, velocity: Velocity) -> Velocity:
    """A velocity of the room, in the photo's axes and metres."""
    back = conjugate(placement.room_from_photo.orientation)
    x, y, z = rotate(back, velocity.linear)
    linear = (x / placement.scale, y / placement.scale, z / placement.scale)
    return Velocity(linear, rotate(back, velocity.angular))
