"""Pairing: the short code that a server shows becomes its token and its certificate's fingerprint.

No authority need vouch for the server: that it knows the code, over just this certificate, says who
it is. Whoever stands between learns nothing of the code, see ``sharp_xr_protocol.pairing``.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import ssl
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from sharp_xr_client.address import Address
from sharp_xr_client.problem import ClientError
from sharp_xr_client.trust import certificate_of, only, why_no_tls
from sharp_xr_protocol.pairing import PairingError, Side, read_code

ANSWER_S = 10.0
MOST_BYTES = 1 << 16
"""Of an answer; more is none of ours."""


async def paired(address: Address, code: str) -> Address:
    """The address with the token and the fingerprint that the code stands for.

    Raises:
        ClientError: no code, not this server's, or no server that pairs.
    """
    if not address.url.startswith("wss:"):
        raise ClientError(f"--pair is for TLS: use https://, not {address.page}")
    try:
        read_code(code)
    except PairingError as error:
        raise ClientError(f"--pair: {error}") from error
    shown = await certificate_of(address)
    token = await asyncio.to_thread(_exchange, address, code, shown)
    return replace(address, token=token, fingerprint=hashlib.sha256(shown).hexdigest())


def _exchange(address: Address, code: str, certificate: bytes) -> str:
    """The token. Raises ClientError."""
    side = Side("client", code, hashlib.sha256(certificate).digest())
    parts = urlsplit(address.page)
    connection = http.client.HTTPSConnection(
        address.host, parts.port or 443, timeout=ANSWER_S, context=only(certificate)
    )
    try:
        begun = _post(connection, address, "/pairing/begin", {"share": side.share})
        side.meet(_field(begun, "share"))
        if not side.is_proven_by(_field(begun, "proof")):
            raise ClientError(
                f"{address.host} does not know this code: read it again, "
                "or somebody else answers in its place"
            )
        proof = {"id": _field(begun, "id"), "proof": side.proof}
        return _field(_post(connection, address, "/pairing/finish", proof), "token")
    except PairingError as error:
        raise ClientError(f"{address.host} does not pair as it must: it sent {error}") from error
    except http.client.HTTPException as error:
        raise ClientError(f"{address.page} is no sharp-xr server that pairs") from error
    except (OSError, ssl.SSLError) as error:
        raise ClientError(why_no_tls(address, error)) from error
    finally:
        connection.close()


def _post(
    connection: http.client.HTTPSConnection, address: Address, path: str, fields: dict[str, str]
) -> Any:
    headers = {"Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(fields), headers)
    response = connection.getresponse()
    body = response.read(MOST_BYTES)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if response.status != 200:
        sentence = answer.get("error") if isinstance(answer, dict) else None
        why = sentence if isinstance(sentence, str) else f"it answered HTTP {response.status}"
        raise ClientError(f"{address.host} did not pair: {why}")
    return answer


def _field(answer: Any, name: str) -> str:
    """Raises PairingError."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, str) or not found.isascii():
        raise PairingError(f"no {name}")
    return found
