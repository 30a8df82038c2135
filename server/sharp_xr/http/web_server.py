"""uvicorn, set up for this server: no signal handlers, limits of time, TLS by ``https.accept``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from sharp_xr.http import https
from sharp_xr_protocol.codec import MAX_MESSAGE_BYTES

REQUEST_TIMEOUT_S = 15.0
"""A new connection whose request has not come by then is closed (uvicorn itself waits for ever)."""
SHUTDOWN_TIMEOUT_S = 3


class Server(uvicorn.Server):
    """uvicorn without its signal handlers; with TLS it leaves the port to ``https.accept``."""

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(config)
        self._tls = tls
        self._accepting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._tls is None:
            await super().startup(sockets)
            return
        assert sockets
        await super().startup([])
        accepting = https.accept(sockets[0], self._tls, self._new_protocol)
        self._accepting = asyncio.create_task(accepting)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait({self._accepting})
        await super().shutdown(sockets)

    def _new_protocol(self) -> asyncio.Protocol:
        return PatientProtocol(self.config, self.server_state, self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that ends a connection whose first request does not come (slow loris)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(REQUEST_TIMEOUT_S, self._end_without_request)

    def _end_without_request(self) -> None:
        if self.scope is None and not self.transport.is_closing():
            self.transport.close()


def is_a_complaint(record: logging.LogRecord) -> bool:
    """False for what uvicorn 0.54 says of each refused WebSocket, whose answer it has sent: that
    is no error, and the guard has logged it."""
    return record.getMessage() != "ASGI callable returned without completing handshake."


def uvicorn_config(app: ASGIApp) -> uvicorn.Config:
    """How the application is served."""
    logging.getLogger("uvicorn.error").addFilter(is_a_complaint)
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=MAX_MESSAGE_BYTES,
        lifespan="off",
        log_config=None,
        access_log=False,  # its lines would hold the token
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
