"""One port for HTTPS, where plain HTTP is told so instead of being cut off.

    first byte of a connection  0x16, a TLS handshake   -> TLS, then the web server's protocol
                                anything else           -> PlainHttp: a redirect, or a sentence

The byte is looked at without being taken (MSG_PEEK), so TLS begins on an untouched socket.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import ssl
from collections.abc import Callable

import h11

log = logging.getLogger(__name__)

HANDSHAKE = b"\x16"
"""RFC 8446, section 5.1: the content type of a ClientHello."""
PATIENCE_S = 15.0
"""For the first byte, for the handshake, and for a request."""
SHUTDOWN_S = 2.0
BACKLOG = 512
PAUSE_S = 0.1
"""After a connection that could not be taken, for want of file descriptors mostly."""
_HOST = re.compile(r"[A-Za-z0-9._\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")

NewProtocol = Callable[[], asyncio.Protocol]


async def accept(
    listening: socket.socket, context: ssl.SSLContext, new_protocol: NewProtocol
) -> None:
    """Take connections until cancelled; those that were handed on live on.

    Args:
        listening: bound, not blocking.
        context: see ``Certificate.context``.
        new_protocol: what speaks behind TLS.
    """
    loop = asyncio.get_running_loop()
    arriving: set[asyncio.Task[None]] = set()
    listening.listen(BACKLOG)
    try:
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                log.warning("a connection was not taken", extra={"fields": {"why": str(error)}})
                await asyncio.sleep(PAUSE_S)
                continue
            task = loop.create_task(_let_in(connection, context, new_protocol))
            arriving.add(task)
            task.add_done_callback(arriving.discard)
    finally:
        for task in arriving:
            task.cancel()
        await asyncio.gather(*arriving, return_exceptions=True)


async def _let_in(
    connection: socket.socket, context: ssl.SSLContext, new_protocol: NewProtocol
) -> None:
    loop = asyncio.get_running_loop()
    first = await _first_byte(connection)
    # From here on the loop's transport owns the socket, also when this fails: closed here as well,
    # it could be a file descriptor that belongs to the next connection by then.
    try:
        if first == HANDSHAKE:
            await loop.connect_accepted_socket(
                new_protocol,
                connection,
                ssl=context,
                ssl_handshake_timeout=PATIENCE_S,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        elif first:
            await loop.connect_accepted_socket(PlainHttp, connection)
    except (OSError, TimeoutError) as error:  # it went, or does not like our certificate
        log.debug("no handshake", extra={"fields": {"why": str(error)}})


async def _first_byte(connection: socket.socket) -> bytes:
    """Without taking it. Empty when none comes: then the connection is closed."""
    loop = asyncio.get_running_loop()
    first = b""
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        is_there = asyncio.Event()
        loop.add_reader(connection.fileno(), is_there.set)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await is_there.wait()
        finally:
            loop.remove_reader(connection.fileno())
        first = connection.recv(1, socket.MSG_PEEK)
    except (OSError, TimeoutError) as error:
        log.debug("no first byte", extra={"fields": {"why": str(error)}})
    finally:
        if not first:
            connection.close()
    return first


class PlainHttp(asyncio.Protocol):
    """Sends a browser to the same address with https, and tells a program what to do."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.SERVER)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._transport.write(self._answer(event))
        except h11.RemoteProtocolError:
            event = None
        if event is not h11.NEED_DATA:
            self._transport.close()

    def _answer(self, request: h11.Request) -> bytes:
        headers = dict(request.headers)
        host, target = headers.get(b"host", b"").decode("ascii", "replace"), request.target
        if not _HOST.fullmatch(host) or not target.startswith(b"/"):
            return self._response(400, "this server speaks HTTPS, and that is no request to it")
        if b"upgrade" in headers:
            return self._response(426, f"this server speaks TLS: use wss://{host}")
        if request.method not in (b"GET", b"HEAD"):
            return self._response(426, f"this server speaks HTTPS: use https://{host}")
        # Temporary: tomorrow this port may serve without TLS, and browsers keep the other kind.
        where = b"https://" + host.encode() + target
        sentence = f"this server speaks HTTPS: see https://{host}"
        return self._response(307, sentence, where, is_head=request.method == b"HEAD")

    def _response(
        self, status: int, sentence: str, location: bytes | None = None, *, is_head: bool = False
    ) -> bytes:
        body = json.dumps({"error": sentence}).encode()
        headers = [
            (b"Content-Type", b"application/json"),
            (b"Content-Length", str(len(body)).encode()),
            (b"Cache-Control", b"no-store"),
            (b"Connection", b"close, Upgrade" if status == 426 else b"close"),
        ]
        if location is not None:
            headers.append((b"Location", location))
        if status == 426:
            headers.append((b"Upgrade", b"TLS/1.2"))  # RFC 9110, section 15.5.22
        head = self._http.send(h11.Response(status_code=status, headers=headers))
        return (head or b"") + (b"" if is_head else body)
