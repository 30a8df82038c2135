"""The one error that this program's user sees."""

from __future__ import annotations


class ClientError(Exception):
    """The session cannot begin or go on. The message is one sentence for a person."""
