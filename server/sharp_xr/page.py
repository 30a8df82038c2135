"""The page's files, out of the package.

They are read when asked for, so that an edit shows on reload; an ETag spares the transfer.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response

from sharp_xr.refusal import Refusal

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

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


async def index(request: Request) -> Response:
    """GET /"""
    return _answer(request, "index.html")


async def web_file(request: Request) -> Response:
    """GET /web/{file}"""
    return _answer(request, request.path_params["file"])


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
