"""Headsets that pair with a short code: what ``sharp-xr serve --https`` shows, and takes once.

A code dies of use, of age and of wrong tries; a new one is made for who has the token already
(``POST /pairing``). So whoever guesses has TRIES of 2^30 for each code that a person asks for; how
both sides learn that they have the same one is in ``sharp_xr_protocol.pairing``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sharp_xr.http import qr
from sharp_xr.http.access import is_loopback
from sharp_xr.http.body import read_body
from sharp_xr.http.refusal import Refusal
from sharp_xr_protocol.pairing import PairingError, Side, address_with, new_code, read_code

LIFE_S = 600.0
"""Of a code: time to put on a headset."""
TRIES = 5
"""Exchanges that may begin with one code. They are counted as they begin, so that many at once
gain nothing."""
MAX_BODY_BYTES = 4096
NO_CODE = (
    "there is no pairing code, or it was used, tried too often or is too old: ask for another one "
    "where the server's page is open, or start the server again"
)
WRONG_CODE = "that is not the pairing code of this server"


class Share(msgspec.Struct, frozen=True):
    """What begins an exchange."""

    share: str


class Proof(msgspec.Struct, frozen=True):
    """What ends it."""

    id: str
    proof: str


Message = TypeVar("Message", Share, Proof)


@dataclass
class Code:
    """One that is good now."""

    text: str
    until_s: float
    tries: int = 0
    begun: dict[str, Side] = field(default_factory=dict)
    """By the id that the client was given."""


class Pairing:
    """Owns the code. ``fingerprint`` None: without TLS, or without a token, nobody pairs."""

    def __init__(self, token: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.fingerprint: str | None = None
        """Of the certificate that this server shows, AB:CD:..."""
        self.page = ""
        """Its address as the network knows it."""
        self._token = token
        self._clock = clock
        self._code: Code | None = None

    def new_code(self) -> str:
        """From now on this one, and no other. Raises Refusal."""
        if self._token is None:
            raise Refusal(409, "this server wants no token, so nobody needs to pair with it")
        if self.fingerprint is None:
            raise Refusal(409, "pairing wants TLS: start the server with --https")
        self._code = Code(new_code(), self._clock() + LIFE_S)
        return self._code.text

    async def begin(self, share: str) -> tuple[str, str, str]:
        """Id of the exchange, our share and our proof. Raises Refusal."""
        code, fingerprint = self._current(), self.fingerprint
        assert fingerprint is not None
        code.tries += 1
        exchange = secrets.token_urlsafe(16)
        side = await asyncio.to_thread(_met, code.text, fingerprint, share)
        code.begun[exchange] = side
        return exchange, side.share, side.proof

    def finish(self, exchange: str, proof: str) -> str:
        """The token; the code is used up. Raises Refusal."""
        code = self._code
        side = code.begun.pop(exchange, None) if code and self._clock() < code.until_s else None
        if side is None:
            raise Refusal(403, NO_CODE)
        if not side.is_proven_by(proof):
            raise Refusal(403, WRONG_CODE)
        self._code = None
        assert self._token is not None
        return self._token

    def redeem(self, text: str) -> None:
        """Use the code up, for somebody who typed it into this server's own page.

        Raises:
            Refusal: it is not the code, or there is none.
            PairingError: it cannot be one.
        """
        typed, code = read_code(text), self._current()
        code.tries += 1
        if not hmac.compare_digest(typed, read_code(code.text)):
            raise Refusal(403, WRONG_CODE)
        self._code = None

    def _current(self) -> Code:
        code = self._code
        if code is None or self._clock() >= code.until_s or code.tries >= TRIES:
            raise Refusal(403, NO_CODE)
        return code

    # --- the paths ------------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        """``/pairing`` wants the token as all paths do; the other two are open."""
        return [
            Route("/pairing", self._on_new_code, methods=["POST"]),
            Route("/pairing/begin", self._on_begin, methods=["POST"]),
            Route("/pairing/finish", self._on_finish, methods=["POST"]),
        ]

    async def _on_new_code(self, request: Request) -> Response:
        code = self.new_code()
        # Where the person has it open; but no headset finds the loopback of another machine.
        page = self.page if is_loopback(request.url.hostname or "") else str(request.base_url)
        address = address_with(page or str(request.base_url), code)
        answer = {"code": code, "seconds": LIFE_S, "address": address, "qr": qr.rows(address)}
        return JSONResponse(answer, 201)

    async def _on_begin(self, request: Request) -> Response:
        wanted = await _read(request, Share)
        exchange, share, proof = await self.begin(wanted.share)
        return JSONResponse({"id": exchange, "share": share, "proof": proof})

    async def _on_finish(self, request: Request) -> Response:
        found = await _read(request, Proof)
        return JSONResponse({"token": self.finish(found.id, found.proof)})


def _met(code: str, fingerprint: str, share: str) -> Side:
    """Some 50 ms of a processor. Raises Refusal."""
    side = Side("server", code, bytes.fromhex(fingerprint.replace(":", "")))
    try:
        side.meet(share)
    except PairingError as error:
        raise Refusal(400, str(error)) from error
    return side


async def _read(request: Request, kind: type[Message]) -> Message:
    body = await read_body(request, MAX_BODY_BYTES)
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(body, type=kind)
    fields = ", ".join(f'"{name}": "..."' for name in kind.__struct_fields__)
    raise Refusal(400, f"wanted {{{fields}}}")
