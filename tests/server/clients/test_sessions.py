"""All sessions together: the limit, what goes to everybody, and the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.server.clients.session_client import HELLO, Client, FakeGallery, play

from sharp_xr.clients.sessions import Sessions
from sharp_xr_protocol.messages import Bye, Progress, SceneReady


class Guest(Client):
    """A client that comes through the door instead of having a session of its own."""

    def __init__(self, sessions: Sessions, gallery: FakeGallery | None = None) -> None:
        super().__init__(gallery)
        self.running.cancel()
        self.running = asyncio.create_task(sessions.serve(self, self.session._host))


async def welcomed(sessions: Sessions, count: int) -> list[Guest]:
    guests = [Guest(sessions) for _ in range(count)]
    for guest in guests:
        await guest.welcomed()
    return guests


def test_one_client_too_many_gets_only_a_sentence() -> None:
    async def test() -> None:
        sessions = Sessions(limit=2)
        first, second = await welcomed(sessions, 2)
        third = Guest(sessions)
        assert "2 sessions, its limit" in await third.ended()
        assert third.videos == []
        first.say(Bye(""))
        await first.ended()
        (fourth,) = await welcomed(sessions, 1)
        await sessions.close("end")

    play(test)


def test_what_is_told_reaches_the_welcomed_only() -> None:
    async def test() -> None:
        sessions = Sessions(limit=4)
        (in_room,) = await welcomed(sessions, 1)
        at_the_door = Guest(sessions)
        await asyncio.sleep(0)
        sessions.tell(Progress("job", "predict", 0.5))
        await in_room.until(Progress)
        at_the_door.say(HELLO)
        await at_the_door.until(SceneReady)
        assert not [m for m in at_the_door.received if isinstance(m, Progress)]
        await sessions.close("end")

    play(test)


def test_closing_says_bye_to_all_and_to_whom_comes_later() -> None:
    async def test() -> None:
        sessions = Sessions(limit=4)
        guests: list[Any] = [*await welcomed(sessions, 2), Guest(sessions)]
        await asyncio.sleep(0)
        await sessions.close("closing time")
        assert [await guest.ended() for guest in guests] == ["closing time"] * 3
        assert len(sessions) == 0
        assert await Guest(sessions).ended() == "closing time"

    play(test)


def test_a_client_that_does_not_listen_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharp_xr.clients.session.BYE_TIMEOUT_S", 1000.0)
    monkeypatch.setattr("sharp_xr.clients.outbox.SEND_TIMEOUT_S", 1000.0)

    async def test() -> None:
        sessions = Sessions(limit=4)
        (deaf,) = await welcomed(sessions, 1)
        deaf.deaf = True
        await sessions.close("end", timeout_s=0.01)
        await asyncio.gather(deaf.running, return_exceptions=True)
        assert deaf.video.closed

    play(test)
