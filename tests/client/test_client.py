"""The command against servers: the product's own session and stream, and some that misbehave."""

import asyncio
import contextlib
import inspect
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import av
import msgpack
import numpy as np
import pytest
from numpy.typing import NDArray
from scripts.openxr.wearer import HEARING, MAIN
from tests.server.stream.restless import Restless
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from sharp_xr.stream import colour
from sharp_xr_client import receiver
from sharp_xr_client.cli import main
from sharp_xr_client.poses import key_difference
from sharp_xr_protocol.messages import (
    VERSION,
    Bye,
    FromClient,
    Hello,
    IceRestart,
    Offer,
    QualityChoice,
    Report,
    SceneList,
    Tracking,
    Video,
    Welcome,
    decode_from_client,
    encode,
)

Streaming = Callable[..., str]
Serve = Callable[..., str]

AS_A_PROGRAM = (sys.executable, "-c", f"{HEARING}\n{MAIN}")
WELCOME = Welcome("test server", "1", "none", "none", Video(256, 256, 60.0))


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """So that no test waits for a compiler within the time that it gives a stream."""
    colour.warm_up()


def simulate(address: str, *arguments: str) -> int:
    small = ("--seconds", "1", "--eye-size", "256", "--quality", "full")
    return main([address, "--simulate", *small, *arguments])


def square_columns(film: Path, frame: int, eye: int) -> tuple[float, float]:
    """Columns of the near (red) and the far (green) square in one eye's picture, pixels."""
    with av.open(str(film)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number == frame:
                rgb = picture.to_ndarray(format="rgb24").astype(int)
    width = rgb.shape[1] // 2
    rgb = rgb[:, eye * width : (eye + 1) * width]
    red, green = rgb[..., 0], rgb[..., 1]
    return _centre(red - green > 80), _centre(green - red > 80)


def _centre(mask: NDArray[np.bool_]) -> float:
    assert mask.sum() > 50
    return float(np.nonzero(mask)[1].mean())


def test_a_session_is_matched_recorded_and_reported(
    streaming: Streaming, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, poses, report = (tmp_path / name for name in ("out.mp4", "poses.jsonl", "report.json"))
    files = ("--record", str(film), "--record-poses", str(poses), "--json", str(report))
    assert simulate(streaming("garden"), *files, "--motion", "lean") == 0

    figures = json.loads(report.read_text())
    assert figures["frames_decoded"] > 5
    assert figures["matched_share"] == 1.0
    assert figures["sei_frames"] == figures["header_frames"] == figures["frames_decoded"]
    assert figures["sei_disagreements"] == figures["header_disagreements"] == 0
    assert (figures["eye_width"], figures["eye_height"]) == (256, 256)
    assert all(isinstance(figure, int | float) for figure in figures.values())
    assert "shown frames with their pose (100.0%)" in capsys.readouterr().out

    with av.open(str(film)) as container:
        assert sum(1 for _ in container.decode(video=0)) == figures["frames_decoded"]
    lines = [json.loads(line) for line in poses.read_text().splitlines()]
    assert len(lines) == figures["poses_sent"]
    frames = [line["frame"] for line in lines if line["frame"] is not None]
    assert frames == list(range(int(figures["frames_decoded"])))


def test_each_frame_shows_what_its_pose_sees(streaming: Streaming, tmp_path: Path) -> None:
    film, poses = tmp_path / "out.mp4", tmp_path / "poses.jsonl"
    files = ("--record", str(film), "--record-poses", str(poses))
    assert simulate(streaming("garden"), *files, "--motion", "lean") == 0
    lines = [json.loads(line) for line in poses.read_text().splitlines()]
    seen = [line for line in lines if line["frame"] is not None]
    start, end = (
        min(seen, key=lambda line: abs(line["position"][0])),
        max(seen, key=lambda line: abs(line["position"][0])),
    )
    for line in (start, end):
        for eye, offset_m in ((0, -0.0315), (1, 0.0315)):
            near, far = square_columns(film, line["frame"], eye)
            x, z = line["position"][0] + offset_m, line["position"][2]
            # A field of 90 degrees: the focal length is half the picture's width.
            assert near == pytest.approx(128 - 128 * x / (0.8 + z), abs=2.5)
            assert far == pytest.approx(128 - 128 * x / (4.0 + z), abs=2.5)
    left, right = (square_columns(film, end["frame"], eye) for eye in (0, 1))
    assert left[0] - right[0] > left[1] - right[1] > 0, "near things have more parallax than far"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_ends_the_film_properly_and_still_reports(
    streaming: Streaming, tmp_path: Path, number: signal.Signals
) -> None:
    film, report = tmp_path / "out.mp4", tmp_path / "report.json"
    files = ("--record", str(film), "--json", str(report))
    process = subprocess.Popen(
        [*AS_A_PROGRAM, streaming("garden"), "--simulate", "--seconds", "60", *files],
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + 30
    # The first bytes come with the first frame.
    while not (film.exists() and film.stat().st_size) and time.monotonic() < give_up:
        time.sleep(0.05)
    process.send_signal(number)
    _, complained = process.communicate(timeout=30)
    assert process.returncode == 1
    assert complained == "sharp-xr-client: stopped before the time was over\n"
    with av.open(str(film)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames == json.loads(report.read_text())["frames_decoded"] > 0


def test_a_scene_is_chosen_by_name_or_id(
    streaming: Streaming, capsys: pytest.CaptureFixture[str]
) -> None:
    address = streaming("garden", "kitchen")
    assert simulate(address, "--scene", "kitchen") == 0
    assert simulate(address, "--scene", "cellar") == 1
    said = capsys.readouterr().err
    assert "the server has no scene 'cellar'; it has id-garden (garden), id-kitchen" in said


def test_a_server_without_scenes_is_the_reason_for_no_frames(
    streaming: Streaming, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharp_xr_client.simulated.FIRST_FRAME_S", 0.3)
    address = streaming()
    assert simulate(address, "--seconds", "0.3") == 1
    said = capsys.readouterr().err
    assert f"upload a photo first, at http://{address}/" in said


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


def test_a_server_that_dies_in_the_middle_leaves_a_report_and_a_sentence(
    streaming: Streaming, serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    relay = Relay(streaming("garden"), lambda client: client.transport.abort())
    address = serve(relay.handle)
    report = tmp_path / "report.json"
    assert simulate(address, "--seconds", "20", "--json", str(report)) == 1
    assert "the connection to the server is lost" in capsys.readouterr().err
    assert json.loads(report.read_text())["frames_decoded"] > 0


def test_each_pose_has_a_newer_key_and_acknowledges_the_newest_frame(
    streaming: Streaming, serve: Serve
) -> None:
    relay = Relay(streaming("garden"), lambda client: None)
    assert simulate(serve(relay.handle)) == 0
    poses = [message for message in relay.messages if isinstance(message, Tracking)]
    keys = [pose.key for pose in poses]
    assert all(key_difference(b, a) > 0 for a, b in zip(keys, keys[1:], strict=False))
    assert poses[0].ack is None
    acks = [pose.ack for pose in poses if pose.ack is not None]
    assert len(set(acks)) > 5
    assert set(acks) <= set(keys)
    assert acks == sorted(acks, key=keys.index)
    reports = [message for message in relay.messages if isinstance(message, Report)]
    assert {report.key for report in reports} <= set(keys)
    assert all(0 < report.decoded_ms <= (report.shown_ms or 0) for report in reports)


@pytest.mark.parametrize(
    ("wish", "goals", "capabilities"),
    [
        ("full", [], []),
        ("auto", [], ["quality"]),
        ("sharper", ["sharper"], ["quality"]),
        ("smoother", ["smoother"], ["quality"]),
    ],
)
def test_what_is_wished_of_the_quality_is_told_once(
    wish: str, goals: list[str], capabilities: list[str], streaming: Streaming, serve: Serve
) -> None:
    relay = Relay(streaming("garden"), lambda client: None)
    assert simulate(serve(relay.handle), "--quality", wish) == 0
    hello = relay.messages[0]
    assert isinstance(hello, Hello) and hello.capabilities == capabilities
    told = [message.goal for message in relay.messages if isinstance(message, QualityChoice)]
    assert told == goals


def test_pictures_whose_size_changes_are_seen_reported_and_recorded_without_a_gap(
    streaming: Streaming, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharp_xr.stream.adaptation.QualityControl", Restless)
    film, report = tmp_path / "out.mp4", tmp_path / "report.json"
    files = ("--record", str(film), "--json", str(report))
    arguments = ("--quality", "auto", "--motion", "lean", "--seconds", "2")
    assert simulate(streaming("garden"), *files, *arguments) == 0
    figures = json.loads(report.read_text())
    assert figures["resizes"] >= 3
    assert figures["matched_share"] == 1.0
    assert figures["header_frames"] == figures["sei_frames"] == figures["frames_decoded"]
    assert figures["sei_disagreements"] == figures["header_disagreements"] == 0
    assert figures["undecodable_frames"] == 0
    with av.open(str(film)) as container:
        sizes = [(picture.width, picture.height) for picture in container.decode(video=0)]
    assert len(sizes) == figures["frames_decoded"]
    assert len(set(sizes)) == 3
    assert sum(a != b for a, b in zip(sizes, sizes[1:], strict=False)) == figures["resizes"]


def test_a_video_connection_that_the_server_lost_is_offered_again(
    streaming: Streaming, serve: Serve, tmp_path: Path
) -> None:
    relay = Relay(streaming("garden"), lambda client: client.send(encode(IceRestart())))
    address = serve(relay.handle)
    report = tmp_path / "report.json"
    assert simulate(address, "--seconds", "3", "--json", str(report)) == 0
    assert sum(isinstance(message, Offer) for message in relay.messages) == 2
    figures = json.loads(report.read_text())
    assert figures["matched_share"] == 1.0
    # Frames came over the second connection as well: the first ended after a second.
    assert figures["seconds"] > 2.0


def test_an_aiortc_without_our_names_is_refused_with_versions_and_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(receiver, "RECEIVER_NAMES", ("_send_rtcp_pli", "_gone"))
    assert simulate("127.0.0.1:9") == 1
    said = capsys.readouterr().err
    assert "sharp-xr needs 1.16: RTCRtpReceiver has no '_gone'; install with" in said
