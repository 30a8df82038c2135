"""What becomes of faults of ours, before and in the middle of an answer."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from sharp_xr.http.refusal import Faults, refuse


def answered(*messages: Message) -> list[Message]:
    """What a client gets of an application that sends these and then fails."""
    sent: list[Message] = []

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        raise RuntimeError("a secret detail")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Faults(failing)({"type": "http", "path": "/x"}, receive, send))
    return sent


def test_a_fault_is_answered_without_and_logged_with_its_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    start, body = answered()
    assert start["status"] == 500
    assert body["body"] == b'{"error":"the server failed; its log says why"}'
    assert "a secret detail" in caplog.text


def test_half_an_answer_is_not_continued_as_another() -> None:
    with pytest.raises(RuntimeError):
        answered({"type": "http.response.start", "status": 200, "headers": []})


def test_a_refusal_can_end_the_connection() -> None:
    assert refuse(413, "too large", close=True).headers["connection"] == "close"
    assert "connection" not in refuse(404, "not there").headers
