"""The body of a request that may be large, slow, endless or broken off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from sharp_xr.http.refusal import Refusal

CHUNK_TIMEOUT_S = 20.0
"""A body that brings nothing for so long is given up."""
BODY_TIMEOUT_S = 600.0
"""64 MB at 110 kB/s."""
DRAIN_BYTES = 256 << 20
DRAIN_TIMEOUT_S = 20.0
"""How much of a refused body is read and thrown away, so that its sender reads the answer."""


async def read_body(request: Request, limit: int) -> bytes:
    """The request's body. Raises Refusal: too large, too slow, or not all came."""
    too_large = Refusal(413, f"the upload is larger than {_size(limit)}, the limit", close=True)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        if request.headers.get("expect", "").lower() != "100-continue":
            await drain(request.stream())
        raise too_large
    body = bytearray()
    stream = request.stream()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in _timed(stream):
                body += chunk
                if len(body) > limit:
                    body.clear()
                    await drain(stream)
                    raise too_large
    except TimeoutError:
        raise Refusal(408, "the upload came too slowly and was given up", close=True) from None
    except ClientDisconnect:
        raise Refusal(400, "the upload broke off", close=True) from None
    return bytes(body)


def _size(limit: int) -> str:
    return f"{limit >> 20} MB" if limit >> 20 else f"{limit >> 10} KB"


async def _timed(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, each within its time. Raises TimeoutError."""
    while True:
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT_S):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        yield chunk


async def drain(stream: AsyncIterator[bytes]) -> None:
    """Read on and keep nothing: a sender whose bytes meet a closed socket loses the answer too."""
    left = DRAIN_BYTES
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            async for chunk in stream:
                left -= len(chunk)
                if left < 0:
                    return
