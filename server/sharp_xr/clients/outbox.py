"""The messages that wait to be sent to a client, and the socket that they go through."""

from __future__ import annotations

import asyncio
from typing import Protocol

from sharp_xr_protocol.codec import encode
from sharp_xr_protocol.messages import (
    Bye,
    FrameHeader,
    FromServer,
    Progress,
    SceneList,
    StreamQuality,
)

SEND_TIMEOUT_S = 10.0
"""A client that takes nothing for so long is given up."""
MAX_WAITING = 256
"""Messages that may wait for a client that reads slowly."""


class DisconnectedError(Exception):
    """The peer is gone without a word."""


class Socket(Protocol):
    """A WebSocket as a session sees it."""

    async def receive(self) -> bytes:
        """The next message. Raises DisconnectedError; ProtocolError for one that is not binary."""
        ...

    async def send(self, data: bytes) -> None:
        """Raises DisconnectedError."""
        ...

    async def close(self) -> None:
        """Also when the peer has closed it before."""
        ...


class Outbox:
    """Messages that wait to be sent, in order; some take the place of one that they replace."""

    def __init__(self) -> None:
        self._waiting: dict[object, FromServer] = {}  # in the order of sending
        self._filled = asyncio.Event()

    def put(self, message: FromServer) -> None:
        """Never waits and never fails; where too much waits, one Bye takes the place of all."""
        key = _replaces(message)
        self._waiting.pop(key, None)  # the newer one goes to the end, behind what explains it
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
            message = Bye(f"{MAX_WAITING} messages were waiting for this client to read them")
        self._waiting[key] = message
        self._filled.set()

    async def send_all(self, socket: Socket) -> str:
        """Send what comes until a Bye is sent.

        Raises:
            DisconnectedError: the peer is gone, or takes nothing any more.
        """
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                message = self._waiting.pop(next(iter(self._waiting)))
                await _send(socket, message)
                if isinstance(message, Bye):
                    return message.reason


async def _send(socket: Socket, message: FromServer) -> None:
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await socket.send(encode(message))
    except TimeoutError:
        raise DisconnectedError(f"nothing was taken for {SEND_TIMEOUT_S:g} s") from None


def _replaces(message: FromServer) -> object:
    """Of two waiting messages with equal keys, only the newer one is sent."""
    match message:
        case FrameHeader() | SceneList() | StreamQuality():
            return type(message)
        case Progress():
            return (Progress, message.job)
        case _:
            return object()
