"""A session's socket, as the web server has it."""

from __future__ import annotations

import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect

from sharp_xr.clients.outbox import DisconnectedError
from sharp_xr_protocol.codec import ProtocolError


class StarletteSocket:
    """A WebSocket of Starlette as ``outbox.Socket``."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> bytes:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise DisconnectedError
        data = message.get("bytes")
        if not isinstance(data, bytes):
            raise ProtocolError("a text message came, wanted binary msgpack")
        return data

    async def send(self, data: bytes) -> None:
        try:
            await self._websocket.send_bytes(data)
        except (WebSocketDisconnect, RuntimeError) as error:  # the latter: closed already
            raise DisconnectedError from error

    async def close(self) -> None:
        # The peer has vanished, or the socket is closed already.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close()
