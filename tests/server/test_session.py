"""A session against a client in memory: real messages, no socket, no video."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

import pytest

from sharp_xr import session as session_module
from sharp_xr.outbox import DisconnectedError
from sharp_xr.session import ClientVideo, Host, Session, video_for
from sharp_xr.stream.loop import ShownScene
from sharp_xr_protocol.geometry import Fov, Pose
from sharp_xr_protocol.messages import (
    Answer,
    Bye,
    Candidate,
    Display,
    Eye,
    FrameHeader,
    FromServer,
    Hello,
    IceRestart,
    Layout,
    Offer,
    Ping,
    Pong,
    Problem,
    ProtocolError,
    QualityChoice,
    QualityGoal,
    Report,
    Scene,
    SceneList,
    SceneReady,
    SceneSelect,
    StreamQuality,
    Tracking,
    Video,
    Welcome,
    decode_from_server,
    encode,
)

T = TypeVar("T", bound=FromServer)

EYE = Eye(Pose(), Fov.symmetric(1.0, 1.0))
HELLO = Hello("test", "simulated", Display(512, 512, 60.0))


def scene(scene_id: str, fov: float = 1.0) -> Scene:
    return Scene(scene_id, f"name of {scene_id}", 0.0, 1, "lite", Fov.symmetric(fov, fov), 2.0)


def tracking(key: int) -> Tracking:
    return Tracking(key, 0, Pose(), (EYE, EYE))


class Nothing:
    """A prepared scene."""

    def __len__(self) -> int:
        return 1

    def refocused(self, ratio: float) -> Nothing:
        return self


class FakeGallery:
    def __init__(self, *ids: str) -> None:
        self.ids = list(ids)
        self.failing: Exception | None = None
        self.fov = 1.0
        self.may_load = asyncio.Event()
        self.may_load.set()

    def scenes(self) -> list[Scene]:
        return [scene(each, self.fov) for each in self.ids]

    async def load(self, scene_id: str) -> tuple[Scene, ShownScene]:
        await self.may_load.wait()
        await asyncio.sleep(0)
        if self.failing:
            raise self.failing
        if scene_id not in self.ids:
            raise LookupError("there is no such scene")
        return scene(scene_id, self.fov), ShownScene(scene_id, Nothing())


@dataclasses.dataclass(frozen=True)
class FakeStats:
    frames: int = 7


class FakeVideo:
    """Remembers what a session does to it."""

    def __init__(
        self,
        video: Video,
        on_header: Callable[[FrameHeader], None],
        *,
        on_quality: Callable[[StreamQuality], None],
        capabilities: Collection[str],
        on_problem: Callable[[str], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.video, self.on_header, self.capabilities = video, on_header, capabilities
        self.on_problem, self.on_lost, self.on_quality = on_problem, on_lost, on_quality
        self.preferred: list[QualityGoal] = []
        self.shown: list[str | None] = []
        self.tracked: list[int] = []
        self.reported: list[int] = []
        self.candidates: list[str] = []
        self.closed = False

    def show(self, shown: ShownScene | None) -> None:
        self.shown.append(shown.id if shown else None)

    def track(self, message: Tracking) -> None:
        self.tracked.append(message.key)

    def report(self, message: Report) -> None:
        self.reported.append(message.key)

    def prefer(self, goal: QualityGoal) -> None:
        self.preferred.append(goal)

    async def answer(self, offer_sdp: str) -> str:
        await asyncio.sleep(0)
        if offer_sdp == "bad":
            raise ProtocolError("the offer is no SDP")
        return f"answer to {offer_sdp}"

    async def add_candidate(self, candidate: Candidate) -> None:
        self.candidates.append(candidate.candidate)

    def stats(self) -> FakeStats:
        return FakeStats()

    async def close(self) -> None:
        self.closed = True


class Client:
    """The other end of the session's socket."""

    def __init__(self, gallery: FakeGallery | None = None) -> None:
        self.gallery = gallery or FakeGallery("new", "old")
        self.videos: list[FakeVideo] = []
        self.received: list[FromServer] = []
        self.closed = False
        self.deaf = False
        self._to_server: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self._arrived = asyncio.Event()
        self.session = Session(
            self, Host("server", "renderer", "model", self.gallery, self._open_video)
        )
        self.running = asyncio.create_task(self.session.run())

    def _open_video(self, *args: Any, **kwargs: Any) -> ClientVideo:
        self.videos.append(FakeVideo(*args, **kwargs))
        return self.videos[-1]

    # outbox.Socket

    async def receive(self) -> bytes:
        message = await self._to_server.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def send(self, data: bytes) -> None:
        if self.deaf:
            await asyncio.Event().wait()
        self.received.append(decode_from_server(data))
        self._arrived.set()

    async def close(self) -> None:
        self.closed = True

    # what a test does

    @property
    def video(self) -> FakeVideo:
        return self.videos[0]

    def say(self, *messages: Any) -> None:
        for message in messages:
            raw = isinstance(message, bytes | Exception)
            self._to_server.put_nowait(message if raw else encode(message))

    async def until(self, kind: type[T], count: int = 1) -> T:
        """The count-th message of that kind."""
        while True:
            of_kind = [message for message in self.received if isinstance(message, kind)]
            if len(of_kind) >= count:
                return of_kind[count - 1]
            self._arrived.clear()
            await self._arrived.wait()

    async def welcomed(self) -> None:
        self.say(HELLO)
        await self.until(SceneReady)

    async def ended(self) -> str:
        """The reason that the session's Bye gives."""
        await self.running
        assert self.closed
        last = self.received[-1]
        assert isinstance(last, Bye)
        return last.reason


def play(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(in_time())


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


def test_without_scenes_nothing_is_shown() -> None:
    async def test() -> None:
        client = Client(FakeGallery())
        client.say(HELLO, Ping(1))
        await client.until(Pong)
        assert client.video.shown == []
        client.say(Bye("done"))
        await client.ended()

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


def test_a_chosen_scene_is_announced_before_it_is_drawn() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(SceneSelect("old"))
        assert (await client.until(SceneReady, 2)).scene.id == "old"
        assert client.video.shown == ["new", "old"]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_an_unknown_scene_is_a_problem_and_the_session_goes_on() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.say(SceneSelect("../../etc/passwd"))
        assert (await client.until(Problem)).message == "there is no such scene"
        assert client.video.shown == ["new"]
        client.say(SceneSelect("old"))
        await client.until(SceneReady, 2)
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_deleted_scene_gives_way_to_the_newest() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.ids.remove("new")
        client.session.scenes_changed()
        assert (await client.until(SceneReady, 2)).scene.id == "old"
        assert client.video.shown == ["new", None, "old"]
        assert [s.id for s in (await client.until(SceneList, 2)).scenes] == ["old"]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_scene_whose_camera_is_corrected_is_shown_anew_to_whom_sees_it() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.fov = 0.5
        client.session.scenes_changed()
        ready = await client.until(SceneReady, 2)
        assert ready.scene == scene("new", 0.5)
        assert client.video.shown == ["new", "new"]
        client.session.scenes_changed()  # nothing about the camera
        client.say(Ping(1))
        await client.until(Pong)
        assert client.video.shown == ["new", "new"]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_corrected_camera_pulls_nobody_back_who_is_on_the_way_elsewhere() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.may_load.clear()
        client.say(SceneSelect("old"), Ping(1))
        await client.until(Pong)
        client.gallery.fov = 0.5
        client.session.scenes_changed()
        client.gallery.may_load.set()
        assert (await client.until(SceneReady, 2)).scene.id == "old"
        client.say(Ping(2))
        await client.until(Pong, 2)
        assert client.video.shown == ["new", "old"]
        client.say(Bye(""))
        await client.ended()

    play(test)


def test_a_new_scene_is_announced_but_not_forced_on_anybody() -> None:
    async def test() -> None:
        client = Client()
        await client.welcomed()
        client.gallery.ids.insert(0, "newest")
        client.session.scenes_changed()
        assert (await client.until(SceneList, 2)).scenes[0].id == "newest"
        client.say(Ping(1))
        await client.until(Pong)
        assert client.video.shown == ["new"]
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
    monkeypatch.setattr("sharp_xr.outbox.SEND_TIMEOUT_S", 0.01)

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
    fields = next(r.__dict__["fields"] for r in caplog.records if r.message == "session closed")
    assert (fields["reports"], fields["decoded_median_ms"], fields["frames"]) == (3, 12.0, 7)
    assert fields["reason"] == "the client said bye"


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
