"""One client, from its Hello to its Bye.

    client  --socket-->  _receive  --> Stream.track         poses: newest wins, at once
                                   --> _signalling  --> _signal   offers and candidates, in order
                                   --> _wanted      --> _show     the scene to see: newest wins
    client  <--socket--  Outbox    <-- everyone                    newest wins where one replaces

The receive task does nothing that waits, because the web server queues without bound what is not
taken at once. A newly stored scene is announced to everybody (SceneList) and shown to nobody: the
page that uploaded it asks for it (SceneSelect) when its Progress names it, so that one viewer's
photo does not pull another out of a scene. A client that connects sees the newest scene at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import secrets
import statistics
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar, assert_never

import msgspec

from sharp_xr.clients.host import Host
from sharp_xr.clients.outbox import DisconnectedError, Outbox, Socket
from sharp_xr.clients.video import ClientVideo, video_for
from sharp_xr.stream.latest import Latest
from sharp_xr_protocol.codec import ProtocolError, decode_from_client
from sharp_xr_protocol.messages import (
    Answer,
    Bye,
    Candidate,
    DisplayTimes,
    FromServer,
    Hello,
    IceRestart,
    Offer,
    Ping,
    Pong,
    Problem,
    QualityChoice,
    Report,
    Scene,
    SceneList,
    SceneReady,
    SceneSelect,
    Tracking,
    Welcome,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

HELLO_TIMEOUT_S = 5.0
"""A client that says nothing for so long is sent away."""
BYE_TIMEOUT_S = 1.0
"""A client that does not take the Bye is left."""
DISPLAY_S = 5.0
"""Between two lines of the log about a client's display."""
MAX_SIGNALLING = 64
"""Offers and candidates that may wait; a browser sends about a dozen."""


class Session:
    """One client. Made when its socket is open; :meth:`run` is its life."""

    def __init__(self, socket: Socket, host: Host) -> None:
        self.id = secrets.token_hex(8)
        self._socket = socket
        self._host = host
        self._outbox = Outbox()
        self._signalling: asyncio.Queue[Offer | Candidate] = asyncio.Queue(MAX_SIGNALLING)
        self._wanted: Latest[str] = Latest()
        self._stopped: Latest[str] = Latest()
        self._video: ClientVideo | None = None  # from Hello on
        self._shown: Scene | None = None
        self._asked: str | None = None  # id of the scene that is shown or on its way
        self._decoded_ms: deque[float] = deque(maxlen=1024)
        self._reports = 0
        self._display_told_s = float("-inf")

    async def run(self) -> None:
        """Until one side ends it. Only cancelling raises, nothing that the client does."""
        sending = asyncio.create_task(self._outbox.send_all(self._socket))
        reason = "the server failed; its log says why"
        try:
            reason = await _first_of(self._conversation(), self._stopped.get(), _watch(sending))
        except DisconnectedError:
            reason = "the client is gone"
        except ProtocolError as error:
            reason = str(error)
        except asyncio.CancelledError:
            reason = "the server ends"
            raise
        except Exception:
            # The details may be confidential: they go to the log, not to the peer.
            log.exception("session failed", extra={"fields": {"session": self.id}})
        finally:
            await self._end(reason, sending)

    def stop(self, reason: str) -> None:
        """Say Bye with this sentence, then end."""
        self._stopped.put(reason)

    def tell(self, message: FromServer) -> None:
        """Send this to the client, if it has been welcomed."""
        if self._video is not None:
            self._outbox.put(message)

    def scenes_changed(self) -> None:
        """Send the gallery again; a scene that is shown and deleted gives way to the newest one,
        and one whose camera is another by now is shown anew."""
        scenes = self._host.gallery.scenes()
        self.tell(SceneList(scenes))
        before = self._shown
        if self._video is None or before is None:
            return
        now = next((scene for scene in scenes if scene.id == before.id), None)
        if now is None:
            self._shown = None
            self._video.show(None)
            self._show_newest(scenes)
        elif now.photo_fov != before.photo_fov and self._asked == now.id:
            self._ask(now.id)

    async def _conversation(self) -> str:
        """Returns the reason of the end."""
        hello = await self._hello()
        self._welcome(hello)
        return await _first_of(self._receive(), self._signal(), self._show())

    async def _hello(self) -> Hello:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                message = decode_from_client(await self._socket.receive())
        except TimeoutError:
            raise ProtocolError(f"no hello came within {HELLO_TIMEOUT_S:g} s") from None
        if not isinstance(message, Hello):
            name = type(message).__name__
            raise ProtocolError(f"the first message is {name}, wanted Hello")
        return message

    def _welcome(self, hello: Hello) -> None:
        video = video_for(hello.display, self._host.max_eye_px, hello.capabilities)
        self._video = self._host.open_video(
            video,
            self._outbox.put,
            on_quality=self._outbox.put,
            capabilities=hello.capabilities,
            on_problem=lambda sentence: self._outbox.put(Problem(sentence)),
            on_lost=self._ask_for_offer,
        )
        scenes = self._host.gallery.scenes()
        self._outbox.put(
            Welcome(
                server=self._host.server,
                session=self.id,
                renderer=self._host.renderer,
                model=self._host.model,
                video=video,
                capabilities=["quality", "display_times"],
            )
        )
        self._outbox.put(SceneList(scenes))
        self._show_newest(scenes)
        size = f"2x{video.eye_width}x{video.eye_height}"
        self._log("session opened", agent=hello.agent[:200], kind=hello.kind, size=size)

    def _ask_for_offer(self, why: str) -> None:
        self._log("connection lost", why=why)
        self._outbox.put(IceRestart())

    def _show_newest(self, scenes: list[Scene]) -> None:
        if scenes:
            self._ask(scenes[0].id)

    def _ask(self, scene_id: str) -> None:
        self._asked = scene_id
        self._wanted.put(scene_id)

    async def _receive(self) -> str:
        """Put each message where it belongs; nothing here waits but for the socket."""
        assert self._video is not None
        while True:
            message = decode_from_client(await self._socket.receive())
            match message:
                case Tracking():
                    self._video.track(message)
                case Ping():
                    self._outbox.put(Pong(message.sent_ns, time.monotonic_ns()))
                case Report():
                    self._reports += 1
                    self._decoded_ms.append(message.decoded_ms)
                    self._video.report(message)
                case DisplayTimes():
                    self._told_of_display(message)
                case QualityChoice():
                    self._video.prefer(message.goal)
                case SceneSelect():
                    self._ask(message.scene)
                case Offer() | Candidate():
                    self._queue_signalling(message)
                case IceRestart():
                    self._outbox.put(Problem("this server makes no offers: please send one"))
                case Hello() | Answer() | Pong():
                    name = type(message).__name__
                    raise ProtocolError(f"{name} came, which nothing had asked for")
                case Bye():
                    return "the client said bye"
                case _:
                    assert_never(message)

    def _told_of_display(self, times: DisplayTimes) -> None:
        """One line of the log for each, however many a client sends."""
        now_s = time.monotonic()
        if now_s - self._display_told_s >= DISPLAY_S:
            self._display_told_s = now_s
            self._log("display", **_rounded(msgspec.structs.asdict(times)))

    def _queue_signalling(self, message: Offer | Candidate) -> None:
        try:
            self._signalling.put_nowait(message)
        except asyncio.QueueFull:
            raise ProtocolError(f"more than {MAX_SIGNALLING} offers and candidates wait") from None

    async def _signal(self) -> str:
        """Offers and candidates, one after another: a candidate belongs to the offer before it."""
        assert self._video is not None
        while True:
            message = await self._signalling.get()
            match message:
                case Offer():
                    self._outbox.put(Answer(await self._video.answer(message.sdp)))
                case Candidate():
                    await self._video.add_candidate(message)

    async def _show(self) -> str:
        """Load what is wanted, then show it; what was there stays until then."""
        assert self._video is not None
        while True:
            wanted = await self._wanted.get()
            try:
                scene, shown = await self._host.gallery.load(wanted)
            except LookupError as error:
                self._outbox.put(Problem(str(error)))
                if self._asked == wanted:
                    self._asked = self._shown.id if self._shown else None
                continue
            self._shown = scene
            self._outbox.put(SceneReady(scene))  # before the headers of its frames
            self._video.show(shown)

    async def _end(self, reason: str, sending: asyncio.Task[str]) -> None:
        """Bye, if the client still listens; then free everything."""
        self._outbox.put(Bye(reason))
        try:
            with contextlib.suppress(DisconnectedError, TimeoutError):
                async with asyncio.timeout(BYE_TIMEOUT_S):
                    await sending
        finally:
            await self._free(reason)

    async def _free(self, reason: str) -> None:
        video, self._video = self._video, None
        figures: dict[str, object] = {"reason": reason, "reports": self._reports}
        if self._decoded_ms:
            figures["decoded_median_ms"] = round(statistics.median(self._decoded_ms), 2)
        if video is not None:
            figures.update(_rounded(dataclasses.asdict(video.stats())))
            await video.close()
        await self._socket.close()
        self._log("session closed", **figures)

    def _log(self, event: str, **fields: object) -> None:
        log.info(event, extra={"fields": {"session": self.id, **fields}})


def _rounded(figures: dict[str, Any]) -> dict[str, object]:
    """For the log: three decimals are plenty."""
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in figures.items()
    }


async def _watch(task: asyncio.Task[T]) -> T:
    """The task's result; being cancelled here does not cancel it."""
    return await asyncio.shield(task)


async def _first_of(*coroutines: Coroutine[Any, Any, T]) -> T:
    """What the first to end returns or raises; the others are cancelled and awaited."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    failed = [task for task in tasks if task in done and task.exception()]
    return (failed or [task for task in tasks if task in done])[0].result()
