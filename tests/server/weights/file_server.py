"""A server of one file on the loopback that can misbehave in the ways that servers do."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What the next request gets; tests change it between and during requests."""

    content: bytes
    etag: str | None = '"v1"'
    modified: str | None = None
    cuts: list[int] = field(default_factory=list)
    """For each coming connection: after how many bytes it breaks."""
    status: list[int] = field(default_factory=list)
    """Refusals, each for one request."""
    ranges: bool = True
    location: str | None = None
    """Where to send everyone."""
    says_range: str | None = None
    """A Content-Range in place of the true one."""
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    """Range and If-Range of each request so far."""
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests have their own words."""

    def do_GET(self) -> None:
        served = self.served
        wanted, version = self.headers.get("Range"), self.headers.get("If-Range")
        served.asked.append((wanted, version))
        if served.location:
            self.send_response(302)
            self.send_header("Location", served.location)
            self.end_headers()
            return
        if served.status:
            self.send_error(served.status.pop(0))
            return
        content = served.content
        match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        goes_on = match and served.ranges and version in (served.etag, served.modified)
        start = int(match[1]) if match and goes_on else 0
        if start > len(content):
            self.send_error(416)
            return
        self.send_response(206 if goes_on else 200)
        said = served.says_range or f"bytes {start}-{len(content) - 1}/{len(content)}"
        if goes_on:
            self.send_header("Content-Range", said)
        for name, value in (("ETag", served.etag), ("Last-Modified", served.modified)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + served.cuts.pop(0) if served.cuts else len(content)
        self.wfile.write(content[start:end])


@contextlib.contextmanager
def serving(content: bytes) -> Iterator[Served]:
    """Runs it on a free port."""
    served = Served(content)
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}/weights.pt"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
