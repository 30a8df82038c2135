"""A headset's session: a display that goes on, and servers that may come and go beneath it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sharp_xr_client.address import Address
from sharp_xr_client.connection import Connection, connect
from sharp_xr_client.follower import Follower
from sharp_xr_client.outbox import Outbox
from sharp_xr_client.problem import ClientError
from sharp_xr_client.quality import Wish, tell
from sharp_xr_client.report import SessionLog
from sharp_xr_client.scenes import select_scene
from sharp_xr_protocol.messages import Hello, Scene

RETRY_S = 1.0
"""Between tries to reach a server that was lost."""
TIDY_S = 5.0
"""Between looks at what the log has that nobody needs any more."""
CAPABILITIES = ["depth", "overscan"]


class Watch:
    """Keeps a follower fed by a server, again and again until it is cancelled."""

    def __init__(
        self,
        address: Address,
        hello: Hello,
        follower: Follower,
        outbox: Outbox,
        log: SessionLog,
        say: Callable[[str], None],
        scene: str | None = None,
        quality: Wish = "auto",
    ) -> None:
        self._address = address
        self._hello = hello
        self._follower = follower
        self._outbox = outbox
        self._log = log
        self._say = say
        self._scene = scene
        self._quality = quality
        self.connection: Connection | None = None
        """The one that is open."""
        self.connections = 0
        """That were opened so far."""

    def scene_of(self, scene_id: str) -> Scene | None:
        """As the server lists it; on any thread."""
        connection = self.connection
        scenes = connection.scenes if connection else []
        return next((scene for scene in scenes if scene.id == scene_id), None)

    async def run(self) -> None:
        """Until cancelled.

        Raises:
            ClientError: there was no server from the start.
        """
        told = None
        while True:
            before = self.connections
            try:
                await self._once()
            except ClientError as error:
                if not self.connections:
                    raise
                # Many tries of one outage are one sentence.
                if self.connections > before or str(error) != told:
                    told = str(error)
                    self._say(f"{told}; trying again")
            await asyncio.sleep(RETRY_S)

    async def _once(self) -> None:
        self._follower.begin()
        async with connect(self._address, self._hello, self._follower) as server:
            self.connection = server
            self.connections += 1
            self._log.counts = server.counts
            if self.connections > 1:
                self._say("the server is back")
            try:
                await self._serve(server)
            finally:
                self.connection = None
                best = server.clock.best
                self._log.round_trip_ms = best.round_trip_ns / 1e6 if best else None

    async def _serve(self, server: Connection) -> None:
        await tell(server, self._quality)
        if server.scenes:
            await select_scene(server, self._scene)
        else:
            self._say(f"the server has no scene yet: upload a photo at {self._address.page}")
        working: asyncio.Future[Any] = asyncio.gather(
            self._outbox.send_all(server), self._await_scene(server), self._tidy()
        )
        try:
            either: set[asyncio.Future[Any]] = {working, server.ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if server.ended.done():
                server.ended.result()
            working.result()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _await_scene(self, server: Connection) -> None:
        """Who connects is shown the newest scene; one that is stored later has to be asked for."""
        waiting = not server.scenes
        while waiting:
            await asyncio.sleep(0.2)
            waiting = await select_scene(server, None) is None

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            self._log.trim()
