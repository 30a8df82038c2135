"""Servers that this machine was paired with: a code is good once, what it gave is good for longer.

FOLDER/servers.json   {"https://host:port/": {"token": "...", "fingerprint": "..."}}, 0600
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from sharp_xr_client.address import Address
from sharp_xr_client.problem import ClientError


def folder() -> Path:
    """Of what this person's programs keep (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "sharp-xr"


def keep(address: Address) -> None:
    """Remember its token and fingerprint. Raises ClientError."""
    file = folder() / "servers.json"
    servers = _read(file)
    servers[address.page] = {"token": address.token, "fingerprint": address.fingerprint}
    new = file.with_name(f".new-{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Never readable by others, not even for a moment.
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            json.dump(servers, stream, indent=1)
        new.replace(file)
    except OSError as error:
        sentence = f"cannot remember the server in {file}: {error.strerror}"
        raise ClientError(sentence) from error


def completed(address: Address) -> Address:
    """With what is remembered, where neither token nor fingerprint was said. Raises ClientError."""
    if address.token is not None or address.fingerprint is not None:
        return address
    if not address.url.startswith("wss:"):
        return address
    found = _read(folder() / "servers.json").get(address.page, {})
    return replace(address, token=found.get("token"), fingerprint=found.get("fingerprint"))


def recognised(fingerprint: str, address: Address) -> Address | None:
    """The server of this certificate, which may have been at another address when it was kept; None
    if it was not. Raises ClientError."""
    for known in _read(folder() / "servers.json").values():
        if known.get("fingerprint") == fingerprint and known.get("token"):
            return replace(address, token=known["token"], fingerprint=fingerprint)
    return None


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        servers = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ClientError(f"{file} cannot be read ({error}): mend or remove it") from error
    if not isinstance(servers, dict) or not all(isinstance(s, dict) for s in servers.values()):
        raise ClientError(f"{file} holds no servers: mend or remove it")
    return servers
