"""A headset without a headset: a scripted head, a display that ticks, and a log of what it saw.

Each tick does what a headset's frame loop does: take the newest picture, find the pose that it was
drawn for, locate the head, send its pose together with the newest key that was decoded.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

import msgspec

from sharp_xr_client.connection import Connection
from sharp_xr_client.displayed import Displayed
from sharp_xr_client.follower import Follower, Picture
from sharp_xr_client.motion import Motion
from sharp_xr_client.poses import KEYS
from sharp_xr_client.recording import Recorder
from sharp_xr_client.report import SessionLog
from sharp_xr_client.scenes import select_scene
from sharp_xr_protocol.geometry import Fov, Pose
from sharp_xr_protocol.messages import CLOCK_HZ, Eye, Report, Tracking

IPD_M = 0.063
"""Between the eyes: the mean of adults (Dodgson 2004)."""
EYE_FOV = Fov.symmetric(math.radians(90), math.radians(90))
FIRST_FRAME_S = 15.0
"""How long the first frame may take: a scene has to be loaded for it."""
LAST_S = 0.5
LATE_S = 0.005
"""A tick later than this is made up for by none after it."""


def eyes(ipd_m: float = IPD_M, fov: Fov = EYE_FOV) -> tuple[Eye, Eye]:
    """Left and right eye, looking straight ahead."""
    left, right = Pose((-ipd_m / 2, 0.0, 0.0)), Pose((ipd_m / 2, 0.0, 0.0))
    return Eye(left, fov), Eye(right, fov)


class Viewer(Follower):
    """Moves a head and watches."""

    def __init__(
        self, hz: float, log: SessionLog, recorder: Recorder | None = None, *, warps: bool = False
    ) -> None:
        """``warps``: what is shown is warped to where the head is, by the frame's depth."""
        super().__init__(log, recorder)
        self._warps = warps
        self.newest: Picture | None = None
        """What the display shows: the last entry of the log's ``displayed`` says how."""
        self._period_s = 1.0 / hz
        self._eyes = eyes()

    # --- the display's loop --------------------------------------------------------------------

    async def run(self, connection: Connection, motion: Motion, seconds: float) -> None:
        """Watch for ``seconds`` from the first frame on.

        Raises:
            ClientError: the session ended early.
        """
        start = tick = time.monotonic()
        # A client is shown the newest scene as it connects; one that is stored later it asks for.
        waiting = not connection.scenes
        while not self._is_over(start, seconds):
            if waiting and connection.scenes:
                waiting = await select_scene(connection, None) is None
            await self._show(connection)
            await self._send_pose(connection, motion, time.monotonic() - start)
            tick = max(tick + self._period_s, time.monotonic() - LATE_S)
            await asyncio.sleep(max(tick - time.monotonic(), 0.0))

    async def replay(
        self, connection: Connection, poses: Sequence[Tracking], seconds: float
    ) -> None:
        """Send recorded poses with their keys, at the distances that they were sent at; at most
        for ``seconds``. Before, until frames come, the first of them, with keys from before it.

        Raises:
            ClientError: the session ended early.
        """
        first, asked = poses[0], time.monotonic()
        while not self._log.frames and (waited := time.monotonic() - asked) < FIRST_FRAME_S:
            key = (first.key + round((waited - FIRST_FRAME_S) * CLOCK_HZ) - 1) % KEYS
            await connection.send(self.again(msgspec.structs.replace(first, key=key)))
            await asyncio.sleep(self._period_s)
        start = time.monotonic()
        for pose in poses:
            due = start + (pose.time_ns - first.time_ns) / 1e9
            if due > start + seconds:
                return
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
            await self._show(connection)
            self._display(pose.head, pose.eyes)
            await connection.send(self.again(pose))
        # The last frames are on their way.
        await asyncio.sleep(LAST_S)
        await self._show(connection)

    def _is_over(self, start: float, seconds: float) -> bool:
        now = time.monotonic()
        if self._log.frames:
            return now >= self._log.frames[0].decoded_ns / 1e9 + seconds
        return now >= start + max(seconds, FIRST_FRAME_S)

    async def _show(self, connection: Connection) -> None:
        picture = self.take()
        self.newest = picture or self.newest
        if picture is None or picture.tracking is None:
            return
        key, sent_ns = picture.frame.key, picture.tracking.time_ns
        decoded_ms = (picture.frame.decoded_ns - sent_ns) / 1e6
        await connection.send(Report(key, decoded_ms, (time.monotonic_ns() - sent_ns) / 1e6))

    async def _send_pose(self, connection: Connection, motion: Motion, time_s: float) -> None:
        head, velocity = motion.head(time_s)
        self._display(head, self._eyes)
        await connection.send(self.pose(head, self._eyes, velocity))

    def _display(self, head: Pose, eyes: tuple[Eye, Eye]) -> None:
        if self.newest is not None:
            tick = Displayed(self.newest.header, head, eyes, self._warps)
            self._log.displayed.append(tick)
