"""One session with a server: the WebSocket of messages and the WebRTC video that it arranges.

    async with connect(address, hello, events) as connection:
        await connection.send(tracking)

Everything here runs on the event loop. Pictures come on the decoder's thread, through
``events.frame``; what ends the session is one sentence, a :class:`ClientError`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar, assert_never

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sharp_xr_client.address import Address
from sharp_xr_client.counts import Counts
from sharp_xr_client.decoder import DecodedFrame
from sharp_xr_client.opening import REPLY_S, opened
from sharp_xr_client.problem import ClientError
from sharp_xr_client.receiver import check_aiortc, offer_loopback
from sharp_xr_client.video import VideoLink
from sharp_xr_protocol.clock import ClockOffset, Sample
from sharp_xr_protocol.codec import ProtocolError, VersionError, decode_from_server, encode
from sharp_xr_protocol.messages import (
    Answer,
    Bye,
    Candidate,
    FrameHeader,
    FromClient,
    FromServer,
    Hello,
    IceRestart,
    Offer,
    Ping,
    Pong,
    Problem,
    Progress,
    Scene,
    SceneList,
    SceneReady,
    StreamQuality,
    Welcome,
)

FIRST_PINGS, FIRST_PING_S, PING_S = 5, 0.05, 1.0

T = TypeVar("T")


class Events(Protocol):
    """What a session tells its owner as it happens."""

    def frame(self, frame: DecodedFrame) -> None:
        """A picture; called on the decoder's thread."""

    def header(self, header: FrameHeader) -> None:
        """What the server says about a frame, mostly before it."""

    def problem(self, sentence: str) -> None:
        """The server could not do something; the session goes on."""


@asynccontextmanager
async def connect(address: Address, hello: Hello, events: Events) -> AsyncIterator[Connection]:
    """Open a session: greeted, scenes listed, video agreed on (its first frame may take longer).

    Raises:
        ClientError: it could not be opened; later ones are raised where they are noticed.
    """
    await check_aiortc()
    if address.is_loopback:
        offer_loopback()
    connection = Connection(await opened(address), events)
    try:
        await connection.begin(hello)
        yield connection
    finally:
        await connection.close()


class Connection:
    """An open session. Made by :func:`connect`."""

    def __init__(self, socket: ClientConnection, events: Events) -> None:
        loop = asyncio.get_running_loop()
        self.clock = ClockOffset()
        """To the server's monotonic clock."""
        self.scenes: list[Scene] = []
        """The server's gallery, newest first."""
        self.scene: Scene | None = None
        """The scene that frames show; None until the server has one ready."""
        self.quality: StreamQuality | None = None
        """What the server streams, where it adapts that; None before it has said."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """Fails with the ClientError that says why the session is over."""
        self.counts = Counts()
        """What the network did to the video."""
        self._socket = socket
        self._events = events
        self._welcome: asyncio.Future[Welcome] = loop.create_future()
        self._listed: asyncio.Future[None] = loop.create_future()
        self._answer: asyncio.Future[Answer] = loop.create_future()
        self._renewal: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._video = self._new_video()

    @property
    def welcome(self) -> Welcome:
        return self._welcome.result()

    async def send(self, message: FromClient) -> None:
        """Raises ClientError if the session is over."""
        try:
            await self._socket.send(encode(message))
        except ConnectionClosed:
            # The reader notices as well, and knows the sentence.
            await asyncio.shield(self.ended)

    async def begin(self, hello: Hello) -> None:
        """From Hello to Answer. Raises ClientError."""
        self._start(self._read())
        await self.send(hello)
        await self._reply(self._welcome, "greet")
        await self._reply(self._listed, "list its scenes")
        self._start(self._ping())
        await self._offer_video()

    async def close(self, reason: str = "the viewer has left") -> None:
        """Say goodbye and let everything go; never fails."""
        if not self.ended.done():
            self._end(ClientError(reason))
            try:
                await self._socket.send(encode(Bye(reason)))
            except ConnectionClosed:
                self._end(ClientError("the server left first"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # First: a server whose video breaks off before it has read the goodbye calls it lost.
        await self._socket.close()
        await self._video.close()

    # --- video ---------------------------------------------------------------------------------

    def _new_video(self) -> VideoLink:
        return VideoLink(self._events.frame, self._on_video_failed, self.counts)

    async def _offer_video(self) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        await self.send(Offer(await self._video.offer()))
        answer = await self._reply(self._answer, "answer the offer of video")
        await self._video.accept(answer.sdp)

    def _on_video_failed(self) -> None:
        if self.counts.received:
            self._renew_video()
        else:
            self._end(ClientError("no way for the video was found: is UDP to the server blocked?"))

    def _renew_video(self) -> None:
        """Offer again; both sides may notice that the connection is lost, one renewal is enough."""
        renewing = self._renewal is not None and not self._renewal.done()
        if not renewing and not self.ended.done():
            self._renewal = self._start(self._replace_video())

    async def _replace_video(self) -> None:
        former, self._video = self._video, self._new_video()
        await former.close()
        try:
            await self._offer_video()
        except ClientError as error:
            self._end(error)

    # --- tasks ---------------------------------------------------------------------------------

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._tasks.append(asyncio.create_task(work))
        return self._tasks[-1]

    async def _reply(self, reply: asyncio.Future[T], what: str) -> T:
        either: set[asyncio.Future[Any]] = {reply, self.ended}
        await asyncio.wait(either, timeout=REPLY_S, return_when=asyncio.FIRST_COMPLETED)
        if self.ended.done():
            self.ended.result()
        if not reply.done():
            raise ClientError(f"the server did not {what} within {REPLY_S:.0f} s")
        return reply.result()

    async def _read(self) -> None:
        """Handle messages until the socket closes."""
        try:
            async for data in self._socket:
                if isinstance(data, str):
                    raise ProtocolError("a text message, wanted a binary one")
                await self._handle(decode_from_server(data))
            self._end(ClientError("the server closed the session without a reason"))
        except ConnectionClosed as error:
            self._end(ClientError(f"the connection to the server is lost ({error})"))
        except VersionError as error:
            self._end(ClientError(str(error)))
        except ProtocolError as error:
            self._end(ClientError(f"the server broke the protocol: {error}"))
        except ClientError as error:
            self._end(error)

    async def _handle(self, message: FromServer) -> None:
        match message:
            case Welcome():
                _settle(self._welcome, message)
            case SceneList():
                self.scenes = message.scenes
                if not self._listed.done():
                    self._listed.set_result(None)
            case Answer():
                _settle(self._answer, message)
            case Candidate():
                await self._video.add_candidate(message)
            case SceneReady():
                self.scene = message.scene
            case FrameHeader():
                self._events.header(message)
            case StreamQuality():
                self.quality = message
            case Ping():
                await self.send(Pong(message.sent_ns, time.monotonic_ns()))
            case Pong():
                self._on_pong(message)
            case Problem():
                self._events.problem(message.message)
            case Progress():
                # Of photos that others upload: news for a page, not for a headset.
                return
            case Bye():
                raise ClientError(f"the server ended the session: {message.reason}")
            case IceRestart():
                self._renew_video()
            case Offer():
                raise ProtocolError("an offer, wanted an answer to ours")
            case _:
                assert_never(message)

    def _on_pong(self, message: Pong) -> None:
        try:
            self.clock.add(Sample(message.sent_ns, message.clock_ns, time.monotonic_ns()))
        except ValueError as error:
            raise ProtocolError(str(error)) from error
        assert self.clock.best is not None
        self._video.set_round_trip(self.clock.best.round_trip_ns / 1e9)

    async def _ping(self) -> None:
        """A few at once, so that the first frames already have a clock; then now and then."""
        for _ in range(FIRST_PINGS):
            await self.send(Ping(time.monotonic_ns()))
            await asyncio.sleep(FIRST_PING_S)
        while True:
            await self.send(Ping(time.monotonic_ns()))
            await asyncio.sleep(PING_S)

    def _end(self, error: ClientError) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
            self.ended.exception()  # seen: whoever waits gets it, nobody need wait


def _settle(future: asyncio.Future[T], message: T) -> None:
    if future.done():
        raise ProtocolError(f"a second {type(message).__name__}")
    future.set_result(message)
