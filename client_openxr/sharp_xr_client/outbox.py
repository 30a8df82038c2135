"""What a display's thread gives the network: the newest pose, and a few reports.

Poses replace each other; a report is small news that the server's rate control adds up, so some of
them wait, and the oldest go first when the network stands still.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from sharp_xr_client.connection import Connection
from sharp_xr_client.decoder import Newest
from sharp_xr_client.scenes import neighbour
from sharp_xr_protocol.messages import DisplayTimes, Report, SceneSelect, Tracking

MAX_REPORTS = 64


@dataclass(frozen=True)
class SceneStep:
    """A scene further in the gallery, or back."""

    step: int


class Outbox:
    """Made on the event loop; filled from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._pose: Newest[Tracking] = Newest()
        self._told: deque[Report | DisplayTimes | SceneStep] = deque(maxlen=MAX_REPORTS)

    def track(self, tracking: Tracking) -> None:
        """Send this pose, instead of any that was not sent yet."""
        self._pose.put(tracking)
        self._wake()

    def tell(self, report: Report | DisplayTimes) -> None:
        """Send this before the next pose."""
        self._told.append(report)
        self._wake()

    def step(self, step: int) -> None:
        """Ask for the scene that is ``step`` after the shown one."""
        self._told.append(SceneStep(step))
        self._wake()

    async def send_all(self, connection: Connection) -> None:
        """Until the session ends.

        Raises:
            ClientError: it did.
        """
        # What waits is of a session before this one.
        self._told.clear()
        self._pose.take()
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._told:
                await _send(connection, self._told.popleft())
            pose = self._pose.take()
            if pose is not None:
                await connection.send(pose)

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._filled.set)
        except RuntimeError:
            return  # the loop is closed: the program ends, nobody waits for this any more


async def _send(connection: Connection, message: Report | DisplayTimes | SceneStep) -> None:
    match message:
        case Report():
            await connection.send(message)
        case DisplayTimes():
            if "display_times" in connection.welcome.capabilities:
                await connection.send(message)
        case SceneStep():
            scene = neighbour(connection.scenes, connection.scene, message.step)
            if scene is not None:
                await connection.send(SceneSelect(scene.id))
