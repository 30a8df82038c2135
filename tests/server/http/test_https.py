"""One port for TLS, and what plain HTTP hears there."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from sharp_xr.http import https
from sharp_xr.http.certificates import Certificate, kept

WITHOUT_TRUST = ssl.create_default_context()
NOW = datetime.datetime.now(datetime.UTC)
LOOPS: list[Callable[[], asyncio.AbstractEventLoop] | None] = [None]
try:
    import uvloop

    LOOPS.append(uvloop.new_event_loop)
except ImportError:  # the plain loop is what there is
    assert LOOPS == [None]


class Echo(asyncio.Protocol):
    """Stands for the web server behind TLS."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data.upper())


@dataclass
class Port:
    """A listening one."""

    number: int
    trusting: ssl.SSLContext
    """For a client that knows the certificate."""

    async def talk(self, word: bytes, tls: ssl.SSLContext | None) -> bytes:
        """What comes back for this word."""
        host = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.number, ssl=tls, server_hostname=host
        )
        try:
            writer.write(word)
            return await asyncio.wait_for(reader.read(2000), 10)
        finally:
            writer.close()
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                await writer.wait_closed()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return kept(tmp_path_factory.mktemp("https"), "localhost", NOW)


@pytest.fixture(params=LOOPS, ids=lambda new: "uvloop" if new else "asyncio")
def run(
    request: pytest.FixtureRequest, certificate: Certificate
) -> Iterator[Callable[[Callable[[Port], Awaitable[None]]], None]]:
    """Runs a test's coroutine function beside a port; nothing may be left or go wrong unseen."""
    faults: list[object] = []

    def run_it(test: Callable[[Port], Awaitable[None]]) -> None:
        async def everything() -> None:
            handler = asyncio.get_running_loop().set_exception_handler
            handler(lambda loop, context: faults.append(context))
            async with open_port(certificate) as port:
                await test(port)

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(everything())

    yield run_it
    assert faults == []


@contextlib.asynccontextmanager
async def open_port(certificate: Certificate) -> AsyncIterator[Port]:
    trusting = ssl.create_default_context(cafile=str(certificate.file))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setblocking(False)
        accepting = asyncio.create_task(https.accept(listening, certificate.context(), Echo))
        await asyncio.sleep(0)
        yield Port(listening.getsockname()[1], trusting)
        accepting.cancel()
        await asyncio.wait({accepting})


Run = Callable[[Callable[[Port], Awaitable[None]]], None]


def test_who_trusts_the_certificate_speaks_with_the_server(run: Run) -> None:
    async def test(port: Port) -> None:
        assert await port.talk(b"hello", port.trusting) == b"HELLO"

    run(test)


def test_plain_http_is_sent_to_the_same_address_with_https(run: Run) -> None:
    async def test(port: Port) -> None:
        request = b"GET /web/a.js?token=t HTTP/1.1\r\nHost: photo.local:8443\r\n\r\n"
        answer = (await port.talk(request, None)).decode()
        assert answer.startswith("HTTP/1.1 307 ")
        assert "\r\nLocation: https://photo.local:8443/web/a.js?token=t\r\n" in answer
        assert "token=t" not in answer.partition("\r\n\r\n")[2]
        head = (await port.talk(request.replace(b"GET", b"HEAD"), None)).decode()
        assert "\r\nLocation: https://" in head and head.endswith("\r\n\r\n")

    run(test)


@pytest.mark.parametrize(
    ("request_head", "status", "sentence"),
    [
        (b"POST /scenes HTTP/1.1\r\nHost: a:1", 426, "this server speaks HTTPS: use https://a:1"),
        (b"GET /session HTTP/1.1\r\nHost: a\r\nUpgrade: websocket", 426, "use wss://a"),
        (b"GET / HTTP/1.1\r\nHost: evil.example/@", 400, "no request to it"),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: a", 400, "no request to it"),
    ],
)
def test_what_cannot_be_redirected_hears_a_sentence(
    run: Run, request_head: bytes, status: int, sentence: str
) -> None:
    async def test(port: Port) -> None:
        answer = httpx.Response(
            int((raw := await port.talk(request_head + b"\r\n\r\n", None))[9:12]),
            content=raw.partition(b"\r\n\r\n")[2],
        )
        assert answer.status_code == status
        assert sentence in answer.json()["error"]
        assert b"Location" not in raw

    run(test)


def test_noise_is_cut_off(run: Run) -> None:
    async def test(port: Port) -> None:
        assert await port.talk(b"\x00\x01\x02\r\n\r\n", None) == b""
        assert b"HTTP/1.1" not in await port.talk(b"\x16 is how TLS begins, but not this", None)

    run(test)


def test_a_connection_that_says_nothing_is_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "PATIENCE_S", 0.05)

    async def test(port: Port) -> None:
        for start in (b"", b"\x16\x03", b"GET / HT"):
            assert await port.talk(start, None) == b""

    run(test)


def test_who_refuses_the_certificate_disturbs_nobody(run: Run) -> None:
    """Also that file descriptors are closed once: a second time would hit a neighbour's."""

    async def refuse(port: Port) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await port.talk(b"hello", WITHOUT_TRUST)

    async def test(port: Port) -> None:
        await asyncio.gather(*(refuse(port) for _ in range(20)))
        mixed = [
            work
            for _ in range(20)
            for work in (refuse(port), port.talk(b"a", port.trusting), port.talk(b"\x00\r\n", None))
        ]
        answers = await asyncio.gather(*mixed)
        assert answers.count(b"A") == 20

    run(test)


def test_who_is_inside_stays_when_no_more_are_taken(certificate: Certificate) -> None:
    async def test() -> None:
        async with open_port(certificate) as port:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port.number, ssl=port.trusting, server_hostname="localhost"
            )
            writer.write(b"a")
            assert await reader.read(1) == b"A"
        writer.write(b"still here")
        assert await reader.read(100) == b"STILL HERE"
        writer.close()
        await writer.wait_closed()

    asyncio.run(test())
