"""WHEP: any WebRTC player watches a scene, by HTTP alone (draft-ietf-wish-whep; its twin for the
other direction is RFC 9725).

    POST   /whep/{scene}              offer (application/sdp) -> 201, Location, ETag, answer
    PATCH  /whep/{scene}/{session}    If-Match, candidates (application/trickle-ice-sdpfrag) -> 204
    DELETE /whep/{scene}/{session}    -> 200
    OPTIONS, on both                  -> 204, what is taken

The answer has all of our candidates, so nothing needs to trickle back. An ICE restart is refused
with 422, as the draft allows: aiortc has none, and a new session costs one request.

A page of another origin may be a player where it has the server's token: the token in the
``Authorization`` header, which no page sends unknowingly, stands in for the Origin
(``http/access.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sharp_xr.http.body import read_body
from sharp_xr.http.refusal import Refusal, refuse
from sharp_xr.stream.channel import Spectator
from sharp_xr.stream.spectators import FullError, Spectators
from sharp_xr_protocol.codec import ProtocolError
from sharp_xr_protocol.messages import Candidate

PATH = "/whep/"
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
MAX_SDP_BYTES = 1 << 16
RETRY_AFTER_S = 10


@dataclass(frozen=True)
class Fragment:
    """What a PATCH says (RFC 8840, 9.1)."""

    ufrag: str | None
    """Of the client's ICE; another one than the offer's asks for a restart."""
    candidates: list[Candidate]


def read_fragment(text: str) -> Fragment:
    """Raises ProtocolError: a candidate of no media section."""
    mid: str | None = None
    sections = 0
    ufrag: str | None = None
    candidates = []
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name.startswith("m="):
            mid, sections = None, sections + 1
        elif name == "a=mid":
            mid = value
        elif name == "a=ice-ufrag":
            ufrag = value
        elif name == "a=candidate":
            index = sections - 1 if sections else None
            candidates.append(Candidate(f"candidate:{value}", mid, index))
    return Fragment(ufrag, candidates)


class Whep:
    """The routes."""

    def __init__(self, spectators: Spectators) -> None:
        self._spectators = spectators

    def routes(self) -> list[Route]:
        """For the application."""
        session = PATH + "{scene}/{session}"
        return [
            Route(PATH + "{scene}", self.watch, methods=["POST"]),
            Route(session, self.trickle, methods=["PATCH"]),
            Route(session, self.end, methods=["DELETE"]),
        ]

    async def watch(self, request: Request) -> Response:
        """An offer; the answer, and the address of the session that begins."""
        offer = await _text(request, SDP)
        scene = str(request.path_params["scene"])
        try:
            spectator, answer = await self._spectators.join(scene, offer)
        except LookupError as error:
            raise Refusal(404, str(error)) from error
        except FullError as error:
            return _full(error)
        except ProtocolError as error:
            raise Refusal(400, str(error)) from error
        headers = {
            "Location": f"{PATH}{scene}/{spectator.id}",
            "ETag": _etag(spectator),
            "Accept-Patch": FRAGMENT,
            "Cache-Control": "no-store",
        }
        return Response(answer, 201, headers, media_type=SDP)

    async def trickle(self, request: Request) -> Response:
        """Candidates of the client's."""
        spectator = self._find(request)
        text = await _text(request, FRAGMENT)
        _check_match(request, spectator)
        fragment = read_fragment(text)
        if fragment.ufrag not in (None, spectator.remote_ufrag):
            raise _no_restart()
        try:
            for candidate in fragment.candidates:
                await spectator.peer.add_candidate(candidate)
        except ProtocolError as error:
            raise Refusal(400, str(error)) from error
        return Response(status_code=204, headers={"ETag": _etag(spectator)})

    async def end(self, request: Request) -> Response:
        """The session's end."""
        await self._spectators.end(self._find(request), "the player ended it")
        return Response(status_code=200)

    def _find(self, request: Request) -> Spectator:
        scene, session = (str(request.path_params[name]) for name in ("scene", "session"))
        try:
            return self._spectators.find(scene, session)
        except LookupError as error:
            raise Refusal(404, str(error)) from error


async def _text(request: Request, media_type: str) -> str:
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != media_type:
        raise Refusal(415, f"a body of type {given[:100]!r}, wanted {media_type}")
    body = await read_body(request, MAX_SDP_BYTES)
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Refusal(400, "the body is not UTF-8") from None


def _check_match(request: Request, spectator: Spectator) -> None:
    """RFC 9725, 4.3.1: a PATCH is of one ICE session, which its ETag names."""
    given = request.headers.get("if-match")
    if given is None:
        raise Refusal(428, "If-Match is missing, wanted the ETag that came with the answer")
    if given.strip() == "*":
        raise _no_restart()
    if given.strip() != _etag(spectator):
        raise Refusal(412, "If-Match has another session's ETag")


def _full(error: FullError) -> Response:
    response = refuse(503, str(error))
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _no_restart() -> Refusal:
    return Refusal(422, "this server restarts no ICE: DELETE this session and POST a new offer")


def _etag(spectator: Spectator) -> str:
    return f'"{spectator.etag}"'


class Cors:
    """ASGI middleware before the guard: tells browsers which other pages may be players.

    With a token: any, for the guard wants it in ``Authorization`` from them. Without one: none.
    """

    def __init__(self, app: ASGIApp, *, any_origin: bool) -> None:
        self._app = app
        self._any_origin = any_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self._app(scope, receive, send)
            return

        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.start" and self._any_origin:
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Access-Control-Expose-Headers"] = (
                    "Location, ETag, Accept-Patch, Retry-After"
                )
            await send(message)

        if scope["method"] == "OPTIONS":
            await self._options(Headers(scope=scope))(scope, receive, send_open)
        else:
            await self._app(scope, receive, send_open)

    def _options(self, asked: Headers) -> Response:
        headers = {
            "Accept-Post": SDP,
            "Accept-Patch": FRAGMENT,
            "Allow": "OPTIONS, POST, PATCH, DELETE",
        }
        if self._any_origin and "access-control-request-method" in asked:
            headers |= {
                "Access-Control-Allow-Methods": "POST, PATCH, DELETE",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
                "Access-Control-Max-Age": "600",
            }
        return Response(status_code=204, headers=headers)
