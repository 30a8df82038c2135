"""Whom the client believes, over real TLS."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sharp_xr.http.certificates import make
from sharp_xr_client.address import parse_address
from sharp_xr_client.connection import connect
from sharp_xr_client.problem import ClientError
from sharp_xr_client.trust import tls_context
from sharp_xr_protocol.messages import Display, Hello

NOW = datetime.datetime.now(datetime.UTC)
YEAR = datetime.timedelta(days=400)
HELLO = Hello("test", "simulated", Display(64, 64, 60.0))


@dataclass
class Server:
    """Says nothing, but hears."""

    port: int
    fingerprint: str
    heard: bytes = b""


@contextlib.asynccontextmanager
async def serving(folder: Path, made: datetime.datetime = NOW) -> AsyncIterator[Server]:
    """With a certificate of its own, which was made then."""
    pem = folder / "server.pem"
    pem.write_bytes(make(["localhost"], made))
    der = ssl.PEM_cert_to_DER_cert(pem.read_text()[pem.read_text().index("-----BEGIN CERT") :])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    found = Server(0, hashlib.sha256(der).hexdigest())

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            found.heard += await reader.read(1000)
            writer.write(b"HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n" if found.heard else b"")
        writer.close()

    listening = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
    async with listening:
        found.port = listening.sockets[0].getsockname()[1]
        yield found


async def visit(server: Server, fingerprint: str | None, scheme: str = "wss") -> None:
    url = f"{scheme}://127.0.0.1:{server.port}/?token=secret"
    address = parse_address(url, fingerprint=fingerprint)
    async with connect(address, HELLO, NoEvents()):
        pass


class NoEvents:
    def frame(self, frame: object) -> None: ...
    def header(self, header: object) -> None: ...
    def problem(self, sentence: str) -> None: ...


def test_the_wanted_certificate_is_believed_under_any_name(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            with pytest.raises(ClientError, match="answered HTTP 418"):
                await visit(server, server.fingerprint)
            assert b"Bearer secret" in server.heard

    asyncio.run(test())


def test_another_certificate_is_refused_before_the_token_goes_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            shown = bytes.fromhex(server.fingerprint).hex(":").upper()
            with pytest.raises(ClientError, match=f"fingerprint {shown}, which is not the wanted"):
                await visit(server, "ab" * 32)
            with pytest.raises(ClientError, match="no authority .* add --fingerprint"):
                await visit(server, None)
            assert server.heard == b""

    asyncio.run(test())


def test_who_takes_the_place_of_the_server_meanwhile_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as server:
            address = parse_address(
                f"wss://127.0.0.1:{server.port}", fingerprint=server.fingerprint
            )
            context = await tls_context(address)
        async with serving(tmp_path) as other:
            assert other.fingerprint != server.fingerprint
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", other.port, ssl=context)

    asyncio.run(test())


def test_a_certificate_that_has_expired_is_refused_though_it_is_the_wanted_one(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with serving(tmp_path, NOW - YEAR) as server:
            with pytest.raises(ClientError, match="of 127.0.0.1 is not valid: .*expired"):
                await visit(server, server.fingerprint)
            assert server.heard == b""

    asyncio.run(test())


def test_a_server_without_tls_is_a_sentence() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 No\r\n\r\n")
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            for fingerprint in ("ab" * 32, None):
                with pytest.raises(ClientError, match="does not speak TLS .*without --https"):
                    await visit(Server(port, ""), fingerprint)

    asyncio.run(test())


def test_no_server_is_the_same_sentence_with_tls_and_without() -> None:
    async def test() -> None:
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
        for scheme, fingerprint in (("ws", None), ("wss", None), ("wss", "ab" * 32)):
            with pytest.raises(ClientError, match="no server answers at wss?://127"):
                await visit(Server(port, ""), fingerprint, scheme)

    asyncio.run(test())
