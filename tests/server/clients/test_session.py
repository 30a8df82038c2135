"""A session against a client in memory: what each message brings about."""

from __future__ import annotations

import pytest
from tests.server.clients.session_client import EYE, HELLO, Client, play, tracking

from sharp_xr.clients.video import video_for
from sharp_xr_protocol.geometry import Pose
from sharp_xr_protocol.messages import (
    Answer,
    Bye,
    Candidate,
    Display,
    FrameHeader,
    IceRestart,
    Layout,
    Offer,
    Ping,
    Pong,
    Problem,
    QualityChoice,
    SceneList,
    SceneReady,
    StreamQuality,
    Video,
    Welcome,
)


def test_a_client_is_welcomed_and_shown_the_newest_scene() -> None:
    async def test() -> None:
        client = Client()
        client.say(HELLO)
        await client.until(SceneReady)
        welcome, scenes, ready = client.received
        assert isinstance(welcome, Welcome) and welcome.video == Video(512, 512, 60.0)
        assert (welcome.server, welcome.renderer, welcome.model) == ("server", "renderer", "model")
        assert isinstance(scenes, SceneList) and [s.id for s in scenes.scenes] == ["new", "old"]
        assert isinstance(ready, SceneReady) and ready.scene.id == "new"
        assert client.video.shown == ["new"]
        client.session.stop("enough")
        assert await client.ended() == "enough"

    play(test)


def test_an_offer_is_answered_before_the_candidates_after_it_are_added() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(Offer("one"), Candidate("a"), Candidate(""), Offer("two"))
        assert (await client.until(Answer)).sdp == "answer to one"
        assert (await client.until(Answer, 2)).sdp == "answer to two"
        assert client.video.candidates == ["a", ""]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_every_pose_reaches_the_stream_at_once_and_in_order() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(*(tracking(key) for key in range(100)), Ping(5))
        pong = await client.until(Pong)
        assert client.video.tracked == list(range(100))
        assert pong.sent_ns == 5 and pong.clock_ns > 0
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_frame_headers_problems_and_lost_connections_are_passed_on() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.video.on_header(FrameHeader(9, Pose(), (EYE, EYE), "new", Layout(64, 64)))
        assert (await client.until(FrameHeader)).key == 9
        client.video.on_problem("the encoder is tired")
        assert (await client.until(Problem)).message == "the encoder is tired"
        client.video.on_lost("no consent")
        await client.until(IceRestart)
        told = StreamQuality("auto", 448, 448, 60.0, 1.0, 4_000_000, "machine")
        client.video.on_quality(told)
        assert await client.until(StreamQuality) == told
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_viewer_s_choice_of_quality_reaches_the_stream() -> None:
    async def test() -> None:
        client = Client()
        client.say(HELLO)
        assert "quality" in (await client.until(Welcome)).capabilities
        for goal in ("smoother", "auto"):
            client.say(QualityChoice(goal))
        client.say(Bye(""))
        await client.ended()
        assert client.video.preferred == ["smoother", "auto"]

    play(test)


@pytest.mark.parametrize(
    ("display", "limit", "video"),
    [
        (Display(512, 512, 60.0), 512, Video(512, 512, 60.0)),
        (Display(2064, 2208, 90.0), 512, Video(464, 512, 90.0)),
        (Display(1000, 300, 240.0), 2048, Video(992, 288, 120.0)),
        (Display(16, 8192, 1.0), 64, Video(16, 64, 1.0)),
    ],
)
def test_video_has_the_display_s_shape_within_the_limit(
    display: Display, limit: int, video: Video
) -> None:
    assert video_for(display, limit) == video


def test_video_with_a_margin_is_so_much_larger_that_the_display_keeps_its_pixels() -> None:
    display = Display(512, 480, 60.0)
    assert video_for(display, 2048, ["depth", "overscan"]) == Video(576, 528, 60.0)
    assert video_for(display, 528, ["overscan"]) == Video(528, 480, 60.0)
    assert video_for(display, 2048, ["depth"]) == video_for(display, 2048)
