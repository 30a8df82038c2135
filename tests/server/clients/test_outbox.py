"""What waits for a client, in what order, and what never waits."""

from __future__ import annotations

import asyncio

import pytest

from sharp_xr.clients import outbox as outbox_module
from sharp_xr.clients.outbox import DisconnectedError, Outbox
from sharp_xr_protocol.codec import decode_from_server
from sharp_xr_protocol.geometry import Fov, Pose
from sharp_xr_protocol.messages import (
    Bye,
    Eye,
    FrameHeader,
    FromServer,
    Layout,
    Pong,
    Progress,
    SceneList,
)

EYE = Eye(Pose(), Fov.symmetric(1.0, 1.0))


class Sink:
    """A socket that takes everything; or nothing, if it is stuck."""

    def __init__(self, stuck: bool = False) -> None:
        self.sent: list[FromServer] = []
        self.stuck = stuck

    async def send(self, data: bytes) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        self.sent.append(decode_from_server(data))

    async def receive(self) -> bytes:
        raise DisconnectedError

    async def close(self) -> None:
        self.stuck = False


def sent(*messages: FromServer) -> list[FromServer]:
    """What a client gets that begins to read after all of these."""

    async def send() -> list[FromServer]:
        outbox, sink = Outbox(), Sink()
        for message in messages:
            outbox.put(message)
        await outbox.send_all(sink)
        return sink.sent

    return asyncio.run(send())


def header(key: int) -> FrameHeader:
    return FrameHeader(key, Pose(), (EYE, EYE), "scene", Layout(64, 64))


def progress(job: str, fraction: float) -> Progress:
    return Progress(job, "predict", fraction)


BYE = Bye("end")


def test_messages_go_in_the_order_they_came() -> None:
    messages: list[FromServer] = [Pong(1, 1), SceneList([]), Pong(2, 2), header(1), BYE]
    assert sent(*messages) == messages


def test_only_the_newest_of_what_replaces_the_older_is_sent() -> None:
    assert sent(header(1), header(2), SceneList([]), header(3), SceneList([]), BYE) == [
        header(3),
        SceneList([]),
        BYE,
    ]


def test_progress_replaces_that_of_its_own_job_only() -> None:
    one, other = progress("one", 0.5), progress("other", 0.1)
    assert sent(progress("one", 0.1), other, one, BYE) == [other, one, BYE]


def test_nothing_is_sent_after_a_bye() -> None:
    assert sent(BYE, Pong(1, 1)) == [BYE]


def test_a_client_that_lets_too_much_wait_gets_only_a_bye() -> None:
    messages = [Pong(number, 0) for number in range(outbox_module.MAX_WAITING + 1)]
    (only,) = sent(*messages)
    assert isinstance(only, Bye) and "were waiting" in only.reason


def test_a_socket_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "SEND_TIMEOUT_S", 0.01)

    async def send() -> None:
        outbox = Outbox()
        outbox.put(BYE)
        with pytest.raises(DisconnectedError, match=r"0\.01 s"):
            await outbox.send_all(Sink(stuck=True))

    asyncio.run(send())
