"""The one form of an HTTP refusal: a status and ``{"error": "one sentence"}``."""

from __future__ import annotations

from starlette.responses import JSONResponse


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
