"""Where the server is: what a person types or pastes becomes the URL of its session."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit, urlunsplit

from sharp_xr_client.problem import ClientError

SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


@dataclass(frozen=True)
class Address:
    """A server's session."""

    url: str
    """Of the WebSocket, without the token."""
    page: str
    """Of the server's page, for a browser."""
    host: str
    token: str | None

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, by its name."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")


def parse_address(text: str, token: str | None = None) -> Address:
    """Read what names a server: see ``wanted`` below; the page's URL may carry ``?token=...``.

    Raises:
        ClientError: it is none of them.
    """
    wanted = "wanted ws://host:port/session, http://host:port or host:port"
    try:
        parts = urlsplit(text if "://" in text else f"ws://{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ClientError(f"{text!r} is no address of a server ({error}), {wanted}") from error
    scheme = SCHEMES.get(parts.scheme)
    if scheme is None or not host:
        raise ClientError(f"{text!r} is no address of a server, {wanted}")
    place = f"[{host}]" if ":" in host else host
    if port is not None:
        place += f":{port}"
    path = parts.path if parts.path not in ("", "/") else "/session"
    page = urlunsplit((scheme.replace("ws", "http"), place, "/", "", ""))
    if token is None:
        token = parse_qs(parts.query).get("token", [None])[0]
    return Address(urlunsplit((scheme, place, path, "", "")), page, host, token)
