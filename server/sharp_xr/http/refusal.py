"""The one form of an HTTP refusal: a status and ``{"error": "one sentence"}``."""

from __future__ import annotations

import logging

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

FAULT = "the server failed; its log says why"
"""What a peer is told of a fault of ours: the details may be confidential."""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a failure of ours
    """Raised where a request cannot be met; the application answers it."""

    def __init__(self, status: int, sentence: str, *, close: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.close = close
        """End the connection after the answer: bytes of the request may still be on their way."""


def refuse(status: int, sentence: str, *, close: bool = False) -> JSONResponse:
    """The answer."""
    headers = {"Connection": "close"} if close else {}
    return JSONResponse({"error": sentence}, status, headers)


class Faults:
    """ASGI middleware, the outermost: a fault of ours is logged in full, and answered without.

    Starlette's own way raises on into uvicorn, which then closes the connection under the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception:
            log.exception("request failed", extra={"fields": {"path": scope.get("path", "")}})
            if begun or scope["type"] != "http":
                raise  # half an answer: only closing the connection tells
            await refuse(500, FAULT)(scope, receive, send)
