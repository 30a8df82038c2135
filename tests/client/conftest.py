"""Servers to be a client of: the product's own session and stream, and any that misbehaves.

They run in a thread with a loop of their own, on a free port, so that a test may call the client's
``main`` as a user would.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scripts.openxr.dots import Dots
from scripts.openxr.served import Gallery, Served
from tests.client.partner import Partner, answering
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.http11 import Request, Response

from sharp_xr.clients.host import Host
from sharp_xr.clients.session import Session
from sharp_xr.render import Frame, PreparedScene, RenderSettings
from sharp_xr.render.camera import View
from sharp_xr.stream.sender import use_loopback_candidates
from sharp_xr.stream.stream import Stream
from sharp_xr_protocol.geometry import Fov
from sharp_xr_protocol.messages import FrameHeader, Video

Handler = Callable[[ServerConnection], Awaitable[None]]
Guard = Callable[[ServerConnection, Request], Response | None]

NEAR_M, FAR_M = 0.8, 4.0
"""Distances of the red and the green square in :class:`Squares`."""


class WebSocketThread:
    """A WebSocket server in a thread, until it is closed."""

    def __init__(self, handler: Handler, guard: Guard | None = None) -> None:
        self._handler, self._guard = handler, guard
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._started.wait(10)

    async def _run(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        async with serve_websocket(
            self._handler, "127.0.0.1", 0, process_request=self._guard
        ) as server:
            self.address = f"127.0.0.1:{_port(server)}"
            self._started.set()
            await self._ending.wait()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(10)


def _port(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Start a server with a handler of the test's own: ``serve(handler, guard)`` is its address."""
    servers: list[WebSocketThread] = []

    def start(handler: Handler, guard: Guard | None = None) -> str:
        servers.append(WebSocketThread(handler, guard))
        return servers[-1].address

    yield start
    for server in servers:
        server.close()


class Squares(Dots):
    """A renderer of two squares straight ahead of the photo's camera: near red, far green."""

    name = "squares"

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        rgb = np.stack([_draw_squares(view) for view in views])
        nothing = np.zeros((len(views), *rgb.shape[2:]), np.float32)
        return Frame(rgb, nothing, nothing)


def _draw_squares(view: View) -> NDArray[np.float32]:
    """[3, H, W]"""
    picture = np.full((3, view.height, view.width), 0.2, np.float32)
    half = view.height // 12
    for distance_m, height_m, channel in ((FAR_M, -0.8, 1), (NEAR_M, 0.16, 0)):
        x, y, z, _ = view.camera_from_photo @ (0.0, height_m, distance_m, 1.0)
        column, row = int(view.cx + view.fx * x / z), int(view.cy + view.fy * y / z)
        box = (slice(max(row - half, 0), row + half), slice(max(column - half, 0), column + half))
        picture[(slice(None), *box)] = 0.0
        picture[(channel, *box)] = 1.0
    return picture


@dataclass
class StreamingServer:
    """The product's session and stream behind a plain WebSocket server."""

    gallery: Gallery
    render_thread: ThreadPoolExecutor
    sessions: list[Session] = field(default_factory=list)

    async def handle(self, connection: ServerConnection) -> None:
        host = Host("test server", "squares", "test", self.gallery, self._open_video)
        session = Session(Served(connection), host)
        self.sessions.append(session)
        await session.run()

    def _open_video(
        self, video: Video, on_header: Callable[[FrameHeader], None], **callbacks: Any
    ) -> Stream:
        return Stream(Squares(), self.render_thread, video, on_header, encoder="x264", **callbacks)


@pytest.fixture
def streaming(serve: Callable[..., str]) -> Iterator[Callable[..., str]]:
    """Start a server with these scenes: ``streaming("garden")`` is its address."""
    use_loopback_candidates()
    with ThreadPoolExecutor(1) as render_thread:

        def start(*names: str) -> str:
            server = StreamingServer(Gallery(names, Fov.symmetric(1.0, 1.0)), render_thread)
            return serve(server.handle)

        yield start


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[Partner]:
    """A server that pairs."""
    with answering(tmp_path) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which servers are remembered."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "sharp-xr" / "servers.json"
