"""One session with a runtime: its states, its spaces, its frames. One thread calls all of it."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import xr
from xr import raw_functions

from sharp_xr_client.openxr.conversion import (
    fov_from,
    fovf_from,
    pose_from,
    posef_from,
    velocity_from,
)
from sharp_xr_client.openxr.passthrough import Passthrough
from sharp_xr_client.openxr.runtime import (
    REFRESH_RATE,
    STEREO,
    Runtime,
    RuntimeLostError,
    choose_rate,
)
from sharp_xr_client.room import Room
from sharp_xr_protocol.geometry import Fov, Pose, Velocity
from sharp_xr_protocol.messages import Eye

EXIT_S = 3.0
"""How long a runtime may take to let us go."""
OPAQUE = Room("OPAQUE", is_clear=False)
USUAL_HZ = 90.0
"""Where the runtime does not tell the display's rate."""


@dataclass(frozen=True)
class Moment:
    """What the runtime says about the next picture. Times are its own nanoseconds."""

    display_ns: int
    period_ns: int
    should_render: bool
    """False: nobody would see it; the headset is off the head, or shows something else."""


@dataclass(frozen=True)
class Sight:
    """Head and eyes at one moment, in the room's axes."""

    room_from_head: Pose
    velocity: Velocity
    eyes: tuple[Eye, Eye]


@dataclass(frozen=True)
class EyeLayer:
    """One eye of what is shown: a part of a swapchain, and where it was drawn for."""

    room_from_eye: Pose
    fov: Fov
    left_px: int
    width_px: int
    height_px: int


class Session:
    """A session whose frames are projections in the room: LOCAL_FLOOR where there is one, or LOCAL.

    Args:
        binding: of the current GL context; the caller keeps it alive.
    """

    def __init__(self, runtime: Runtime, binding: Any) -> None:
        self.runtime = runtime
        self.state = xr.SessionState.UNKNOWN
        self.is_running = False
        """Between begin and end: only then are there frames."""
        self.is_over = False
        """The runtime wants us to leave, or let us."""
        self.room_moves_at_ns: int | None = None
        """When the person recentred by the headset's own means, the display time from which poses
        are in the new room. The frame loop sets it back."""
        self._asked_hz: float | None = None
        self._leaving_since_s: float | None = None
        self._passthrough: Passthrough | None = None
        info = xr.SessionCreateInfo(
            system_id=runtime.system, next=ctypes.cast(ctypes.pointer(binding), ctypes.c_void_p)
        )
        # Made once: each pointer that ctypes casts is a cycle for the garbage collector.
        self._velocity = xr.SpaceVelocity()
        self._location = xr.SpaceLocation(
            next=ctypes.cast(ctypes.pointer(self._velocity), ctypes.c_void_p)
        )
        self.handle = xr.create_session(runtime.instance, info)
        self.room_type = choose_room(
            xr.ReferenceSpaceType(space) for space in xr.enumerate_reference_spaces(self.handle)
        )
        self.room = self._reference_space(self.room_type)
        self.head = self._reference_space(xr.ReferenceSpaceType.VIEW)

    @property
    def refresh_hz(self) -> float:
        """Of the display; what was asked for, where that is on its way."""
        if self._asked_hz is not None:
            return self._asked_hz
        if REFRESH_RATE not in self.runtime.extensions:
            return USUAL_HZ
        return float(xr.get_display_refresh_rate_fb(self.handle).value) or USUAL_HZ

    def request_rate(self, wanted_hz: float) -> str | None:
        """Ask for the display's rate that is nearest to it. A sentence where it is another."""
        if REFRESH_RATE not in self.runtime.extensions:
            return f"this runtime does not let programs choose a rate, {wanted_hz:g} Hz or any"
        offered = [float(rate) for rate in xr.enumerate_display_refresh_rates_fb(self.handle)]
        chosen = choose_rate(offered, wanted_hz)
        if chosen is None:
            return f"this headset offers no rate, {wanted_hz:g} Hz or any"
        xr.request_display_refresh_rate_fb(self.handle, chosen)
        self._asked_hz = chosen
        if abs(chosen - wanted_hz) < 0.5:
            return None
        return f"this headset offers {', '.join(f'{r:g}' for r in offered)} Hz, not {wanted_hz:g}"

    def poll(self) -> None:
        """Follow what the runtime says; begin and end where it says so."""
        for kind, event in self._events():
            match kind:
                case xr.StructureType.EVENT_DATA_SESSION_STATE_CHANGED:
                    self._enter(xr.SessionState(event.state))
                case xr.StructureType.EVENT_DATA_INSTANCE_LOSS_PENDING:
                    raise RuntimeLostError("the OpenXR runtime is about to end")
                case xr.StructureType.EVENT_DATA_REFERENCE_SPACE_CHANGE_PENDING:
                    if event.reference_space_type == self.room_type.value:
                        self.room_moves_at_ns = int(event.change_time)
        since = self._leaving_since_s
        if since is not None and time.monotonic() - since > EXIT_S:
            self.is_over = True

    def leave(self) -> None:
        """Ask to be let go: more frames, then ``is_over``."""
        if self._leaving_since_s is not None:
            return
        self._leaving_since_s = time.monotonic()
        if self.is_running:
            xr.request_exit_session(self.handle)
        else:
            self.is_over = True

    def next_frame(self) -> Moment:
        """Waits until the runtime wants the next frame, and begins it."""
        state = xr.wait_frame(self.handle)
        xr.begin_frame(self.handle)
        return Moment(
            int(state.predicted_display_time),
            int(state.predicted_display_period),
            bool(state.should_render),
        )

    def end_frame(
        self,
        moment: Moment,
        swapchain: xr.Swapchain | None,
        eyes: Iterable[EyeLayer],
        room: Room = OPAQUE,
        above: Iterable[Any] = (),
    ) -> None:
        """Show these parts of the swapchain's newest picture, layers ``above`` them; None: nothing
        of the world."""
        layers: list[Any] = []
        if room.passthrough:
            self._passthrough = self._passthrough or Passthrough(self.handle)
            layers.append(self._passthrough.layer())
        views = [_projection_view(swapchain, eye) for eye in eyes] if swapchain else []
        if views:
            flags = xr.CompositionLayerFlags
            layers.append(
                xr.CompositionLayerProjection(
                    layer_flags=(
                        flags.BLEND_TEXTURE_SOURCE_ALPHA_BIT if room.is_clear else flags.NONE
                    ),
                    space=self.room,
                    views=views,
                )
            )
        layers += above
        mode = xr.EnvironmentBlendMode[room.mode]
        pointers = [ctypes.byref(layer) for layer in layers]
        xr.end_frame(self.handle, xr.FrameEndInfo(moment.display_ns, mode, layers=pointers))

    def locate(self, time_ns: int) -> Sight | None:
        """Head and eyes at a display time; None while the headset does not know where it is."""
        location, velocity = self._location, self._velocity
        # pyopenxr's own wrapper has no place for the velocity.
        _check(raw_functions.xrLocateSpace(self.head, self.room, time_ns, ctypes.byref(location)))
        known = (
            xr.SpaceLocationFlags.ORIENTATION_VALID_BIT | xr.SpaceLocationFlags.POSITION_VALID_BIT
        )
        if location.location_flags & known.value != known.value:
            return None
        _, views = xr.locate_views(self.handle, xr.ViewLocateInfo(STEREO, time_ns, self.head))
        left, right = (Eye(pose_from(view.pose), fov_from(view.fov)) for view in views)
        return Sight(pose_from(location.pose), velocity_from(velocity), (left, right))

    def close(self) -> None:
        """Also after the runtime was lost."""
        try:
            xr.destroy_session(self.handle)
        except xr.exception.XrException:
            return

    def _reference_space(self, kind: xr.ReferenceSpaceType) -> xr.Space:
        return xr.create_reference_space(self.handle, xr.ReferenceSpaceCreateInfo(kind))

    def _enter(self, state: xr.SessionState) -> None:
        self.state = state
        if state == xr.SessionState.READY:
            xr.begin_session(self.handle, xr.SessionBeginInfo(STEREO))
            self.is_running = True
        elif state == xr.SessionState.STOPPING:
            xr.end_session(self.handle)
            self.is_running = False
        elif state == xr.SessionState.EXITING:
            self.is_over = True
        elif state == xr.SessionState.LOSS_PENDING:
            raise RuntimeLostError("the headset's session is lost")

    def _events(self) -> Iterator[tuple[xr.StructureType, Any]]:
        while True:
            buffer = xr.EventDataBuffer()
            # pyopenxr's own wrapper raises where there is none: a traceback for each frame.
            result = raw_functions.xrPollEvent(self.runtime.instance, ctypes.byref(buffer))
            if result == xr.Result.EVENT_UNAVAILABLE:
                return
            _check(result)
            kind = xr.StructureType(buffer.type)
            event_class = EVENTS.get(kind)
            if event_class is not None:
                yield kind, event_class.from_buffer(buffer)


EVENTS = {
    xr.StructureType.EVENT_DATA_SESSION_STATE_CHANGED: xr.EventDataSessionStateChanged,
    xr.StructureType.EVENT_DATA_INSTANCE_LOSS_PENDING: xr.EventDataInstanceLossPending,
    xr.StructureType.EVENT_DATA_REFERENCE_SPACE_CHANGE_PENDING: (
        xr.EventDataReferenceSpaceChangePending
    ),
}


def _check(result: xr.Result) -> None:
    """Raises what it stands for, if that is no success."""
    found = xr.exception.check_result(result)
    if found.is_exception():
        raise found


def choose_room(offered: Iterable[xr.ReferenceSpaceType]) -> xr.ReferenceSpaceType:
    """LOCAL_FLOOR: recentring by the headset then keeps the floor; LOCAL is there always."""
    floor = xr.ReferenceSpaceType.LOCAL_FLOOR
    return floor if floor in set(offered) else xr.ReferenceSpaceType.LOCAL


def _projection_view(swapchain: xr.Swapchain, eye: EyeLayer) -> xr.CompositionLayerProjectionView:
    rectangle = xr.Rect2Di(xr.Offset2Di(eye.left_px, 0), xr.Extent2Di(eye.width_px, eye.height_px))
    return xr.CompositionLayerProjectionView(
        pose=posef_from(eye.room_from_eye),
        fov=fovf_from(eye.fov),
        sub_image=xr.SwapchainSubImage(swapchain, rectangle, 0),
    )
