"""How a session ends, and what it leaves behind, against a client in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.server.clients.session_client import HELLO, Client, play, tracking

from sharp_xr.clients import session as session_module
from sharp_xr.clients.outbox import DisconnectedError
from sharp_xr_protocol.codec import ProtocolError
from sharp_xr_protocol.messages import (
    Answer,
    Bye,
    Candidate,
    DisplayTimes,
    Hello,
    Offer,
    Ping,
    Report,
    SceneSelect,
)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"\xc1", "a message is not msgpack"),
        (tracking(1), "the first message is Tracking, wanted Hello"),
        (Hello("t", "browser", HELLO.display, version=99), "the peer speaks protocol version 99"),
        (ProtocolError("a text message came"), "a text message came"),
    ],
)
def test_a_bad_first_message_ends_in_a_sentence(said: Any, sentence: str) -> None:
    async def test() -> None:
        client = Client()
        client.say(said)
        assert (await client.ended()).startswith(sentence)
        assert client.videos == []

    play(test)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"", "a message is not msgpack"),
        (HELLO, "Hello came, which nothing had asked for"),
        (Answer("v=0"), "Answer came, which nothing had asked for"),
        (Offer("bad"), "the offer is no SDP"),
    ],
)
def test_what_the_protocol_forbids_ends_the_session_and_frees_the_stream(
    said: Any, sentence: str
) -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(said)
        assert (await client.ended()).startswith(sentence)
        assert client.video.closed

    play(test)


def test_too_many_candidates_are_refused() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(*[Candidate("x")] * (session_module.MAX_SIGNALLING + 2))
        assert "offers and candidates wait" in await client.ended()

    play(test)


def test_silence_instead_of_a_hello_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "HELLO_TIMEOUT_S", 0.01)

    async def test() -> None:
        assert await Client().ended() == "no hello came within 0.01 s"

    play(test)


def test_a_fault_of_ours_is_logged_in_full_and_told_without_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.failing = RuntimeError("the secret path")
        client.say(SceneSelect("old"))
        assert await client.ended() == "the server failed; its log says why"

    play(test)
    assert "the secret path" in caplog.text


def test_a_client_that_vanishes_leaves_nothing_behind() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(DisconnectedError())
        await client.ended()
        assert client.video.closed
        assert asyncio.all_tasks() == {asyncio.current_task()}

    play(test)


def test_a_client_that_stops_reading_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharp_xr.clients.outbox.SEND_TIMEOUT_S", 0.01)

    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.deaf = True
        client.say(Ping(1))
        await client.running
        assert client.video.closed and client.closed

    play(test)


def test_reports_and_figures_of_the_stream_end_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "sharp_xr")

    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(Report(1, 10.0), Report(2, 12.0), Report(3, 30.0), Bye(""))
        await client.ended()

    play(test)
    fields = logged(caplog, "session closed")[0]
    assert (fields["reports"], fields["decoded_median_ms"], fields["frames"]) == (3, 12.0, 7)
    assert fields["reason"] == "the client said bye"


def test_what_a_headset_says_of_its_display_is_in_the_log_however_often_it_says_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "sharp_xr")
    times = DisplayTimes(72.0, 30.0, 42.0, 34.2512, 9.0, 0.25, 0.75, 0.5, 0.125, 2)

    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(*[times] * 50, Bye(""))
        await client.ended()

    play(test)
    (fields,) = logged(caplog, "display")
    assert (fields["frames_hz"], fields["pose_age_ms"], fields["undecodable"]) == (72.0, 34.251, 2)


def logged(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The fields of each line of this kind."""
    return [r.__dict__["fields"] for r in caplog.records if r.message == event]
