"""One large file over HTTPS, which may take several connections.

What has arrived is in a ``.part`` file. A server is asked to go on from there only if it still has
the same file: it named it (by its ETag, else by its date) when the first byte came, the name lies
beside the part, and If-Range makes it send everything anew if the name is another by now.

Source: RFC 9110, sections 13.1.5 (If-Range) and 14 (Range requests).
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from sharp_xr.model.sharp.checkpoint import Report

TRIES = 5
"""Connections in a row that bring nothing."""
SILENCE_S = 30.0
CHUNK_BYTES = 1 << 20
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class DownloadError(Exception):
    """It did not work; the message is one sentence for the user."""


class Unreachable(DownloadError):
    """The server could not be reached, or not any more; what arrived is kept."""


def download(
    url: str,
    part: Path,
    size: int,
    report: Report,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Makes ``part`` the whole file, going on from what it has.

    Args:
        url: https, or http on the loopback.
        part: the file; its folder exists.
        size: bytes that the whole must have.
        report: told how far it is.
        pause: told how many seconds to wait before the next try.

    Raises:
        DownloadError: the server has no such file, or another one, or sends us elsewhere.
        OSError: the file cannot be written.
    """
    failures = 0
    while (arrived := _size(part)) != size:
        try:
            _go_on(url, part, size, report)
        except _Broken as error:
            failures = 0 if _size(part) > arrived else failures + 1
            if failures == TRIES or error.hopeless:
                raise Unreachable(f"{urlsplit(url).hostname} cannot be reached: {error}") from error
            pause(min(2.0 ** max(failures - 1, 0), 30.0))
    _validator(part).unlink(missing_ok=True)


class _Broken(Exception):
    """A connection ended too soon, or never began."""

    def __init__(self, reason: object, *, hopeless: bool = False) -> None:
        super().__init__(str(reason) or type(reason).__name__)
        self.hopeless = hopeless
        """Trying again at once will not help."""


def _go_on(url: str, part: Path, size: int, report: Report) -> None:
    """One connection."""
    arrived = _size(part)
    validator = _validator(part)
    if arrived > size or not validator.exists():
        part.unlink(missing_ok=True)
        arrived = 0
    headers = {"User-Agent": "sharp-xr", "Accept-Encoding": "identity"}
    if arrived:
        headers |= {"Range": f"bytes={arrived}-", "If-Range": validator.read_text("ascii")}
    with _open(url, headers, part) as response:
        goes_on = response.status == 206
        if goes_on:
            _check_range(response, arrived, size)
        else:
            _check_length(response, size)
            _keep_validator(response, validator)
        with part.open("ab" if goes_on else "wb") as file:
            _receive(response, file, size, report)


def _receive(response: HTTPResponse, file: IO[bytes], size: int, report: Report) -> None:
    while (arrived := file.tell()) < size:
        try:
            data = response.read(min(CHUNK_BYTES, size - arrived))
        except (OSError, HTTPException) as error:
            raise _Broken(error) from error
        if not data:
            raise _Broken("the connection was cut")
        file.write(data)
        report(arrived + len(data), size)


def _open(url: str, headers: dict[str, str], part: Path) -> HTTPResponse:
    opener = OpenerDirector()
    plain = urlsplit(url).scheme == "http"
    for handler in (
        *(ProxyHandler(), HTTPHandler(), HTTPSHandler(), _Redirects(plain)),
        *(HTTPErrorProcessor(), HTTPDefaultErrorHandler()),
    ):
        opener.add_handler(handler)
    _check_address(url, plain)
    try:
        response: HTTPResponse = opener.open(Request(url, headers=headers), timeout=SILENCE_S)
        return response
    except HTTPError as error:
        error.close()
        if error.code == 416:  # the part does not fit the file any more
            part.unlink(missing_ok=True)
        if error.code in (416, 429) or error.code >= 500:
            raise _Broken(f"it answers {error.code} {error.reason}") from error
        raise DownloadError(f"{url} is not there: {error.code} {error.reason}") from error
    except URLError as error:
        unknown = isinstance(error.reason, socket.gaierror)
        raise _Broken(error.reason, hopeless=unknown) from error
    except (OSError, HTTPException) as error:
        raise _Broken(error) from error


class _Redirects(HTTPRedirectHandler):
    """Any host may be the next, since the checksum decides; but only over https."""

    def __init__(self, plain: bool) -> None:
        self.plain = plain

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        _check_address(newurl, self.plain)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str, plain: bool) -> None:
    parts = urlsplit(url)
    local = plain and parts.scheme == "http" and parts.hostname in LOOPBACK
    if parts.scheme != "https" and not local:
        raise DownloadError(f"the way to the file leads to {url!r:.120}, wanted https")


def _check_range(response: HTTPResponse, arrived: int, size: int) -> None:
    said = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", said)
    if match is None or (int(match[1]), int(match[2])) != (arrived, size):
        raise DownloadError(
            f"the server goes on with {said!r:.60}, wanted bytes {arrived} of {size}"
        )


def _check_length(response: HTTPResponse, size: int) -> None:
    said = response.headers.get("Content-Length")
    if said is not None and said != str(size):
        raise DownloadError(f"the server has a file of {said:.20} bytes, wanted one of {size:,}")


def _keep_validator(response: HTTPResponse, place: Path) -> None:
    """What names this version of the file for sure; a weak ETag (W/...) does not."""
    etag = response.headers.get("ETag", "")
    name = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    if name and name.isascii() and name.isprintable():
        place.write_text(name, "ascii")
    else:
        place.unlink(missing_ok=True)


def _validator(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
