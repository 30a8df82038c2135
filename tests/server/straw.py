"""A server with real sockets, routes, sessions and scenes; its renderer and worker are of straw."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np

from sharp_xr.app import App, AppConfig
from sharp_xr.gaussians import Gaussians
from sharp_xr.http.web_server import Server, uvicorn_config
from sharp_xr.model import ModelError
from sharp_xr.photo import PhotoError
from sharp_xr.prediction import OnProgress, Prediction
from sharp_xr.render import Frame, PreparedScene, RenderSettings, View
from sharp_xr.routes import create_app
from sharp_xr.serve import bind


def some_gaussians(count: int = 3) -> Gaussians:
    """In front of the camera, a metre apart."""
    means = np.zeros((count, 3), np.float32)
    means[:, 2] = np.arange(1, count + 1)
    covariances = np.zeros((count, 6), np.float32)
    covariances[:, [0, 3, 5]] = 0.01
    ones = np.ones((count, 3), np.float32)
    return Gaussians(means, covariances, ones * np.float32(0.5), ones[:, 0] * np.float32(0.5))


@dataclass
class StrawScene:
    """What :class:`StrawRenderer` prepares."""

    gaussians: Gaussians

    def __len__(self) -> int:
        return len(self.gaussians)

    def refocused(self, ratio: float) -> StrawScene:
        return StrawScene(self.gaussians.refocused(ratio))


class StrawRenderer:
    """Draws grey."""

    name = "straw"

    def __init__(self) -> None:
        self.warm = False
        self.prepared: list[int] = []
        self.may_prepare = threading.Event()
        self.may_prepare.set()

    def warm_up(self) -> None:
        self.warm = True

    def prepare(self, gaussians: Gaussians) -> StrawScene:
        assert self.may_prepare.wait(30)
        self.prepared.append(len(gaussians))
        return StrawScene(gaussians)

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        shape = (len(views), views[0].height, views[0].width)
        grey = np.full((len(views), 3, *shape[1:]), 0.5, np.float32)
        return Frame(grey, np.ones(shape, np.float32), np.ones(shape, np.float32))


class StrawWorker:
    """Takes every upload that begins with "photo"; the others' first word says what goes wrong."""

    def __init__(self) -> None:
        self.running = False
        self.kind = "straw"
        self.trouble: str | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.cancelled = threading.Event()

    async def start(self) -> None:
        self.running = True

    async def identity(self) -> str:
        return self.kind

    async def close(self) -> None:
        self.running = False

    async def predict(self, data: bytes, on_progress: OnProgress) -> Prediction:
        on_progress("decode", 0.5, "")
        on_progress("predict", 0.5, "tile 1 of 2")
        try:
            await asyncio.to_thread(self.hold.wait)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        match data[:5]:
            case b"photo":
                return Prediction(40, 30, 35.0, some_gaussians(), b"a jpeg", self.kind, 0.0, 0.0)
            case b"tired":
                raise ModelError("the model is tired")
            case b"fault":
                raise RuntimeError("a secret detail")
            case _:
                raise PhotoError("this is no photo")


class Site:
    """A running server, in a thread with a loop of its own."""

    def __init__(self, data: Path, **options: Any) -> None:
        self.renderer, self.worker = StrawRenderer(), StrawWorker()
        self.app = App(AppConfig(data, **options), self.renderer, self.worker)
        self.store = self.app.store
        self._listening = bind("127.0.0.1", 0)
        self._server = Server(uvicorn_config(create_app(self.app)))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        """And port."""
        self.client = httpx.Client(base_url=f"http://{self.host}", timeout=20, trust_env=False)

    def start(self) -> None:
        """Until it is ready."""
        self._on_loop(self.app.start())

    def drain(self) -> None:
        """As a signal does."""
        self._on_loop(self.app.drain())

    def stop(self) -> None:
        """All of what a signal does."""
        if not self._thread.is_alive():
            return
        self.worker.hold.set()
        self.drain()
        self.client.close()
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._listening.close()

    def _serve(self) -> None:
        async def serve() -> None:
            await self._server.serve([self._listening])
            await self.app.stop()

        self._loop.run_until_complete(serve())
        self._loop.close()

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


class MakeSite(Protocol):
    """The fixture ``make_site``."""

    def __call__(self, *, started: bool = True, **options: Any) -> Site: ...


@contextlib.contextmanager
def running_site(data: Path, *, started: bool = True, **options: Any) -> Iterator[Site]:
    """A server on a free port of the loopback; options as in AppConfig."""
    site = Site(data, **options)
    try:
        if started:
            site.start()
        yield site
    finally:
        site.stop()
