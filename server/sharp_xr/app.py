"""The composition root: here the parts of the server meet, and nowhere else.

    photo --POST /scenes--> Uploads --> PhotoWorker (a process) --> SceneGallery --> all sessions
    pose  --/session------> Session --> Stream --> the one render thread --> RTP
    offer --POST /whep/---> Spectators --> Channel --> the same thread ----> RTP

Life: :meth:`App.start` makes ready what a first frame and a first photo would wait for, while the
page is served already; :meth:`App.drain` says Bye; :meth:`App.stop` ends the rest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sharp_xr.clients.host import Host
from sharp_xr.clients.sessions import Sessions
from sharp_xr.http.pairing import Pairing
from sharp_xr.render import Renderer
from sharp_xr.scenes.gallery import SceneGallery
from sharp_xr.scenes.store import SceneStore, warm_up
from sharp_xr.scenes.uploads import PhotoWorker, Uploads
from sharp_xr.stream import stream
from sharp_xr.stream.channel import Studio
from sharp_xr.stream.encoder import EncoderName
from sharp_xr.stream.spectators import MAX_SPECTATORS, Spectators
from sharp_xr.stream.stream import Stream
from sharp_xr.stream.turns import Turns
from sharp_xr_protocol.messages import FrameHeader, StreamQuality, Video

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AppConfig:
    """What a server is told."""

    data: Path
    """Folder of the scenes."""
    model: str = "lite"
    """Name of the predictor, for people; the worker knows the rest."""
    token: str | None = None
    """Wanted from every client; None only on the loopback."""
    max_eye_px: int = 512
    max_sessions: int = 4
    max_spectators: int = MAX_SPECTATORS
    encoder: EncoderName = "auto"


class App:
    """One server's parts."""

    def __init__(self, config: AppConfig, renderer: Renderer, worker: PhotoWorker) -> None:
        self.config = config
        self.renderer = renderer
        self.worker = worker
        self.render_thread = ThreadPoolExecutor(1, thread_name_prefix="render")
        self._turns = Turns()
        self._spare_thread = ThreadPoolExecutor(1, thread_name_prefix="warm-up")
        self.sessions = Sessions(config.max_sessions)
        self.pairing = Pairing(config.token)
        self.store = SceneStore(config.data)
        self.gallery = SceneGallery(self.store, renderer, self._scenes_changed)
        self.spectators = Spectators(
            Studio(
                renderer,
                self.render_thread,
                self._turns,
                max_px=config.max_eye_px,
                encoder=config.encoder,
            ),
            self.gallery.load,
            config.max_spectators,
        )
        self.uploads = Uploads(self.gallery, worker, config.model, self.sessions.tell)
        self.ready = False

    def host(self) -> Host:
        """What each session is given."""
        return Host(
            server=f"sharp-xr {version('sharp-xr')}",
            renderer=self.renderer.name,
            model=self.config.model,
            gallery=self.gallery,
            open_video=self._open_video,
            max_eye_px=self.config.max_eye_px,
        )

    def _scenes_changed(self) -> None:
        self.sessions.scenes_changed()
        self.spectators.scenes_changed(self.gallery.scenes())

    def _open_video(
        self,
        video: Video,
        on_header: Callable[[FrameHeader], None],
        *,
        on_quality: Callable[[StreamQuality], None],
        capabilities: Collection[str],
        on_problem: Callable[[str], None],
        on_lost: Callable[[str], None],
    ) -> Stream:
        return Stream(
            self.renderer,
            self.render_thread,
            video,
            on_header,
            on_quality=on_quality,
            capabilities=capabilities,
            on_problem=on_problem,
            on_lost=on_lost,
            turns=self._turns,
            encoder=self.config.encoder,
        )

    async def start(self) -> None:
        """Warm up. Raises ModelError or RuntimeError with one sentence."""
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        # On the render thread: a client that comes too early waits for it by itself.
        drawing = loop.run_in_executor(self.render_thread, self._warm_up)
        # Behind it, for both compile and only one can: storing is needed later.
        drawing.add_done_callback(lambda _: self._spare_thread.submit(warm_up))
        await asyncio.gather(drawing, self.worker.start())
        self.ready = True
        seconds = round(time.monotonic() - started, 2)
        log.info("ready", extra={"fields": {"renderer": self.renderer.name, "seconds": seconds}})

    def _warm_up(self) -> None:
        self.renderer.warm_up()
        stream.warm_up()

    async def drain(self) -> None:
        """Bye to all clients."""
        self.ready = False
        reason = "the server was stopped"
        await asyncio.gather(self.sessions.close(reason), self.spectators.close(reason))

    async def stop(self) -> None:
        """End the children; what is being stored is stored."""
        await self.worker.close()
        await asyncio.to_thread(self.gallery.close)
        for thread in (self.render_thread, self._spare_thread):
            thread.shutdown(wait=False, cancel_futures=True)
        log.info("stopped")
