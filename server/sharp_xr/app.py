"""The composition root: here the parts of the server meet, and nowhere else.

    photo --POST /scenes--> Uploads --> PhotoWorker (a process) --> SceneGallery --> all sessions
    pose  --/session------> Session --> Stream --> the one render thread --> RTP
    offer --POST /whep/---> Spectators --> Channel --> the same thread ----> RTP

Life: :meth:`App.start` makes ready what a first frame and a first photo would wait for, while the
page is served already; :meth:`App.drain` says Bye; :meth:`App.stop` ends the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sharp_xr.clients.outbox import DisconnectedError
from sharp_xr.clients.session import Host
from sharp_xr.clients.sessions import Sessions
from sharp_xr.clients.whep import Cors, Whep
from sharp_xr.http import page
from sharp_xr.http.access import Access, Guard
from sharp_xr.http.body import read_body
from sharp_xr.http.entrance import Entrance
from sharp_xr.http.pairing import Pairing
from sharp_xr.http.refusal import Faults, Refusal, refuse
from sharp_xr.render import Renderer
from sharp_xr.scenes.gallery import SceneGallery
from sharp_xr.scenes.index import DiskError, SceneError
from sharp_xr.scenes.store import SceneStore, warm_up
from sharp_xr.scenes.uploads import PhotoWorker, Uploads
from sharp_xr.stream import stream
from sharp_xr.stream.channel import Studio
from sharp_xr.stream.encoder import EncoderName
from sharp_xr.stream.spectators import MAX_SPECTATORS, Spectators
from sharp_xr.stream.stream import Stream
from sharp_xr.stream.turns import Turns
from sharp_xr_protocol.messages import FrameHeader, ProtocolError, Scene, StreamQuality, Video

log = logging.getLogger(__name__)

MAX_JSON_BYTES = 1 << 16
"""Of a request that is no upload."""


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


def create_app(app: App) -> Starlette:
    """The ASGI application in front of the parts. Starting and stopping them is the caller's."""
    routes = Routes(app)
    access = Access(app.config.token)
    return Starlette(
        routes=[
            Route("/", page.index),
            Route("/web/{file:path}", page.web_file),
            Route("/scenes", routes.list_scenes, methods=["GET"]),
            Route("/scenes", routes.add_scene, methods=["POST"]),
            Route("/scenes/{id}.ply", routes.download, methods=["GET"]),
            Route("/scenes/{id}/thumbnail", routes.thumbnail, methods=["GET"]),
            Route("/scenes/{id}", routes.change, methods=["PATCH"]),
            Route("/scenes/{id}", routes.delete, methods=["DELETE"]),
            Route("/jobs/{job:path}", routes.cancel, methods=["DELETE"]),
            Route("/healthz", routes.healthz),
            Route("/readyz", routes.readyz),
            WebSocketRoute("/session", routes.session),
            *app.pairing.routes(),
            *Entrance(access, app.pairing).routes(),
            *Whep(app.spectators).routes(),
        ],
        middleware=[
            Middleware(Faults),
            Middleware(Cors, any_origin=app.config.token is not None),
            Middleware(Guard, access=access),
        ],
        exception_handlers={
            Refusal: _on_refusal,
            HTTPException: _on_http_exception,
        },
    )


class Routes:
    """What the paths do; each one is a few calls into the parts."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def list_scenes(self, _: Request) -> Response:
        return JSONResponse({"scenes": [_json(scene) for scene in self._app.gallery.scenes()]})

    async def add_scene(self, request: Request) -> Response:
        upload = await self._app.uploads.take(request)
        return JSONResponse(_json(upload.scene), 201 if upload.is_new else 200)

    async def change(self, request: Request) -> Response:
        changes, gallery = await _changes(request), self._app.gallery
        with _scene_errors():
            if "focal_35mm" in changes:
                scene = await gallery.refocus(_id(request), changes["focal_35mm"])
            if "name" in changes:
                scene = await gallery.rename(_id(request), changes["name"])
        return JSONResponse(_json(scene))

    async def delete(self, request: Request) -> Response:
        with _scene_errors():
            await self._app.gallery.delete(_id(request))
        return Response(status_code=204)

    async def download(self, request: Request) -> Response:
        with _scene_errors():
            scene = self._app.gallery.scene(_id(request))
            path = await self._app.gallery.ply_path(scene.id)
        return FileResponse(
            path,
            media_type="application/octet-stream",
            headers={"Content-Disposition": attachment(f"{scene.name}.ply")},
        )

    async def thumbnail(self, request: Request) -> Response:
        with _scene_errors():
            jpeg = await self._app.gallery.thumbnail(_id(request))
        # A scene's picture never changes; its id is never used again.
        headers = {"Cache-Control": "private, max-age=31536000, immutable"}
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    async def cancel(self, request: Request) -> Response:
        self._app.uploads.cancel(str(request.path_params["job"]))
        return Response(status_code=204)

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(self, _: Request) -> Response:
        app = self._app
        if not app.ready:
            return refuse(503, "the server is starting or stopping")
        if trouble := app.worker.trouble:
            return refuse(503, trouble)
        return JSONResponse({"ready": True, "sessions": len(app.sessions)})

    async def session(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await self._app.sessions.serve(StarletteSocket(websocket), self._app.host())


class StarletteSocket:
    """A WebSocket of Starlette as ``outbox.Socket``."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> bytes:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise DisconnectedError
        data = message.get("bytes")
        if not isinstance(data, bytes):
            raise ProtocolError("a text message came, wanted binary msgpack")
        return data

    async def send(self, data: bytes) -> None:
        try:
            await self._websocket.send_bytes(data)
        except (WebSocketDisconnect, RuntimeError) as error:  # the latter: closed already
            raise DisconnectedError from error

    async def close(self) -> None:
        # The peer has vanished, or the socket is closed already.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close()


def attachment(filename: str) -> str:
    """A Content-Disposition that offers this name (RFC 6266), with a plain one for old clients."""
    plain = "".join(c if c.isascii() and c.isalnum() or c in " ._-" else "_" for c in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _json(scene: Scene) -> Any:
    return msgspec.to_builtins(scene)


def _id(request: Request) -> str:
    return str(request.path_params["id"])


class _Changes(TypedDict, total=False):
    """What ``PATCH /scenes/{id}`` takes."""

    name: str
    focal_35mm: float | None
    """Millimetres; None is the photo's own."""


async def _changes(request: Request) -> _Changes:
    """At least one. Raises Refusal."""
    body = await read_body(request, MAX_JSON_BYTES)
    with contextlib.suppress(msgspec.DecodeError):
        if changes := msgspec.json.decode(body, type=_Changes):
            return changes
    raise Refusal(400, 'wanted {"name": "..."}, {"focal_35mm": 26}, or both')


@contextlib.contextmanager
def _scene_errors() -> Iterator[None]:
    try:
        yield
    except LookupError as error:
        raise Refusal(404, str(error)) from error
    except DiskError as error:
        raise Refusal(507, str(error)) from error
    except SceneError as error:
        raise Refusal(400, str(error)) from error


async def _on_refusal(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return refuse(refusal.status, refusal.sentence, close=refusal.close)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such path, not this method."""
    assert isinstance(error, HTTPException)
    sentence = f"{request.method} {request.url.path[:200]}: {str(error.detail).lower()}"
    return refuse(error.status_code, sentence)
