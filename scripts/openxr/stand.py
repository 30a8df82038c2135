"""A server to stand before a simulated headset: the product's session and stream, with a renderer
whose pictures can be measured, that can be frozen, killed and started again on its port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

from scripts.impairment.link import Impairment, Lane, TcpRelay, UdpRelay, without_candidates
from scripts.openxr.dots import Dots
from scripts.openxr.served import Gallery, Served
from websockets.asyncio.server import ServerConnection, serve

from sharp_xr.clients.host import Host
from sharp_xr.clients.session import Session
from sharp_xr.stream.sender import use_loopback_candidates
from sharp_xr.stream.stream import Stream
from sharp_xr_protocol.codec import decode_from_client, decode_from_server, encode
from sharp_xr_protocol.geometry import Fov
from sharp_xr_protocol.messages import (
    Answer,
    DisplayTimes,
    FrameHeader,
    FromClient,
    Hello,
    Offer,
    Report,
    SceneSelect,
    Tracking,
    Video,
)

NAMES = ("garden", "kitchen")
"""Scenes, newest first; all are the same dots."""
PHOTO_FOV = Fov.symmetric(1.2, 1.0)


class Stand:
    """A server in a thread of its own, until it is closed.

    Args:
        port: to listen on; 0: any.
        link: all goes through relays, so that it can be :meth:`cut`.
    """

    def __init__(self, port: int = 0, link: bool = False) -> None:
        self.poses: list[Tracking] = []
        """All that came."""
        self.hellos: list[Hello] = []
        self.reports: list[Report] = []
        self.times: list[DisplayTimes] = []
        self.selected: list[str] = []
        """Scenes that were asked for."""
        self.dots = Dots()
        """What draws all sessions."""
        self.is_frozen = False
        """Poses come, and none is drawn any more."""
        use_loopback_candidates()
        self._lanes = (Lane(seed=1), Lane(seed=2))
        self.relay = UdpRelay(*self._lanes) if link else None
        """Of the video."""
        self._render_thread = ThreadPoolExecutor(1)
        self._port = port
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._started.wait(10)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._port

    def cut(self, is_cut: bool) -> None:
        """Nothing gets through, in either direction, until it is False again."""
        assert self.relay is not None
        for lane in self._lanes:
            lane.impairment = Impairment(down=is_cut)

    def close(self) -> None:
        """End it, and all of its sessions, without a goodbye."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(10)
        self._render_thread.shutdown()

    async def _run(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve(self._handle, "127.0.0.1", self._port))
            self._port = next(iter(server.sockets)).getsockname()[1]
            if self.relay is not None:
                front = TcpRelay(("127.0.0.1", self._port), *self._lanes)
                await front.open()
                await self.relay.open()
                self._port = front.port
                stack.push_async_callback(front.close)
                stack.callback(self.relay.close)
            self._started.set()
            await self._ending.wait()
            for connection in list(server.connections):
                connection.transport.abort()

    async def _handle(self, connection: ServerConnection) -> None:
        host = Host("stand", "dots", "none", Gallery(NAMES, PHOTO_FOV), self._open_video)
        await Session(_Ear(self, connection), host).run()

    def _open_video(
        self, video: Video, on_header: Callable[[FrameHeader], None], **callbacks: Any
    ) -> Stream:
        return Stream(self.dots, self._render_thread, video, on_header, encoder="x264", **callbacks)

    def hears(self, message: FromClient) -> bool:
        """Keep it; whether the session may have it."""
        match message:
            case Tracking():
                self.poses.append(message)
                return not self.is_frozen
            case Hello():
                self.hellos.append(message)
            case Report():
                self.reports.append(message)
            case DisplayTimes():
                self.times.append(message)
            case SceneSelect():
                self.selected.append(message.scene)
            case _:
                pass
        return True


class _Ear(Served):
    """A connection as a session wants it, listened in on."""

    def __init__(self, stand: Stand, connection: ServerConnection) -> None:
        super().__init__(connection)
        self._stand = stand

    async def receive(self) -> bytes:
        while True:
            data = await super().receive()
            message = decode_from_client(data)
            if not self._stand.hears(message):
                continue
            if self._stand.relay is not None and isinstance(message, Offer):
                return encode(Offer(without_candidates(message.sdp)))
            return data

    async def send(self, data: bytes) -> None:
        if self._stand.relay is not None:
            message = decode_from_server(data)
            if isinstance(message, Answer):
                data = encode(Answer(self._stand.relay.rewritten(message.sdp)))
        await super().send(data)
