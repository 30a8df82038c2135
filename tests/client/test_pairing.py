"""A headset's machine that pairs, over real TLS, with servers that know the code and others."""

from __future__ import annotations

import asyncio
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

import pytest

from sharp_xr.certificates import make
from sharp_xr_client import remembered
from sharp_xr_client.address import Address, parse_address
from sharp_xr_client.pairing import paired
from sharp_xr_client.problem import ClientError
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


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[Partner]:
    with Partner(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        with contextlib.closing(contextlib.ExitStack()) as stack:
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            yield server


def refusal(address: Address, code: str = CODE) -> str:
    with pytest.raises(ClientError) as refused:
        asyncio.run(paired(address, code))
    return str(refused.value)


def test_the_code_becomes_token_and_fingerprint(partner: Partner) -> None:
    found = asyncio.run(paired(partner.address, "7km q2x"))
    assert (found.token, found.fingerprint) == ("secret", partner.fingerprint)
    assert found.url == partner.address.url


def test_a_server_without_the_code_learns_nothing_of_it(partner: Partner) -> None:
    partner.code = "000-000"
    assert "does not know this code" in refusal(partner.address)
    assert partner.finished == 0, "no proof, which could be compared with guesses"


def test_who_stands_between_and_passes_all_on_is_noticed(partner: Partner) -> None:
    """It shows a certificate of its own; the server's code is bound to the server's."""
    partner.certificate_of_the_code = "ab" * 32
    assert "somebody else answers in its place" in refusal(partner.address)
    assert partner.finished == 0


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        ("<html>", "it sent no share"),
        ({}, "it sent no share"),
        ({"share": 5, "proof": ""}, "it sent no share"),
        ({"share": "00" * 384, "proof": ""}, "it sent a share"),
        ({"share": "00" * 383 + "01", "proof": ""}, "it sent a share"),
        ({"share": "12" * 384, "proof": ""}, "does not know this code"),
        ({"share": "12" * 384, "proof": "\u00e9"}, "it sent no proof"),
    ],
)
def test_a_server_that_lies_is_one_sentence(
    partner: Partner, lie: dict[str, Any] | str, sentence: str
) -> None:
    partner.lie = lie
    assert sentence in refusal(partner.address)
    assert partner.finished == 0


def test_what_cannot_pair_is_said_before_anything_is_sent() -> None:
    plain = parse_address("http://127.0.0.1:9")
    assert "--pair is for TLS: use https://" in refusal(plain)
    nobody = parse_address("https://127.0.0.1:9")
    assert "no server answers" in refusal(nobody)
    assert "is no pairing code" in refusal(nobody, "7KM")


# --- what is remembered --------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "sharp-xr" / "servers.json"


def test_a_paired_server_is_known_by_its_address_alone(home: Path) -> None:
    bare = parse_address("https://photo.example:8443")
    assert remembered.completed(bare) == bare
    known = parse_address("https://photo.example:8443", "secret", "ab" * 32)
    remembered.keep(known)
    remembered.keep(parse_address("https://other.example", "other", "cd" * 32))
    assert home.stat().st_mode & 0o777 == 0o600
    assert remembered.completed(bare) == known
    for other in (
        parse_address("http://photo.example:8443"),
        parse_address("https://photo.example"),
        parse_address("https://photo.example:8443", "mine"),
        parse_address("https://photo.example:8443", None, "ef" * 32),
    ):
        assert remembered.completed(other) == other


@pytest.mark.parametrize("content", ["", "[]", '{"https://a/": 1}', "\0"])
def test_a_spoilt_memory_is_one_sentence(home: Path, content: str) -> None:
    home.parent.mkdir()
    home.write_text(content)
    with pytest.raises(ClientError, match="mend or remove it"):
        remembered.completed(parse_address("https://a"))
