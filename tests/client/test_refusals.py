"""Servers that are not there, refuse or misbehave, and options that make no sense: one sentence
each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from http import HTTPStatus

import msgpack
import pytest
from tests.client.running import Serve, simulate
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from sharp_xr_client import receiver
from sharp_xr_client.cli import main
from sharp_xr_protocol.codec import decode_from_client, encode
from sharp_xr_protocol.messages import VERSION, Bye, Hello, SceneList, Video, Welcome

WELCOME = Welcome("test server", "1", "none", "none", Video(256, 256, 60.0))


def test_nobody_at_the_address_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("127.0.0.1:9") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no server answers at ws://127.0.0.1:9/session" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--hz", "-1"), "--hz -1, wanted a positive number"),
        (("--eye-size", "5"), "wanted 16 to 8192"),
        (("--record", "/no/such/folder/out.mp4"), "cannot record to"),
        (("--json", "/no/such/f.json"), "--json /no/such/f.json: there is no folder /no/such"),
        (("--picture", "/"), "--picture /: that is a folder, wanted a file's name"),
        (("--record-poses", "/no/p.jsonl"), "--record-poses /no/p.jsonl: there is no folder /no"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate("127.0.0.1:9", *arguments) == 1
    assert sentence in capsys.readouterr().err


def guard(status: HTTPStatus, body: str) -> Callable[[ServerConnection, Request], Response | None]:
    """A server that lets in who brings the token "right"."""

    def check(connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") == "Bearer right":
            return None
        return connection.respond(status, body)

    return check


async def say_bye(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.send(encode(Bye("enough for today")))


def test_a_token_is_asked_for_refused_and_taken(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = guard(HTTPStatus.UNAUTHORIZED, '{"error": "this server wants its token"}')
    address = serve(say_bye, refusal)
    assert simulate(address) == 1
    assert "without its token (--token): this server wants its token" in capsys.readouterr().err
    assert simulate(address, "--token", "wrong") == 1
    assert "refused this token" in capsys.readouterr().err
    assert simulate(f"http://{address}/?token=right") == 1
    assert "the server ended the session: enough for today" in capsys.readouterr().err


def test_a_place_that_is_no_session_is_named(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    address = serve(say_bye, guard(HTTPStatus.NOT_FOUND, "nothing here"))
    assert simulate(address) == 1
    assert "answered HTTP 404: there is no sharp-xr session" in capsys.readouterr().err


def test_another_version_is_refused_with_both_numbers(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    async def newer(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(msgpack.packb({"type": "welcome", "version": VERSION + 1}))
        await connection.wait_closed()

    assert simulate(serve(newer)) == 1
    said = capsys.readouterr().err
    assert f"version {VERSION + 1}, this side speaks {VERSION}" in said


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xc1", "the server broke the protocol: a message is not msgpack"),
        ("text", "the server broke the protocol: a text message"),
        (encode(Hello("x", "browser", None)), "broke the protocol"),  # type: ignore[arg-type]
        (None, "the server closed the session without a reason"),
    ],
)
def test_a_server_that_talks_nonsense_is_left_with_a_sentence(
    data: bytes | str | None, sentence: str, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    async def nonsense(connection: ServerConnection) -> None:
        await connection.recv()
        if data is not None:
            await connection.send(data)
            await connection.wait_closed()

    assert simulate(serve(nonsense)) == 1
    assert sentence in capsys.readouterr().err


def test_an_answer_that_is_no_sdp_is_refused(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    async def bad_answer(connection: ServerConnection) -> None:
        hello = decode_from_client(bytes(await connection.recv(decode=False)))
        assert isinstance(hello, Hello)
        assert hello.kind == "simulated"
        assert (hello.display.eye_width, hello.display.refresh_hz) == (256, 60.0)
        await connection.send(encode(WELCOME))
        await connection.send(encode(SceneList([])))
        async for _ in connection:
            await connection.send(msgpack.packb({"type": "answer", "sdp": "m=nonsense"}))
            await connection.wait_closed()

    assert simulate(serve(bad_answer)) == 1
    assert "the server's SDP answer cannot be used" in capsys.readouterr().err


def test_an_aiortc_without_our_names_is_refused_with_versions_and_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(receiver, "RECEIVER_NAMES", ("_send_rtcp_pli", "_gone"))
    assert simulate("127.0.0.1:9") == 1
    said = capsys.readouterr().err
    assert "sharp-xr needs 1.16: RTCRtpReceiver has no '_gone'; install with" in said


@pytest.mark.parametrize("missing", ["xr", "OpenGL"])
def test_a_headset_without_openxr_or_opengl_is_one_sentence(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [*sys.modules]:
        if name.startswith("sharp_xr_client.openxr"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "OpenXR or OpenGL cannot be loaded here" in said and "--simulate" in said
