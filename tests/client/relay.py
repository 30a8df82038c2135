"""Between a client and a server: all is heard, and something may happen to it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from sharp_xr_protocol.codec import decode_from_client
from sharp_xr_protocol.messages import FromClient


class Relay:
    """Stands between a client and a server, and does something to their session after a second."""

    def __init__(self, behind: str, after_a_second: Callable[[ServerConnection], object]) -> None:
        self._behind = behind
        self._after_a_second = after_a_second
        self.messages: list[FromClient] = []
        """Of the client."""

    async def handle(self, client: ServerConnection) -> None:
        async with connect(f"ws://{self._behind}/session") as server, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._interfere(client))
            tasks.create_task(self._up(client, server))
            tasks.create_task(self._down(client, server))

    async def _interfere(self, client: ServerConnection) -> None:
        await asyncio.sleep(1.0)
        done = self._after_a_second(client)
        if inspect.isawaitable(done):
            await done

    async def _up(self, client: ServerConnection, server: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for data in client:
                assert isinstance(data, bytes)
                self.messages.append(decode_from_client(data))
                await server.send(data)
        await server.close()

    async def _down(self, client: ServerConnection, server: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for data in server:
                await client.send(data)
