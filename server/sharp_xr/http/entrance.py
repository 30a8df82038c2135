"""Where a person without the token comes in: what they type becomes a cookie, and stays nowhere.

The page of a refusal has one field for the token, for an address that has it, and for the pairing
code, which a QR code fills in: ``GET /?pair=CODE`` shows it, ``POST /enter`` uses it up. So whoever
merely looks at that address, as scanners and messengers do, has not used the code; and a photo of
the QR code is worth nothing afterwards.
"""

from __future__ import annotations

import contextlib
import logging
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sharp_xr.http import page
from sharp_xr.http.access import Access
from sharp_xr.http.body import read_body
from sharp_xr.http.pairing import Pairing
from sharp_xr.http.refusal import Refusal, refuse
from sharp_xr_protocol.pairing import PairingError, code_in

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 4096


class Entrance:
    """Lets in who knows the token or the code."""

    def __init__(self, access: Access, pairing: Pairing) -> None:
        self._access = access
        self._pairing = pairing

    def routes(self) -> list[Route]:
        return [Route("/enter", self._on_enter, methods=["POST"])]

    async def _on_enter(self, request: Request) -> Response:
        """``word=...``, as a form sends it: to the page, with the cookie."""
        try:
            self._check(_word(await read_body(request, MAX_BODY_BYTES)))
        except Refusal as refusal:
            log.warning("refused", extra={"fields": {"path": "/enter", "why": refusal.sentence}})
            if page.is_for_a_person(request):
                return page.refused(request, refusal)
            return refuse(refusal.status, refusal.sentence, close=refusal.close)
        cookie = self._access.admission(request.url.scheme)
        return RedirectResponse("./", 303, {"Set-Cookie": cookie, "Cache-Control": "no-store"})

    def _check(self, word: str) -> None:
        """Raises Refusal."""
        if self._access.token is None:
            raise Refusal(409, "this server wants no token: open its page")
        if self._access.is_token(word):
            return
        with contextlib.suppress(PairingError):
            try:
                return self._pairing.redeem(code_in(word) or word)
            except Refusal as refusal:
                # Whoever mistyped it may try again.
                raise Refusal(401, refusal.sentence) from refusal
        raise Refusal(401, "that is neither this server's token nor a pairing code")


def _word(body: bytes) -> str:
    fields = parse_qs(body.decode("ascii", errors="replace"))
    return fields.get("word", [""])[0].strip()
