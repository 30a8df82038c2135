"""The page's files, out of the package; and what a person is shown who may not come in.

They are read when asked for, so that an edit shows on reload; an ETag spares the transfer.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files
from pathlib import PurePosixPath
from string import Template

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from sharp_xr.http.refusal import Refusal

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
"""What is served at all, by suffix."""

HEADERS = {
    "Cache-Control": "no-cache",  # ask again each time; the ETag makes that cheap
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob: mediastream:; connect-src 'self'; font-src 'self'; "
        "worker-src 'self' blob:; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}

MAX_CODE = 20
"""Letters of a pairing code that an address may have filled in."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


async def index(request: Request) -> Response:
    """GET /"""
    return _answer(request, "index.html")


async def web_file(request: Request) -> Response:
    """GET /web/{file}"""
    return _answer(request, request.path_params["file"])


def is_for_a_person(connection: HTTPConnection) -> bool:
    """Whether a browser asks, for something to show: programs get JSON instead."""
    is_http = connection.scope["type"] == "http"
    return is_http and "text/html" in connection.headers.get("accept", "")


def refused(connection: HTTPConnection, refusal: Refusal) -> Response:
    """The refusal as a page that stands alone, with a field for the token where that is wanted."""
    is_answerable = refusal.status == 401
    code = connection.query_params.get("pair", "")[:MAX_CODE] if is_answerable else ""
    sentence = "this code lets you in, once" if code else refusal.sentence
    text = Template(_read("refused.html").decode()).substitute(
        sentence=html.escape(sentence_case(sentence)),
        code=html.escape(code),
        root="../" * (connection.url.path.count("/") - 1) or "./",
        hidden="" if is_answerable else "hidden",
    )
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    headers = {
        **HEADERS,
        "Cache-Control": "no-store",
        "Connection": "close",
        # Else a browser hides the Origin of what the form sends (Fetch, "append a request Origin").
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "Vary": "Accept",
    }
    return Response(text, refusal.status, headers, CONTENT_TYPES[".html"])


def sentence_case(words: str) -> str:
    """A refusal as it stands on a page: with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '!', '?')) else '.'}"


def _answer(request: Request, name: str) -> Response:
    content = _read(name)
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {**HEADERS, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    kind = CONTENT_TYPES[PurePosixPath(name).suffix]
    return Response(content, headers={**headers, "Content-Type": kind})


def _read(name: str) -> bytes:
    """Raises Refusal for what is not a file of the page: no name here leads out of its folder."""
    parts = name.split("/")
    if all(map(_NAME.fullmatch, parts)) and PurePosixPath(name).suffix in CONTENT_TYPES:
        file = files("sharp_xr").joinpath("web", *parts)
        if file.is_file():
            return file.read_bytes()
    raise Refusal(404, f"the page has no file {name[:100]!r}")
