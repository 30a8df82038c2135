"""What the server's paths do: each route is a few calls into the parts of an App."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypedDict
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from sharp_xr.app import App
from sharp_xr.clients.socket import StarletteSocket
from sharp_xr.clients.whep import Cors, Whep
from sharp_xr.http import page
from sharp_xr.http.access import Access, Guard
from sharp_xr.http.body import read_body
from sharp_xr.http.entrance import Entrance
from sharp_xr.http.refusal import Faults, Refusal, refuse
from sharp_xr.scenes.index import DiskError, SceneError
from sharp_xr_protocol.messages import Scene

MAX_JSON_BYTES = 1 << 16
"""Of a request that is no upload."""


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
