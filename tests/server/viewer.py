"""A client of the routes, for tests: uploads, and what a session hears."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import TypeVar

import httpx
import msgspec
from tests.server.straw import Site
from websockets.sync.client import ClientConnection, connect

from sharp_xr_protocol.codec import decode_from_server, encode
from sharp_xr_protocol.messages import Display, FromServer, Hello, Scene, Welcome

T = TypeVar("T", bound=FromServer)


class Viewer:
    """A client of /session."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, message: object) -> None:
        self.connection.send(encode(message))  # type: ignore[arg-type]

    def until(self, kind: type[T]) -> T:
        """The next message of that kind; the others before it are skipped."""
        while True:
            data = self.connection.recv(timeout=10)
            assert isinstance(data, bytes)
            message = decode_from_server(data)
            if isinstance(message, kind):
                return message


@contextlib.contextmanager
def viewer(site: Site, path: str = "/session", **headers: str) -> Iterator[Viewer]:
    with connect(
        f"ws://{site.host}{path}", additional_headers=headers, compression=None, proxy=None
    ) as connection:
        yield Viewer(connection)


@contextlib.contextmanager
def welcomed(site: Site) -> Iterator[Viewer]:
    with viewer(site) as client:
        client.say(Hello("test", "simulated", Display(128, 128, 60.0)))
        client.until(Welcome)
        yield client


def upload(site: Site, data: bytes | None = None, **query: str) -> httpx.Response:
    """Of a photo that the server has not seen, if none is given."""
    photo = b"photo" + secrets.token_bytes(8) if data is None else data
    return site.client.post("/scenes", params=query, content=photo)


def stored(site: Site, name: str = "IMG.jpg") -> Scene:
    answer = upload(site, filename=name)
    assert answer.status_code == 201, answer.text
    return msgspec.convert(answer.json(), Scene)


def sentence(answer: httpx.Response, status: int) -> str:
    """Of a refusal, which must have the one form that all have."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ["error"]
    return str(body["error"])
