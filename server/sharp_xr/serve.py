"""The process of ``sharp-xr serve``: bind, start, say where, serve, drain, end.

uvicorn installs signal handlers of its own, which close the sockets under the sessions and make the
process die of the signal; here a signal first says Bye, and the exit code is 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sharp_xr.app import App, AppConfig
from sharp_xr.devices import Device, renderer_for
from sharp_xr.http import beacon, certificates
from sharp_xr.http.access import is_loopback, new_token
from sharp_xr.http.announcement import address, announce, outward_name
from sharp_xr.http.certificates import Certificate, CertificateError
from sharp_xr.http.refusal import Refusal
from sharp_xr.http.web_server import Server, uvicorn_config
from sharp_xr.model import ModelError, Precision, check_name, load_predictor
from sharp_xr.prediction import PredictionWorker
from sharp_xr.routes import create_app
from sharp_xr.scenes.index import SceneError
from sharp_xr.scenes.uploads import scene_name
from sharp_xr.stream.encoder import EncoderName, check_encoder
from sharp_xr.stream.selftest import check_aiortc

log = logging.getLogger(__name__)

RENEWAL_CHECK_S = 6 * 3600.0


class ServeError(Exception):
    """The server cannot start; the message is one sentence for the user."""


@dataclass(frozen=True)
class ServeConfig:
    """What ``sharp-xr serve`` was told, with the device chosen.

    Raises:
        ServeError: an unknown model, or a number that makes no sense.
    """

    data: Path
    device: Device
    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = None
    """None: a new one where one is wanted."""
    model: str = "lite"
    checkpoint: Path | None = None
    precision: Precision = "auto"
    compiled: bool = False
    """See ``load_predictor``."""
    max_eye_px: int = 512
    max_sessions: int = 4
    encoder: EncoderName = "auto"
    show: Path | None = None
    """A photo or a ``.ply`` that becomes a scene at the start."""
    https: bool = False
    """TLS, with a certificate that is made and kept beside the scenes, or with ``cert``."""
    cert: Path | None = None
    """The user's own certificate, PEM."""
    key: Path | None = None
    """Its key, PEM; None: in the same file."""

    def __post_init__(self) -> None:
        try:
            check_name(self.model)
        except ModelError as error:
            raise ServeError(str(error)) from error
        if self.key and not self.cert:
            raise ServeError(f"--key {self.key} wants --cert as well: the certificate that it fits")
        for flag, value, least, most in (
            ("--port", self.port, 0, 65535),
            ("--eye-size", self.max_eye_px, 16, 4096),
            ("--sessions", self.max_sessions, 1, 100),
        ):
            if not least <= value <= most:
                raise ServeError(f"{flag} {value}: wanted {least} to {most}")


def run(config: ServeConfig) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ServeError: the address is taken, or a part cannot start.
    """
    try:
        check_aiortc()
        check_encoder(config.encoder)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(config))
    except (OSError, RuntimeError, ModelError, SceneError, CertificateError) as error:
        raise ServeError(str(error)) from error


async def _serve(config: ServeConfig) -> None:
    with _signals() as stop_asked, contextlib.closing(bind(config.host, config.port)) as listening:
        token = config.token
        if token is None and not is_loopback(config.host):
            token = new_token()
        app = _make_app(config, token)
        certificate = _certificate(config)
        scheme = "https" if certificate else "http"
        url = address(config.host, listening.getsockname()[1], token, scheme)
        print(
            f"sharp-xr: {app.renderer.name} draws; {config.model} predicts on {config.device}",
            flush=True,
        )
        tls = certificate.context() if certificate else None
        app.pairing.page = url.partition("?")[0]
        app.pairing.fingerprint = certificate.fingerprint if certificate else None
        server = Server(uvicorn_config(create_app(app)), tls)
        async with _renewing(config, tls, app), _announcing(listening, app):
            await _live(
                *(app, server, listening, stop_asked),
                lambda: _opened(app, config, url, certificate),
            )


async def _live(
    app: App,
    server: Server,
    listening: socket.socket,
    stop_asked: asyncio.Event,
    on_ready: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Start, serve, drain, end. The page answers while the rest still warms up."""
    serving = asyncio.create_task(server.serve([listening]))
    starting = asyncio.create_task(_then(app.start(), on_ready))
    stopping = asyncio.create_task(stop_asked.wait())
    try:
        await asyncio.wait({serving, stopping, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()  # what kept it from starting, if anything did
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (starting, stopping):
            task.cancel()
        await app.drain()
        server.should_exit = True
        await serving
        await app.stop()


async def _then(
    first: Coroutine[Any, Any, None], then: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    await first
    await then()


async def _opened(app: App, config: ServeConfig, url: str, certificate: Certificate | None) -> None:
    """Say where the page is, then make the scene that was asked for."""
    pairs = certificate is not None and app.config.token is not None
    announce(url, config.host, certificate, app.pairing.new_code() if pairs else None)
    if config.show is not None:
        try:
            data = await asyncio.to_thread(config.show.read_bytes)
            await app.uploads.make(data, scene_name(config.show.name))
        except (OSError, Refusal) as error:
            print(f"sharp-xr: {config.show}: {error}", file=sys.stderr, flush=True)


def _certificate(config: ServeConfig) -> Certificate | None:
    """None for plain HTTP. Raises CertificateError."""
    now = datetime.datetime.now(datetime.UTC)
    if config.cert is not None:
        return certificates.given(config.cert, config.key, now)
    if config.https:
        return certificates.kept(config.data / "https", outward_name(config.host), now)
    return None


@contextlib.asynccontextmanager
async def _renewing(
    config: ServeConfig, tls: ssl.SSLContext | None, app: App
) -> AsyncIterator[None]:
    """A server that runs for a year gets its next certificate meanwhile."""

    async def renew() -> None:
        while tls is not None:
            await asyncio.sleep(RENEWAL_CHECK_S)
            try:
                certificate = _certificate(config)
                if certificate:
                    certificate.load_into(tls)
                    app.pairing.fingerprint = certificate.fingerprint
            except CertificateError as error:
                log.error("certificate not renewed", extra={"fields": {"why": str(error)}})

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()


@contextlib.asynccontextmanager
async def _announcing(listening: socket.socket, app: App) -> AsyncIterator[None]:
    """In the network, where there is one, and where a headset may pair."""
    bound, port = listening.getsockname()[:2]
    address, fingerprint = outward_name(bound), app.pairing.fingerprint
    if fingerprint is None or app.config.token is None or is_loopback(address):
        yield
        return
    task = asyncio.create_task(beacon.announce(address, port, fingerprint))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _make_app(config: ServeConfig, token: str | None) -> App:
    app_config = AppConfig(
        data=config.data,
        model=config.model,
        token=token,
        max_eye_px=config.max_eye_px,
        max_sessions=config.max_sessions,
        encoder=config.encoder,
    )
    worker = PredictionWorker(
        config.model,
        config.checkpoint,
        config.device.name,
        config.precision,
        load=partial(load_predictor, compiled=config.compiled),
    )
    return App(app_config, renderer_for(config.device), worker)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket. Raises ServeError with one sentence."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(f"--host {host}: {error.strerror or error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
    except OSError as error:
        listening.close()
        sentence = f"cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}"
        raise ServeError(f"{sentence} (--port 0 takes a free one)") from error
    listening.setblocking(False)
    return listening


@contextlib.contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """The event is set by SIGINT or SIGTERM; a second one then has its usual, harder effect."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def on_signal() -> None:
        event.set()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield event
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it exists: a packet costs half as much there."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
