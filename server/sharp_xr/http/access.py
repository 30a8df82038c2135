"""Who may come in: a guard before every route.

Three attacks, three checks:
- somebody else's web page sends requests to this server, or opens its WebSocket (which no browser
  holds back: cross-site WebSocket hijacking): the Origin must be the Host that the request came to;
- somebody else's host name is made to point to 127.0.0.1 (DNS rebinding), so that Origin and Host
  agree: without a token only the loopback's own names are answered;
- a machine of the network connects: every bind but the loopback's wants a token.
A program that is no browser sends no Origin, which is allowed: it could send any.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import re
import secrets
from urllib.parse import unquote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from sharp_xr.http import page
from sharp_xr.http.refusal import Refusal, refuse

log = logging.getLogger(__name__)

OPEN_PATHS = ("/healthz", "/readyz", "/enter", "/pairing/begin", "/pairing/finish")
"""Answered without a token: they tell a supervisor that the server lives, and nothing else; or let
in who knows the token or the pairing code."""
READING_METHODS = ("GET", "HEAD", "OPTIONS")
_TOKEN_IN_ADDRESS = re.compile(r"[?&]token=([^&#\s]+)")


def new_token() -> str:
    """128 random bits in letters that a URL holds."""
    return secrets.token_urlsafe(16)


def is_loopback(host: str) -> bool:
    """Whether a bind address or a host name reaches this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Access:
    """The rules. ``token`` None: the server is bound to the loopback and wants none."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        # Cookies of one host are shared by all its ports: the name keeps two servers apart.
        mark = hashlib.sha256((token or "").encode()).hexdigest()[:8]
        self.cookie = f"sharp_xr_{mark}"

    def check(self, connection: HTTPConnection) -> None:
        """Raises Refusal for who may not come in."""
        self._check_host(connection)
        if _may_change_something(connection) and not self._is_player(connection):
            _check_origin(connection)
        if connection.url.path not in OPEN_PATHS:
            self._check_token(connection)

    def enters_with_token(self, connection: HTTPConnection) -> bool:
        """Whether this request is the first of a browser, which the cookie shall follow."""
        return self.is_token(connection.query_params.get("token"))

    def is_token(self, given: str | None) -> bool:
        """Whether it is, or an address that has it; compared in constant time."""
        bare = _bare(given)
        if self.token is None or bare is None:
            return False
        return hmac.compare_digest(bare.encode(), self.token.encode())

    def admission(self, scheme: str) -> str:
        """The cookie that lets a browser in: the value of ``Set-Cookie``."""
        cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"
        return cookie + ("; Secure" if scheme == "https" else "")

    def _check_host(self, connection: HTTPConnection) -> None:
        host = connection.headers.get("host", "")
        name = _host_name(f"//{host}")
        if not name or (self.token is None and not is_loopback(name)):
            raise Refusal(
                403,
                f"this server answers to localhost only, not to {host[:100]!r}: "
                "start it with --host for a network, or with --token behind a proxy",
            )

    def _check_token(self, connection: HTTPConnection) -> None:
        if self.token is None:
            return
        given = [
            connection.query_params.get("token"),
            _bearer(connection),
            connection.cookies.get(self.cookie),
        ]
        if not any(given):
            raise Refusal(
                401,
                "this server wants its token: open the address that sharp-xr serve printed when it "
                "started, which has the token",
            )
        if not any(map(self.is_token, given)):
            raise Refusal(401, "that is not this server's token; it prints the right one at start")

    def _is_player(self, connection: HTTPConnection) -> bool:
        """Whether a page of any origin may send this: a WHEP player that was given the token.

        No browser adds this header by itself, as it does a cookie.
        """
        is_whep = connection.url.path.startswith("/whep/")
        return is_whep and self.is_token(_bearer(connection))


class Guard:
    """ASGI middleware: lets in whom :class:`Access` lets in."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            self._access.check(connection)
        except Refusal as refusal:
            log.warning(
                "refused",
                extra={"fields": {"path": connection.url.path, "why": refusal.sentence}},
            )
            await _answer(refusal, scope, receive, send)
            return
        if scope["type"] == "http" and self._access.enters_with_token(connection):
            send = self._with_cookie(send, connection.url.scheme)
        await self._app(scope, receive, send)

    def _with_cookie(self, send: Send, scheme: str) -> Send:
        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", self._access.admission(scheme))
            await send(message)

        return send_with_cookie


async def _answer(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    connection = HTTPConnection(scope)
    if page.is_for_a_person(connection):
        await page.refused(connection, refusal)(scope, receive, send)
        return
    response = refuse(refusal.status, refusal.sentence, close=True)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def _bearer(connection: HTTPConnection) -> str | None:
    """The token in the Authorization header (RFC 6750)."""
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    return bearer if scheme.lower() == "bearer" else None


def _bare(given: str | None) -> str | None:
    """The token out of what a person pasted: the token itself, or the address that has it."""
    if given is None:
        return None
    found = _TOKEN_IN_ADDRESS.search(given)
    return unquote(found[1]) if found else given.strip()


def _may_change_something(connection: HTTPConnection) -> bool:
    if connection.scope["type"] == "websocket":
        return True
    return Request(connection.scope).method not in READING_METHODS


def _check_origin(connection: HTTPConnection) -> None:
    """RFC 6454: scheme, host and port; the scheme is left out, a proxy before us may change it."""
    origin = connection.headers.get("origin")
    if origin is None:
        return
    host = connection.headers.get("host", "")
    if not _host_name(origin) or urlsplit(origin).netloc.lower() != host.lower():
        raise Refusal(403, f"a page of {origin[:100]!r} may not use this server")


def _host_name(url: str) -> str:
    """Without the port; empty for what two programs might read differently."""
    if not url.isascii() or not url.isprintable() or set(url) & set(" \\@<>\"'"):
        return ""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
