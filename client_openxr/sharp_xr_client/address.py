"""Where the server is: what a person types or pastes becomes the URL of its session."""

from __future__ import annotations

import ipaddress
import re
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
    fingerprint: str | None = None
    """SHA-256 of the server's certificate, 64 small letters; None: an authority must vouch for it.
    See ``trust``."""

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, by its name."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")


def parse_address(text: str, token: str | None = None, fingerprint: str | None = None) -> Address:
    """Read what names a server: see ``wanted`` below; the page's URL may carry ``?token=...``,
    or ``#token=...``.

    Args:
        text: what a person typed or pasted.
        token: in place of the URL's.
        fingerprint: SHA-256 in hexadecimal, with colons or blanks between the bytes or without.

    Raises:
        ClientError: one of them is not what it should be.
    """
    wanted = "wanted ws://host:port/session, http://host:port (wss, https: over TLS) or host:port"
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
        token = parse_qs(parts.query or parts.fragment).get("token", [None])[0]
    if fingerprint is not None:
        fingerprint = _fingerprint(fingerprint)
        if scheme != "wss":
            raise ClientError(f"--fingerprint is for TLS: use https:// or wss://, not {text!r}")
    return Address(urlunsplit((scheme, place, path, "", "")), page, host, token, fingerprint)


def _fingerprint(text: str) -> str:
    plain = re.sub(r"[:\s]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise ClientError(
            f"--fingerprint {text!r} is no SHA-256 in hexadecimal, "
            "wanted the one that sharp-xr serve printed (5B:2D:..., 32 bytes)"
        )
    return plain
