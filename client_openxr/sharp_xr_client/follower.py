"""What a headset and a simulated one share: poses get keys, frames find the pose they are of.

display   pose()  ──Tracking──>  network            take()  <──newest picture──┐
network   header()  ──by key──┐                                                │
decoder   frame()   ──────────┴── one slot: the newest frame whose header is known
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from sharp_xr_client.decoder import DecodedFrame, Newest
from sharp_xr_client.poses import KeyClock, PoseHistory
from sharp_xr_client.recording import Recorder
from sharp_xr_client.report import Seen, SessionLog
from sharp_xr_protocol.geometry import Pose, Velocity
from sharp_xr_protocol.messages import Eye, FrameHeader, Tracking

MAX_HEADERS = 256
"""Headers that may wait for their frame: seconds of them."""


@dataclass(frozen=True)
class Picture:
    """A decoded frame with all that is known of it."""

    frame: DecodedFrame
    seen: Seen
    header: FrameHeader
    """What it was drawn as."""
    tracking: Tracking | None
    """The pose that it was drawn for, as it was sent; None: none of ours has its key."""


class Follower:
    """Give it to :func:`~sharp_xr_client.connection.connect` as events; it outlives a connection.

    One thread at a time calls :meth:`pose`, one :meth:`take`, the decoder's :meth:`frame`, the
    event loop's :meth:`header` and :meth:`problem`.

    Args:
        log: is filled as the session goes.
        recorder: gets every frame that was decoded.
    """

    def __init__(self, log: SessionLog, recorder: Recorder | None = None) -> None:
        self._log = log
        self._recorder = recorder
        self._keys = KeyClock()
        self._history = PoseHistory()
        self._headers: OrderedDict[int, FrameHeader] = OrderedDict()
        self._newest: Newest[tuple[DecodedFrame, Seen]] = Newest()
        self._waiting: tuple[DecodedFrame, Seen] | None = None
        self._ack: int | None = None

    # --- events, as the connection tells them --------------------------------------------------

    def frame(self, frame: DecodedFrame) -> None:
        """Runs on the decoder's thread."""
        pose = self._history.get(frame.key)
        seen = Seen(
            key=frame.key,
            sent_ns=None if pose is None else pose.time_ns,
            decoded_ns=frame.decoded_ns,
            size_bytes=len(frame.unit.data),
            width=frame.picture.width,
            height=frame.picture.height,
            sei_key=frame.sei_key,
        )
        self._log.frames.append(seen)
        self._ack = frame.key
        self._newest.put((frame, seen))
        if self._recorder is not None:
            self._recorder.put(frame.unit)

    def header(self, header: FrameHeader) -> None:
        self._log.headers[header.key] = header
        self._headers[header.key] = header
        if len(self._headers) > MAX_HEADERS:
            self._headers.popitem(last=False)

    def problem(self, sentence: str) -> None:
        self._log.problems.append(sentence)

    # --- the display's side --------------------------------------------------------------------

    def begin(self) -> None:
        """A new connection begins: its server has sent nothing yet that could be acknowledged."""
        self._ack = None

    def pose(self, head: Pose, eyes: tuple[Eye, Eye], velocity: Velocity) -> Tracking:
        """The message for this world_from_head, with a key of its own; send it now."""
        now_ns = time.monotonic_ns()
        return self._keep(Tracking(self._keys.key(now_ns), now_ns, head, eyes, velocity, self._ack))

    def again(self, recorded: Tracking) -> Tracking:
        """The message for a pose that was sent before: as it was, but for when it is sent and what
        has come back by now."""
        now_ns = time.monotonic_ns()
        return self._keep(msgspec.structs.replace(recorded, time_ns=now_ns, ack=self._ack))

    def _keep(self, tracking: Tracking) -> Tracking:
        # Before it is sent: its frame may be here before sending returns.
        self._history.add(tracking)
        self._log.poses.append(tracking)
        return tracking

    def take(self) -> Picture | None:
        """The newest frame that was not taken yet; None if there is none.

        A frame whose header is still on its way is kept back: only the header says what is where in
        the picture, and through which fields of view it was drawn.
        """
        newest = self._newest.take() or self._waiting
        if newest is None:
            return None
        frame, seen = newest
        header = self._headers.get(frame.key)
        self._waiting = newest if header is None else None
        if header is None:
            return None
        self._log.shown.append(seen)
        return Picture(frame, seen, header, self._history.get(frame.key))
