"""The session's socket on Starlette's, whose peer is gone without a word."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from sharp_xr.clients.outbox import DisconnectedError
from sharp_xr.clients.socket import StarletteSocket


async def opened(send: Callable[[Message], Coroutine[Any, Any, None]]) -> StarletteSocket:
    """One whose accepting went well, and whose later messages go to ``send``."""
    accepted = False

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def accept_then_send(message: Message) -> None:
        nonlocal accepted
        if accepted:
            await send(message)
        accepted = True

    websocket = WebSocket({"type": "websocket", "headers": []}, receive, accept_then_send)
    await websocket.accept()
    return StarletteSocket(websocket)


async def vanished(message: Message) -> None:
    """As uvicorn says it of a broken connection: an OSError."""
    raise ConnectionResetError


def test_closing_after_the_client_vanished_is_no_error() -> None:
    async def run() -> None:
        await (await opened(vanished)).close()

    asyncio.run(run())


def test_sending_after_the_client_vanished_says_that_it_is_gone() -> None:
    async def run() -> None:
        socket = await opened(vanished)
        with pytest.raises(DisconnectedError):
            await socket.send(b"to nobody")
        await socket.close()

    asyncio.run(run())


def test_closing_twice_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    async def run() -> None:
        socket = await opened(send)
        await socket.close()
        await socket.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert sent == ["websocket.close"]
    assert caplog.records == []
