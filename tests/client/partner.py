"""A server over real TLS that pairs, or does it wrongly, and streams nothing."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from sharp_xr.http.certificates import make
from sharp_xr_client.address import Address, parse_address
from sharp_xr_protocol.pairing import Side

CODE = "7KM-Q2X"


class Partner(HTTPServer):
    """Pairs with who knows ``code``, over its own certificate; or as it is told to."""

    def __init__(self, folder: Path, code: str = CODE) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        pem = folder / "server.pem"
        pem.write_bytes(make(["localhost"], datetime.datetime.now(datetime.UTC)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        text = pem.read_text()
        der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERT") :])
        self.fingerprint = hashlib.sha256(der).hexdigest()
        self.certificate_of_the_code = self.fingerprint
        """The one that its code is bound to."""
        self.code = code
        self.lie: dict[str, Any] | str | None = None
        """Sent in place of the first answer."""
        self.finished = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that only looks at the certificate says nothing."""

    @property
    def address(self) -> Address:
        return parse_address(f"https://127.0.0.1:{self.server_port}")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Partner

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/pairing/begin":
            self.side = Side(
                "server", self.server.code, bytes.fromhex(self.server.certificate_of_the_code)
            )
            self.side.meet(body["share"])
            answer = {"id": "1", "share": self.side.share, "proof": self.side.proof}
            self.answer(200, answer if self.server.lie is None else self.server.lie)
        else:
            self.server.finished += 1
            fits = self.side.is_proven_by(body["proof"])
            self.answer(*((200, {"token": "secret"}) if fits else (403, {"error": "go away"})))

    def answer(self, status: int, fields: object) -> None:
        data = fields.encode() if isinstance(fields, str) else json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def answering(folder: Path, code: str = CODE) -> Iterator[Partner]:
    """One that answers until the block ends."""
    with Partner(folder, code) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
