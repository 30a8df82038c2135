"""The WebSocket of a session, or one sentence that says why there is none."""

from __future__ import annotations

import json

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Response

from sharp_xr_client.address import Address
from sharp_xr_client.problem import ClientError
from sharp_xr_client.trust import tls_context, why_no_tls
from sharp_xr_protocol.codec import MAX_MESSAGE_BYTES

REPLY_S = 10.0
"""How long the server may take to answer."""


async def opened(address: Address) -> ClientConnection:
    """Open it. Raises ClientError."""
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    tls = await tls_context(address)  # before the token goes out
    try:
        return await connect(
            address.url,
            ssl=tls,
            additional_headers=headers,
            compression=None,  # poses do not compress, and must not wait for it
            max_size=MAX_MESSAGE_BYTES,
            open_timeout=REPLY_S,
            ping_interval=5,
            ping_timeout=5,
            close_timeout=2,
            proxy=None,  # the video goes straight to the server, so must this
        )
    except InvalidStatus as error:
        raise ClientError(_refusal(address, error.response)) from error
    except (InvalidHandshake, InvalidURI) as error:
        raise ClientError(f"{address.url} is no sharp-xr session: {error}") from error
    except TimeoutError as error:
        raise ClientError(f"{address.url} did not answer within {REPLY_S:.0f} s") from error
    except OSError as error:
        raise ClientError(why_no_tls(address, error)) from error


def _refusal(address: Address, response: Response) -> str:
    status = response.status_code
    if status in (401, 403) and address.token is None:
        sentence = _error_of(response.body) or f"it answered HTTP {status}"
        return f"{address.host} lets nobody in without its token (--token): {sentence}"
    if status == 401:
        return (
            f"{address.host} refused this token: take the one that its server printed last, "
            "or pair again"
        )
    sentence = _error_of(response.body) or "there is no sharp-xr session"
    return f"{address.url} answered HTTP {status}: {sentence}"


def _error_of(body: bytes | bytearray | None) -> str | None:
    """The sentence of a refusal, ``{"error": "..."}``; None if the body is something else."""
    try:
        found = json.loads(body or b"null")
    except ValueError:
        return None
    sentence = found.get("error") if isinstance(found, dict) else None
    return sentence if isinstance(sentence, str) else None
