"""The other end of a session, in memory: real messages, no socket, no video."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

from sharp_xr.clients.host import Host
from sharp_xr.clients.session import Session
from sharp_xr.clients.video import ClientVideo
from sharp_xr.stream.loop import ShownScene
from sharp_xr_protocol.codec import ProtocolError, decode_from_server, encode
from sharp_xr_protocol.geometry import Fov, Pose
from sharp_xr_protocol.messages import (
    Bye,
    Candidate,
    Display,
    Eye,
    FrameHeader,
    FromServer,
    Hello,
    QualityGoal,
    Report,
    Scene,
    SceneReady,
    StreamQuality,
    Tracking,
    Video,
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
